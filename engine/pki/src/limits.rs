//! Every bound of certificates. `engine/src/limits.rs` lists them beside those of the engine.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Shortest RSA key of an authority of ours or of an origin's chain.
pub const RSA_KEY_BITS_MIN: usize = 2048;
/// Most certificates of the file of the authority: its own and those above it.
pub const CA_CHAIN_MAX: usize = 8;
/// What may be left of the validity of the authority before start-up warns of its end.
pub const CA_EXPIRY_WARNING: Duration = Duration::from_secs(30 * DAY.as_secs());
/// Life of the leaf key, which all minted certificates of a process share.
pub const LEAF_KEY_LIFE: Duration = DAY;
/// How far before the present the validity of a minted certificate begins, for clients whose clock
/// is slow.
pub const LEAF_BACKDATE: Duration = HOUR;
/// How far beyond the present it reaches, unless the authority or the origin's certificate ends
/// sooner.
pub const LEAF_VALIDITY: Duration = Duration::from_secs(30 * DAY.as_secs());
/// Most names of an origin's certificate that a minted one takes over; of an origin with more, only
/// the name that was asked for.
pub const MINTED_NAMES_MAX: usize = 256;
/// Most bytes of those names.
pub const MINTED_NAMES_BYTES_MAX: usize = 8 * 1024;

const _: () = {
    // Clients refuse more than 200 days.
    assert!(LEAF_BACKDATE.as_secs() + LEAF_VALIDITY.as_secs() < 200 * DAY.as_secs());
    // What the cache holds when the key changes is valid for longer than it is held.
    assert!(LEAF_KEY_LIFE.as_secs() < LEAF_VALIDITY.as_secs());
};
