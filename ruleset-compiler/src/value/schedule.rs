//! Weekly schedules (`Mon-Fri 08:00-18:00 Europe/Zurich`) and the time zones they need.
//!
//! A bundle carries the zone's offsets themselves, expanded from the time zone database that is
//! built into the compiler, over a fixed span of years: neither the machine's database nor its
//! clock may change what a ruleset compiles to.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use sallyport_ruleset::{TimeZoneOffsets, Weekdays, WeeklySchedule};

use super::BadValue;
use crate::diagnostic::Code;
use crate::suggest::did_you_mean;

/// 2020-01-01 UTC: offsets are exact from here on, and before it the offset of this day holds.
pub const ZONES_FROM_UNIX_SECONDS: i64 = 1_577_836_800;
/// 2100-01-01 UTC: offsets are exact up to here, and after it the last one holds.
pub const ZONES_TO_UNIX_SECONDS: i64 = 4_102_444_800;

const EXPECTED: &str = "`[DAYS] HH:MM-HH:MM [ZONE]`, for example `Mon-Fri 08:00-18:00 Europe/Zurich`; \
                        without days every day, without zone UTC";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Parses schedules; remembers the zones it has expanded.
#[derive(Debug)]
pub struct Schedules {
    database: TimeZoneDatabase,
    zones: BTreeMap<String, Arc<TimeZoneOffsets>>,
}

impl Default for Schedules {
    fn default() -> Self {
        Self {
            database: TimeZoneDatabase::bundled(),
            zones: BTreeMap::new(),
        }
    }
}

impl Schedules {
    /// Parses one schedule.
    ///
    /// # Errors
    /// For what does not have the form, an unknown day or zone, or an empty span.
    pub fn parse(&mut self, text: &str) -> Result<WeeklySchedule, BadValue> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, span, zone) = match *words.as_slice() {
            [span] => (None, span, "UTC"),
            [first, second] if first.contains(':') => (None, first, second),
            [days, span] => (Some(days), span, "UTC"),
            [days, span, zone] => (Some(days), span, zone),
            _ => {
                return Err(BadValue::new(
                    Code::BadSchedule,
                    format!("`{text}` is not a schedule"),
                    EXPECTED,
                ));
            }
        };
        let days = days.map_or(Ok(Weekdays::ALL), weekdays)?;
        let (from_second, to_second) = seconds(span)?;
        Ok(WeeklySchedule {
            days,
            from_second,
            to_second,
            zone: self.zone(zone)?,
        })
    }

    fn zone(&mut self, name: &str) -> Result<Arc<TimeZoneOffsets>, BadValue> {
        if let Some(zone) = self.zones.get(name) {
            return Ok(Arc::clone(zone));
        }
        let Ok(zone) = self.database.get(name) else {
            let known: Vec<String> = self
                .database
                .available()
                .map(|name| name.to_string())
                .collect();
            let mut bad = BadValue::new(
                Code::UnknownTimeZone,
                format!("unknown time zone `{name}`"),
                "a name of the IANA time zone database, such as `Europe/Zurich` or `UTC`",
            );
            bad.help = did_you_mean(name, known.iter().map(String::as_str));
            return Err(bad);
        };
        let zone = Arc::new(expand(&zone, name));
        self.zones.insert(name.to_owned(), Arc::clone(&zone));
        Ok(zone)
    }
}

fn expand(zone: &TimeZone, name: &str) -> TimeZoneOffsets {
    let start = Timestamp::from_second(ZONES_FROM_UNIX_SECONDS).unwrap_or(Timestamp::MIN);
    let transitions = zone
        .following(start)
        .map(|transition| {
            (
                transition.timestamp().as_second(),
                transition.offset().seconds(),
            )
        })
        .take_while(|(at, _)| *at < ZONES_TO_UNIX_SECONDS);
    let first_offset_seconds = zone.to_offset(start).seconds();
    let mut last = first_offset_seconds;
    TimeZoneOffsets {
        name: zone.iana_name().unwrap_or(name).to_owned(),
        first_offset_seconds,
        // Some transitions change only the abbreviation.
        transitions: transitions
            .filter(|(_, offset)| std::mem::replace(&mut last, *offset) != *offset)
            .collect(),
    }
}

/// `Mon`, `Mon-Fri`, `Sat,Sun`, `Fri-Mon`, or a mixture with commas.
fn weekdays(text: &str) -> Result<Weekdays, BadValue> {
    let mut days = Weekdays::default();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (weekday(from)?, weekday(to)?);
        days.insert(day);
        while day != last {
            day = (day + 1) % 7;
            days.insert(day);
        }
    }
    Ok(days)
}

fn weekday(text: &str) -> Result<u8, BadValue> {
    let known = DAYS
        .iter()
        .zip(0u8..)
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|(_, day)| day).ok_or_else(|| {
        let expected = "`Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat`, `Sun`, joined by `-` and `,`";
        BadValue::new(
            Code::BadSchedule,
            format!("`{text}` is not a day"),
            expected,
        )
    })
}

