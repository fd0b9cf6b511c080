//! Who clients are: what the configuration says of those who show something, and whose their credentials
//! are. Knows no connection; `client` asks it.

mod attributes;
mod credentials;
mod files;
mod identities;
mod sources;
mod subject;

pub(crate) use attributes::{Attributes, Labels};
pub(crate) use credentials::{Authenticated, Digest, Proof};
pub(crate) use files::IdentityFileError;
pub(crate) use identities::Identities;
pub(crate) use sources::Shown;
pub(crate) use subject::Subject;
