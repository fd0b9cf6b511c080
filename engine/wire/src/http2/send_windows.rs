//! Windows that an origin opens further than they go (RFC 9113 section 6.9.1).
//!
//! The codec keeps the windows of streams on which it sends, and does not look at the others. Here is
//! a lower bound of each: what the other side has added, less everything sent on the connection since.

/// Streams that were given a window lately.
#[derive(Clone, Debug)]
pub(super) struct SendWindows {
    streams: [Opened; STREAMS_MAX],
    /// Where the next stream goes when there are enough.
    next: usize,
    /// All that was sent on the connection.
    sent_bytes: u64,
    /// The largest window that streams began with: one that shrank is above minus that.
    initial_max: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Opened {
    stream: u32,
    added: u64,
    /// `sent_bytes` at the beginning.
    sent_before: u64,
}

/// As large as a window may be.
pub(super) const WINDOW_MAX: u32 = 0x7fff_ffff;
/// Size of a window as long as no SETTINGS say otherwise.
const WINDOW_DEFAULT: u64 = 65_535;
/// Streams that are remembered: more only hide from this check.
const STREAMS_MAX: usize = 16;

impl Default for SendWindows {
    fn default() -> Self {
        Self {
            streams: [Opened::default(); STREAMS_MAX],
            next: 0,
            sent_bytes: 0,
            initial_max: WINDOW_DEFAULT,
        }
    }
}

impl SendWindows {
    /// Tells that so much was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// Tells what windows begin with from now on.
    pub(super) fn set_initial(&mut self, bytes: u32) {
        self.initial_max = self.initial_max.max(bytes.into());
    }

    /// Adds to the window of a stream; `false` if it is certainly too large then.
    pub(super) fn add(&mut self, stream: u32, bytes: u32) -> bool {
        let known = self
            .streams
            .iter()
            .position(|opened| opened.stream == stream);
        let place = known.unwrap_or_else(|| self.begin(stream));
        let Some(opened) = self.streams.get_mut(place) else {
            return true;
        };
        opened.added += u64::from(bytes);
        let sent = self.sent_bytes - opened.sent_before;
        opened.added.saturating_sub(sent) <= u64::from(WINDOW_MAX) + self.initial_max
    }

    fn begin(&mut self, stream: u32) -> usize {
        let place = self.next;
        self.next = (place + 1) % STREAMS_MAX;
        if let Some(oldest) = self.streams.get_mut(place) {
            *oldest = Opened {
                stream,
                added: 0,
                sent_before: self.sent_bytes,
            };
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_what_was_added_less_what_was_sent() {
        let mut windows = SendWindows::default();
        assert!(windows.add(1, WINDOW_MAX));
        assert!(windows.add(3, WINDOW_MAX));
        assert!(!windows.add(1, WINDOW_MAX));
        // An upload of any length goes on.
        for _ in 0..10 {
            assert!(windows.add(5, 1 << 30));
            windows.sent(1 << 30);
        }
        // It may be as far below zero as a change of its beginning has brought it.
        windows.set_initial(1 << 20);
        assert!(windows.add(7, WINDOW_MAX) && windows.add(7, 1 << 20));
        assert!(!windows.add(7, 1));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut windows = SendWindows::default();
        assert!(windows.add(1, WINDOW_MAX));
        for stream in 1..=u32::try_from(STREAMS_MAX).unwrap() {
            assert!(windows.add(2 * stream + 1, 1));
        }
        assert!(windows.add(1, WINDOW_MAX));
    }
}
