//! What is known of a client beside its names: where it belongs.

use sallyport_ruleset::HeaderFields;

/// What is known of a client beside its names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `request:SourceVpc`.
    pub(crate) vpc: Option<Box<str>>,
    /// `request:SourceAccount`.
    pub(crate) account: Option<Box<str>>,
    pub(crate) labels: Labels,
}

/// `request:SourceLabel/NAME`: names in lower case with their values; one name may have several.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Labels(Vec<(Box<str>, Box<str>)>);

impl Labels {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the labels of `more` whose names are not there yet: what came first counts.
    pub(crate) fn fill(&mut self, more: &Self) {
        let Self(labels) = self;
        let there = labels.len();
        for (name, value) in &more.0 {
            let before = labels.get(..there).unwrap_or_default();
            if !before.iter().any(|(known, _)| known == name) {
                labels.push((name.clone(), value.clone()));
            }
        }
    }
}

impl<'a, V> FromIterator<(&'a String, V)> for Labels
where
    V: IntoIterator<Item = &'a String>,
{
    /// Names with their values.
    fn from_iter<I: IntoIterator<Item = (&'a String, V)>>(labels: I) -> Self {
        let pairs = labels.into_iter().flat_map(|(name, values)| {
            let name = name.to_ascii_lowercase();
            let values = values.into_iter();
            values.map(move |value| (name.as_str().into(), value.as_str().into()))
        });
        Self(pairs.collect())
    }
}

impl HeaderFields for Labels {
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in &self.0 {
            visit(name.as_bytes(), value.as_bytes());
        }
    }
}
