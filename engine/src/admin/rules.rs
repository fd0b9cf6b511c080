//! `/rules`: each rule, how often it decided or alerted, and when it last did.

use hyper::Uri;
use jiff::Timestamp;
use sallyport_ruleset::{Action, Bundle, Phase, RuleIndex};
use serde_json::{Value, json};

use super::query::Query;
use crate::observe::{RuleHit, RuleHits};
use crate::shard::Generation;

/// A rule and what shards have met of it.
struct Met {
    phase: Phase,
    rule: RuleIndex,
    hit: RuleHit,
}

/// The page, which `sallyport-rules stats --hits` reads. `?hit=no` shows the rules that were never hit, in their
/// order; else those that were hit most come first. `?limit=N` shows so many of them.
pub(super) fn page(generation: &Generation, uri: &Uri) -> Value {
    let query = Query::of(uri);
    let bundle = &generation.bundle;
    let (mut met, mut defaults) = (Vec::new(), Vec::new());
    for phase in Phase::ALL {
        let shards = generation.rule_hits.iter().map(|hits| &**hits);
        let mut hits = RuleHits::sum(shards, phase);
        defaults.push(json!({
            "phase": phase.to_string(),
            "hits": hits.last().map_or(0, |hit| hit.count),
            "last_hit": hits.pop().and_then(|hit| time(hit.last_us)),
        }));
        let rules = (0..).map(RuleIndex).zip(hits);
        met.extend(rules.map(|(rule, hit)| Met { phase, rule, hit }));
    }
    let rules_count = met.len();
    let never_hit = met.iter().filter(|met| met.hit.count == 0);
    let never_hit_count = never_hit.count();
    match query.get("hit") {
        Some("no") => met.retain(|met| met.hit.count == 0),
        _ => met.sort_by_key(|met| std::cmp::Reverse(met.hit.count)),
    }
    if let Some(limit) = query.get("limit").and_then(|limit| limit.parse().ok()) {
        met.truncate(limit);
    }
    let since = generation.rule_hits.first().map(|hits| hits.since_us());
    json!({
        "bundle": bundle.id(),
        "since": since.and_then(time),
        "rules_count": rules_count,
        "never_hit_count": never_hit_count,
        "rules": met.iter().map(|met| told(bundle, met)).collect::<Vec<_>>(),
        "defaults": defaults,
    })
}

fn told(bundle: &Bundle, met: &Met) -> Value {
    let Met { phase, rule, hit } = *met;
    json!({
        "phase": phase.to_string(),
        "group": bundle.rule_group(phase, rule),
        "rule": bundle.rule_name(phase, rule),
        "action": bundle.rule_action(phase, rule).map(Action::name),
        "hits": hit.count,
        "last_hit": time(hit.last_us),
    })
}

fn time(micros: u64) -> Option<String> {
    let micros = i64::try_from(micros).ok().filter(|micros| *micros > 0)?;
    Timestamp::from_microsecond(micros)
        .ok()
        .map(|time| time.to_string())
}
