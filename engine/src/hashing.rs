//! How the maps of a shard hash.

/// With a seed of chance, so that nobody can choose keys that collide.
#[cfg(not(test))]
pub(crate) type MapHasher = foldhash::fast::RandomState;

/// With a fixed one: what a test has seen once it can see again.
#[cfg(test)]
pub(crate) type MapHasher = foldhash::fast::FixedState;
