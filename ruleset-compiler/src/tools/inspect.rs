//! `inspect`: what is inside a bundle.

use std::path::Path;

use comfy_table::CellAlignment;
use sallyport_ruleset::bundle::Signature;
use sallyport_ruleset::{Bundle, Phase};
use serde_json::{Value, json};

use crate::terminal::{CliError, Status, Terminal};
use crate::tools::{cost, table};

/// Prints what a bundle holds.
///
/// # Errors
/// When it cannot be read, is no bundle, or the terminal cannot be written.
pub fn run(path: &Path, as_json: bool, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let bundle = crate::source::load_bundle(path)?;
    if as_json {
        writeln!(terminal.out, "{:#}", as_value(&bundle))?;
        return Ok(Status::Good);
    }
    let record = bundle.build_record();
    let defaults: Vec<String> = Phase::ALL
        .into_iter()
        .map(|phase| format!("{phase} {}", bundle.defaults().action(phase)))
        .collect();
    let groups: Vec<String> = bundle
        .groups()
        .map(|(name, priority)| format!("{priority} {name}"))
        .collect();
    let mut lines = vec![
        ("id", bundle.id().to_owned()),
        ("signature", signature(&bundle)),
        ("format", bundle.format_version().to_string()),
        ("made by", record.tool_version.clone()),
        ("source digest", record.source_digest.clone()),
        ("defaults", defaults.join(", ")),
        ("priorities", groups.join(", ")),
    ];
    lines.extend(table::sizes(&bundle.sizes()));
    write!(
        terminal.out,
        "{}\n{}",
        path.display(),
        table::render(&lines)
    )?;
    writeln!(terminal.out, "sections")?;
    let sections = bundle.sections().filter(|section| section.bytes > 0);
    let sections =
        sections.map(|section| vec![section.name.to_owned(), table::bytes(section.bytes)]);
    let sides = [CellAlignment::Left, CellAlignment::Right];
    write!(terminal.out, "{}", table::columns(&sides, sections))?;
    terminal.out.write_all(cost::text(&bundle).as_bytes())?;
    Ok(Status::Good)
}

/// Who claims to have signed; checking that takes a key (`verify`).
fn signature(bundle: &Bundle) -> String {
    bundle.signature().map_or_else(
        || "none".to_owned(),
        |signature| format!("signed with key {} (not checked here)", signature.key()),
    )
}

fn as_value(bundle: &Bundle) -> Value {
    let sizes = bundle.sizes();
    let record = bundle.build_record();
    let phases: Vec<Value> = Phase::ALL
        .into_iter()
        .map(|phase| {
            json!({
                "phase": phase.name(),
                "default": bundle.defaults().action(phase).name(),
                "rules": bundle.rules_count(phase),
            })
        })
        .collect();
    let groups: Vec<Value> = bundle
        .groups()
        .map(|(name, priority)| json!({ "name": name, "priority": priority }))
        .collect();
    let sections: Vec<Value> = bundle
        .sections()
        .map(|section| json!({ "name": section.name, "bytes": section.bytes }))
        .collect();
    json!({
        "id": bundle.id(),
        "format": bundle.format_version(),
        "signed_with": bundle.signature().map(Signature::key),
        "sections": sections,
        "tool_version": record.tool_version,
        "source_digest": record.source_digest,
        "phases": phases,
        "groups": groups,
        "bytes": sizes.bytes,
        "predicates": sizes.predicates_count,
        "fields": sizes.fields_count,
        "table_entries": sizes.table_entries_count,
        "table_bytes": sizes.table_bytes,
        "bounds": sizes.bounds_count,
        "window_keys": sizes.window_keys_count,
        "patterns": sizes.patterns_count,
        "residuals": sizes.residuals_count,
        "automata": sizes.automata_count,
        "families": sizes.families_count,
        "automata_states": sizes.automata_states_count,
        "automata_bytes": sizes.automata_bytes,
        "strings_bytes": sizes.strings_bytes,
        "searcher_bytes": sizes.searcher_bytes,
        "cost": cost::as_value(bundle),
    })
}
