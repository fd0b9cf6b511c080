//! `acl … time`: letters of days and spans of the day, as weekly schedules.

use super::unsupported::Unsupported;

/// Sunday is the first bit, as in Squid.
type Days = u8;
const ALL_WEEK: Days = 0x7f;
const WEEKDAYS: Days = 0x3e;
/// In the order of a week that begins on Monday.
const NAMES: [(&str, Days); 7] = [
    ("Mon", 0x02),
    ("Tue", 0x04),
    ("Wed", 0x08),
    ("Thu", 0x10),
    ("Fri", 0x20),
    ("Sat", 0x40),
    ("Sun", 0x01),
];

/// Schedules of the words of one line, without their zone. Days hold for the next span; days
/// that no span follows are whole days.
///
/// # Errors
/// The word that cannot be read, and why.
pub(super) fn schedules(words: &[&str]) -> Result<Vec<String>, Unsupported> {
    let mut found = Vec::new();
    let mut days: Days = 0;
    for word in words {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            let days_of_span = if days == 0 { ALL_WEEK } else { days };
            let (from, to) = span(word).ok_or_else(|| Unsupported::Span((*word).to_owned()))?;
            found.push(schedule(days_of_span, from, to));
            days = 0;
        } else {
            days |= letters(word)?;
        }
    }
    if days != 0 {
        found.push(schedule(days, 0, MINUTES_A_DAY));
    }
    Ok(found)
}

const MINUTES_A_DAY: u32 = 24 * 60;

fn letters(word: &str) -> Result<Days, Unsupported> {
    let mut days = 0;
    for letter in word.chars() {
        days |= match letter {
            'S' => 0x01,
            'M' => 0x02,
            'T' => 0x04,
            'W' => 0x08,
            'H' => 0x10,
            'F' => 0x20,
            'A' => 0x40,
            'D' => WEEKDAYS,
            '-' => 0,
            _ => return Err(Unsupported::Day(letter)),
        };
    }
    Ok(days)
}

/// Minutes of the day; the end is the first minute that is no longer part of it. Squid takes the
/// last minute in: a span to 17:00 ends at 17:01.
fn span(word: &str) -> Option<(u32, u32)> {
    let (from, to) = word.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    (from <= to && from < MINUTES_A_DAY).then(|| (from, (to + 1).min(MINUTES_A_DAY)))
}

fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && minute <= MINUTES_A_DAY).then_some(minute)
}

fn schedule(days: Days, from: u32, to: u32) -> String {
    let span = format!(
        "{:02}:{:02}-{:02}:{:02}",
        from / 60,
        from % 60,
        to / 60,
        to % 60
    );
    if days == ALL_WEEK {
        return span;
    }
    format!("{} {span}", day_names(days))
}

/// `Mon-Fri`, `Sat,Sun`: runs of three days and more are joined.
fn day_names(days: Days) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some((first, bit)) = NAMES.get(at) {
        if days & bit == 0 {
            at += 1;
            continue;
        }
        let run = NAMES
            .iter()
            .skip(at)
            .take_while(|(_, bit)| days & bit != 0)
            .count();
        let names = NAMES
            .iter()
            .skip(at)
            .take(run)
            .map(|(name, _)| (*name).to_owned());
        match NAMES.get(at + run - 1) {
            Some((last, _)) if run > 2 => parts.push(format!("{first}-{last}")),
            _ => parts.extend(names),
        }
        at += run;
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, Unsupported> {
        schedules(&text.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn forms() {
        for (squid, ours) in [
            ("MTWHF 08:00-17:59", "Mon-Fri 08:00-18:00"),
            ("D 9:30-10:00", "Mon-Fri 09:30-10:01"),
            ("SA", "Sat,Sun 00:00-24:00"),
            ("12:00-24:00", "12:00-24:00"),
            ("MWF", "Mon,Wed,Fri 00:00-24:00"),
            ("SMTWHFA 00:00-00:00", "00:00-00:01"),
        ] {
            assert_eq!(shown(squid), Ok(vec![ours.to_owned()]), "{squid}");
        }
        let several = shown("MT 08:00-09:59 A 10:00-11:59 S").unwrap();
        assert_eq!(
            several,
            ["Mon,Tue 08:00-10:00", "Sat 10:00-12:00", "Sun 00:00-24:00"]
        );
        for bad in [
            "X",
            "17:00-08:00",
            "8-17",
            "24:00-24:00",
            "08:60-09:00",
            "25:00-26:00",
        ] {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }
}
