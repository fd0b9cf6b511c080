//! How records become little-endian words and come back. A table is its records, one after the
//! other; how many there are follows from the section's length. Ranges are `validate.rs`'s care.

use crate::cost::{Cost, CostRecord, CostlyRuleRecord, PhaseCostRecord};
use crate::index::record::*;
use crate::matcher::window::Shape;
use crate::{Action, Source};

/// Words still to be read of one record.
pub(super) struct Words<'b>(std::slice::Iter<'b, [u8; 4]>);

impl Words<'_> {
    fn next(&mut self) -> Option<u32> {
        self.0.next().map(|word| u32::from_le_bytes(*word))
    }

    fn wide(&mut self) -> Option<u64> {
        Some(u64::from(self.next()?) | u64::from(self.next()?) << 32)
    }
}

/// A record of a fixed number of words.
pub(super) trait Record: Sized {
    const WORDS: usize;
    fn put(&self, out: &mut Vec<u32>);
    fn take(words: &mut Words<'_>) -> Option<Self>;
}

/// A table as bytes.
pub(super) fn encode<R: Record>(records: &[R]) -> Vec<u8> {
    let mut words = Vec::with_capacity(records.len() * R::WORDS);
    for record in records {
        record.put(&mut words);
    }
    encode_words(&words)
}

pub(super) fn encode_words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A table from bytes; `None` if they are no whole number of records, or a record is none.
pub(super) fn decode<R: Record>(bytes: &[u8]) -> Option<Vec<R>> {
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || !words.len().is_multiple_of(R::WORDS) {
        return None;
    }
    words
        .chunks_exact(R::WORDS)
        .map(|record| R::take(&mut Words(record.iter())))
        .collect()
}

/// Records whose words are their fields in order.
macro_rules! plain_records {
    ($($record:ty: $words:literal { $($field:ident),+ })+) => {$(
        impl Record for $record {
            const WORDS: usize = $words;
            fn put(&self, out: &mut Vec<u32>) {
                $(Record::put(&self.$field, out);)+
            }
            fn take(words: &mut Words<'_>) -> Option<Self> {
                Some(Self { $($field: Record::take(words)?),+ })
            }
        }
    )+};
}

plain_records! {
    Span: 2 { start, len }
    GroupRecord: 3 { name, priority }
    RuleRecord: 9 { action, group, name, description, conditions, is_reachable }
    PredicateRecord: 8 { field, operator, every, values, residuals, phases }
    FieldRecord: 8 { source, header, absent, present, index }
    ViewRecord: 7 { table, folded, needles, windows, tried_on_short }
    TableRecord: 4 { slots, by_label, bound }
    MeaningRecord: 2 { whole, below }
    TreeRecord: 4 { bounds, nodes }
    NeedleRecord: 3 { text, patterns }
    Shape: 3 { bytes, fixed }
    WindowRecord: 7 { shape, slots, keys }
    WindowKeyRecord: 2 { proven, tried }
    PatternRecord: 4 { pattern, predicates }
    AutomataRecord: 3 { offset, states, classes }
    FamilyRecord: 6 { offset, states, classes, telling, reports }
    ScheduleRecord: 4 { days, from_second, to_second, zone }
    ZoneRecord: 3 { first_offset_seconds, transitions }
    TransitionRecord: 3 { from, offset_seconds }
    AccessRecord: 5 { phase, predicate, mask, rules }
    Cost: 8 { probes, steps, rules, bytes }
    PhaseCostRecord: 6 { always, rules, rule_bytes }
    CostRecord: 26 { phase, source, fixed, per_value, per_byte }
    CostlyRuleRecord: 5 { phase, rule, why, steps_per_byte }
}

impl Record for u32 {
    const WORDS: usize = 1;
    fn put(&self, out: &mut Vec<u32>) {
        out.push(*self);
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        words.next()
    }
}

impl Record for i32 {
    const WORDS: usize = 1;
    fn put(&self, out: &mut Vec<u32>) {
        out.push(self.cast_unsigned());
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        words.next().map(u32::cast_signed)
    }
}

impl Record for u64 {
    const WORDS: usize = 2;
    fn put(&self, out: &mut Vec<u32>) {
        put_bytes(&self.to_le_bytes(), out);
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        words.wide()
    }
}

impl Record for i64 {
    const WORDS: usize = 2;
    fn put(&self, out: &mut Vec<u32>) {
        put_bytes(&self.to_le_bytes(), out);
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        words.wide().map(u64::cast_signed)
    }
}

impl Record for u128 {
    const WORDS: usize = 4;
    fn put(&self, out: &mut Vec<u32>) {
        put_bytes(&self.to_le_bytes(), out);
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        Some(Self::from(words.wide()?) | Self::from(words.wide()?) << 64)
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u32>) {
    out.extend(
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word)),
    );
}

