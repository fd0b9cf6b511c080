//! Conditions: a field, a test, and whether the test is negated. The meaning of each test is
//! given here in words, in `reference.rs` in code, and made fast in `matcher`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use crate::{Field, FieldType, ValueList};

/// One condition of a rule.
///
/// Several values of the condition: any of them (negated: none). Several values of the field (a
/// repeated header): any of them (negated: none). An absent field: false, negated: true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// What is looked at.
    pub field: Field,
    /// Whether the answer of the test is turned round.
    pub negated: bool,
    /// What is asked.
    pub test: Test,
}

/// A question about one field. Text values are already in the normal form of the field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// The whole value equals one of these, byte by byte.
    Exact {
        /// What it may equal.
        values: ValueList,
        /// ASCII letters are compared without case.
        ignore_case: bool,
    },
    /// The whole value matches one of these: `*` any run of bytes (also `/` and `.`, also none),
    /// `?` exactly one byte, everything else itself. There is no escape.
    Glob(ValueList),
    /// One of these regular expressions matches somewhere in the value. Syntax of the `regex`
    /// crate, ASCII classes, linear time.
    Regex(ValueList),
    /// The value equals one of these or is a name under it. Domain fields only.
    Domain(ValueList),
    /// The value lies in one of these ranges.
    Number(Vec<RangeInclusive<u64>>),
    /// The address lies in one of these networks. An IPv4-mapped address or network is its IPv4
    /// one; an IPv6 network shorter than the mapped prefix holds no IPv4 address.
    Ip(Vec<IpNet>),
    /// The time lies in one of these ranges, in seconds since 1970 (UTC), both ends included.
    Time(Vec<RangeInclusive<i64>>),
    /// The local time lies in one of these schedules.
    TimeOfDay(Vec<WeeklySchedule>),
    /// `Null`: the field is absent (`true`), or is not (`false`).
    Absent(bool),
    /// Each value of the field passes the test, which is none of `Absent` and `Every`; true for an
    /// absent field. IAM's `ForAllValues:`; turned round it is `ForAnyValue:` with a negated operator.
    Every(Box<Self>),
}

impl Test {
    /// Whether the test can be asked of fields of this type.
    #[must_use]
    pub const fn fits(&self, field_type: FieldType) -> bool {
        match self {
            Self::Exact { .. } | Self::Glob(_) | Self::Regex(_) => {
                matches!(field_type, FieldType::String | FieldType::Domain)
            }
            Self::Domain(_) => matches!(field_type, FieldType::Domain),
            Self::Number(_) => matches!(field_type, FieldType::Number),
            Self::Ip(_) => matches!(field_type, FieldType::Ip),
            Self::Time(_) | Self::TimeOfDay(_) => matches!(field_type, FieldType::Time),
            Self::Absent(_) => true,
            Self::Every(test) => {
                !matches!(**test, Self::Absent(_) | Self::Every(_)) && test.fits(field_type)
            }
        }
    }
}

/// A span of local time that recurs each week: `Mon-Fri 08:00-18:00 Europe/Zurich`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeeklySchedule {
    /// The days on which the span begins.
    pub days: Weekdays,
    /// First second of the local day that belongs to the span, 0..86 400.
    pub from_second: u32,
    /// First second that no longer belongs, 0..=86 400. Not after `from_second`: the span runs
    /// over midnight into the next day (equal: 24 hours).
    pub to_second: u32,
    /// The zone whose clock counts.
    pub zone: Arc<TimeZoneOffsets>,
}

impl WeeklySchedule {
    /// Whether the time (seconds since 1970, UTC) lies in the schedule.
    #[must_use]
    pub fn contains(&self, unix_seconds: i64) -> bool {
        let offset = i64::from(self.zone.offset_seconds(unix_seconds));
        let local = unix_seconds.saturating_add(offset);
        let span = DailySpan {
            from_second: self.from_second,
            to_second: self.to_second,
        };
        span.contains(self.days, local)
    }
}

