//! The values of a test as text, for people: the first few and how many there are. Kept in the
//! bundle, so that `explain` needs no rule text.

use std::fmt::Display;

use crate::invariant::Invariant;
use crate::{Test, Weekdays};

/// So many values are shown.
const SHOWN_MAX: usize = 3;
/// A longer value is cut, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// The values of a test, such as `["a.com", "b.com", … 98 more]`.
pub(crate) fn render(test: &Test) -> String {
    match test {
        Test::Exact { values, .. }
        | Test::Glob(values)
        | Test::Regex(values)
        | Test::Domain(values) => list(
            values.len(),
            values.iter().map(|value| format!("{:?}", cut(value))),
        ),
        Test::Number(ranges) => list(
            ranges.len(),
            ranges.iter().map(|range| {
                if range.start() == range.end() {
                    range.start().to_string()
                } else if *range.end() == u64::MAX {
                    format!(">= {}", range.start())
                } else {
                    format!("{}-{}", range.start(), range.end())
                }
            }),
        ),
        Test::Ip(networks) => list(networks.len(), networks.iter()),
        Test::Time(ranges) => list(
            ranges.len(),
            ranges
                .iter()
                .map(|range| format!("{}..={}", range.start(), range.end())),
        ),
        Test::TimeOfDay(schedules) => list(
            schedules.len(),
            schedules.iter().map(|schedule| {
                let (from, to) = (clock(schedule.from_second), clock(schedule.to_second));
                format!("{} {from}-{to} {}", days(schedule.days), schedule.zone.name)
            }),
        ),
        Test::Absent(expected) => expected.to_string(),
        Test::Every(test) => render(test),
    }
}

fn list(count: usize, values: impl Iterator<Item = impl Display>) -> String {
    let mut shown: Vec<String> = values
        .take(SHOWN_MAX)
        .map(|value| value.to_string())
        .collect();
    if count > SHOWN_MAX {
        shown.push(format!("… {} more", count - SHOWN_MAX));
    }
    format!("[{}]", shown.join(", "))
}

fn cut(value: &str) -> &str {
    match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => value.get(..end).or_broken("the beginning of a text"),
        None => value,
    }
}

fn clock(second: u32) -> String {
    let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
    if seconds == 0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        format!("{hours:02}:{minutes:02}:{seconds:02}")
    }
}

fn days(days: Weekdays) -> String {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let chosen: Vec<&str> = (0..)
        .zip(NAMES)
        .filter(|(day, _)| days.contains(*day))
        .map(|(_, name)| name)
        .collect();
    chosen.join(",")
}
