//! Bodies: the chunked decoder against a plain one, and the reader of all framings with what it
//! writes read back.

use sallyport_wire::http1::{
    BodyError, BodyEvent, BodyFraming, BodyReader, ChunkError, ChunkEvent, ChunkLimits,
    ChunkedDecoder,
};

use crate::input::Input;

const LIMITS: [ChunkLimits; 2] = [
    ChunkLimits {
        extension_bytes_max: 4 * 1024,
        trailer_bytes_max: 8 * 1024,
        tolerates_blanks: false,
    },
    ChunkLimits {
        extension_bytes_max: 8,
        trailer_bytes_max: 24,
        tolerates_blanks: false,
    },
];

/// A chunked body is read the same way however it arrives, and never otherwise than a plain reader
/// would.
pub fn chunked_body(data: &[u8]) {
    for limits in &LIMITS {
        let whole = Decoded::of(data, data.len(), limits);
        for piece_bytes in [1, 2, 7] {
            assert_eq!(Decoded::of(data, piece_bytes, limits), whole);
        }
        if whole.outcome == Ok(true) {
            let plain = PlainBody::read(data);
            assert_eq!(plain.data, whole.data);
            assert_eq!(plain.bytes, whole.consumed);
            let mut lines = plain.trailers.iter();
            for kept in whole.trailers.split_inclusive(|byte| *byte == b'\n') {
                assert!(lines.any(|line| *line == kept), "a trailer out of nowhere");
            }
        }
    }
}

/// What a decoder made of an input.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    data: Vec<u8>,
    trailers: Vec<u8>,
    consumed: usize,
    /// Whether the body ended.
    outcome: Result<bool, ChunkError>,
}

impl Decoded {
    fn of(input: &[u8], piece_bytes: usize, limits: &ChunkLimits) -> Self {
        let mut decoder = ChunkedDecoder::new(limits);
        let mut data = Vec::new();
        let mut consumed = 0;
        let mut outcome = Ok(false);
        'pieces: for piece in input.chunks(piece_bytes.max(1)) {
            let mut at = 0;
            while at < piece.len() {
                match decoder.decode(&piece[at..]) {
                    Ok((taken, event)) => {
                        if let ChunkEvent::Data { start, len } = event {
                            assert!(len > 0 && start + len == taken);
                            data.extend_from_slice(&piece[at + start..at + taken]);
                        }
                        at += taken;
                        if event == ChunkEvent::End {
                            consumed += at;
                            outcome = Ok(true);
                            break 'pieces;
                        }
                        assert!(taken > 0, "no progress");
                    }
                    Err(error) => {
                        // How much was consumed before an error is nobody's business.
                        consumed = 0;
                        outcome = Err(error);
                        break 'pieces;
                    }
                }
            }
            consumed += at;
        }
        let trailers = match outcome {
            Ok(true) => decoder.trailers().to_vec(),
            _ => Vec::new(),
        };
        Self {
            data,
            trailers,
            consumed,
            outcome,
        }
    }
}

/// A whole body as anybody would read it.
struct PlainBody<'d> {
    data: Vec<u8>,
    trailers: Vec<&'d [u8]>,
    bytes: usize,
}

impl<'d> PlainBody<'d> {
    /// Panics when an accepted body is anything but what RFC 9112 section 7.1 shows.
    fn read(input: &'d [u8]) -> Self {
        let mut data = Vec::new();
        let mut rest = input;
        loop {
            let line = take_line(&mut rest);
            let size_end = line.iter().position(|byte| b"; \t\r".contains(byte));
            let size = &line[..size_end.expect("a line has an end")];
            let is_hexadecimal = size.iter().all(u8::is_ascii_hexdigit);
            let size = str::from_utf8(size).ok().filter(|_| is_hexadecimal);
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
            match size.expect("a plain size") {
                0 => break,
                size => {
                    let (chunk, after) = rest.split_at(size);
                    data.extend_from_slice(chunk);
                    rest = after.strip_prefix(b"\r\n").expect("chunks end in CR LF");
                }
            }
        }
        let mut trailers = Vec::new();
        loop {
            match take_line(&mut rest) {
                b"\r\n" => break,
                line => trailers.push(line),
            }
        }
        Self {
            data,
            trailers,
            bytes: input.len() - rest.len(),
        }
    }
}

fn take_line<'d>(rest: &mut &'d [u8]) -> &'d [u8] {
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    let (line, after) = rest.split_at(end.expect("a line ends in CR LF") + 2);
    *rest = after;
    line
}

