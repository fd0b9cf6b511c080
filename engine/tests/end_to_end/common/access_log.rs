//! The access log as a test reads it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::wait::wait_for;

/// A file of JSON lines that a proxy writes.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog {
    pub(crate) path: PathBuf,
}

impl AccessLog {
    /// Every whole line that is there; each must be a JSON object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read(&self.path).unwrap_or_default();
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| serde_json::from_slice(line).expect("a line of the log is a JSON object"))
            .collect()
    }

    /// Waits until there are `count` lines of the kind `event`, and returns them.
    pub(crate) fn wait(&self, event: &str, count: usize) -> Vec<Value> {
        wait_for(
            &format!("{count} `{event}` lines in the access log"),
            || {
                let lines = self.of(event);
                (lines.len() >= count).then_some(lines)
            },
        )
    }

    /// The lines of one kind, by their time: shards hand theirs over each for itself.
    pub(crate) fn of(&self, event: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["event"] == event);
        lines.sort_by(|one, other| one["ts"].as_str().cmp(&other["ts"].as_str()));
        lines
    }

    /// Waits for exactly `count` transactions and returns them in order of their end.
    pub(crate) fn transactions(&self, count: usize) -> Vec<Value> {
        let lines = self.wait("transaction", count);
        // A second line of a transaction that was seen would come later than the first.
        let ids: BTreeSet<_> = lines.iter().map(|line| line["txn"].to_string()).collect();
        assert_eq!(ids.len(), lines.len(), "one line for each: {lines:#?}");
        assert_eq!(
            lines.len(),
            count,
            "one line for each transaction: {lines:#?}"
        );
        lines
    }

    /// Waits for the one transaction of this log.
    pub(crate) fn transaction(&self) -> Value {
        self.transactions(1).remove(0)
    }
}

/// Asserts fields of a log line; `null` means that the field is absent.
pub(crate) fn assert_fields(line: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&line[field], value, "field {field} of {line:#}");
    }
}
