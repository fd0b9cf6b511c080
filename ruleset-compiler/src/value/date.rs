//! Points in time: ISO 8601 or seconds since 1970.

use std::ops::RangeInclusive;

use jiff::{Timestamp, civil, tz::TimeZone};

use super::BadValue;
use crate::diagnostic::Code;
use crate::operator::Comparison;

const EXPECTED: &str = "a date with its offset from UTC (`2026-11-21T08:00:00Z`, \
                        `2026-11-21T08:00:00+01:00`), a day (`2026-11-21`, from midnight UTC) or \
                        seconds since 1970";

/// The times, in seconds since 1970, that compare so to the given one.
///
/// # Errors
/// For what is not a whole second with a known offset.
pub fn compared(text: &str, comparison: Comparison) -> Result<RangeInclusive<i64>, BadValue> {
    let second = unix_seconds(text)?;
    let none = || {
        BadValue::new(
            Code::BadDate,
            format!("no time lies beyond `{text}`"),
            EXPECTED,
        )
    };
    Ok(match comparison {
        Comparison::Equal => second..=second,
        Comparison::Less => i64::MIN..=second.checked_sub(1).ok_or_else(none)?,
        Comparison::LessOrEqual => i64::MIN..=second,
        Comparison::Greater => second.checked_add(1).ok_or_else(none)?..=i64::MAX,
        Comparison::GreaterOrEqual => second..=i64::MAX,
    })
}

/// Seconds since 1970, UTC.
///
/// # Errors
/// For what is not a whole second with a known offset.
pub fn unix_seconds(text: &str) -> Result<i64, BadValue> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Eight digits could be a day in basic ISO form; people mean the day, we would read 1970.
        if digits.len() == 8 {
            return Err(BadValue::new(
                Code::BadDate,
                format!("`{text}` could be a day or seconds"),
                EXPECTED,
            ));
        }
        return text.parse().map_err(|_| bad(text));
    }
    let timestamp = match text.parse::<civil::Date>() {
        Ok(day) if text.len() <= 10 => day
            .to_zoned(TimeZone::UTC)
            .map_err(|_| bad(text))?
            .timestamp(),
        _ => text.parse::<Timestamp>().map_err(|_| {
            if text.parse::<civil::DateTime>().is_ok() {
                bad(text).help("add `Z` for UTC, or an offset such as `+01:00`")
            } else {
                bad(text)
            }
        })?,
    };
    if timestamp.subsec_nanosecond() != 0 {
        return Err(BadValue::new(
            Code::BadDate,
            format!("`{text}` is not a whole second"),
            EXPECTED,
        ));
    }
    Ok(timestamp.as_second())
}

fn bad(text: &str) -> BadValue {
    BadValue::new(Code::BadDate, format!("`{text}` is not a date"), EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(unix_seconds("0"), Ok(0));
        assert_eq!(unix_seconds("1764000000"), Ok(1_764_000_000));
        assert_eq!(unix_seconds("-5"), Ok(-5));
        assert_eq!(unix_seconds("1970-01-02"), Ok(86_400));
        assert_eq!(unix_seconds("1970-01-01T01:00:00+01:00"), Ok(0));
        assert_eq!(unix_seconds("1970-01-01 00:00:01Z"), Ok(1));
        for bad in [
            "",
            "20260101",
            "2026-13-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.5Z",
            "tomorrow",
        ] {
            assert!(unix_seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn comparisons() {
        assert_eq!(compared("7", Comparison::Less), Ok(i64::MIN..=6));
        assert_eq!(compared("7", Comparison::GreaterOrEqual), Ok(7..=i64::MAX));
    }
}
