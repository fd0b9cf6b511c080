//! RFC 5424 messages around log lines, and their frames on TCP (RFC 6587 section 3.4.1).

use std::io::{self, Write};

/// Facility local0, severity informational (RFC 5424 section 6.2.1).
const PRIORITY: u8 = 16 * 8 + 6;
/// Where the time stands in a line of `json`: after `{"ts":"`, up to the `Z`.
const TIMESTAMP: std::ops::Range<usize> = 7..34;

/// The parts of a header that do not change: host, program and process id.
#[derive(Debug)]
pub(crate) struct Header {
    /// ` HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA `.
    tail: String,
}

impl Header {
    /// The header of this process.
    pub(crate) fn new() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self::with_host(host.trim(), std::process::id())
    }

    fn with_host(host: &str, process: u32) -> Self {
        // RFC 5424 section 6: PRINTUSASCII, at most 255; "-" if there is none.
        let host: String = host
            .chars()
            .filter(char::is_ascii_graphic)
            .take(255)
            .collect();
        let host = if host.is_empty() { "-" } else { &host };
        Self {
            tail: format!(" {host} sallyport {process} access - "),
        }
    }

    /// The message for one line of JSON. Its time is that of the line.
    pub(crate) fn message(&self, line: &[u8]) -> Vec<u8> {
        let timestamp = line
            .get(TIMESTAMP)
            .filter(|text| text.last() == Some(&b'Z'));
        let mut message = Vec::with_capacity(line.len() + self.tail.len() + 40);
        // Writing to a `Vec` cannot fail.
        drop(write!(message, "<{PRIORITY}>1 "));
        message.extend_from_slice(timestamp.unwrap_or(b"-"));
        message.extend_from_slice(self.tail.as_bytes());
        message.extend_from_slice(line);
        message
    }
}

/// Frames all of `lines` and writes them. Returns the bytes of the lines that went out whole: fewer
/// than all if the connection failed in between, after which it must not be used again.
///
/// # Errors
/// The connection failed before one whole frame was written.
pub(crate) fn write_frames(
    stream: &mut impl Write,
    header: &Header,
    lines: &[u8],
) -> io::Result<usize> {
    let mut frames = Vec::with_capacity(lines.len() * 2);
    // For each line: where its frame ends, and where the line ends.
    let mut ends = Vec::new();
    let mut line_end = 0;
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        let message = header.message(line.strip_suffix(b"\n").unwrap_or(line));
        // Writing to a `Vec` cannot fail.
        drop(write!(frames, "{} ", message.len()));
        frames.extend_from_slice(&message);
        line_end += line.len();
        ends.push((frames.len(), line_end));
    }
    let (written, result) = write_counted(stream, &frames);
    let whole = ends
        .iter()
        .rev()
        .find(|&&(frame_end, _)| frame_end <= written);
    match (whole, result) {
        (Some(&(_, line_end)), _) => Ok(line_end),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Ok(0),
    }
}

/// Writes until all is written or the first error; says how much was.
fn write_counted(stream: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
