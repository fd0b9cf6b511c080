//! From the value of a source to the predicates that hold: one lookup per structure of its field.

use std::net::IpAddr;

use super::text::{self, Text};
use super::{Evaluation, bit, exact};
use crate::bundle::plan::HeaderNames;
use crate::cost::{Meter, record_bytes};
use crate::index::record::*;
use crate::invariant::{Invariant, at, broken, nth};
use crate::matcher::{cidr, domain, hash, interval};
use crate::{Fact, HeaderFields, Protocol, ProtocolSet, Source};

impl<'a, M: Meter> Evaluation<'a, '_, M> {
    /// Marks all predicates of a source that hold, unless the source is unknown.
    pub(super) fn look_up(&mut self, source: Source) {
        // Marked first: what is found here never asks for the same source again.
        self.done |= bit(source);
        let (bundle, facts) = (self.bundle, self.facts);
        match source {
            Source::SourceLabels => {
                return self.look_up_headers(facts.source_labels, &bundle.source_labels);
            }
            Source::RequestHeaders => {
                return self.look_up_headers(facts.request_headers, &bundle.request_headers);
            }
            Source::ResponseHeaders => {
                return self.look_up_headers(facts.response_headers, &bundle.response_headers);
            }
            _ => {}
        }
        let number = bundle.source_fields.get(source.index()).copied().flatten();
        let field = at(
            &self.index.fields,
            number.or_broken("the field of a source"),
        );
        let is_present = match source {
            Source::SourceIp => self.look_up_ip(field, facts.source_ip),
            Source::DestinationIp => self.look_up_ip(field, facts.destination_ip),
            Source::SourcePort => self.look_up_number(field, facts.source_port),
            Source::DestinationPort => self.look_up_number(field, facts.destination_port),
            Source::ResponseStatusCode => self.look_up_number(field, facts.status_code),
            Source::HttpContentLength => self.look_up_number(field, facts.content_length),
            Source::ResponseContentLength => {
                self.look_up_number(field, facts.response_content_length)
            }
            Source::Time => self.look_up_time(field, facts.time),
            Source::Protocol => self.look_up_protocol(field, facts.protocol),
            Source::TlsAlpn => self.look_up_alpn(field, facts.tls_alpn),
            Source::HttpUserAgent | Source::HttpContentType | Source::ResponseContentType => {
                self.look_up_values(field, source)
            }
            Source::DestinationHost | Source::Authority | Source::Url => {
                self.look_up_composed(field, source)
            }
            _ => self.look_up_text(field, source),
        };
        // Present and absent are predicates like others: of `Null`, of `*`, and of what each of no values
        // fulfils.
        self.mark(if is_present {
            field.present
        } else {
            field.absent
        });
    }

    fn look_up_ip(&mut self, field: &FieldRecord, fact: Fact<IpAddr>) -> bool {
        let Fact::Known(address) = fact else {
            return false;
        };
        // A mapped address is judged as the IPv4 address that a connection to it reaches, or a rule for one
        // could be gone round by writing the other.
        let (first, v6) = trees(field);
        let (family, key) = cidr::key(address);
        self.stab(
            if family == cidr::Family::V4 {
                first
            } else {
                v6
            },
            key,
        );
        true
    }

    fn look_up_number(&mut self, field: &FieldRecord, fact: Fact<impl Into<u64>>) -> bool {
        let Fact::Known(number) = fact else {
            return false;
        };
        self.stab(trees(field).0, u128::from(number.into()));
        true
    }

    fn look_up_time(&mut self, field: &FieldRecord, fact: Fact<i64>) -> bool {
        let Fact::Known(time) = fact else {
            return false;
        };
        self.stab(trees(field).0, interval::time_key(time));
        true
    }

    /// Marks the predicates whose ranges hold a point. `tree` is one more than the position.
    fn stab(&mut self, tree: u32, point: u128) {
        let index = self.index;
        let Some(tree) = nth(&index.trees, tree) else {
            return;
        };
        let bounds = tree.bounds.of(&index.bounds);
        let nodes = tree.nodes.of(&index.nodes);
        if M::COUNTS {
            let search = bounds
                .len()
                .checked_ilog2()
                .map_or(0, |log| log as usize + 1);
            let path = interval::nodes_holding(bounds, point).count();
            self.meter.probes(search + path);
            self.meter
                .bytes(search * record_bytes::BOUND + path * record_bytes::NUMBER);
        }
        // From the leaf to the root: a range stands at the few nodes that it covers wholly, so each node on the
        // way names ranges that hold the point, and no other node does.
        for node in interval::nodes_holding(bounds, point) {
            self.mark(*nodes.get(node).or_broken("a node of a tree"));
        }
    }

    fn look_up_protocol(&mut self, field: &FieldRecord, fact: Fact<ProtocolSet>) -> bool {
        let Fact::Known(set) = fact else { return false };
        let FieldIndex::Protocol { nodes } = field.index else {
            broken("the words of a protocol")
        };
        let lists = FieldIndex::protocol_lists(nodes).or_broken("the words of a protocol");
        let lists = lists.of(&self.index.nodes);
        for (protocol, list) in Protocol::ALL.into_iter().zip(lists) {
            if set.contains(protocol) {
                self.mark(*list);
            }
        }
        !set.is_empty()
    }

    fn look_up_alpn(&mut self, field: &FieldRecord, fact: Fact<&[&[u8]]>) -> bool {
        let Fact::Known(protocols) = fact else {
            return false;
        };
        for protocol in protocols {
            self.look_up_forms(field, Text::plain(protocol));
        }
        !protocols.is_empty()
    }

    fn look_up_headers(&mut self, fact: Fact<&dyn HeaderFields>, names: &HeaderNames) {
        let index = self.index;
        let strings = self.bundle.strings(self.bytes);
        if let Fact::Known(headers) = fact {
            headers.for_each(&mut |name, value| {
                self.meter.probes(1);
                let Some(number) = names.find(name, &index.fields, strings) else {
                    return;
                };
                let field = at(&index.fields, number);
                // The lines of one name are the values of one field, wherever they stand in the message.
                if self.scratch.present.insert(number) {
                    self.mark(field.present);
                }
                self.look_up_forms(field, Text::plain(value));
            });
        }
        // Only when all lines were seen is it known which names are not among them.
        for number in &names.fields {
            if !self.scratch.present.contains(*number) {
                self.mark(at(&index.fields, *number).absent);
            }
        }
    }

    fn look_up_text(&mut self, field: &FieldRecord, source: Source) -> bool {
        let Fact::Known(raw) = self.facts.text(source) else {
            return false;
        };
        text::with_forms(source, raw, |text| self.look_up_forms(field, text));
        true
    }

    fn look_up_composed(&mut self, field: &FieldRecord, source: Source) -> bool {
        let Fact::Known(parts) = self.facts.composed(source) else {
            return false;
        };
        // The buffer is lent out of the scratch, so that marking can go on beside it.
        let mut buffer = std::mem::take(&mut self.scratch.buffer);
        self.look_up_forms(field, Text::plain(parts.text(&mut buffer)));
        self.scratch.buffer = buffer;
        true
    }

    fn look_up_values(&mut self, field: &FieldRecord, source: Source) -> bool {
        let Fact::Known(values) = self.facts.field_values(source) else {
            return false;
        };
        let mut is_present = false;
        // The buffer is lent out of the scratch, so that marking can go on beside it.
        let mut buffer = std::mem::take(&mut self.scratch.buffer);
        text::for_each_forms(source, values, &mut buffer, &mut |text| {
            is_present = true;
            self.look_up_forms(field, text);
        });
        self.scratch.buffer = buffer;
        is_present
    }

    #[inline]
    fn look_up_forms(&mut self, field: &FieldRecord, text: Text<'_>) {
        let FieldIndex::Text { short, full } = field.index else {
            broken("the index of a text")
        };
        let index = self.index;
        if let Some(view) = nth(&index.views, short) {
            self.look_up_whole_values(view, text.short);
            self.look_up_patterns(view, short, text.short);
        }
        if let Some(view) = nth(&index.views, full) {
            self.look_up_whole_values(view, text.full);
            self.look_up_patterns(view, full, text.full);
            // Without a query the path is all there is.
            if view.tried_on_short && text.short.len() < text.full.len() {
                self.look_up_patterns(view, full, text.short);
            }
        }
    }

    #[inline]
    fn look_up_whole_values(&mut self, view: &ViewRecord, text: &[u8]) {
        let index = self.index;
        match nth(&index.tables, view.table) {
            Some(table) if table.by_label => self.look_up_domain(table, text),
            // Nothing longer than the longest key is equal to one: a long text is not even hashed.
            Some(table) if text.len() <= table.bound as usize => {
                self.look_up_whole(table, text);
            }
            _ => {}
        }
        if let Some(table) = nth(&index.tables, view.folded)
            && text.len() <= table.bound as usize
        {
            let mut buffer = std::mem::take(&mut self.scratch.folded);
            self.look_up_whole(table, exact::folded(text, &mut buffer));
            self.scratch.folded = buffer;
        }
    }

    fn look_up_whole(&mut self, table: &TableRecord, text: &[u8]) {
        if let Some(entry) = self.find(table, text, exact::whole(text)) {
            self.mark(entry.whole);
        }
    }

    fn look_up_domain(&mut self, table: &TableRecord, name: &[u8]) {
        for suffix in domain::suffixes(name) {
            // Most tables hold names of two or three labels: the depths without a key cost no probe.
            if table.bound & suffix.depth_bit == 0 {
                continue;
            }
            if let Some(entry) = self.find(table, suffix.name, suffix.hash) {
                self.mark(if suffix.is_whole {
                    entry.whole
                } else {
                    entry.below
                });
            }
        }
    }

    /// What a key stands for.
    fn find(&self, table: &TableRecord, key: &[u8], hash: u64) -> Option<&'a MeaningRecord> {
        let slots = table.slots.of(self.bundle.slots(self.bytes));
        let strings = self.bundle.strings(self.bytes);
        if M::COUNTS {
            let probes = hash::probes_count(slots, hash);
            self.meter.probes(probes);
            self.meter
                .bytes(probes * record_bytes::SLOT + record_bytes::MEANING);
        }
        hash::probe(slots, hash).find_map(|entry| {
            self.meter.bytes(entry.key_len as usize);
            let found = Span {
                start: entry.key_start,
                len: entry.key_len,
            };
            // Two keys can have one hash, and a client may choose names that do: the text decides.
            let is_key = found.of(strings) == key;
            is_key
                .then(|| nth(&self.index.meanings, entry.content))
                .flatten()
        })
    }
}

/// The trees of a field of numbers, times or addresses; the second is that of IPv6.
fn trees(field: &FieldRecord) -> (u32, u32) {
    match field.index {
        FieldIndex::Tree { first, v6 } => (first, v6),
        FieldIndex::Text { .. } | FieldIndex::Protocol { .. } => broken("the tree of a field"),
    }
}