impl Record for bool {
    const WORDS: usize = 1;
    fn put(&self, out: &mut Vec<u32>) {
        out.push(u32::from(*self));
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        match words.next()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Record for Action {
    const WORDS: usize = 1;
    fn put(&self, out: &mut Vec<u32>) {
        out.push(match self {
            Self::Allow => 0,
            Self::Deny => 1,
            Self::Alert => 2,
        });
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        [Self::Allow, Self::Deny, Self::Alert]
            .get(words.next()? as usize)
            .copied()
    }
}

impl Record for Operator {
    const WORDS: usize = 1;
    fn put(&self, out: &mut Vec<u32>) {
        out.push(*self as u32);
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        Self::ALL.get(words.next()? as usize).copied()
    }
}

impl Record for Source {
    const WORDS: usize = 1;
    fn put(&self, out: &mut Vec<u32>) {
        out.push(*self as u32);
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        Self::ALL.get(words.next()? as usize).copied()
    }
}

impl Record for FieldIndex {
    const WORDS: usize = 3;
    fn put(&self, out: &mut Vec<u32>) {
        out.extend(match *self {
            Self::Text { short, full } => [0, short, full],
            Self::Tree { first, v6 } => [1, first, v6],
            Self::Protocol { nodes } => [2, nodes, 0],
        });
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        match (words.next()?, words.next()?, words.next()?) {
            (0, short, full) => Some(Self::Text { short, full }),
            (1, first, v6) => Some(Self::Tree { first, v6 }),
            (2, nodes, 0) => Some(Self::Protocol { nodes }),
            _ => None,
        }
    }
}

impl Record for Pattern {
    const WORDS: usize = 3;
    fn put(&self, out: &mut Vec<u32>) {
        out.extend(match *self {
            Self::Glob(text) => [0, text.start, text.len],
            Self::Regex(automata) => [1, automata, 0],
            Self::Family(family) => [2, family, 0],
        });
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        match (words.next()?, words.next()?, words.next()?) {
            (0, start, len) => Some(Self::Glob(Span { start, len })),
            (1, automata, 0) => Some(Self::Regex(automata)),
            (2, family, 0) => Some(Self::Family(family)),
            _ => None,
        }
    }
}

impl Record for ResidualRecord {
    const WORDS: usize = 4;
    fn put(&self, out: &mut Vec<u32>) {
        match *self {
            Self::Short(pattern) => {
                out.push(0);
                pattern.put(out);
            }
            Self::Full(pattern) => {
                out.push(1);
                pattern.put(out);
            }
            Self::Schedule(schedule) => out.extend([2, schedule, 0, 0]),
        }
    }
    fn take(words: &mut Words<'_>) -> Option<Self> {
        match words.next()? {
            0 => Pattern::take(words).map(Self::Short),
            1 => Pattern::take(words).map(Self::Full),
            2 => {
                let schedule = words.next()?;
                (words.next()? == 0 && words.next()? == 0).then_some(Self::Schedule(schedule))
            }
            _ => None,
        }
    }
}

/// The record of the head section.
#[derive(Clone, Copy, Debug)]
pub(super) struct MetaRecord {
    pub(super) pre_dns: Action,
    pub(super) pre_request: Action,
    pub(super) post_response: Action,
    pub(super) pre_dns_rules: Span,
    pub(super) pre_request_rules: Span,
    pub(super) post_response_rules: Span,
    pub(super) tool_version: Span,
    pub(super) source_digest: Span,
}

plain_records! {
    MetaRecord: 13 {
        pre_dns, pre_request, post_response,
        pre_dns_rules, pre_request_rules, post_response_rules,
        tool_version, source_digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::header::Section;

    fn check<R: Record + std::fmt::Debug>(record: R) {
        let bytes = encode(std::slice::from_ref(&record));
        assert_eq!(bytes.len(), R::WORDS * 4);
        let decoded = decode::<R>(&bytes).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{:?}", [record]));
    }

    #[test]
    fn records_read_back() {
        let span = Span { start: 1, len: 2 };
        check(i64::MIN + 5);
        check(u128::MAX - 7);
        check(Operator::Present);
        check(FieldIndex::Text { short: 1, full: 2 });
        check(FieldIndex::Tree { first: 3, v6: 4 });
        check(FieldIndex::Protocol { nodes: 9 });
        check(ResidualRecord::Short(Pattern::Glob(span)));
        check(ResidualRecord::Full(Pattern::Regex(7)));
        check(ResidualRecord::Schedule(1));
        check(TransitionRecord {
            from: -9,
            offset_seconds: -3_600,
        });
        for source in Source::ALL {
            check(source);
        }
    }

    /// Bytes of a record of each section, in their order.
    fn record_bytes(section: Section) -> usize {
        const BYTE: usize = 1;
        let words = match section {
            Section::Automata | Section::TestsWritten | Section::Strings => return BYTE,
            Section::Meta => MetaRecord::WORDS,
            Section::Groups => GroupRecord::WORDS,
            Section::Rules => RuleRecord::WORDS,
            Section::Conditions | Section::Nodes | Section::Reports | Section::Lists => u32::WORDS,
            Section::Predicates => PredicateRecord::WORDS,
            Section::Fields => FieldRecord::WORDS,
            Section::Views => ViewRecord::WORDS,
            Section::Tables => TableRecord::WORDS,
            Section::Meanings => MeaningRecord::WORDS,
            Section::Trees => TreeRecord::WORDS,
            Section::Bounds => u128::WORDS,
            Section::Needles => NeedleRecord::WORDS,
            Section::Windows => WindowRecord::WORDS,
            Section::WindowKeys => WindowKeyRecord::WORDS,
            Section::Patterns => PatternRecord::WORDS,
            Section::AutomataIndex => AutomataRecord::WORDS,
            Section::Families => FamilyRecord::WORDS,
            Section::Residuals => ResidualRecord::WORDS,
            Section::Schedules => ScheduleRecord::WORDS,
            Section::Zones => ZoneRecord::WORDS,
            Section::Transitions => TransitionRecord::WORDS,
            Section::Access => AccessRecord::WORDS,
            Section::Slots => 4,
            Section::PhaseCosts => PhaseCostRecord::WORDS,
            Section::Costs => CostRecord::WORDS,
            Section::CostlyRules => CostlyRuleRecord::WORDS,
        };
        words * 4
    }

    #[test]
    fn the_documentation_is_that_of_the_format() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bundle-format.md");
        let text = std::fs::read_to_string(path).unwrap();
        let version = format!("Format version **{}**.", super::super::header::VERSION);
        assert!(text.contains(&version), "{version}");
        let rows: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("| | section"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .collect();
        assert_eq!(rows.len(), Section::ALL.len());
        for (number, (section, row)) in Section::ALL.iter().zip(rows).enumerate() {
            let bytes = record_bytes(*section);
            let expected = format!("| {number} | {} | {bytes} |", section.name());
            assert!(row.starts_with(&expected), "{expected} is not {row}");
        }
    }

    #[test]
    fn refuses_parts_of_records() {
        assert!(decode::<Span>(&[0; 12]).is_none());
        assert!(decode::<u32>(&[0; 5]).is_none());
        assert!(decode::<bool>(&[2, 0, 0, 0]).is_none());
    }
}
