//! Durations and sizes as people write them, by the rule of `docs/units.md`, which is also the engine's:
//! each has its own few lines over the same crates, since the meter shares no code with its subject.

use std::time::{Duration, TryFromFloatSecsError};

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A length of time in a plan file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

/// A number of bytes in a plan file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Octets(pub(crate) u64);

/// Why a text is no length of time that can be waited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeriodError {
    /// It is not written as one, or is negative.
    #[error("`{0}` is not a duration such as 250ms, 5s or 2m")]
    NotADuration(String),
    /// A bare number of seconds that no clock can count.
    #[error(transparent)]
    Seconds(#[from] TryFromFloatSecsError),
}

/// A text is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size such as 1000, 64KiB or 1MB")]
pub(crate) struct SizeError(String);

/// Reads `5s`, `250ms`, `80us`, `1h 30m`.
pub(crate) fn parse(text: &str) -> Result<Duration, PeriodError> {
    let wrong = || PeriodError::NotADuration(text.to_owned());
    let span: Span = text.parse().map_err(|_| wrong())?;
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours());
    Duration::try_from(exact.map_err(|_| wrong())?).map_err(|_| wrong())
}

/// The same on a command line, where a bare number is seconds, as with other load generators.
pub(crate) fn parse_flag(text: &str) -> Result<Duration, PeriodError> {
    match text.parse::<f64>() {
        Ok(seconds) => Ok(Duration::try_from_secs_f64(seconds)?),
        Err(_) => parse(text),
    }
}

/// Reads `1000`, `64KiB`, `1MB`.
pub(crate) fn parse_size(text: &str) -> Result<Octets, SizeError> {
    // Without its last letter a unit may mean either of two.
    let is_plain = text.ends_with(|last: char| last == 'B' || last.is_ascii_digit());
    let size = text.parse::<ByteSize>().ok().filter(|_| is_plain);
    size.map(|size| Octets(size.as_u64()))
        .ok_or_else(|| SizeError(text.to_owned()))
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a duration such as \"250ms\" or \"5s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                parse(text).map(Period).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Octets;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a size: bytes, or a text such as \"64KiB\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Octets, E> {
                parse_size(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Octets, E> {
                Ok(Octets(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Octets, E> {
                let unexpected = de::Unexpected::Signed(bytes);
                let bytes = u64::try_from(bytes);
                bytes
                    .map(Octets)
                    .map_err(|_| E::invalid_value(unexpected, &self))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: &str = include_str!("../../../docs/units.md");

    /// Rows of one table of the page: a text, and what it is.
    fn rows(unit: &str) -> Vec<(&'static str, Option<f64>)> {
        let (durations, sizes) = UNITS.split_once("| size | is |").unwrap();
        let table = if unit == " s" { durations } else { sizes };
        let row = |row: &'static str| {
            let (text, is) = row.strip_prefix("| `")?.split_once("` | ")?;
            let value = is.strip_suffix(" |")?.strip_suffix(unit);
            Some((text, value.map(|number| number.parse().unwrap())))
        };
        let rows: Vec<_> = table.lines().filter_map(row).collect();
        assert!(rows.len() > 15, "{rows:?}");
        rows
    }

    #[test]
    fn durations_are_those_of_the_page() {
        for (text, seconds) in rows(" s") {
            let found = parse(text).ok().map(|duration| duration.as_secs_f64());
            assert_eq!(found, seconds, "{text}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_page() {
        for (text, bytes) in rows(" bytes") {
            let found = parse_size(text).ok().map(|bytes| bytes.0 as f64);
            assert_eq!(found, bytes, "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_seconds_where_it_is_typed() {
        assert_eq!(parse_flag("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_flag("1.5"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_flag("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["-1", "nan", "inf", "1e400", "5 parsecs"] {
            assert!(parse_flag(wrong).is_err(), "{wrong}");
        }
    }
}