/// Both ends of `HH:MM-HH:MM` in seconds after midnight. The second may be 24:00, and may lie
/// before the first: the span then runs over midnight.
fn seconds(text: &str) -> Result<(u32, u32), BadValue> {
    let bad = || {
        BadValue::new(
            Code::BadSchedule,
            format!("`{text}` is not a span of the day"),
            EXPECTED,
        )
    };
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    let from = second_of_day(from)
        .filter(|from| *from < 86_400)
        .ok_or_else(bad)?;
    let to = second_of_day(to).ok_or_else(bad)?;
    if from == to {
        let message = format!("the span `{text}` is empty");
        return Err(BadValue::new(Code::BadSchedule, message, EXPECTED)
            .help("the whole day is `00:00-24:00`"));
    }
    Ok((from, to))
}

fn second_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let whole = minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0));
    whole.then_some(hours * 3_600 + minutes * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WeeklySchedule, BadValue> {
        Schedules::default().parse(text)
    }

    fn at(text: &str, time: &str) -> bool {
        parse(text)
            .unwrap()
            .contains(super::super::date::unix_seconds(time).unwrap())
    }

    #[test]
    fn office_hours_follow_the_zone_through_summer_time() {
        let office = "Mon-Fri 08:00-18:00 Europe/Zurich";
        assert!(!at(office, "2026-01-05T06:59:59Z"));
        assert!(at(office, "2026-01-05T07:00:00Z"));
        assert!(at(office, "2026-07-06T06:00:00Z"), "summer time");
        assert!(!at(office, "2026-07-06T16:00:00Z"));
        assert!(!at(office, "2026-07-05T10:00:00Z"), "a Sunday");
        assert!(
            at(office, "2099-07-06T06:00:00Z"),
            "a Monday at the end of the horizon"
        );
    }

    /// Local time goes from 01:59:59 to 03:00:00 at 01:00 UTC in March, and from 02:59:59 back to
    /// 02:00:00 at 01:00 UTC in October.
    #[test]
    fn hours_that_are_skipped_or_come_twice() {
        let early = "Sun 02:00-03:00 Europe/Zurich";
        assert!(!at(early, "2026-03-29T00:59:59Z"), "01:59:59");
        assert!(
            !at(early, "2026-03-29T01:00:00Z"),
            "03:00:00: the hour is skipped"
        );
        assert!(at(early, "2026-10-25T00:00:00Z"), "02:00:00, summer time");
        assert!(
            at(early, "2026-10-25T01:59:59Z"),
            "02:59:59 the second time"
        );
        assert!(!at(early, "2026-10-25T02:00:00Z"), "03:00:00");
        let night = "Sat 22:00-06:00 Europe/Zurich";
        assert!(
            at(night, "2026-03-29T03:59:59Z"),
            "05:59:59, seven hours after it began"
        );
        assert!(!at(night, "2026-03-29T04:00:00Z"));
        assert!(
            at(night, "2026-10-25T04:59:59Z"),
            "05:59:59, nine hours after it began"
        );
        assert!(!at(night, "2026-10-25T05:00:00Z"));
        let south = "Sun 02:30-03:30 Australia/Lord_Howe";
        assert!(
            !at(south, "2026-04-04T15:59:59Z"),
            "the clock went back half an hour"
        );
        assert!(at(south, "2026-04-04T16:00:00Z"));
        let half = "09:00-17:00 Asia/Kathmandu";
        assert!(at(half, "2026-01-05T03:15:00Z") && !at(half, "2026-01-05T03:14:59Z"));
    }

    #[test]
    fn forms() {
        assert_eq!(parse("00:00-24:00").unwrap().days, Weekdays::ALL);
        assert_eq!(
            parse("Fri-Mon 00:00-24:00").unwrap().days,
            Weekdays::from_bits(0b111_0001)
        );
        assert_eq!(
            parse("mon,WED 1:00-02:00").unwrap_err().message,
            "`1:00-02:00` is not a span of the day"
        );
        assert_eq!(parse("22:00-06:00 utc").unwrap().to_second, 6 * 3600);
        assert!(
            at("22:00-06:00", "2026-01-05T23:00:00Z") && at("22:00-06:00", "2026-01-05T05:00:00Z")
        );
        for bad in [
            "",
            "Mon",
            "Moo 08:00-09:00",
            "08:00",
            "24:00-25:00",
            "08:60-09:00",
            "08:00-08:00",
            "a b c d",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let help = parse("08:00-09:00 Europe/Zürich").unwrap_err().help;
        assert_eq!(help.as_deref(), Some("did you mean `Europe/Zurich`?"));
    }

    #[test]
    fn expansion_does_not_depend_on_the_machine() {
        let zone = parse("08:00-09:00 America/New_York").unwrap().zone;
        assert_eq!(zone.first_offset_seconds, -5 * 3600);
        assert_eq!(zone.transitions.len(), 160, "two a year from 2020 to 2099");
        assert_eq!(parse("08:00-09:00 UTC").unwrap().zone.transitions, []);
    }
}
