//! Tests that no index answers, made when a rule that may match asks for them: patterns without a
//! usable literal, and schedules.

use super::Evaluation;
use super::text::{self, Text};
use crate::cost::{Meter, record_bytes};
use crate::index::record::*;
use crate::invariant::{Invariant, at, broken};
use crate::{Fact, HeaderFields, Source, Weekdays};

impl<M: Meter> Evaluation<'_, '_, M> {
    pub(super) fn any_residual_holds(
        &mut self,
        predicate: &PredicateRecord,
        field: &FieldRecord,
    ) -> bool {
        let index = self.index;
        let residuals = predicate.residuals.of(&index.residuals);
        // Of a field with one value "each" and "any" are the same.
        if predicate.every && field.source.has_several_values() {
            return self.every_value_matches(residuals, field);
        }
        // An absent field was looked up before, and no pattern matches what is not there.
        match field.source {
            Source::Time => self.any_schedule_holds(residuals),
            Source::SourceLabels => {
                self.any_header_matches(residuals, field, self.facts.source_labels)
            }
            Source::RequestHeaders => {
                self.any_header_matches(residuals, field, self.facts.request_headers)
            }
            Source::ResponseHeaders => {
                self.any_header_matches(residuals, field, self.facts.response_headers)
            }
            Source::TlsAlpn => match self.facts.tls_alpn {
                Fact::Known(protocols) => protocols
                    .iter()
                    .any(|protocol| self.any_pattern_matches(residuals, Text::plain(protocol))),
                Fact::Absent | Fact::Unknown => false,
            },
            source @ (Source::HttpUserAgent
            | Source::HttpContentType
            | Source::ResponseContentType) => {
                // The values cannot be left early; once one fits, the others are not tried.
                let mut holds = false;
                self.for_each_value(source, &mut |evaluation, text| {
                    holds = holds || evaluation.any_pattern_matches(residuals, text);
                });
                holds
            }
            source @ (Source::DestinationHost | Source::Authority | Source::Url) => {
                let Fact::Known(parts) = self.facts.composed(source) else {
                    return false;
                };
                // The buffer is lent out of the scratch, so that the patterns can be asked beside it.
                let mut buffer = std::mem::take(&mut self.scratch.buffer);
                let text = Text::plain(parts.text(&mut buffer));
                let holds = self.any_pattern_matches(residuals, text);
                self.scratch.buffer = buffer;
                holds
            }
            // The rest are sources of one text.
            source => {
                let Fact::Known(raw) = self.facts.text(source) else {
                    return false;
                };
                let mut holds = false;
                text::with_forms(source, raw, |text| {
                    holds = self.any_pattern_matches(residuals, text);
                });
                holds
            }
        }
    }

    /// Shows the values of a source that is one header field.
    fn for_each_value(&mut self, source: Source, take: &mut dyn FnMut(&Self, Text<'_>)) {
        if let Fact::Known(values) = self.facts.field_values(source) {
            let mut buffer = std::mem::take(&mut self.scratch.buffer);
            text::for_each_forms(source, values, &mut buffer, &mut |text| take(self, text));
            self.scratch.buffer = buffer;
        }
    }

    /// Whether each of several values matches. That there are none was seen when they were looked up.
    fn every_value_matches(&mut self, residuals: &[ResidualRecord], field: &FieldRecord) -> bool {
        if matches!(
            field.source,
            Source::HttpUserAgent | Source::HttpContentType | Source::ResponseContentType
        ) {
            let mut all = true;
            self.for_each_value(field.source, &mut |evaluation, text| {
                all = all && evaluation.any_pattern_matches(residuals, text);
            });
            return all;
        }
        let matches = |value: &[u8]| self.any_pattern_matches(residuals, Text::plain(value));
        match field.source {
            Source::SourceLabels => self.every_header(field, self.facts.source_labels, matches),
            Source::RequestHeaders => self.every_header(field, self.facts.request_headers, matches),
            Source::ResponseHeaders => {
                self.every_header(field, self.facts.response_headers, matches)
            }
            Source::TlsAlpn => match self.facts.tls_alpn {
                Fact::Known(protocols) => protocols.iter().all(|protocol| matches(protocol)),
                Fact::Absent | Fact::Unknown => false,
            },
            Source::Protocol => match self.facts.protocol {
                Fact::Known(set) => set.iter().all(|word| matches(word.name().as_bytes())),
                Fact::Absent | Fact::Unknown => false,
            },
            _ => broken("the values of a field that has several"),
        }
    }

    fn every_header(
        &self,
        field: &FieldRecord,
        fact: Fact<&dyn HeaderFields>,
        matches: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let Fact::Known(headers) = fact else {
            return false;
        };
        let wanted = field.header.of(self.bundle.strings(self.bytes));
        // Lines of other names do not count: of no line at all each fits.
        let mut all = true;
        headers.for_each(&mut |name, value| {
            all = all && (!name.eq_ignore_ascii_case(wanted) || matches(value));
        });
        all
    }

    fn any_header_matches(
        &self,
        residuals: &[ResidualRecord],
        field: &FieldRecord,
        fact: Fact<&dyn HeaderFields>,
    ) -> bool {
        let Fact::Known(headers) = fact else {
            return false;
        };
        let wanted = field.header.of(self.bundle.strings(self.bytes));
        let mut holds = false;
        headers.for_each(&mut |name, value| {
            holds = holds
                || name.eq_ignore_ascii_case(wanted)
                    && self.any_pattern_matches(residuals, Text::plain(value));
        });
        holds
    }

    fn any_pattern_matches(&self, residuals: &[ResidualRecord], text: Text<'_>) -> bool {
        // The compiler has told from the value which form it is about, as it does for tables.
        residuals.iter().any(|residual| match residual {
            ResidualRecord::Short(pattern) => self.pattern_matches(*pattern, text.short),
            ResidualRecord::Full(pattern) => self.pattern_matches(*pattern, text.full),
            ResidualRecord::Schedule(_) => broken("the pattern of a text"),
        })
    }

    fn any_schedule_holds(&self, residuals: &[ResidualRecord]) -> bool {
        let Fact::Known(time) = self.facts.time else {
            return false;
        };
        residuals.iter().any(|residual| match residual {
            ResidualRecord::Schedule(number) => self.schedule_holds(*number, time),
            ResidualRecord::Short(_) | ResidualRecord::Full(_) => broken("the schedule of a time"),
        })
    }

    fn schedule_holds(&self, number: u32, time: i64) -> bool {
        let schedule = at(&self.index.schedules, number);
        let zone = at(&self.index.zones, schedule.zone);
        let transitions = zone.transitions.of(&self.index.transitions);
        if M::COUNTS {
            let probes = transitions
                .len()
                .checked_ilog2()
                .map_or(0, |log| log as usize + 1);
            self.meter.probes(probes);
            self.meter.bytes(probes * record_bytes::TRANSITION);
        }
        // The offset of a zone holds from its transition on; before the first one stands the first offset.
        let after = transitions.partition_point(|transition| transition.from <= time);
        let offset_seconds = match transitions.split_at_checked(after) {
            Some(([.., last], _)) => last.offset_seconds,
            Some(([], _)) => zone.first_offset_seconds,
            None => broken("a transition"),
        };
        let days = u8::try_from(schedule.days).ok().or_broken("a set of days");
        let days = Weekdays::from_bits(days);
        let span = crate::condition::DailySpan {
            from_second: schedule.from_second,
            to_second: schedule.to_second,
        };
        span.contains(days, time.saturating_add(offset_seconds.into()))
    }
}
