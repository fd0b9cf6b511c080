//! The bounds of one connection that are not settings.

/// SETTINGS_MAX_FRAME_SIZE as it is without being sent (RFC 9113 section 6.5.2): nobody sends us more, and we
/// send nobody more, however much they would take.
pub(super) const FRAME_BYTES_MAX: usize = 16_384;
/// As large as a window may be (RFC 9113 section 6.9.1).
pub(super) const WINDOW_MAX: u32 = 0x7fff_ffff;
/// Size of a window as long as no SETTINGS say otherwise (RFC 9113 section 6.9.2).
pub(super) const WINDOW_DEFAULT: u32 = 65_535;
/// Highest number of a stream.
pub(super) const STREAM_MAX: u32 = 0x7fff_ffff;
/// CONTINUATION frames of one field block: 64 full ones are 1 MiB, four times the largest head there can be.
pub(super) const CONTINUATIONS_MAX: u32 = 64;
/// Bytes of a field block for each byte that its fields may have: the longest Huffman codes make four of one.
pub(super) const BLOCK_BYTES_PER_LIST_BYTE: usize = 4;
/// Answers to control frames that may wait behind content that waits to be sent, in bytes: some 4 000. An
/// allowance of control frames is used up before, unless somebody has configured a large one.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes sent that earn the other side one control frame: a DATA frame is worth several WINDOW_UPDATEs, the
/// answer to a PING is worth none.
pub(super) const SENT_BYTES_PER_FRAME: usize = 64;
/// Streams that have ended whose windows are still watched.
pub(super) const CLOSED_WINDOWS_KEPT: usize = 16;
/// Largest text of a head whose buffer is kept for the next one.
pub(super) const KEPT_TEXT_BYTES_MAX: usize = 8 * 1024;
