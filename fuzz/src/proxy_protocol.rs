//! What may stand before all else on a connection: a PROXY protocol header.

use sallyport_wire::proxy_protocol::{Parse, parse};

use crate::input::cuts;

/// Above what a header of version 2 can announce, and a bound that cuts into ordinary ones.
const BOUNDS: [usize; 2] = [16 + 65_535, 64];

/// A header says the same however it arrives, and when it is written again.
pub fn proxy_protocol(data: &[u8]) {
    for bytes_max in BOUNDS {
        let whole = parse(data, bytes_max);
        for cut in cuts(data.len()) {
            match parse(&data[..cut], bytes_max) {
                Ok(Parse::Incomplete { bytes_min }) => assert!(
                    bytes_min > cut,
                    "{cut} bytes are there, and {bytes_min} wanted"
                ),
                found => assert_eq!(found, whole, "after {cut} bytes"),
            }
        }
        let Ok(Parse::Header { header, bytes }) = whole else {
            continue;
        };
        assert!(bytes <= bytes_max.max(107));
        match parse(&data[..bytes - 1], bytes_max) {
            Ok(Parse::Incomplete { bytes_min }) => assert_eq!(bytes_min, bytes),
            early => panic!("{early:?} without the last byte"),
        }
        let mut written = Vec::new();
        header.encode(&mut written).expect("not longer than it was");
        assert_eq!(
            parse(&written, usize::MAX),
            Ok(Parse::Header {
                header,
                bytes: written.len()
            })
        );
        // Padding and unknown TLVs are left out, and lines have one form.
        let is_shortest = written.len() <= bytes || written.starts_with(b"PROXY TCP6");
        assert!(is_shortest, "{} bytes from {bytes}", written.len());
    }
}
