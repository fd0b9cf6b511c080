//! Why a rule of the chain OUTPUT is not carried over.

/// The reason. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// An option or a protocol.
    #[error("`{0}` is nothing that a proxy knows")]
    Unknown(String),
    /// What allows under an `if`.
    #[error("it stands under a condition, which is not asked here")]
    Condition,
    /// What allows on one way out.
    #[error("which packets leave by `{0}` is not known here")]
    Interface(String),
    /// A variable that commands fill.
    #[error("what `{0}` stands for is known only when the script runs")]
    Variable(String),
    /// Of all that it names.
    #[error("no destination of it can be carried over")]
    NoDestination,
    /// Or one of several.
    #[error("`{0}` is not a port")]
    Port(String),
}
