//! All names that tests of a field list, so that names under a name are found, and a name that
//! nobody lists.

use std::collections::HashSet;

use sallyport_ruleset::limits::DOMAIN_BYTES_MAX;

/// The name itself and the names that it lies under, longest first.
pub(super) fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(name);
    std::iter::from_fn(move || {
        let this = rest?;
        let dot = this.iter().position(|byte| *byte == b'.');
        rest = dot.and_then(|dot| this.get(dot + 1..));
        Some(this)
    })
}

/// Listed names.
#[derive(Debug, Default)]
pub(super) struct DomainNames {
    set: HashSet<Vec<u8>>,
    /// Backwards, sorted: what lies under a name is one run.
    reversed: Vec<Vec<u8>>,
}

/// A name that is not listed, under one that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fresh {
    /// This one.
    Name(Vec<u8>),
    /// A longer name is no name.
    NoRoom,
    /// All that were tried are listed.
    NotFound,
}

const LABELS: [&[u8]; 12] = [
    b"any",
    b"x",
    b"y",
    b"z",
    b"q",
    b"w",
    b"other",
    b"some",
    b"x1",
    b"x2",
    b"x3",
    b"unlisted",
];

impl DomainNames {
    pub(super) fn new(names: impl Iterator<Item = Vec<u8>>) -> Self {
        let set: HashSet<Vec<u8>> = names.collect();
        let mut reversed: Vec<Vec<u8>> = set
            .iter()
            .map(|name| name.iter().rev().copied().collect())
            .collect();
        reversed.sort_unstable();
        Self { set, reversed }
    }

    /// Listed names under `name`.
    pub(super) fn under(&self, name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let mut prefix: Vec<u8> = name.iter().rev().copied().collect();
        prefix.push(b'.');
        let from = self.reversed.partition_point(|other| *other < prefix);
        let run = self.reversed.get(from..).unwrap_or_default();
        run.iter()
            .take_while(move |other| other.starts_with(&prefix))
            .map(|other| other.iter().rev().copied().collect())
    }

    /// A name directly under `name` that is not listed: to all lists the same as any other name
    /// there that lies under no longer listed name.
    pub(super) fn fresh_under(&self, name: &[u8]) -> Fresh {
        let room = DOMAIN_BYTES_MAX.saturating_sub(name.len());
        if room < 2 {
            return Fresh::NoRoom;
        }
        let names = LABELS.iter().filter(|label| label.len() < room);
        names
            .map(|label| [label, b".".as_slice(), name].concat())
            .find(|name| !self.set.contains(name))
            .map_or(Fresh::NotFound, Fresh::Name)
    }

    /// A name that lies under no listed one, and is none.
    pub(super) fn fresh(&self) -> Option<Vec<u8>> {
        let free = |name: &Vec<u8>| !suffixes(name).any(|suffix| self.set.contains(suffix));
        LABELS
            .iter()
            .map(|label| [b"any.".as_slice(), label].concat())
            .find(free)
    }
}
