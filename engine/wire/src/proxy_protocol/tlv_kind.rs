//! Types of TLVs (sections 2.2.1 to 2.2.8), and those that clouds have made their own.

/// What is spoken on the client's connection.
pub(super) const ALPN: u8 = 0x01;
/// The host that the client named.
pub(super) const AUTHORITY: u8 = 0x02;
/// The checksum of the header.
pub(super) const CRC32C: u8 = 0x03;
/// Padding.
pub(super) const NOOP: u8 = 0x04;
/// The sender's name for the connection.
pub(super) const UNIQUE_ID: u8 = 0x05;
/// TLS of the client's connection, with TLVs of its own.
pub(super) const SSL: u8 = 0x20;
/// The network namespace of the connection.
pub(super) const NETNS: u8 = 0x30;

/// Within `SSL`: the version.
pub(super) const SSL_VERSION: u8 = 0x21;
/// Within `SSL`: the common name of the client's certificate.
pub(super) const SSL_CN: u8 = 0x22;
/// Within `SSL`: the cipher suite.
pub(super) const SSL_CIPHER: u8 = 0x23;
/// Within `SSL`: what the sender's certificate is signed with.
pub(super) const SSL_SIG_ALG: u8 = 0x24;
/// Within `SSL`: the kind of key in the sender's certificate.
pub(super) const SSL_KEY_ALG: u8 = 0x25;
/// Within `SSL`: the group of the key exchange.
pub(super) const SSL_GROUP: u8 = 0x26;
/// Within `SSL`: what the handshake was signed with.
pub(super) const SSL_SIG_SCHEME: u8 = 0x27;
/// Within `SSL`: the client's certificate.
pub(super) const SSL_CLIENT_CERT: u8 = 0x28;

/// Google's Private Service Connect.
pub(super) const GOOGLE: u8 = 0xe0;
/// Alibaba's PrivateLink.
pub(super) const ALIBABA: u8 = 0xe1;
/// Amazon's PrivateLink.
pub(super) const AWS: u8 = 0xea;
/// Azure's Private Link.
pub(super) const AZURE: u8 = 0xee;

/// First byte of Amazon's value: the id of a VPC endpoint follows.
pub(super) const AWS_VPC_ENDPOINT: u8 = 0x01;
/// First byte of Azure's value: the LINKID of a private endpoint follows.
pub(super) const AZURE_LINK_ID: u8 = 0x01;
/// First byte of Alibaba's value: the id of an endpoint follows; others are of VPCs and services.
pub(super) const ALIBABA_ENDPOINT: u8 = 0x02;
