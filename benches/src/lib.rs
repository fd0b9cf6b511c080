//! Micro benchmarks of the pure crates; null relays; runs against peers.
