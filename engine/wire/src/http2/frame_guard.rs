//! Looks at frame headers before the codec does, and counts the frames that cost the receiver more
//! than the sender.
//!
//! RFC 9113 section 10.5: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty and unknown frames
//! are all legal and all free for whoever sends them. Each draws on an allowance that fills with time
//! and with what was sent to that side, since who receives much has reason to update windows.
//! Besides, what the codec answers with another error than RFC 9113 names: a first frame that is not
//! SETTINGS, and frames of a length that their type cannot have. Payloads are skipped. The engine
//! feeds it whatever it receives.

use std::time::Instant;

use thiserror::Error;

/// What a side has sent too much of, or not as it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// PING, SETTINGS, PRIORITY, WINDOW_UPDATE, GOAWAY, unknown and empty frames.
    #[error("control frame flood")]
    ControlFlood,
    /// RST_STREAM (and streams opened only to be reset).
    #[error("stream reset flood")]
    ResetFlood,
    /// The first frame is not SETTINGS (RFC 9113 section 3.4).
    #[error("the first frame is not SETTINGS")]
    Preface,
    /// A length that frames of this type cannot have (RFC 9113 section 4.2).
    #[error("a frame of a wrong size")]
    Size,
}

/// Allowances of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimits {
    /// Control frames a second. Ten times as many may come at once.
    pub control_frames_per_second: u32,
    /// RST_STREAM frames a second. Ten times as many may come at once.
    pub resets_per_second: u32,
}

/// Whose frames are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceivingSide {
    /// A client's: the connection preface comes first.
    Server,
    /// A server's.
    Client,
}

/// Reads frame headers out of a byte stream, however it is cut, and counts.
#[derive(Clone, Debug)]
pub struct FrameGuard {
    limits: FloodLimits,
    control: Allowance,
    reset: Allowance,
    /// Bytes of the preface or of a payload still to come.
    skip: usize,
    header: [u8; HEADER_BYTES],
    header_len: usize,
    /// SETTINGS have come.
    begun: bool,
    sent_bytes: usize,
}

const HEADER_BYTES: usize = 9;
/// Length of the client connection preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
/// Seconds of allowance that can be saved up.
const BURST_SECONDS: u32 = 10;
/// Bytes sent that earn the other side one control frame: a DATA frame is worth several
/// WINDOW_UPDATEs, the answer to a PING is worth none.
const SENT_BYTES_PER_FRAME: usize = 64;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;

/// A bucket that time fills.
#[derive(Clone, Debug)]
struct Allowance {
    left: u32,
    per_second: u32,
    filled: Option<Instant>,
}

impl Allowance {
    fn new(per_second: u32) -> Self {
        Self {
            left: per_second.saturating_mul(BURST_SECONDS),
            per_second,
            filled: None,
        }
    }

