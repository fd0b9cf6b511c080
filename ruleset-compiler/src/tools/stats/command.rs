//! `stats`: how often each rule decided or alerted, and which never did. From the counters of a
//! running proxy, or from a log that is decided again (`logged.rs`).

use std::path::{Path, PathBuf};

use comfy_table::CellAlignment::{Left, Right};
use sallyport_ruleset::{Bundle, Phase, RuleIndex};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::diagnostic::{counted, printable};
use crate::terminal::{CliError, Status, Terminal};
use crate::tools::{log, table};

use super::counts::{Count, Counts, places};
use super::logged;

/// What to count.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The bundle file
    pub bundle: PathBuf,
    /// Counters, as `GET /rules` of the admin listener gives them; `-` is standard input
    #[arg(long, value_name = "HITS.json", required_unless_present = "log")]
    pub hits: Option<PathBuf>,
    /// An access log to decide again and count, as text or compressed by gzip or zstd; `-` is standard input
    #[arg(long, value_name = "ACCESS.jsonl", conflicts_with = "hits")]
    pub log: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// What `GET /rules` answers; described in `docs/ruleset-tools.md`.
#[derive(Debug, Deserialize)]
struct Hits {
    /// Id of the bundle that is counted.
    bundle: String,
    /// Since when, RFC 3339.
    since: Option<String>,
    rules: Vec<RuleHits>,
}

#[derive(Debug, Deserialize)]
struct RuleHits {
    phase: String,
    group: String,
    rule: String,
    hits: u64,
    /// RFC 3339.
    last_hit: Option<String>,
}

/// A rule with its hits, for the report.
struct Row<'b> {
    phase: Phase,
    group: &'b str,
    name: &'b str,
    action: &'static str,
    count: Count,
}

/// Counts and reports.
///
/// # Errors
/// When a file cannot be read or understood.
pub fn run(args: &Args, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let bundle = crate::source::load_bundle(&args.bundle)?;
    let counts = match (&args.hits, &args.log) {
        (Some(path), _) => from_hits(&bundle, path)?,
        (None, Some(path)) => logged::count(&bundle, path)?,
        (None, None) => return Err(CliError::Usage("give --hits or --log".to_owned())),
    };
    let rows = rows(&bundle, &counts);
    let said = if args.json {
        format!("{:#}\n", as_value(&bundle, &counts, &rows))
    } else {
        as_text(&bundle, &counts, &rows)
    };
    terminal.out.write_all(said.as_bytes())?;
    Ok(Status::Good)
}

fn from_hits(bundle: &Bundle, path: &Path) -> Result<Counts, CliError> {
    let text = if log::is_standard_input(path) {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| CliError::Read {
        path: path.to_owned(),
        error,
    })?;
    let hits: Hits = serde_json::from_str(&text).map_err(|error| CliError::Content {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    let places = places(bundle);
    let mut counts = Counts::new(bundle);
    let mut strangers = 0_usize;
    for hit in &hits.rules {
        let key = (hit.phase.as_str(), hit.group.as_str(), hit.rule.as_str());
        let place = places.get(&key);
        match place.and_then(|(phase, rule)| counts.of(*phase, *rule)) {
            Some(count) => {
                count.hits += hit.hits;
                count.last_hit.clone_from(&hit.last_hit);
            }
            None => strangers += 1,
        }
    }
    if let Some(since) = hits.since {
        counts.notes.push(format!("hits since {since}"));
    }
    if hits.bundle != bundle.id() {
        counts.notes.push(format!(
            "the hits are those of bundle {}: rules are found by their names",
            hits.bundle
        ));
    }
    if strangers > 0 {
        counts
            .notes
            .push(format!("{strangers} counted rules are not in this bundle"));
    }
    Ok(counts)
}

/// All rules, group by group in their order, those without hits first, then by hits.
fn rows<'b>(bundle: &'b Bundle, counts: &Counts) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    for (group, _) in bundle.groups() {
        let mut of_group = Vec::new();
        for (phase, counts) in Phase::ALL.into_iter().zip(&counts.rules) {
            for (rule, count) in (0..).map(RuleIndex).zip(counts) {
                if bundle.rule_group(phase, rule) == group {
                    of_group.push(Row {
                        phase,
                        group,
                        name: bundle.rule_name(phase, rule),
                        action: bundle
                            .rule_action(phase, rule)
                            .map_or("", |action| action.name()),
                        count: count.clone(),
                    });
                }
            }
        }
        of_group.sort_by_key(|row| (row.count.hits, row.count.mentions));
        rows.extend(of_group);
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn as_text(bundle: &Bundle, counts: &Counts, rows: &[Row<'_>]) -> String {
    let mut out = format!("{}\n", bundle.id());
    for note in &counts.notes {
        out.push_str(&format!("  {}\n", printable(note)));
    }
    let total: u64 = rows.iter().map(|row| row.count.hits).sum();
    for of_group in rows.chunk_by(|a, b| a.group == b.group) {
        let never = of_group.iter().filter(|row| row.count.is_unused()).count();
        let group = of_group.first().map_or("", |row| row.group);
        out.push_str(&format!(
            "\n{}: {never} of {} rules never hit\n",
            printable(group),
            of_group.len()
        ));
        let sides = [Right, Right, Left, Left, Left, Left];
        let lines = of_group.iter().map(|row| {
            let hits = row.count.hits;
            let last = match (row.count.mentions, &row.count.last_hit) {
                (_, Some(last)) => last.clone(),
                (1.., None) if hits == 0 => {
                    format!("named by {}", counted(row.count.mentions, "other line"))
                }
                _ => String::new(),
            };
            vec![
                hits.to_string(),
                format!("{:.2} %", percent(hits, total)),
                row.phase.to_string(),
                row.action.to_owned(),
                printable(row.name),
                printable(&last),
            ]
        });
        out.push_str(&table::columns(&sides, lines));
    }
    let never = rows.iter().filter(|row| row.count.is_unused()).count();
    out.push_str(&format!("\n{never} of {} rules never hit\n", rows.len()));
    out
}

fn as_value(bundle: &Bundle, counts: &Counts, rows: &[Row<'_>]) -> Value {
    let total: u64 = rows.iter().map(|row| row.count.hits).sum();
    let row = |row: &Row<'_>| {
        json!({
            "phase": row.phase.name(),
            "group": row.group,
            "rule": row.name,
            "action": row.action,
            "hits": row.count.hits,
            "mentions": row.count.mentions,
            "share": percent(row.count.hits, total) / 100.0,
            "last_hit": row.count.last_hit,
        })
    };
    let never: Vec<Value> = rows
        .iter()
        .filter(|row| row.count.is_unused())
        .map(|row| json!(format!("{}/{}", row.group, row.name)))
        .collect();
    json!({
        "bundle": bundle.id(),
        "notes": counts.notes,
        "lines": counts.lines,
        "hits": total,
        "never_hit": never,
        "rules": rows.iter().map(row).collect::<Vec<_>>(),
    })
}
