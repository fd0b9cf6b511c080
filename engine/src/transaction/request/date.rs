//! The time as `Date` has it.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::StdIoWrite;
use jiff::fmt::rfc2822::DateTimePrinter;

/// A moment in the preferred form of RFC 9110 section 5.6.7.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date([u8; 29]);

impl Date {
    pub(crate) fn now() -> Self {
        let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
        // It fails for years beyond 9999 only, which need more room.
        let room = StdIoWrite(text.as_mut_slice());
        let _ = DateTimePrinter::new().print_timestamp_rfc9110(&Timestamp::now(), room);
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_form() {
        let text = Date::now().to_string();
        let parsed = jiff::fmt::rfc2822::parse(&text.replace("GMT", "+0000")).unwrap();
        let ago = Timestamp::now().duration_since(parsed.timestamp());
        assert!(ago.as_secs() < 60, "{text}");
    }
}
