//! What the clients and origins of a run have seen, and what must be true of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

/// What a request asks for, as its path says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Allowed,
    /// PreREQUEST denies it.
    Denied,
    /// A CONNECT.
    Tunnel,
}

/// What is known of the request of one number.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) method: &'static str,
    /// Of its content.
    pub(super) bytes: usize,
    /// How often an origin had its head.
    pub(super) arrived: usize,
    /// That of the final response whose head the client had.
    pub(super) status: Option<u16>,
    /// The length of the content that origins answer with, once one has.
    pub(super) answer_bytes: Option<usize>,
    /// PostRESPONSE denies what an origin has answered.
    pub(super) answer_denied: bool,
}

/// Everything that was seen, by the number of the request.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: RefCell<BTreeMap<usize, Entry>>,
}

impl Ledger {
    /// A request is about to be sent; returns its number.
    pub(super) fn begin(&self, kind: Kind, method: &'static str, bytes: usize) -> usize {
        let mut entries = self.entries.borrow_mut();
        let number = entries.len();
        let entry = Entry {
            kind,
            method,
            bytes,
            arrived: 0,
            status: None,
            answer_bytes: None,
            answer_denied: false,
        };
        entries.insert(number, entry);
        number
    }

    /// Looks at, or changes, what is known of a request.
    pub(super) fn with<T>(&self, number: usize, look: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.borrow_mut();
        look(entries.get_mut(&number).expect("a request that was sent"))
    }

    /// How many there are, those that origins had, and those that clients had an answer to.
    pub(super) fn counts(&self) -> [usize; 3] {
        let entries = self.entries.borrow();
        let arrived = entries.values().filter(|entry| entry.arrived > 0).count();
        let answered = entries
            .values()
            .filter(|entry| entry.status.is_some())
            .count();
        [entries.len(), arrived, answered]
    }

    /// Each transaction has one line.
    pub(super) fn check_log(&self, lines: &str) {
        let mut counts = BTreeMap::new();
        // Answers to what was never read whole.
        let mut refused = 0;
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            match (line["event"].as_str(), number_of(&line)) {
                (Some("transaction"), Some(number)) => *counts.entry(number).or_insert(0) += 1,
                (Some("transaction" | "connection"), None) if !line["status"].is_null() => {
                    refused += 1
                }
                _ => {}
            }
        }
        for (number, entry) in &*self.entries.borrow() {
            match counts.get(number).copied().unwrap_or(0) {
                1 => {}
                0 if entry.arrived == 0 && entry.status.is_none() => {}
                0 if entry.arrived == 0 && refused > 0 => refused -= 1,
                count => panic!("{count} lines for request {number}: {entry:?} in\n{lines}"),
            }
        }
    }
}

/// The request that a line tells of.
fn number_of(line: &Value) -> Option<usize> {
    if line["method"] == "CONNECT" {
        let port = usize::try_from(line["port"].as_u64()?).ok()?;
        return port.checked_sub(TUNNEL_PORTS);
    }
    line["uri"].as_str()?.rsplit('/').next()?.parse().ok()
}

/// The port that a tunnel of this number goes to begins here.
pub(super) const TUNNEL_PORTS: usize = 10_000;
