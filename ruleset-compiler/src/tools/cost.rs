//! The cost certificate of a bundle, as `inspect` shows it: what an evaluation costs at worst with
//! the engine's input limits, the terms that this is made of, and the rules that stand out.

use std::fmt::Write;

use sallyport_ruleset::cost::{Cost, InputLimits, PhaseCost};
use sallyport_ruleset::{Bundle, Phase};
use serde_json::{Value, json};

use crate::diagnostic::counted;
use crate::tools::table;

/// For people.
#[must_use]
pub fn text(bundle: &Bundle) -> String {
    let limits = InputLimits::default();
    let mut out = String::from("cost at worst, when all is known\n");
    for phase in Phase::ALL {
        let cost = bundle.certificate().phase(phase);
        let worst = cost.worst(&limits);
        let bytes = usize::try_from(worst.bytes).unwrap_or(usize::MAX);
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "  {phase:12}  {} probes, {} steps, {}, {} read; early: {}",
            worst.probes,
            worst.steps,
            counted(usize::try_from(worst.rules).unwrap_or(usize::MAX), "rule"),
            table::bytes(bytes),
            counted(usize::try_from(cost.rules).unwrap_or(usize::MAX), "rule"),
        );
        for rule in &cost.costly {
            let steps = match rule.steps_per_byte {
                0 => String::new(),
                steps => format!(
                    " ({})",
                    counted(usize::try_from(steps).unwrap_or(usize::MAX), "step") + " a byte"
                ),
            };
            let (group, name) = (
                bundle.rule_group(phase, rule.rule),
                bundle.rule_name(phase, rule.rule),
            );
            let _ = writeln!(out, "    {group}/{name}: {}{steps}", rule.why.text());
        }
    }
    if bundle.certificate() != &bundle.certificate_again() {
        out.push_str("  the certificate is NOT that of the rules: do not trust this bundle\n");
    }
    out
}

/// For programs.
#[must_use]
pub fn as_value(bundle: &Bundle) -> Value {
    let limits = InputLimits::default();
    let phases: Vec<Value> = Phase::ALL
        .into_iter()
        .map(|phase| phase_value(bundle, phase, bundle.certificate().phase(phase), &limits))
        .collect();
    json!({
        "holds": bundle.certificate() == &bundle.certificate_again(),
        "limits": {
            "lines": limits.lines,
            "head_bytes": limits.head_bytes,
            "uri_bytes": limits.uri_bytes,
            "name_bytes": limits.name_bytes,
            "text_bytes": limits.text_bytes,
        },
        "phases": phases,
    })
}

fn phase_value(bundle: &Bundle, phase: Phase, cost: &PhaseCost, limits: &InputLimits) -> Value {
    let sources: Vec<Value> = cost
        .sources
        .iter()
        .map(|source| {
            json!({
                "source": format!("{:?}", source.source),
                "fixed": counts(source.fixed),
                "per_value": counts(source.per_value),
                "per_byte": counts(source.per_byte),
            })
        })
        .collect();
    let costly: Vec<Value> = cost
        .costly
        .iter()
        .map(|rule| {
            json!({
                "group": bundle.rule_group(phase, rule.rule),
                "rule": bundle.rule_name(phase, rule.rule),
                "why": rule.why.text(),
                "steps_per_byte": rule.steps_per_byte,
            })
        })
        .collect();
    json!({
        "phase": phase.name(),
        "worst": counts(cost.worst(limits)),
        "worst_early": counts(cost.worst_early(limits)),
        "rule_bytes": cost.rule_bytes,
        "always": cost.always,
        "sources": sources,
        "costly": costly,
    })
}

fn counts(cost: Cost) -> Value {
    json!({ "probes": cost.probes, "steps": cost.steps, "rules": cost.rules, "bytes": cost.bytes })
}
