//! Following the frames of a WebSocket connection (RFC 6455 section 5.2), as far as it takes to know
//! whether it was closed in order. Payloads are passed over; nothing is validated: that is between the
//! two ends. Called by the engine for what flows behind a 101.

use crate::invariant::part;

/// One direction of a WebSocket connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameFollower {
    /// The header as far as it is there.
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    /// Bytes of payload, and of the mask before it, that are still to come.
    left: u64,
    closed: bool,
}

/// Two bytes and the longest length; a mask counts as payload here.
const HEADER_BYTES_MAX: usize = 10;
const OPCODE_CLOSE: u8 = 8;

impl FrameFollower {
    /// Goes on with what was sent next.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let passed = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.left -= passed as u64;
            bytes = part(bytes, passed..);
            if let Some((first, rest)) = bytes.split_first() {
                self.push(*first);
                bytes = rest;
            }
        }
    }

    /// Whether a whole Close frame has been sent (RFC 6455 section 5.5.1).
    pub fn is_closed(&self) -> bool {
        self.closed && self.left == 0
    }

    /// The next byte of a header.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(self.header_bytes) {
            *place = byte;
        }
        self.header_bytes += 1;
        let [first, second, long @ ..] = self.header;
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.header_bytes < 2 + length_bytes {
            return;
        }
        let length = match long.get(..length_bytes) {
            None | Some([]) => u64::from(second & 0x7f),
            Some(long) => long
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        };
        let mask_bytes = u64::from(second >> 7) * 4;
        self.left = length.saturating_add(mask_bytes);
        self.header_bytes = 0;
        self.closed |= first & 0x0f == OPCODE_CLOSE;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(opcode: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..=125 => frame.push(mask | u8::try_from(short).unwrap()),
            middle @ 126..=0xffff => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
            }
            long => {
                frame.push(mask | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        if masked {
            // What looks like the begin of a Close frame is none where it stands.
            frame.extend([0x88, 0, 0x88, 0]);
        }
        frame.extend_from_slice(payload);
        frame
    }

    fn is_closed(bytes: &[u8]) -> bool {
        let mut follower = FrameFollower::default();
        follower.follow(bytes);
        follower.is_closed()
    }

    #[test]
    fn only_a_whole_close_frame_closes() {
        for masked in [false, true] {
            let close = frame(OPCODE_CLOSE, masked, b"\x03\xe8bye");
            assert!(is_closed(&close));
            assert!(!is_closed(&close[..close.len() - 1]));
            assert!(is_closed(&frame(OPCODE_CLOSE, masked, b"")));
            for size in [0, 1, 125, 126, 0xffff, 0x1_0000] {
                let data = frame(2, masked, &vec![0x88; size]);
                assert!(!is_closed(&data), "{size}");
                assert!(is_closed(&[&data[..], &close].concat()), "{size}");
                assert!(!is_closed(&[&data[..], &close[..1]].concat()), "{size}");
            }
        }
    }

    #[test]
    fn a_length_beyond_all_bounds_is_waited_for() {
        let mut endless = vec![0x82, 0xff];
        endless.extend([0xff; 8]);
        endless.extend([0x88; 1000]);
        assert!(!is_closed(&endless));
    }

    proptest! {
        #[test]
        fn however_it_is_cut(
            frames in prop::collection::vec((0_u8..11, any::<bool>(), 0_usize..300), 0..6),
            cuts in prop::collection::vec(1_usize..40, 1..40),
        ) {
            let bytes: Vec<u8> = frames
                .iter()
                .flat_map(|(opcode, masked, size)| frame(*opcode, *masked, &vec![0x88; *size]))
                .collect();
            let mut whole = FrameFollower::default();
            whole.follow(&bytes);
            let expected = frames.iter().any(|(opcode, ..)| *opcode == OPCODE_CLOSE);
            prop_assert_eq!(whole.is_closed(), expected);
            let mut pieces = FrameFollower::default();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.follow(piece);
                rest = after;
            }
            // Bytes of an earlier header may stay behind in either.
            prop_assert_eq!(pieces.is_closed(), expected);
            prop_assert_eq!(pieces.left, whole.left);
        }
    }
}
