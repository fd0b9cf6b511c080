//! What opens a tunnel: the first bytes, and the ClientHello in any number of records.

use sallyport_wire::http1::{Authority, HeadLimits, Host, Parse, RequestHead};
use sallyport_wire::sniff::Sniff;
use sallyport_wire::tls::{ClientHello, HelloParse, RecordFollower};

use crate::input::cuts;

/// A ClientHello says the same however it arrives and however it is cut into records.
pub fn client_hello(data: &[u8]) {
    let mut hello = ClientHello::new();
    let whole = hello.parse(data);
    let mut reused = ClientHello::new();
    for cut in cuts(data.len()) {
        let found = reused.parse(&data[..cut]);
        let is_early = matches!(found, Ok(HelloParse::Incomplete { .. }));
        assert!(
            is_early || found == whole,
            "{found:?} after {cut} bytes, then {whole:?}"
        );
    }
    let Ok(HelloParse::Complete { bytes }) = whole else {
        return;
    };
    assert_eq!(reused.parse(&data[..bytes]), whole);
    assert_eq!(format!("{reused:?}"), format!("{hello:?}"));
    let early = reused.parse(&data[..bytes - 1]);
    assert!(
        matches!(early, Ok(HelloParse::Incomplete { .. })),
        "{early:?}"
    );

    let message = handshake_message(&data[..bytes]);
    for records in [1, 3, 64] {
        let fragmented = fragment(&message, message.len().div_ceil(records));
        let found = reused.parse(&fragmented);
        assert_eq!(
            found,
            Ok(HelloParse::Complete {
                bytes: fragmented.len()
            })
        );
        assert_eq!(format!("{reused:?}"), format!("{hello:?}"));
    }
    check_content(&hello);
}

fn check_content(hello: &ClientHello) {
    let ja4 = hello.ja4();
    assert_eq!(ja4.as_str().len(), 36);
    assert!(ja4.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    if let Some(name) = hello.server_name() {
        let authority = Authority::parse(name.as_bytes()).expect("a host name");
        assert!(
            matches!(authority.host, Host::Domain(_)),
            "an address, or a port: {name}"
        );
    }
    assert!(hello.alpn().all(|name| !name.is_empty()));
    let extensions = hello.extensions();
    for (at, kind) in extensions.iter().enumerate() {
        assert!(
            !extensions[..at].contains(kind),
            "two parsers could believe two of them"
        );
    }
    assert!(hello.server_name().is_none() || extensions.contains(&0));
    assert!(!hello.cipher_suites().is_empty() || hello.legacy_version() == hello.highest_version());
}

/// A ClientHello and what a server answers to it: judged alike however they are cut.
pub fn tls_records(data: &[u8]) {
    let mut hello = ClientHello::new();
    let answer = match hello.parse(data) {
        Ok(HelloParse::Complete { bytes }) => &data[bytes..],
        _ => data,
    };
    for bytes in [data, answer] {
        check_follower(RecordFollower::client, bytes);
    }
    check_follower(|| RecordFollower::server(&hello), answer);
}

fn check_follower(new: impl Fn() -> RecordFollower, bytes: &[u8]) {
    let mut whole = new();
    let expected = whole.follow(bytes);
    for cut in cuts(bytes.len()) {
        let mut follower = new();
        let (first, rest) = bytes.split_at(cut);
        let found = follower.follow(first).and_then(|()| follower.follow(rest));
        assert_eq!(found, expected, "cut at {cut}");
        if found.is_ok() {
            assert_eq!(follower.is_between_records(), whole.is_between_records());
        }
    }
}

/// The payloads of whole records, one after the other.
fn handshake_message(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let [22, 3, _, high, low, rest @ ..] = records {
        let (payload, after) = rest.split_at(u16::from_be_bytes([*high, *low]).into());
        message.extend_from_slice(payload);
        records = after;
    }
    assert!(records.is_empty(), "bytes that belong to no record");
    message
}

fn fragment(message: &[u8], payload_bytes_max: usize) -> Vec<u8> {
    let mut records = Vec::new();
    for payload in message.chunks(payload_bytes_max) {
        let length = u16::try_from(payload.len()).expect("a record");
        records.extend_from_slice(&[22, 3, 1]);
        records.extend_from_slice(&length.to_be_bytes());
        records.extend_from_slice(payload);
    }
    records
}

/// Once the first bytes have been judged, more bytes change nothing, and the parsers agree.
pub fn sniff(data: &[u8]) {
    let whole = Sniff::of(data);
    for cut in 0..data.len().min(64) {
        let found = Sniff::of(&data[..cut]);
        assert!(
            found == Sniff::NeedMore || found == whole,
            "{found:?} after {cut} bytes"
        );
    }
    if ClientHello::new()
        .parse(data)
        .is_ok_and(|parse| matches!(parse, HelloParse::Complete { .. }))
    {
        assert_eq!(whole, Sniff::Tls);
    }
    let mut head = RequestHead::new();
    let parsed = head.parse(data, &HeadLimits::default());
    let is_request = matches!(parsed, Ok(Parse::Complete { .. }));
    if is_request && head.method.len() <= 16 && head.target.of(data).starts_with(b"/") {
        assert_eq!(whole, Sniff::Http1);
    }
}
