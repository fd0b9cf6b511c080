//! A response as bytes: its head, and its body piece by piece, so that a large one is never whole
//! in memory. Where it is to be cut short is decided here, and how the connection then ends.
//!
//! Reads no socket and no clock. Called by `connection`.

use std::fmt::Write as _;
use std::time::Duration;

use super::behavior::{Behavior, Cut};
use crate::pattern;

/// Body bytes rendered at a time.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// What stands in the body.
#[derive(Debug)]
pub(super) enum Content {
    /// So many bytes of the fixed content.
    Pattern(u64),
    /// Text of the program.
    Fixed(&'static [u8]),
    /// Made for this response.
    Made(Vec<u8>),
}

impl Content {
    /// CRC-32C of the whole.
    pub(super) fn crc32c(&self) -> u32 {
        match self {
            Self::Pattern(length) => pattern::crc32c(*length),
            Self::Fixed(bytes) => crc32c::crc32c(bytes),
            Self::Made(bytes) => crc32c::crc32c(bytes),
        }
    }

    /// Octets.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Pattern(length) => *length,
            Self::Fixed(bytes) => bytes.len() as u64,
            Self::Made(bytes) => bytes.len() as u64,
        }
    }

    /// Bytes from `offset` on, at most `limit`; empty only at the end.
    pub(super) fn at(&self, offset: u64, limit: usize) -> &[u8] {
        let bytes: &[u8] = match self {
            Self::Pattern(length) => {
                let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
                return pattern::slice(offset, limit.min(left));
            }
            Self::Fixed(bytes) => bytes,
            Self::Made(bytes) => bytes,
        };
        let start = usize::try_from(offset).map_or(bytes.len(), |start| start.min(bytes.len()));
        let end = start.saturating_add(limit).min(bytes.len());
        bytes.get(start..end).unwrap_or_default()
    }
}

/// What becomes of the connection after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It carries the next request.
    Persist,
    /// It is closed.
    Close,
    /// It is reset.
    Reset,
}

/// What the response must know of its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The method was HEAD.
    pub(super) head_only: bool,
    /// `HTTP/1.x`.
    pub(super) minor_version: u8,
    /// The connection may carry another request.
    pub(super) persistent: bool,
}

/// A response being sent: what is left of it after the head.
#[derive(Debug)]
pub(super) struct ResponseStream {
    content: Content,
    offset: u64,
    /// Offset at which the body ends, sooner than its length if it is to be cut.
    end: u64,
    chunk_bytes: Option<usize>,
    /// The last chunk and the trailers, if they are still to come.
    tail: Option<String>,
    corrupt_at: Option<u64>,
    piece_bytes: usize,
    /// Time to wait between two pieces.
    pub(super) pace: Option<Duration>,
    /// What follows.
    pub(super) ending: Ending,
}

impl ResponseStream {
    /// Writes the head (or the half of it that is to be sent) to `out`.
    pub(super) fn start(
        behavior: &Behavior,
        content: Content,
        asked: Asked,
        date: &str,
        out: &mut Vec<u8>,
    ) -> Self {
        let bodiless = asked.head_only || matches!(behavior.status, 204 | 304);
        // HTTP/1.0 knows no chunks: there the close ends the body.
        let chunk_bytes = behavior.chunk_bytes.filter(|_| asked.minor_version >= 1);
        let close_delimited = behavior.chunk_bytes.is_some() && chunk_bytes.is_none();
        let persistent = asked.persistent && !close_delimited;
        let length = content.length();
        let head_start = out.len();
        write_head(
            out,
            behavior,
            date,
            &Framing {
                length,
                chunk_bytes,
                close_delimited,
                persistent,
            },
        );
        let end = match behavior.cut {
            Some(Cut::Before | Cut::Head) => {
                let head_bytes = if behavior.cut == Some(Cut::Head) {
                    out.len() - head_start
                } else {
                    0
                };
                out.truncate(head_start + head_bytes / 2);
                0
            }
            _ if bodiless => 0,
            Some(Cut::Body) => length / 2,
            _ => length,
        };
        let whole = !bodiless && matches!(behavior.cut, None | Some(Cut::After));
        Self {
            content,
            offset: 0,
            end,
            chunk_bytes,
            tail: (whole && chunk_bytes.is_some()).then(|| last_chunk(&behavior.trailers)),
            corrupt_at: behavior.corrupt.then_some(length / 2),
            piece_bytes: if behavior.pace.is_some() {
                behavior.piece_bytes
            } else {
                PIECE_BYTES_MAX
            },
            pace: behavior.pace,
            ending: match (behavior.cut, behavior.reset) {
                (Some(_), true) => Ending::Reset,
                (Some(_), false) => Ending::Close,
                (None, _) if persistent => Ending::Persist,
                (None, _) => Ending::Close,
            },
        }
    }

    /// Whether all was rendered.
    pub(super) fn is_complete(&self) -> bool {
        self.offset >= self.end && self.tail.is_none()
    }

    /// Renders the next piece to `out`.
    pub(super) fn render_piece(&mut self, out: &mut Vec<u8>) {
        let mut room = self.piece_bytes;
        while self.offset < self.end && room > 0 {
            let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
            let limit = self.chunk_bytes.unwrap_or(usize::MAX).min(left).min(room);
            let data = self.content.at(self.offset, limit);
            if data.is_empty() {
                break;
            }
            if self.chunk_bytes.is_some() {
                out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
            }
            let data_start = out.len();
            out.extend_from_slice(data);
            let data_bytes = data.len();
            self.corrupt(out, data_start, data_bytes);
            if self.chunk_bytes.is_some() {
                out.extend_from_slice(b"\r\n");
            }
            self.offset += data_bytes as u64;
            room -= data_bytes;
        }
        if self.offset >= self.end
            && let Some(tail) = self.tail.take()
        {
            out.extend_from_slice(tail.as_bytes());
        }
    }

