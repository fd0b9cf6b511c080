//! Answers that were given before. Requests of a log ask for the same names from the same clients
//! again and again; a phase whose rules ask for nothing else has the same answer each time. Found by
//! a hash, believed only if all facts that the rules of the phase ask for are the same, byte by byte.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use sallyport_ruleset::{
    Bundle, Fact, Facts, FieldValues, Outcome, Phase, Protocol, ProtocolSet, RuleIndex, Scratch,
    Source, evaluate,
};

/// Answers that are kept for each phase; a further one takes another's place.
const ANSWERS_MAX: usize = 4096;
/// Facts that take more are not kept: with the above, 2 MiB for each phase and thread.
const KEY_BYTES_MAX: usize = 512;
/// After so many questions in a phase it is seen whether keeping answers is worth it.
const TRIAL: u32 = 8 * 1024;

/// The answers of one bundle.
#[derive(Debug)]
pub(super) struct Memo {
    phases: [PhaseMemo; Phase::ALL.len()],
    key: Vec<u8>,
}

#[derive(Debug)]
struct PhaseMemo {
    /// What its rules ask for.
    sources: Vec<Source>,
    /// Empty when none are kept.
    answers: Vec<Answer>,
    asked: u32,
    found: u32,
}

#[derive(Clone, Debug)]
struct Answer {
    /// Empty: there is none.
    key: Vec<u8>,
    outcome: Outcome,
    alerts: Vec<RuleIndex>,
}

impl Memo {
    pub(super) fn new(bundle: &Bundle) -> Self {
        Self {
            phases: Phase::ALL.map(|phase| PhaseMemo::new(bundle.sources(phase))),
            key: Vec::with_capacity(KEY_BYTES_MAX),
        }
    }

    /// As [`evaluate`], with the alerts that fired.
    pub(super) fn evaluate<'m>(
        &'m mut self,
        bundle: &Bundle,
        phase: Phase,
        facts: &Facts<'_>,
        scratch: &'m mut Scratch,
    ) -> (Outcome, &'m [RuleIndex]) {
        let memo = match (phase, &mut self.phases) {
            (Phase::PreDns, [memo, ..])
            | (Phase::PreRequest, [_, memo, _])
            | (Phase::PostResponse, [.., memo]) => memo,
        };
        self.key.clear();
        if memo.answers.is_empty() || !write_key(&memo.sources, facts, &mut self.key) {
            let outcome = evaluate(bundle, phase, facts, scratch);
            return (outcome, scratch.alerts());
        }
        memo.try_out();
        let place = place(&self.key, memo.answers.len());
        let Some(answer) = memo.answers.get_mut(place) else {
            let outcome = evaluate(bundle, phase, facts, scratch);
            return (outcome, scratch.alerts());
        };
        if answer.key == self.key {
            memo.found += 1;
        } else {
            answer.outcome = evaluate(bundle, phase, facts, scratch);
            answer.key.clone_from(&self.key);
            answer.alerts.clear();
            answer.alerts.extend(scratch.alerts());
        }
        (answer.outcome, &answer.alerts)
    }
}

impl PhaseMemo {
    fn new(sources: &[Source]) -> Self {
        let differs = |source: &Source| {
            matches!(
                source,
                Source::Time | Source::SourcePort | Source::HttpUri | Source::Url
            )
        };
        let is_kept = !sources.is_empty() && !sources.iter().any(differs);
        let none = Answer {
            key: Vec::new(),
            outcome: Outcome::Undetermined,
            alerts: Vec::new(),
        };
        Self {
            sources: sources.to_vec(),
            answers: vec![none; if is_kept { ANSWERS_MAX } else { 0 }],
            asked: 0,
            found: 0,
        }
    }

    /// Keeps no more answers when less than half of the questions had one.
    fn try_out(&mut self) {
        self.asked += 1;
        if self.asked == TRIAL {
            if self.found < TRIAL / 2 {
                self.answers.clear();
            }
            (self.asked, self.found) = (0, 0);
        }
    }
}

fn place(key: &[u8], count: usize) -> usize {
    let hash = FixedState::default().hash_one(key);
    usize::try_from(hash % count.max(1) as u64).unwrap_or(0)
}

/// Writes the facts, each so that its end can be told. `false`: they are not to be kept.
fn write_key(sources: &[Source], facts: &Facts<'_>, key: &mut Vec<u8>) -> bool {
    sources
        .iter()
        .all(|source| write_fact(*source, facts, key).is_some())
        && key.len() <= KEY_BYTES_MAX
}

