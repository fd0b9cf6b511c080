//! What the JSON of the preview leaves open.

/// What users of the preview wrote although the language says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonDialect {
    /// `StringEquals ".example.com"` over a domain means the names under `example.com`.
    pub suffix_equals: bool,
}
