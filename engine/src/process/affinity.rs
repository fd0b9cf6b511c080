//! Pinning a shard to a core.

use core_affinity::CoreId;

/// The cores that this process may run on; empty if the kernel does not tell.
pub(crate) fn allowed_cores() -> Vec<CoreId> {
    core_affinity::get_core_ids().unwrap_or_default()
}

/// Pins the calling thread; a shard that cannot be pinned runs all the same, and says so.
pub(crate) fn pin(shard: usize, core: Option<CoreId>) {
    match core {
        Some(core) if core_affinity::set_for_current(core) => {
            tracing::debug!(shard, core = core.id, "shard pinned");
        }
        Some(core) => tracing::warn!(
            shard,
            core = core.id,
            "the shard could not be pinned to its core"
        ),
        None => tracing::warn!(
            shard,
            "no core to pin the shard to: it may move between cores"
        ),
    }
}
