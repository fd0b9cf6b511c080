//! What came of a replay, for people and for programs.

use comfy_table::CellAlignment::{Left, Right};
use sallyport_ruleset::Bundle;
use serde_json::{Value, json};

use super::tally::{Change, Example, Tally};
use crate::diagnostic::{counted, printable};
use crate::tools::{explain, table};

/// For people.
pub(super) fn as_text(bundle: &Bundle, tally: &Tally, seconds: f64) -> String {
    let transactions = tally.transactions;
    let mut out = format!(
        "{transactions} transactions in {seconds:.2} s, decided again by {}\n",
        bundle.id()
    );
    let rate = rate(tally, seconds);
    let [logged_allow, logged_deny] = tally.logged;
    let [now_allow, now_deny] = tally.now;
    let mut rows = vec![
        ["", "logged", "now"].map(str::to_owned).to_vec(),
        vec![
            "allow".to_owned(),
            logged_allow.to_string(),
            now_allow.to_string(),
        ],
        vec![
            "deny".to_owned(),
            logged_deny.to_string(),
            now_deny.to_string(),
        ],
    ];
    for (name, count) in [
        ("cannot be replayed", tally.unknown),
        ("not decided by rules", tally.not_by_rules),
        ("other lines", tally.others),
        ("unreadable lines", tally.bad),
    ] {
        if count > 0 {
            rows.push(vec![name.to_owned(), count.to_string(), String::new()]);
        }
    }
    rows.push(vec![
        "transactions/s".to_owned(),
        format!("{rate:.0}"),
        String::new(),
    ]);
    out.push_str(&table::columns(&[Left, Right, Right], rows));
    if let Some((offset, why)) = &tally.first_bad {
        out.push_str(&format!(
            "\nthe first unreadable line, at byte {offset}: {why}\n"
        ));
    }
    if tally.unknown > 0 {
        out.push_str("\nrules ask for what the log does not tell:\n");
        for (key, count) in tally.missing.keys() {
            out.push_str(&format!("  {count:>12}  {key}\n"));
        }
    }
    out.push_str(&changes(bundle, tally));
    out
}

fn changes(bundle: &Bundle, tally: &Tally) -> String {
    let total: u64 = tally.changed.values().sum();
    let compared: u64 = tally.now.iter().sum();
    let mut out = match total {
        0 if tally.transactions == 0 => "\nthere is no transaction in this log\n".to_owned(),
        0 if compared == 0 => {
            "\nno transaction could be compared: nothing is known of what would change\n".to_owned()
        }
        0 if compared < tally.transactions => {
            format!("\nnone of {compared} that could be compared would be decided differently\n")
        }
        0 => "\nnone would be decided differently\n".to_owned(),
        1 => "\n1 would be decided differently\n".to_owned(),
        _ => format!("\n{total} would be decided differently\n"),
    };
    let mut sorted: Vec<_> = tally.changed.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (change, count) in sorted {
        let (before, after) = sides(bundle, change);
        out.push_str(&format!(
            "  {count:>12}  {} -> {}\n",
            printable(&before),
            printable(&after)
        ));
    }
    if let 1.. = tally.examples.len() {
        let shown = counted(tally.examples.len(), "transaction");
        out.push_str(&format!("\nthe first {shown} of these:\n"));
    }
    for Example {
        offset,
        change,
        txn,
        request,
    } in &tally.examples
    {
        let (before, after) = sides(bundle, change);
        let line = format!("byte {offset}, {txn}: {request}: {before} -> {after}");
        out.push_str(&format!("  {}\n", printable(&line)));
    }
    out
}

/// What the log says, and what is decided now.
fn sides(bundle: &Bundle, change: &Change) -> (String, String) {
    let word = |is_denied: bool| if is_denied { "deny" } else { "allow" };
    let before = change.logged_by.as_deref().unwrap_or("default");
    let after = change.rule.map_or_else(
        || "default".to_owned(),
        |rule| explain::title(bundle, change.phase, rule),
    );
    (
        format!("{} by {before}", word(change.was_denied)),
        format!("{} by {after} ({})", word(!change.was_denied), change.phase),
    )
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(tally: &Tally, seconds: f64) -> f64 {
    tally.transactions as f64 / seconds.max(1e-9)
}

/// For programs.
pub(super) fn as_value(bundle: &Bundle, tally: &Tally, seconds: f64) -> Value {
    let [logged_allow, logged_deny] = tally.logged;
    let [now_allow, now_deny] = tally.now;
    let side = |change: &Change| {
        let rule = change.rule.map(|rule| {
            json!({ "group": bundle.rule_group(change.phase, rule), "rule": bundle.rule_name(change.phase, rule) })
        });
        json!({
            "logged": { "action": if change.was_denied { "deny" } else { "allow" }, "by": change.logged_by },
            "now": { "action": if change.was_denied { "allow" } else { "deny" }, "phase": change.phase.name(), "by": rule },
        })
    };
    let with = |mut value: Value, more: Value| {
        if let (Some(object), Value::Object(more)) = (value.as_object_mut(), more) {
            object.extend(more);
        }
        value
    };
    let changes: Vec<Value> = tally
        .changed
        .iter()
        .map(|(change, count)| with(side(change), json!({ "count": count })))
        .collect();
    let examples: Vec<Value> = tally
        .examples
        .iter()
        .map(|one| {
            let more = json!({ "offset": one.offset, "txn": one.txn, "request": one.request });
            with(side(&one.change), more)
        })
        .collect();
    let missing: serde_json::Map<String, Value> = tally
        .missing
        .keys()
        .into_iter()
        .map(|(key, count)| (key, count.into()))
        .collect();
    json!({
        "bundle": bundle.id(),
        "transactions": tally.transactions,
        "other_lines": tally.others,
        "unreadable_lines": tally.bad,
        "logged": { "allow": logged_allow, "deny": logged_deny },
        "now": { "allow": now_allow, "deny": now_deny },
        "not_decided_by_rules": tally.not_by_rules,
        "cannot_be_replayed": tally.unknown,
        "missing": missing,
        "compared": tally.now.iter().sum::<u64>(),
        "changed": tally.changed.values().sum::<u64>(),
        "changes": changes,
        "examples": examples,
        "seconds": seconds,
    })
}
