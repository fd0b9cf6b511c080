//! What a log does not tell although rules ask for it, counted by key.

use std::collections::BTreeMap;

use sallyport_ruleset::{Field, Source};

/// How often each source was missing.
#[derive(Clone, Debug, Default)]
pub struct Missing(pub(super) BTreeMap<Source, u64>);

impl Missing {
    /// Counts the sources whose bits are set, as [`super::Again::Unknown`] has them.
    pub fn add(&mut self, mask: u64) {
        let is_missing = |source: &Source| mask >> source.index() & 1 == 1;
        for source in Source::ALL.into_iter().filter(is_missing) {
            *self.0.entry(source).or_default() += 1;
        }
    }

    /// Takes in what was counted elsewhere.
    pub(super) fn join(&mut self, other: &Self) {
        for (source, count) in &other.0 {
            *self.0.entry(*source).or_default() += count;
        }
    }

    /// The keys that were missing, most often first.
    #[must_use]
    pub fn keys(&self) -> Vec<(String, u64)> {
        let counted = self.0.iter();
        let mut found: Vec<(String, u64)> = counted
            .map(|(source, count)| (key(*source), *count))
            .collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found
    }
}

/// The key that asks for a source; without a name where it has one.
fn key(source: Source) -> String {
    let word = Field::words().find(|(_, field)| field.source() == source);
    match (word, source) {
        (Some((word, _)), _) => word.to_owned(),
        (None, Source::SourceLabels) => "request:SourceLabel".to_owned(),
        (None, Source::RequestHeaders) => "request:Http:Header".to_owned(),
        (None, _) => "response:Http:Header".to_owned(),
    }
}