/// A body of any framing, read in pieces and written as chunks, says the same when it is read again.
/// The first bytes choose the framing and the size of the pieces.
pub fn body_reader(data: &[u8]) {
    let mut input = Input::new(data);
    let framing = match input.below(4) {
        0 => BodyFraming::None,
        1 => BodyFraming::Length(input.u16().into()),
        2 => BodyFraming::Chunked,
        _ => BodyFraming::UntilClose,
    };
    let piece_bytes = usize::from(input.byte()) + 1;
    let body = input.rest();
    let read = Read::of(body, piece_bytes, framing);
    let recoded = Recode::of(body, piece_bytes, framing);
    assert_eq!(recoded.outcome, read.outcome);
    assert_eq!(recoded.consumed, read.consumed);
    let again = Decoded::of(&recoded.out, usize::MAX, &LIMITS[0]);
    assert_eq!(again.data, read.data, "what was written reads otherwise");
    assert_eq!(again.outcome, Ok(read.outcome == Ok(true)));
    assert_eq!(again.consumed, recoded.out.len());
    assert_eq!(again.trailers, read.trailers);
    let expected = match framing {
        BodyFraming::None => 0,
        BodyFraming::Length(bytes) => {
            usize::try_from(bytes).map_or(0, |bytes| bytes.min(body.len()))
        }
        BodyFraming::UntilClose => body.len(),
        BodyFraming::Chunked => return,
    };
    assert_eq!(&body[..expected], read.data);
    assert_eq!(read.consumed, expected);
}

/// What a reader made of a body event by event.
struct Read {
    data: Vec<u8>,
    trailers: Vec<u8>,
    consumed: usize,
    /// Whether the body ended by itself.
    outcome: Result<bool, BodyError>,
}

impl Read {
    fn of(body: &[u8], piece_bytes: usize, framing: BodyFraming) -> Self {
        let mut reader = BodyReader::new(framing, &LIMITS[0]);
        let mut read = Self {
            data: Vec::new(),
            trailers: Vec::new(),
            consumed: 0,
            outcome: Ok(reader.is_complete()),
        };
        for piece in body.chunks(piece_bytes) {
            if let Err(error) = read.take(&mut reader, piece) {
                read.outcome = Err(error);
                read.consumed = 0;
                return read;
            }
        }
        read.outcome = Ok(reader.is_complete());
        if reader.is_complete() {
            read.trailers = reader.trailers().to_vec();
        }
        let may_end = reader.is_complete() || framing == BodyFraming::UntilClose;
        let at_eof = reader.at_eof();
        assert_eq!(
            at_eof,
            if may_end {
                Ok(())
            } else {
                Err(BodyError::Truncated)
            }
        );
        assert_eq!(reader.is_complete(), may_end);
        read
    }

    fn take(&mut self, reader: &mut BodyReader, piece: &[u8]) -> Result<(), BodyError> {
        let mut at = 0;
        while at < piece.len() {
            let (taken, event) = reader.next(&piece[at..])?;
            if let BodyEvent::Data { start, len } = event {
                assert!(len > 0 && start + len == taken);
                self.data.extend_from_slice(&piece[at + start..at + taken]);
            }
            at += taken;
            self.consumed += taken;
            if event == BodyEvent::End {
                return Ok(());
            }
            assert!(taken > 0, "no progress");
        }
        Ok(())
    }
}

/// The same body written as chunks.
struct Recode {
    out: Vec<u8>,
    consumed: usize,
    outcome: Result<bool, BodyError>,
}

impl Recode {
    fn of(body: &[u8], piece_bytes: usize, framing: BodyFraming) -> Self {
        let mut reader = BodyReader::new(framing, &LIMITS[0]);
        let mut out = Vec::new();
        let mut consumed = 0;
        // An empty body ends without input.
        for piece in [&[][..]].into_iter().chain(body.chunks(piece_bytes)) {
            match reader.recode_chunked(piece, &mut out) {
                Ok(recoded) => {
                    assert!(recoded.ended || recoded.consumed == piece.len());
                    consumed += recoded.consumed;
                    if recoded.ended {
                        assert!(reader.is_complete());
                        break;
                    }
                }
                Err(error) => {
                    return Self {
                        out,
                        consumed: 0,
                        outcome: Err(error),
                    };
                }
            }
        }
        Self {
            out,
            consumed,
            outcome: Ok(reader.is_complete()),
        }
    }
}
