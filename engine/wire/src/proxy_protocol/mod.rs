//! The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`): who the client behind a load
//! balancer or a private endpoint is. Whom to believe is the engine's to say.

mod checksum;
mod encode;
mod error;
mod extensions;
mod header;
mod limits;
mod parse;
mod tls_details;
mod tlv;
mod tlv_kind;
mod version1;
mod version2;

pub use encode::EncodeError;
pub use error::{HeaderError, HeaderFault};
pub use extensions::{EndpointId, Extensions};
pub use header::{Command, Endpoints, Header, Parse, Transport, UNIX_ADDRESS_BYTES, Version};
pub use limits::LINE_BYTES_MAX;
pub use parse::parse;
pub use tls_details::TlsDetails;
