//! Micro benchmarks of the pure crates; null relays; runs against peers.

pub mod policy;

/// A fixed pseudo-random number (splitmix64).
#[must_use]
pub fn noise(seed: usize) -> usize {
    let mut state = (seed as u64)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((state ^ (state >> 31)) >> 16).unwrap_or(0)
}
