//! What happens where validated data turns out not to hold what validation promised.
//!
//! `bundle/validate.rs` checks every index and span of a bundle once, and the builder only makes what passes.
//! An index that leads nowhere all the same is a fault of this program or of the memory under it. To go on
//! with an empty slice or a zero would be to judge by other rules: a denial that nothing meets, a condition
//! that is not asked. So evaluation ends in a panic that names the place. The engine catches it for each
//! connection, which it closes before a byte of the request leaves.
//!
//! Not here: what a file or a caller may leave out. That is an error or a `None`, and is handled as such.

/// Takes what an [`Option`] must hold.
pub(crate) trait Invariant<T> {
    /// The value. `what` names what is missing otherwise.
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

/// The item at a position that was checked.
#[inline]
#[track_caller]
pub(crate) fn at<T>(items: &[T], position: u32) -> &T {
    items.get(position as usize).or_broken("an item")
}

/// The item whose number is one more than its position; 0 stands for none.
#[inline]
#[track_caller]
pub(crate) fn nth<T>(items: &[T], number: u32) -> Option<&T> {
    let position = (number as usize).checked_sub(1)?;
    Some(items.get(position).or_broken("a numbered item"))
}

/// Ends the evaluation. Out of line, so that a check costs the hot path one branch that is never taken.
#[cold]
#[inline(never)]
#[track_caller]
#[expect(
    clippy::panic,
    reason = "going on would be to judge by other rules than those of the bundle"
)]
pub(crate) fn broken(what: &'static str) -> ! {
    panic!("broken invariant: {what} that validation has seen is not there")
}
