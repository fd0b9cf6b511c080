//! Windows (RFC 9113 section 5.2): what the other side may still send, and what we may.

use super::limits::WINDOW_MAX;

/// What the other side may still send, of one stream or of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    /// What it was told and has not used. With what is released, and what is held, it is always `size`.
    open: u32,
    /// Passed on, and not told yet.
    released: u32,
    size: u32,
}

impl ReceiveWindow {
    pub(super) fn new(size: u32) -> Self {
        Self {
            open: size,
            released: 0,
            size,
        }
    }

    /// Counts what has come; `false` if it was more than allowed.
    #[must_use]
    pub(super) fn take(&mut self, bytes: u32) -> bool {
        let left = self.open.checked_sub(bytes);
        self.open = left.unwrap_or(self.open);
        left.is_some()
    }

    /// Counts what was passed on. By how much the window is to be opened now, if that is worth a frame: half
    /// of what is open, so that one that is nearly used up is opened soon.
    pub(super) fn release(&mut self, bytes: u32) -> Option<u32> {
        let held = self.size - self.open - self.released;
        self.released += bytes.min(held);
        if self.released == 0 || self.released < self.open / 2 {
            return None;
        }
        let opened = std::mem::take(&mut self.released);
        self.open += opened;
        Some(opened)
    }

    #[cfg(test)]
    pub(super) fn open(&self) -> u32 {
        self.open
    }
}

/// What we may still send. Below zero when the other side has shrunk what it began with (RFC 9113 section
/// 6.9.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct SendWindow(i32);

impl SendWindow {
    pub(super) fn new(size: u32) -> Self {
        Self(i32::try_from(size).unwrap_or(i32::MAX))
    }

    /// How much may be sent.
    pub(super) fn room(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Counts what was sent, which is within it.
    pub(super) fn take(&mut self, bytes: usize) {
        self.0 -= i32::try_from(bytes).unwrap_or(i32::MAX);
    }

    /// Opens it further; `false` if it would be too large then (RFC 9113 section 6.9.1).
    #[must_use]
    pub(super) fn open(&mut self, bytes: u32) -> bool {
        self.change(i64::from(bytes))
    }

    /// The window that streams begin with has changed by so much; `false` if this one is too large then.
    #[must_use]
    pub(super) fn change(&mut self, bytes: i64) -> bool {
        let size = i64::from(self.0) + bytes;
        let is_fine = size <= i64::from(WINDOW_MAX);
        if let Ok(size) = i32::try_from(size) {
            self.0 = size;
        }
        is_fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9113_6_9_1_a_window_is_never_above_its_bound() {
        let mut window = SendWindow::new(65_535);
        assert!(window.open(WINDOW_MAX - 65_535));
        assert_eq!(window.room(), WINDOW_MAX as usize);
        assert!(!window.open(1));
        window.take(10);
        assert!(window.open(10) && !window.change(1));
    }

    #[test]
    fn rfc_9113_6_9_2_a_window_may_be_below_zero() {
        let mut window = SendWindow::new(65_535);
        window.take(60_000);
        assert!(window.change(-65_535));
        assert_eq!(window.room(), 0);
        assert!(window.open(60_000) && window.room() == 0);
        assert!(window.open(1) && window.room() == 1);
    }

    #[test]
    fn what_is_released_is_told_when_it_is_worth_it() {
        let mut window = ReceiveWindow::new(100);
        assert!(window.take(60) && !window.take(41));
        assert_eq!(window.release(19), None);
        assert_eq!(window.release(1), Some(20));
        assert_eq!(window.open(), 60);
        assert!(window.take(60));
        // Nothing is open: each byte is worth it.
        assert_eq!(window.release(1), Some(1));
        // What nobody holds cannot be released.
        assert_eq!(window.release(1000), Some(99));
        assert_eq!((window.open(), window.release(5)), (100, None));
    }
}