/// From a second of the day to another one, over midnight if that is not later.
pub(crate) struct DailySpan {
    pub(crate) from_second: u32,
    pub(crate) to_second: u32,
}

impl DailySpan {
    /// Whether a local time (seconds since 1970 on the local clock) lies in a span that begins on
    /// one of the days.
    pub(crate) fn contains(&self, days: Weekdays, local: i64) -> bool {
        // 1970-01-01 was a Thursday, the third day after Monday.
        let weekday = (local.div_euclid(86_400) + 3).rem_euclid(7);
        let second = local.rem_euclid(86_400);
        let (from, to) = (i64::from(self.from_second), i64::from(self.to_second));
        let begins_on = |day: i64| days.contains(day.rem_euclid(7).unsigned_abs());
        if from < to {
            begins_on(weekday) && from <= second && second < to
        } else {
            (begins_on(weekday) && from <= second) || (begins_on(weekday - 1) && second < to)
        }
    }
}

/// A set of days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0x7f);

    /// The set as bits, Monday the lowest; higher bits than Sunday's are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x7f)
    }

    /// Bits, Monday the lowest.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Adds a day, 0 = Monday … 6 = Sunday; others are ignored.
    pub const fn insert(&mut self, day: u8) {
        if day < 7 {
            self.0 |= 1 << day;
        }
    }

    /// Whether a day (0 = Monday) is in the set.
    #[must_use]
    pub const fn contains(self, day: u64) -> bool {
        day < 7 && self.0 >> day & 1 == 1
    }
}

/// A time zone as its offsets from UTC over time, expanded by the compiler: the engine needs no
/// time zone data, and the same bundle means the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeZoneOffsets {
    /// IANA name, for display.
    pub name: String,
    /// Offset before the first transition, in seconds east of UTC.
    pub first_offset_seconds: i32,
    /// From this time on (seconds since 1970, ascending) this offset (seconds east of UTC).
    pub transitions: Vec<(i64, i32)>,
}

impl TimeZoneOffsets {
    /// The offset in force at a time, in seconds east of UTC.
    #[must_use]
    pub fn offset_seconds(&self, unix_seconds: i64) -> i32 {
        let after = self
            .transitions
            .partition_point(|(from, _)| *from <= unix_seconds);
        after
            .checked_sub(1)
            .and_then(|position| self.transitions.get(position))
            .map_or(self.first_offset_seconds, |(_, offset)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(days: u8, from_second: u32, to_second: u32) -> WeeklySchedule {
        let zone = TimeZoneOffsets {
            name: "Test/Zone".into(),
            first_offset_seconds: 3_600,
            transitions: vec![(1_000_000, 7_200)],
        };
        WeeklySchedule {
            days: Weekdays::from_bits(days),
            from_second,
            to_second,
            zone: Arc::new(zone),
        }
    }

    #[test]
    fn spans_of_one_day() {
        // Thursday 08:00-18:00, one hour east.
        let thursday = schedule(0b000_1000, 8 * 3600, 18 * 3600);
        assert!(!thursday.contains(7 * 3600 - 1));
        assert!(thursday.contains(7 * 3600));
        assert!(thursday.contains(17 * 3600 - 1));
        assert!(!thursday.contains(17 * 3600));
        assert!(!thursday.contains(7 * 3600 + 86_400));
    }

    #[test]
    fn spans_over_midnight_belong_to_the_day_they_begin() {
        let night = schedule(0b000_1000, 22 * 3600, 6 * 3600);
        assert!(night.contains(21 * 3600));
        assert!(night.contains(23 * 3600 + 5 * 3600));
        assert!(!night.contains(23 * 3600 + 6 * 3600));
        assert!(
            !night.contains(-1),
            "Thursday 00:59 belongs to Wednesday's night"
        );
    }

    #[test]
    fn transitions_move_the_clock() {
        let zone = &schedule(0, 0, 0).zone;
        assert_eq!(zone.offset_seconds(999_999), 3_600);
        assert_eq!(zone.offset_seconds(1_000_000), 7_200);
    }
}
