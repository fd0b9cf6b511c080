//! Why an entry of a list is not carried over.

use super::super::condition::ValueError;
use super::super::expression_error::ExpressionError;

/// The reason. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// Of a list of URLs.
    #[error("it has no path")]
    NoPath,
    /// In such a path.
    #[error("a `*` or `?` stands for itself there, and for others here")]
    Wildcard,
    /// Of a list of expressions.
    #[error("it asks for a space, a `#` or an escape: those are others here")]
    Escaped,
    /// Within an expression.
    #[error("it has a `^` that is not at the start")]
    CaretWithin,
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// An expression without a like.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
}