fn write_fact(source: Source, facts: &Facts<'_>, key: &mut Vec<u8>) -> Option<()> {
    let text = match source {
        Source::SourceIp => return address(facts.source_ip, key),
        Source::DestinationIp => return address(facts.destination_ip, key),
        Source::SourcePort => return number(facts.source_port, key),
        Source::DestinationPort => return number(facts.destination_port, key),
        Source::ResponseStatusCode => return number(facts.status_code, key),
        Source::HttpContentLength => return number(facts.content_length, key),
        Source::ResponseContentLength => return number(facts.response_content_length, key),
        Source::Time => return number(map(facts.time, i64::cast_unsigned), key),
        Source::Protocol => return number(map(facts.protocol, protocol_bits), key),
        // A log never has them; absent and unknown are told apart.
        Source::SourceLabels => return nothing(facts.source_labels, key),
        Source::RequestHeaders => return nothing(facts.request_headers, key),
        Source::ResponseHeaders => return nothing(facts.response_headers, key),
        Source::TlsAlpn => return nothing(facts.tls_alpn, key),
        Source::DestinationHost | Source::Authority | Source::Url => {
            if let Some(parts) = known(facts.composed(source), key) {
                let mut buffer = Vec::new();
                let text = parts.text(&mut buffer);
                key.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
                key.extend(text);
            }
            return Some(());
        }
        Source::HttpUserAgent | Source::HttpContentType | Source::ResponseContentType => {
            match known(facts.field_values(source), key) {
                None => return Some(()),
                // A log has one text of them.
                Some(FieldValues::One(text)) => Fact::Known(text),
                Some(FieldValues::Named(..)) => return None,
            }
        }
        Source::SourceVpce
        | Source::SourceVpc
        | Source::SourceAccount
        | Source::Principal
        | Source::DestinationDomain
        | Source::TlsSni
        | Source::TlsVersion
        | Source::Ja4
        | Source::TlsEch
        | Source::HttpUri
        | Source::HttpMethod
        | Source::HttpHost
        | Source::ResponseTlsIssuer
        | Source::ResponseTlsSha256 => facts.text(source),
    };
    if let Some(bytes) = known(text, key) {
        let length = u32::try_from(bytes.len()).ok()?;
        key.extend(length.to_le_bytes());
        key.extend(bytes);
    }
    Some(())
}

/// Writes which of the three it is.
fn known<T>(fact: Fact<T>, key: &mut Vec<u8>) -> Option<T> {
    let (tag, value) = match fact {
        Fact::Unknown => (0, None),
        Fact::Absent => (1, None),
        Fact::Known(value) => (2, Some(value)),
    };
    key.push(tag);
    value
}