    /// Flips the bit that is to be wrong, if it lies in what was just rendered.
    fn corrupt(&self, out: &mut [u8], data_start: usize, data_bytes: usize) {
        let inside = self.corrupt_at.and_then(|at| at.checked_sub(self.offset));
        let Some(Ok(inside)) = inside.map(usize::try_from) else {
            return;
        };
        if inside < data_bytes
            && let Some(byte) = out.get_mut(data_start + inside)
        {
            *byte ^= 1;
        }
    }
}

/// How the body will be framed.
#[derive(Debug)]
struct Framing {
    length: u64,
    chunk_bytes: Option<usize>,
    close_delimited: bool,
    persistent: bool,
}

fn write_head(out: &mut Vec<u8>, behavior: &Behavior, date: &str, framing: &Framing) {
    if let Some(code) = behavior.interim {
        out.extend_from_slice(format!("HTTP/1.1 {code} Interim\r\n\r\n").as_bytes());
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(behavior.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason(behavior.status).as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(date.as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: ");
    out.extend_from_slice(
        behavior
            .content_type
            .as_deref()
            .unwrap_or("text/plain")
            .as_bytes(),
    );
    // RFC 9110 section 8.6: a 204 has no Content-Length.
    if behavior.status != 204 {
        if framing.chunk_bytes.is_some() {
            out.extend_from_slice(b"\r\nTransfer-Encoding: chunked");
        } else if !framing.close_delimited {
            out.extend_from_slice(b"\r\nContent-Length: ");
            out.extend_from_slice(digits.format(framing.length).as_bytes());
        }
    }
    for (name, value) in &behavior.headers {
        for part in ["\r\n", name, ": ", value] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    if !framing.persistent {
        out.extend_from_slice(b"\r\nConnection: close");
    }
    out.extend_from_slice(b"\r\n\r\n");
}

fn last_chunk(trailers: &[(String, String)]) -> String {
    let mut tail = String::from("0\r\n");
    for (name, value) in trailers {
        // Writing to a String does not fail.
        let _ = write!(tail, "{name}: {value}\r\n");
    }
    tail.push_str("\r\n");
    tail
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked {
        head_only: false,
        minor_version: 1,
        persistent: true,
    };

    fn render(target: &str, asked: Asked) -> (String, Ending) {
        let behavior = Behavior::from_target(target).unwrap();
        let mut out = Vec::new();
        let content = Content::Fixed(b"0123456789");
        let mut stream = ResponseStream::start(&behavior, content, asked, "D", &mut out);
        while !stream.is_complete() {
            stream.render_piece(&mut out);
        }
        (String::from_utf8(out).unwrap(), stream.ending)
    }

    #[test]
    fn plain_and_chunked() {
        let (text, ending) = render("/", ASKED);
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n\
             0123456789"
        );
        assert_eq!(ending, Ending::Persist);
        let (text, _) = render("/?chunk=4&trailer=T:v", ASKED);
        assert!(
            text.contains("\r\nTransfer-Encoding: chunked\r\n"),
            "{text}"
        );
        assert!(
            text.ends_with("\r\n\r\n4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\nT: v\r\n\r\n"),
            "{text}"
        );
    }

    #[test]
    fn without_a_body() {
        let (text, _) = render(
            "/",
            Asked {
                head_only: true,
                ..ASKED
            },
        );
        assert!(
            text.contains("Content-Length: 10") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
        let (text, _) = render("/?status=204", ASKED);
        assert!(
            !text.contains("Content-Length") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
        let (text, _) = render(
            "/?chunked=1",
            Asked {
                head_only: true,
                ..ASKED
            },
        );
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    }

    #[test]
    fn old_clients_get_no_chunks() {
        let asked = Asked {
            minor_version: 0,
            persistent: true,
            ..ASKED
        };
        let (text, ending) = render("/?chunked=1", asked);
        assert!(
            !text.contains("chunked") && text.ends_with("\r\n\r\n0123456789"),
            "{text}"
        );
        assert_eq!(ending, Ending::Close);
    }

    #[test]
    fn cuts() {
        let (text, ending) = render("/?close=before", ASKED);
        assert_eq!((text.as_str(), ending), ("", Ending::Close));
        let (text, _) = render("/?close=head", ASKED);
        assert!(
            text.starts_with("HTTP/1.1 200") && !text.contains("\r\n\r\n"),
            "{text}"
        );
        let (text, ending) = render("/?close=body&reset=1", ASKED);
        assert!(text.ends_with("\r\n\r\n01234"), "{text}");
        assert_eq!(ending, Ending::Reset);
        let (text, ending) = render("/?close=after", ASKED);
        assert!(
            !text.contains("Connection") && text.ends_with("89"),
            "{text}"
        );
        assert_eq!(ending, Ending::Close);
        let (text, ending) = render(
            "/",
            Asked {
                persistent: false,
                ..ASKED
            },
        );
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert_eq!(ending, Ending::Close);
    }

    #[test]
    fn corruption_is_one_bit() {
        assert!(
            render("/?corrupt=1", ASKED)
                .0
                .ends_with("\r\n\r\n0123446789")
        );
        assert!(
            render("/?corrupt=1&chunk=3", ASKED)
                .0
                .contains("3\r\n344\r\n")
        );
    }
}
