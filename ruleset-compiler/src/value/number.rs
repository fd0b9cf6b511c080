//! Numbers and ranges of numbers.

use std::ops::RangeInclusive;

use super::BadValue;
use crate::diagnostic::Code;
use crate::operator::Comparison;

/// A whole number not above `max`, in decimal digits.
///
/// # Errors
/// Anything else: signs, fractions, spaces, too many digits.
pub fn number(text: &str, max: u64) -> Result<u64, BadValue> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits { text.parse().ok() } else { None };
    value.filter(|value| *value <= max).ok_or_else(|| {
        BadValue::new(
            Code::BadNumber,
            format!("`{text}` is not a number of this key"),
            expected(max),
        )
    })
}

/// The numbers that compare so to the given one.
///
/// # Errors
/// When there are none, or for what is not a number.
pub fn compared(
    text: &str,
    comparison: Comparison,
    max: u64,
) -> Result<RangeInclusive<u64>, BadValue> {
    let value = number(text, max)?;
    let nothing = |side| {
        BadValue::new(
            Code::BadNumber,
            format!("no number is {side} {value}"),
            expected(max),
        )
    };
    Ok(match comparison {
        Comparison::Equal => value..=value,
        Comparison::Less => 0..=value.checked_sub(1).ok_or_else(|| nothing("less than"))?,
        Comparison::LessOrEqual => 0..=value,
        Comparison::Greater => {
            value
                .checked_add(1)
                .ok_or_else(|| nothing("greater than"))?..=u64::MAX
        }
        Comparison::GreaterOrEqual => value..=u64::MAX,
    })
}

/// A range written `from-to`, both ends included.
///
/// # Errors
/// When it is none, or runs backwards.
pub fn range(text: &str, max: u64) -> Result<RangeInclusive<u64>, BadValue> {
    let Some((from, to)) = text.split_once('-') else {
        return Err(BadValue::new(
            Code::BadRange,
            format!("`{text}` is not a range"),
            RANGE,
        ));
    };
    ends(from.trim(), to.trim(), max)
}

/// A range from its two ends, both included.
///
/// # Errors
/// When one is no number, or the range runs backwards.
pub fn ends(from: &str, to: &str, max: u64) -> Result<RangeInclusive<u64>, BadValue> {
    let (from, to) = (number(from, max)?, number(to, max)?);
    if from > to {
        let message = format!("the range {from}-{to} runs backwards");
        return Err(
            BadValue::new(Code::BadRange, message, RANGE).help(format!("write `\"{to}-{from}\"`"))
        );
    }
    Ok(from..=to)
}

/// Sorts ranges and joins those that touch, so that equal sets have equal forms.
#[must_use]
pub fn merged(mut ranges: Vec<RangeInclusive<u64>>) -> Vec<RangeInclusive<u64>> {
    ranges.sort_by_key(|range| (*range.start(), *range.end()));
    let mut merged: Vec<RangeInclusive<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if *range.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(range),
        }
    }
    merged
}

const RANGE: &str = "a range such as `\"400-499\"` or `[400, 499]`, both ends included";

fn expected(max: u64) -> String {
    if max == u64::MAX {
        "a whole number, 0 or greater, in decimal digits".to_owned()
    } else {
        format!("a whole number from 0 to {max}, in decimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("443", 65_535), Ok(443));
        assert_eq!(number("007", 65_535), Ok(7));
        for bad in [
            "",
            "-1",
            "+1",
            "1.5",
            " 1",
            "65536",
            "99999999999999999999999",
        ] {
            assert!(number(bad, 65_535).is_err(), "{bad}");
        }
    }

    #[test]
    fn comparisons() {
        assert_eq!(compared("5", Comparison::Less, u64::MAX), Ok(0..=4));
        assert_eq!(compared("5", Comparison::LessOrEqual, u64::MAX), Ok(0..=5));
        assert_eq!(
            compared("5", Comparison::Greater, u64::MAX),
            Ok(6..=u64::MAX)
        );
        assert_eq!(
            compared("5", Comparison::GreaterOrEqual, u64::MAX),
            Ok(5..=u64::MAX)
        );
        assert!(compared("0", Comparison::Less, u64::MAX).is_err());
        assert!(compared(&u64::MAX.to_string(), Comparison::Greater, u64::MAX).is_err());
    }

    #[test]
    fn ranges() {
        assert_eq!(range("400-499", 999), Ok(400..=499));
        assert_eq!(range("400 - 400", 999), Ok(400..=400));
        for bad in ["400", "499-400", "400-", "-400", "400-1000", "a-b", "1-2-3"] {
            assert!(range(bad, 999).is_err(), "{bad}");
        }
    }

    #[test]
    fn merging() {
        assert_eq!(merged(vec![5..=6, 1..=2, 3..=4, 9..=9]), [1..=6, 9..=9]);
        assert_eq!(merged(vec![0..=u64::MAX, 7..=8]), [0..=u64::MAX]);
    }
}
