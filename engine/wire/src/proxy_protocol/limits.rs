//! Bounds of the specification. That of headers of version 2 is an argument.

/// Longest line of version 1, its end included (section 2.1).
pub const LINE_BYTES_MAX: usize = 107;
/// Longest `UNIQUE_ID` (section 2.2.5).
pub(super) const UNIQUE_ID_BYTES_MAX: usize = 128;
