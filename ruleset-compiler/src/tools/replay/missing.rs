//! What a log does not tell although rules ask for it, counted by key.

use sallyport_ruleset::{Field, Source};

/// How often each source was missing, by [`Source::index`].
#[derive(Clone, Debug, Default)]
pub struct Missing(pub(super) [u64; Source::ALL.len()]);

impl Missing {
    /// Counts the sources whose bits are set, as [`super::Again::Unknown`] has them.
    pub fn add(&mut self, mask: u32) {
        for (index, count) in self.0.iter_mut().enumerate() {
            *count += u64::from(mask >> index & 1);
        }
    }

    /// The keys that were missing, most often first.
    #[must_use]
    pub fn keys(&self) -> Vec<(String, u64)> {
        let mut found: Vec<(String, u64)> = Source::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
            .map(|(source, count)| (key(source), count))
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
