//! Values of members as the log writes them: texts, numbers, addresses and times.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::scan::Value;

pub(super) fn text<'l>(
    value: Value<'l>,
    name: &'static str,
) -> Result<Cow<'l, [u8]>, &'static str> {
    match value {
        Value::Text(raw) => raw.decode().ok_or(name),
        Value::Other(_) => Err(name),
    }
}

pub(super) fn utf8(text: Option<&[u8]>) -> Option<Cow<'_, str>> {
    str::from_utf8(text?).ok().map(Cow::Borrowed)
}

pub(super) fn number(value: Value<'_>, name: &'static str) -> Result<u16, &'static str> {
    let Value::Other(digits) = value else {
        return Err(name);
    };
    if digits.is_empty() || digits.len() > 5 {
        return Err(name);
    }
    let add = |sum: u32, digit: &u8| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(sum * 10 + digit)
    };
    let sum = digits.iter().try_fold(0, add).ok_or(name)?;
    u16::try_from(sum).map_err(|_| name)
}

pub(super) fn address(value: Value<'_>, name: &'static str) -> Result<IpAddr, &'static str> {
    let text = text(value, name)?;
    if let Some(v4) = dotted_quad(&text) {
        return Ok(v4.into());
    }
    let text = str::from_utf8(&text).map_err(|_| name)?;
    text.parse().map_err(|_| name)
}

/// An IPv4 address as it is mostly written; what is not so may be one all the same.
fn dotted_quad(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = text;
    for (position, octet) in octets.iter_mut().enumerate() {
        if position > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (first, mut after) = rest.split_first()?;
        let mut sum = digit(*first)?;
        while let Some((next, behind)) = after.split_first()
            && let Some(next) = digit(*next)
            && sum > 0
        {
            sum = (sum * 10 + next).min(1_000);
            after = behind;
        }
        *octet = u8::try_from(sum).ok()?;
        rest = after;
    }
    rest.is_empty().then(|| octets.into())
}

fn digit(byte: u8) -> Option<u16> {
    byte.is_ascii_digit().then(|| u16::from(byte - b'0'))
}

/// `2026-11-21T03:21:50.123456Z`, as the engine writes it (RFC 3339, UTC).
pub(super) fn unix_seconds(text: &[u8]) -> Option<i64> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
        rest @ ..,
    ] = text
    else {
        return None;
    };
    let fraction = rest.strip_suffix(b"Z")?;
    let is_fraction = match fraction {
        [] => true,
        [b'.', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_fraction {
        return None;
    }
    let digits = |digits: &[&u8]| {
        digits.iter().try_fold(0_i64, |sum, digit| {
            let digit = char::from(**digit).to_digit(10)?;
            Some(sum * 10 + i64::from(digit))
        })
    };
    let (year, month, day) = (
        digits(&[y0, y1, y2, y3])?,
        digits(&[m0, m1])?,
        digits(&[d0, d1])?,
    );
    let (hour, minute, second) = (digits(&[h0, h1])?, digits(&[n0, n1])?, digits(&[s0, s1])?);
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Of the proleptic Gregorian calendar; years are counted from March, so that the leap day is the
/// last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_a_calendar_library() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "2026-11-21T03:21:50.123456Z",
            "2000-02-29T23:59:59Z",
            "2099-12-31T00:00:00.5Z",
            "2100-03-01T12:30:00Z",
        ] {
            let expected: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(
                unix_seconds(text.as_bytes()),
                Some(expected.as_second()),
                "{text}"
            );
        }
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21T03:21:50+01:00",
            "2026-11-21T03:21:5xZ",
        ] {
            assert_eq!(unix_seconds(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn addresses_are_those_of_the_standard_library(text in "[0-9]{1,4}(\\.[0-9]{1,4}){2,4}|[0-9.]{0,12}|[0-2]?[0-9]?[0-9](\\.[0-2]?[0-9]?[0-9]){3}", address: Ipv4Addr) {
            assert_eq!(dotted_quad(text.as_bytes()), text.parse().ok());
            assert_eq!(dotted_quad(address.to_string().as_bytes()), Some(address));
        }
    }
}
