//! What is remembered of streams that are no more: who ended them, which decides what further frames on them
//! mean (RFC 9113 section 5.1), and the windows of the last few.

use super::limits::CLOSED_WINDOWS_KEPT;
use super::stream_set::StreamSet;
use super::window::SendWindow;

/// The newest streams that are gone. Nothing is allocated before the first one is.
#[derive(Clone, Debug, Default)]
pub(super) struct ClosedStreams {
    kept: Option<Box<Kept>>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    /// The other side has ended or reset them: it may send nothing more there.
    ended: StreamSet,
    /// We have reset them: what was on its way then means nothing.
    reset: StreamSet,
    windows: Vec<(u32, SendWindow)>,
    next: usize,
}

impl ClosedStreams {
    /// Both sides have ended a stream.
    pub(super) fn end(&mut self, id: u32, window: SendWindow) {
        let kept = self.kept.get_or_insert_default();
        kept.ended.insert(id);
        if kept.windows.len() < CLOSED_WINDOWS_KEPT {
            kept.windows.push((id, window));
        } else if let Some(place) = kept.windows.get_mut(kept.next) {
            *place = (id, window);
            kept.next = (kept.next + 1) % CLOSED_WINDOWS_KEPT;
        }
    }

    /// The other side has reset a stream.
    pub(super) fn reset_by_peer(&mut self, id: u32) {
        self.kept.get_or_insert_default().ended.insert(id);
    }

    /// We have reset a stream, which the other side had ended or not.
    pub(super) fn reset_by_us(&mut self, id: u32, was_ended: bool) {
        let kept = self.kept.get_or_insert_default();
        kept.reset.insert(id);
        if was_ended {
            kept.ended.insert(id);
        }
    }

    /// Whether the other side has ended or reset it, as far as that is remembered.
    pub(super) fn is_ended(&self, id: u32) -> bool {
        self.kept
            .as_ref()
            .is_some_and(|kept| kept.ended.contains(id))
    }

    /// Whether we have reset it, as far as that is remembered.
    pub(super) fn is_reset(&self, id: u32) -> bool {
        self.kept
            .as_ref()
            .is_some_and(|kept| kept.reset.contains(id))
    }

    /// Whether it is too long ago for anything to be known of it.
    pub(super) fn is_forgotten(&self, id: u32) -> bool {
        let forgets = |set: &StreamSet| set.is_forgotten(id);
        self.kept
            .as_ref()
            .is_some_and(|kept| forgets(&kept.ended) || forgets(&kept.reset))
    }

    /// Opens the window of a stream that has ended; `false` if it is too large then, once.
    #[must_use]
    pub(super) fn open_window(&mut self, id: u32, bytes: u32) -> bool {
        let Some(kept) = &mut self.kept else {
            return true;
        };
        let mut windows = kept.windows.iter_mut();
        let Some(place) = windows.find(|(stream, _)| *stream == id) else {
            return true;
        };
        let is_fine = place.1.open(bytes);
        if !is_fine {
            place.0 = 0;
        }
        is_fine
    }
}
