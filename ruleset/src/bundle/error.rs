//! Why a file is refused as a bundle.

/// A file that is no bundle, or not one that this program reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The first bytes are not those of a bundle.
    #[error("this is no bundle")]
    NotABundle,
    /// Another version of the format; compile again.
    #[error("bundle format {found}, this program reads {expected}: compile the rules again")]
    Version {
        /// In the file.
        found: u32,
        /// In this program.
        expected: u32,
    },
    /// The file is shorter or longer than its header says.
    #[error("the bundle is truncated or has bytes too many")]
    Length,
    /// A hash does not fit the bytes.
    #[error("the bundle is damaged: the hash of its {section} does not fit")]
    Damaged {
        /// Name of the section.
        section: &'static str,
    },
    /// The hashes fit, the content does not: not written by the compiler.
    #[error("the bundle is inconsistent: {what}")]
    Inconsistent {
        /// What is out of range.
        what: &'static str,
    },
}