    fn fill(&mut self, now: Instant) {
        let since = *self.filled.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since).as_millis();
        let earned = u128::from(self.per_second) * elapsed / 1000;
        if earned > 0 {
            self.filled = Some(now);
            self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
        }
    }

    fn earn(&mut self, frames: u32) {
        let most = self.per_second.saturating_mul(BURST_SECONDS);
        self.left = self.left.saturating_add(frames).min(most);
    }

    fn draw(&mut self) -> bool {
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

impl FrameGuard {
    /// A guard at the first byte of a connection.
    pub fn new(side: ReceivingSide, limits: FloodLimits) -> Self {
        Self {
            limits,
            control: Allowance::new(limits.control_frames_per_second),
            reset: Allowance::new(limits.resets_per_second),
            skip: match side {
                ReceivingSide::Server => PREFACE_BYTES,
                ReceivingSide::Client => 0,
            },
            header: [0; HEADER_BYTES],
            header_len: 0,
            begun: false,
            sent_bytes: 0,
        }
    }

    /// The allowances.
    pub fn limits(&self) -> FloodLimits {
        self.limits
    }

    /// Counts the frames that begin in `bytes`, received at `now`.
    ///
    /// # Errors
    /// The first allowance that is used up. Whoever goes on feeding gets more of them.
    pub fn received(&mut self, bytes: &[u8], now: Instant) -> Result<(), FrameFault> {
        self.control.fill(now);
        self.reset.fill(now);
        let mut rest = bytes;
        let mut outcome = Ok(());
        while !rest.is_empty() {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            let missing = HEADER_BYTES - self.header_len;
            let taken = missing.min(rest.len());
            let (part, behind) = rest.split_at_checked(taken).unwrap_or_default();
            if let Some(place) = self
                .header
                .get_mut(self.header_len..self.header_len + taken)
            {
                place.copy_from_slice(part);
            }
            self.header_len += taken;
            rest = behind;
            if self.header_len == HEADER_BYTES {
                self.header_len = 0;
                // All frames are counted, also behind a fault.
                let counted = self.count();
                outcome = outcome.and(counted);
            }
        }
        outcome
    }

    /// Tells that `bytes` were sent to the side whose frames are counted.
    pub fn sent(&mut self, bytes: usize) {
        self.sent_bytes = self.sent_bytes.saturating_add(bytes);
        let frames = self.sent_bytes / SENT_BYTES_PER_FRAME;
        self.sent_bytes %= SENT_BYTES_PER_FRAME;
        self.control.earn(u32::try_from(frames).unwrap_or(u32::MAX));
    }

    /// Counts the frame whose header is complete.
    fn count(&mut self) -> Result<(), FrameFault> {
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        if !self.begun && kind != SETTINGS {
            return Err(FrameFault::Preface);
        }
        self.begun = true;
        let fits = match kind {
            PRIORITY => length == 5,
            RST_STREAM | WINDOW_UPDATE => length == 4,
            SETTINGS if flags & ACK != 0 => length == 0,
            SETTINGS => length.is_multiple_of(6),
            PING => length == 8,
            GOAWAY => length >= 8,
            _ => true,
        };
        if !fits {
            return Err(FrameFault::Size);
        }
        let draws = match kind {
            // What carries something, or ends something, is paid for by streams and windows.
            DATA => length == 0 && flags & END_STREAM == 0,
            HEADERS => false,
            CONTINUATION => length == 0,
            RST_STREAM => {
                return match self.reset.draw() {
                    true => Ok(()),
                    false => Err(FrameFault::ResetFlood),
                };
            }
            _ => true,
        };
        match !draws || self.control.draw() {
            true => Ok(()),
            false => Err(FrameFault::ControlFlood),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: FloodLimits = FloodLimits {
        control_frames_per_second: 10,
        resets_per_second: 2,
    };

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
        bytes.resize(HEADER_BYTES + length, 0xaa);
        bytes
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant cannot be made otherwise"
    )]
    fn now() -> Instant {
        Instant::now()
    }

    /// Behind the first SETTINGS, which draw on the allowance as well.
    fn client_guard() -> FrameGuard {
        let mut guard = FrameGuard::new(ReceivingSide::Client, LIMITS);
        guard.received(&frame(SETTINGS, 0, 6), now()).unwrap();
        guard.control.earn(1);
        guard
    }

    #[test]
    fn settings_come_first_and_lengths_fit_their_type() {
        let now = now();
        let mut guard = FrameGuard::new(ReceivingSide::Client, LIMITS);
        assert_eq!(
            guard.received(&frame(PING, 0, 8), now),
            Err(FrameFault::Preface)
        );
        for (kind, flags, length, fits) in [
            (PRIORITY, 0, 5, true),
            (PRIORITY, 0, 4, false),
            (RST_STREAM, 0, 4, true),
            (RST_STREAM, 0, 3, false),
            (SETTINGS, 0, 12, true),
            (SETTINGS, 0, 3, false),
            (SETTINGS, ACK, 0, true),
            (SETTINGS, ACK, 6, false),
            (PING, 0, 8, true),
            (PING, 0, 6, false),
            (GOAWAY, 0, 30, true),
            (GOAWAY, 0, 7, false),
            (WINDOW_UPDATE, 0, 4, true),
            (WINDOW_UPDATE, 0, 5, false),
            (0x16, 0, 1, true),
        ] {
            let found = client_guard().received(&frame(kind, flags, length), now);
            let expected = if fits { Ok(()) } else { Err(FrameFault::Size) };
            assert_eq!(found, expected, "{kind} {length}");
        }
    }

    #[test]
    fn each_kind_has_its_allowance_and_time_fills_it() {
        let start = now();
        for (kind, flags, length, burst, flood) in [
            (PING, 0, 8, 100, FrameFault::ControlFlood),
            (WINDOW_UPDATE, 0, 4, 100, FrameFault::ControlFlood),
            (SETTINGS, 0, 0, 100, FrameFault::ControlFlood),
            (PRIORITY, 0, 5, 100, FrameFault::ControlFlood),
            (0xfe, 0, 3, 100, FrameFault::ControlFlood),
            (DATA, 0, 0, 100, FrameFault::ControlFlood),
            (CONTINUATION, 0, 0, 100, FrameFault::ControlFlood),
            (RST_STREAM, 0, 4, 20, FrameFault::ResetFlood),
        ] {
            let mut guard = client_guard();
            let frame = frame(kind, flags, length);
            for _ in 0..burst {
                assert_eq!(guard.received(&frame, start), Ok(()), "{kind}");
            }
            assert_eq!(guard.received(&frame, start), Err(flood), "{kind}");
            let later = start + Duration::from_secs(1);
            assert_eq!(guard.received(&frame, later), Ok(()), "{kind}");
        }
    }

    #[test]
    fn what_carries_something_draws_nothing() {
        let mut guard = client_guard();
        let now = now();
        for frame in [
            frame(DATA, 0, 1),
            frame(DATA, END_STREAM, 0),
            frame(HEADERS, 0, 20),
        ] {
            for _ in 0..1000 {
                assert_eq!(guard.received(&frame, now), Ok(()));
            }
        }
    }

    #[test]
    fn who_receives_much_may_update_windows_and_answered_pings_do_not_count() {
        let now = now();
        let update = [frame(WINDOW_UPDATE, 0, 4), frame(WINDOW_UPDATE, 0, 4)].concat();
        let mut guard = client_guard();
        for _ in 0..1000 {
            guard.sent(16 * 1024);
            assert_eq!(guard.received(&update, now), Ok(()));
        }
        let mut guard = client_guard();
        let ping = frame(PING, 0, 8);
        let flooded = (0..1000).any(|_| {
            guard.sent(17);
            guard.received(&ping, now).is_err()
        });
        assert!(flooded);
    }

    #[test]
    fn the_preface_is_no_frame() {
        let mut guard = FrameGuard::new(ReceivingSide::Server, LIMITS);
        let now = now();
        guard
            .received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now)
            .unwrap();
        guard.received(&frame(SETTINGS, 0, 0), now).unwrap();
        for _ in 0..20 {
            guard.received(&frame(RST_STREAM, 0, 4), now).unwrap();
        }
        assert_eq!(
            guard.received(&frame(RST_STREAM, 0, 4), now),
            Err(FrameFault::ResetFlood)
        );
    }

    proptest! {
        /// However the bytes are cut into reads, the same frames are counted.
        #[test]
        fn cutting_changes_nothing(
            frames in prop::collection::vec((0u8..12, 0u8..2, 0usize..40), 0..200),
            cuts in prop::collection::vec(1usize..50, 1..50),
        ) {
            let now = now();
            let mut whole = client_guard();
            let mut cut = client_guard();
            let bytes: Vec<u8> =
                frames.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
            let expected = whole.received(&bytes, now);
            let mut found = Ok(());
            let mut rest = &bytes[..];
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, behind) = rest.split_at((*size).min(rest.len()));
                let counted = cut.received(part, now);
                found = found.and(counted);
                rest = behind;
            }
            prop_assert_eq!(expected, found);
            prop_assert_eq!(whole.control.left, cut.control.left);
            prop_assert_eq!(whole.reset.left, cut.reset.left);
            prop_assert_eq!(whole.skip, cut.skip);
        }
    }
}
