//! What happens where arithmetic over the bytes of a connection leads out of them.
//!
//! Lengths and places are checked where they are read. One that leads nowhere all the same is a fault of this
//! program or of the memory under it, and to go on with an empty slice or a zero would be to judge, or to send,
//! something else than what came. So the work ends in a panic that names the place; the engine catches it for
//! each connection, which it closes.
//!
//! Not here: what a peer may leave out. That is an error or a `None`.

use std::slice::SliceIndex;

/// Takes what an [`Option`] must hold.
pub trait Invariant<T> {
    /// The value. `what` names what is missing otherwise.
    ///
    /// # Panics
    /// When there is none.
    fn or_broken(self, what: &'static str) -> T;
}

impl<T> Invariant<T> for Option<T> {
    #[inline]
    #[track_caller]
    fn or_broken(self, what: &'static str) -> T {
        match self {
            Some(value) => value,
            None => broken(what),
        }
    }
}

/// A part of `bytes` whose place was computed from them.
///
/// # Panics
/// When it is not within them.
#[inline]
#[track_caller]
pub fn part<I>(bytes: &[u8], place: I) -> &[u8]
where
    I: SliceIndex<[u8], Output = [u8]>,
{
    bytes.get(place).or_broken("a part of the bytes")
}

/// The same, to be written.
///
/// # Panics
/// When it is not within them.
#[inline]
#[track_caller]
pub fn part_mut<I>(bytes: &mut [u8], place: I) -> &mut [u8]
where
    I: SliceIndex<[u8], Output = [u8]>,
{
    bytes.get_mut(place).or_broken("a part of the bytes")
}

/// Out of line, so that a check costs one branch that is never taken.
#[cold]
#[inline(never)]
#[track_caller]
#[expect(
    clippy::panic,
    reason = "going on would be to judge something else than what is sent"
)]
fn broken(what: &'static str) -> ! {
    panic!("broken invariant: {what} that was computed is not there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_stands_there() {
        assert_eq!(part(b"abc", 1..), b"bc");
        assert_eq!(part(b"abc", 3..), b"");
        part_mut(&mut [0; 3], ..2).fill(1);
    }

    #[test]
    #[should_panic(expected = "a part of the bytes")]
    fn a_part_that_is_not_there_is_not_empty() {
        let _ = part(b"abc", 2..4);
    }
}
