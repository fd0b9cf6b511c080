//! Why a regular expression of another language has no like in ours.

/// What it says that cannot be said. As text it is a phrase for the report of an import.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpressionError {
    /// It is no expression.
    #[error("{0}")]
    Syntax(regex_syntax::ast::ErrorKind),
    /// `a++`
    #[error("a possessive quantifier")]
    Possessive,
    /// `(?i)`
    #[error("flags within the expression")]
    Flags,
    /// A text has bytes, escaped or not; this class has characters.
    #[error("a class with letters that are not ASCII")]
    ClassBeyondAscii,
    /// A class that is none of bytes, as it is written.
    #[error("`{0}` is no class of bytes")]
    ClassOfBytes(String),
    /// `\b` elsewhere than at an end.
    #[error("the end of a word within the expression")]
    WordEnd,
}

impl From<regex_syntax::ast::Error> for ExpressionError {
    fn from(error: regex_syntax::ast::Error) -> Self {
        Self::Syntax(error.kind().clone())
    }
}
