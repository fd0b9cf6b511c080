//! What an entry of a list names.

/// A name or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Just that one.
    Exact(String),
    /// That one and all under it.
    Tree(String),
    /// A wildcard pattern.
    Pattern(String),
}
