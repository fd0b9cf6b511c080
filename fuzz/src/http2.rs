//! The guard that looks at HTTP/2 frames before the codec does.

use std::time::Instant;

use sallyport_wire::http2::{FloodLimits, FrameFault, FrameGuard, Malformed, ReceivingSide};

const LIMITS: FloodLimits = FloodLimits {
    control_frames_per_second: 2,
    resets_per_second: 1,
    head_bytes_max: 1024,
};

/// What came of some frames.
#[derive(Debug, PartialEq)]
struct Seen {
    outcome: Result<(), FrameFault>,
    malformed: Vec<(u32, Malformed)>,
    overflowed: Option<[u8; 13]>,
}

/// Frames are judged alike however they arrive, and nothing but a WINDOW_UPDATE is rewritten. The first
/// byte chooses the side and the size of the pieces; the rest is what follows the first SETTINGS.
pub fn http2_frames(data: &[u8]) {
    let Some((choice, frames)) = data.split_first() else {
        return;
    };
    let side = match choice & 1 {
        0 => ReceivingSide::Server,
        _ => ReceivingSide::Client,
    };
    let now = Instant::now();
    let mut whole = frames.to_vec();
    let seen = judge(side, &mut whole, usize::MAX, now);
    let piece_bytes = usize::from(choice >> 1) + 1;
    let mut pieces = frames.to_vec();
    let seen_in_pieces = judge(side, &mut pieces, piece_bytes, now);
    if seen.overflowed.is_none() && seen_in_pieces.overflowed.is_none() {
        // A WINDOW_UPDATE in pieces cannot be rewritten: the connection ends with it instead.
        let is_cut = seen_in_pieces.outcome == Err(FrameFault::Window);
        assert!(
            seen == seen_in_pieces || is_cut,
            "{seen:?} {seen_in_pieces:?}"
        );
        assert_eq!(whole, frames, "rewritten");
    }
    if let Err(fault) = seen.outcome {
        assert!((1..=0xb).contains(&fault.code()));
    }
    sent(frames, piece_bytes);
}

fn judge(side: ReceivingSide, frames: &mut [u8], piece_bytes: usize, now: Instant) -> Seen {
    let mut guard = FrameGuard::new(side, LIMITS);
    let mut begin = Vec::new();
    if side == ReceivingSide::Server {
        begin.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    }
    begin.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    assert_eq!(guard.received(&mut begin, now), Ok(()));
    let mut outcome = Ok(());
    for piece in frames.chunks_mut(piece_bytes.min(1 << 20)) {
        outcome = guard.received(piece, now);
    }
    let malformed = (1..100).filter_map(|stream| Some((stream, guard.malformed(stream)?)));
    Seen {
        outcome,
        malformed: malformed.collect(),
        overflowed: guard.overflowed(),
    }
}

/// What is sent is read alike, too.
fn sent(frames: &[u8], piece_bytes: usize) {
    let refused = |piece_bytes: usize| {
        let mut guard = FrameGuard::new(ReceivingSide::Server, LIMITS);
        guard.take(1);
        for piece in frames.chunks(piece_bytes.min(1 << 20)) {
            guard.sent(piece, |_| ());
        }
        let mut all = Vec::new();
        while let Some(refused) = guard.refused() {
            assert_ne!(refused.stream, 1, "this one is served");
            all.push(refused);
        }
        all
    };
    assert_eq!(refused(piece_bytes), refused(usize::MAX));
}