fn nothing<T>(fact: Fact<T>, key: &mut Vec<u8>) -> Option<()> {
    match known(fact, key) {
        None => Some(()),
        Some(_) => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as its siblings")]
fn number(fact: Fact<impl Into<u64>>, key: &mut Vec<u8>) -> Option<()> {
    if let Some(number) = known(fact, key) {
        key.extend(number.into().to_le_bytes());
    }
    Some(())
}

#[expect(clippy::unnecessary_wraps, reason = "as its siblings")]
fn address(fact: Fact<IpAddr>, key: &mut Vec<u8>) -> Option<()> {
    match known(fact, key) {
        Some(IpAddr::V4(address)) => {
            key.push(4);
            key.extend(address.octets());
        }
        Some(IpAddr::V6(address)) => {
            key.push(6);
            key.extend(address.octets());
        }
        None => {}
    }
    Some(())
}

fn map<T, U>(fact: Fact<T>, change: impl FnOnce(T) -> U) -> Fact<U> {
    match fact {
        Fact::Unknown => Fact::Unknown,
        Fact::Absent => Fact::Absent,
        Fact::Known(value) => Fact::Known(change(value)),
    }
}

fn protocol_bits(set: ProtocolSet) -> u64 {
    let bits = Protocol::ALL
        .into_iter()
        .map(|protocol| u64::from(set.contains(protocol)));
    bits.fold(0, |bits, bit| bits << 1 | bit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use proptest::strategy::ValueTree;

    use super::super::decide::{Again, Decider};
    use super::*;
    use crate::pipeline::{Options, compile_str};
    use crate::source::MemoryFiles;
    use crate::tools::log::LogReader;

    const RULES: &str = r#"
[defaults]
pre_dns = "allow"
pre_request = "allow"
post_response = "alert"
[[group]]
priority = 1
name = "g"
[[group.pre_dns]]
name = "names"
action = "deny"
when."request:DestinationDomain" = { DomainMatch = ["a.test", "c.test"] }
when."request:DestinationPort" = { NumericEquals = 81 }
[[group.pre_dns]]
name = "seen"
action = "alert"
when."request:SourceIp" = { IpAddress = "192.0.2.0/31" }
[[group.pre_dns]]
name = "principal"
action = "deny"
when."request:Principal" = { StringEquals = "p" }
[[group.pre_request]]
name = "agent"
action = "deny"
when."request:Http:UserAgent" = { StringLike = "*bad*" }
[[group.pre_request]]
name = "method"
action = "alert"
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "address"
action = "deny"
when."request:DestinationIp" = { IpAddress = ["2001:db8::1/128", "c000:0201::/32"] }
[[group.pre_request]]
name = "sni"
action = "deny"
when."request:TlsSni" = { StringEquals = "a.test" }
when."request:Protocol" = { StringEquals = "https" }
[[group.post_response]]
name = "status"
action = "alert"
when."response:Http:StatusCode" = { NumericEquals = 404 }
[[group.post_response]]
name = "type"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "text/plain" }
"#;

    /// Mostly the first value, so that answers are found again.
    fn member(name: &str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
        let name = name.to_owned();
        let value = prop_oneof![5 => Just(values[0]), 1 => prop::sample::select(values)];
        prop::option::weighted(0.97, value).prop_map(move |value| {
            value.map_or_else(String::new, |value| format!("\"{name}\":{value},"))
        })
    }

    fn line() -> impl Strategy<Value = String> {
        let members = (
            member(
                "domain",
                &["\"b.test\"", "\"a.test\"", "\"x.c.test\"", "\"192.0.2.1\""],
            ),
            member("port", &["80", "81"]),
            member(
                "client_ip",
                &["\"192.0.2.1\"", "\"192.0.2.2\"", "\"2001:db8::1\""],
            ),
            member("principal", &["\"r\"", "\"p\"", "\"q…(+3)\""]),
            member("method", &["\"GET\"", "\"PUT\"", "\"CONNECT\""]),
            member("user_agent", &["\"good\"", "\"bad\"", "\"ba…(+1)\""]),
            member(
                "dst_ip",
                &["\"192.0.2.1\"", "\"2001:db8::1\"", "\"c000:201::\""],
            ),
            member(
                "tls_mode",
                &["\"none\"", "\"passthrough\"", "\"intercept\""],
            ),
            member("sni", &["\"a.test\"", "\"b.test\""]),
            member("proto", &["\"http\"", "\"https\""]),
            member("status", &["200", "404"]),
            member("content_type", &["\"text/html\"", "\"text/plain\""]),
        );
        members.prop_map(|(a, b, c, d, e, f, g, h, i, j, k, l)| {
            let all = [a, b, c, d, e, f, g, h, i, j, k, l].concat();
            format!("{{{}}}", all.trim_end_matches(','))
        })
    }

    type Heard = Vec<(Phase, sallyport_ruleset::Verdict, Vec<RuleIndex>)>;

    fn heard(decider: &mut Decider<'_>, line: &str) -> (Again, Heard) {
        let mut heard = Vec::new();
        let record = LogReader::default()
            .read(line.as_bytes())
            .unwrap_or_default();
        let again = decider.decide(&record, |phase, verdict, alerts| {
            heard.push((phase, verdict, alerts.to_vec()));
        });
        (again, heard)
    }

    fn bundle(rules: &str) -> Bundle {
        let compiled = compile_str(rules, MemoryFiles::default(), &Options::default()).unwrap();
        Bundle::load(compiled.emitted.unwrap().bytes).unwrap()
    }

    #[test]
    fn answers_are_found_again_only_for_the_same_facts() {
        let bundle = bundle(RULES);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let lines = prop::collection::vec(line(), 1_000);
        let lines = lines.new_tree(&mut runner).unwrap().current();
        for make in [Decider::new, Decider::assuming_absent] {
            let mut kept = make(&bundle);
            for line in &lines {
                assert_eq!(
                    heard(&mut kept, line),
                    heard(&mut make(&bundle), line),
                    "{line}"
                );
            }
            let found = kept.memo.phases.each_ref().map(|phase| phase.found);
            assert!(found.iter().all(|found| *found > 100), "{found:?}");
        }
    }

    #[test]
    fn phases_that_never_ask_the_same_keep_nothing() {
        let has_answers = |memo: &PhaseMemo| !memo.answers.is_empty();
        assert!(!has_answers(&PhaseMemo::new(&[])));
        assert!(!has_answers(&PhaseMemo::new(&[
            Source::SourceIp,
            Source::Time
        ])));
        let mut memo = PhaseMemo::new(&[Source::SourceIp]);
        (0..TRIAL).for_each(|_| {
            assert!(has_answers(&memo));
            memo.try_out();
        });
        assert!(!has_answers(&memo));
    }
}
