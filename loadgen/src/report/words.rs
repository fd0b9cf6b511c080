//! Figures in the units and digits that suit their size.

use std::fmt;

use bytesize::ByteSize;

/// Microseconds as time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) f64);

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us < 1_000.0 => write!(out, "{us:.1} \u{b5}s"),
            us if us < 1_000_000.0 => write!(out, "{:.2} ms", us / 1_000.0),
            us => write!(out, "{:.2} s", us / 1_000_000.0),
        }
    }
}

/// Octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) f64);

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0.0 { "-" } else { "" };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of octets; what lies beyond its type is cut to its ends"
        )]
        let octets = self.0.abs().round() as u64;
        write!(out, "{sign}{}", ByteSize::b(octets).display().iec())
    }
}

/// A number with its thousands apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grouped(pub(crate) f64);

impl fmt::Display for Grouped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() < 100.0 && self.0.fract() != 0.0 {
            return write!(out, "{:.2}", self.0);
        }
        let digits = format!("{:.0}", self.0);
        let (sign, digits) = match digits.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", digits.as_str()),
        };
        out.write_str(sign)?;
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index) % 3 == 0 {
                // A narrow space that no line breaks at.
                out.write_str("\u{202f}")?;
            }
            write!(out, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_size() {
        assert_eq!(Time(12.34).to_string(), "12.3 µs");
        assert_eq!(Time(12_345.0).to_string(), "12.35 ms");
        assert_eq!(Time(2.5e6).to_string(), "2.50 s");
        assert_eq!(Size(-2_097_152.0).to_string(), "-2.0 MiB");
        assert_eq!(Size(500.0).to_string(), "500 B");
        assert_eq!(Size(1_536.0).to_string(), "1.5 KiB");
        assert_eq!(Grouped(1_234_567.0).to_string(), "1\u{202f}234\u{202f}567");
        assert_eq!(Grouped(12.345).to_string(), "12.35");
        assert_eq!(Grouped(999.0).to_string(), "999");
    }
}
