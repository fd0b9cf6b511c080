//! The script of a transaction out of raw bytes: `0xFF`, a letter, and what belongs to it.

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'d> {
    /// `c`: the client sends this. `{port}` stands for the origin's port.
    ClientSends(&'d [u8]),
    /// `o`: the origin sends this on the connection that it accepted last.
    OriginSends(&'d [u8]),
    /// `w`: time for what was sent to arrive.
    Wait,
    /// `h`: the client has no more to say.
    ClientFinishes,
    /// `a`: the client is gone, with a reset.
    ClientAborts,
    /// `x`: the origin closes.
    OriginCloses,
    /// `r`: the origin resets.
    OriginResets,
}

/// A script has no more steps than this.
const STEPS_MAX: usize = 24;

/// The steps of an input. What stands before the first mark is sent by the client; of a letter that means
/// nothing, nothing comes.
pub(super) fn steps(data: &[u8]) -> Vec<Step<'_>> {
    let mut parts = data.split(|&byte| byte == 0xff);
    let first = parts.next().map(Step::ClientSends);
    let rest = parts.filter_map(|part| {
        let (letter, bytes) = part.split_first()?;
        match letter {
            b'c' => Some(Step::ClientSends(bytes)),
            b'o' => Some(Step::OriginSends(bytes)),
            b'w' => Some(Step::Wait),
            b'h' => Some(Step::ClientFinishes),
            b'a' => Some(Step::ClientAborts),
            b'x' => Some(Step::OriginCloses),
            b'r' => Some(Step::OriginResets),
            _ => None,
        }
    });
    first.into_iter().chain(rest).take(STEPS_MAX).collect()
}
