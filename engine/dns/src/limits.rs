//! The bounds of the resolver and how they relate. Bounds that a person may set are fields of
//! [`ResolverConfig`](crate::ResolverConfig); those here are fixed.

use std::time::Duration;

/// Largest message that is read: the two-octet length of DNS over TCP (RFC 1035 section 4.2.2)
/// reaches no further.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// Smallest message: the header alone (RFC 1035 section 4.1.1).
pub const MESSAGE_BYTES_MIN: usize = 12;

/// Smallest EDNS(0) payload that may be announced (RFC 6891 section 6.2.3).
pub const EDNS_PAYLOAD_BYTES_MIN: u16 = 512;

/// Longest host name in text form: 255 octets on the wire (RFC 1035 section 2.3.4) less the first
/// length octet and the root label.
pub const NAME_BYTES_MAX: usize = 253;

/// Longest label of a name (RFC 1035 section 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// Longest chain of CNAME records that is followed, over all answers of one record type. What one
/// answer holds costs nothing to follow; no known name has more than about twenty.
pub const ALIASES_MAX: usize = 64;

/// Further questions that such a chain may take, where an answer ends in an alias.
pub const ALIAS_QUESTIONS_MAX: usize = 8;

/// Records of one answer section that are read; an answer with more is refused as a server failure.
pub const ANSWER_RECORDS_MAX: usize = 512;

/// Records of one authority section that are read in search of the SOA.
pub const AUTHORITY_RECORDS_MAX: usize = 64;

/// Addresses kept of each family; what a server sends beyond them is dropped.
pub const ADDRESSES_PER_FAMILY_MAX: usize = 32;

/// Servers that are used; configured servers beyond them are not asked. A bit set per question
/// counts on this bound.
pub const SERVERS_MAX: usize = 32;

/// Attempts per record type that may be configured.
pub const ATTEMPTS_MAX: u32 = 16;

/// Lookups in flight by default. Each has at most two sockets open.
pub const LOOKUPS_IN_FLIGHT_DEFAULT: usize = 1_024;

/// Longest duration of any setting: keeps sums of instants and durations far from overflow.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long an answer is cached at most while one of the two families failed or was late, so that a
/// passing fault of AAAA (or A) does not last as long as the addresses of the other family may.
pub const PARTIAL_ANSWER_TTL_MAX: Duration = Duration::from_secs(30);

const _: () = assert!(SERVERS_MAX <= u32::BITS as usize);
const _: () = assert!(MESSAGE_BYTES_MIN < EDNS_PAYLOAD_BYTES_MIN as usize);
const _: () = assert!(LABEL_BYTES_MAX < NAME_BYTES_MAX);
// Each record takes eleven octets or more, so a message cannot hold much more than this bound
// permits to read.
const _: () = assert!(ANSWER_RECORDS_MAX * 11 < MESSAGE_BYTES_MAX);
