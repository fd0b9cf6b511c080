//! The streams of a connection that are open, in the order of their numbers.

use super::response::Asked;
use super::window::{ReceiveWindow, SendWindow};

/// A stream that has not ended on both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) send: SendWindow,
    pub(super) receive: ReceiveWindow,
    /// Content that is declared and has not come.
    pub(super) remaining: Option<u64>,
    /// What is asked for, on the side that asks.
    pub(super) asked: Asked,
    /// The final head of the other side has come.
    pub(super) has_head: bool,
    /// A head of ours was sent.
    pub(super) is_answered: bool,
    /// The final one.
    pub(super) has_final_head: bool,
    /// The other side has ended it.
    pub(super) peer_ended: bool,
    /// We have.
    pub(super) we_ended: bool,
    /// Content was not taken for want of a window of the stream.
    pub(super) is_blocked: bool,
}

/// Streams sorted by number: new ones have the highest. Those that are gone leave a gap until there are as
/// many gaps as streams, so that removing one moves nothing as a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    places: Vec<Place>,
    gaps: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    stream: Stream,
    is_gap: bool,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    /// Adds a stream whose number is higher than all before.
    pub(super) fn push(&mut self, stream: Stream) {
        self.places.push(Place {
            stream,
            is_gap: false,
        });
    }

    pub(super) fn get(&self, id: u32) -> Option<&Stream> {
        let at = self.find(id)?;
        self.places.get(at).map(|place| &place.stream)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        let at = self.find(id)?;
        self.places.get_mut(at).map(|place| &mut place.stream)
    }

    /// Takes a stream out.
    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let at = self.find(id)?;
        let place = self.places.get_mut(at)?;
        place.is_gap = true;
        let stream = place.stream;
        self.gaps += 1;
        self.tidy();
        Some(stream)
    }

    /// Takes all streams above `id` out.
    pub(super) fn remove_above(&mut self, id: u32) {
        self.places
            .retain(|place| !place.is_gap && place.stream.id <= id);
        self.gaps = 0;
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        let places = self.places.iter_mut().filter(|place| !place.is_gap);
        places.map(|place| &mut place.stream)
    }

    fn find(&self, id: u32) -> Option<usize> {
        // The newest is asked for most.
        let at = match self.places.last() {
            Some(last) if last.stream.id == id => self.places.len() - 1,
            _ => self
                .places
                .binary_search_by_key(&id, |place| place.stream.id)
                .ok()?,
        };
        let place = self.places.get(at)?;
        (!place.is_gap).then_some(at)
    }

    fn tidy(&mut self) {
        if self.gaps == self.places.len() {
            self.places.clear();
            self.gaps = 0;
        } else if self.gaps > 8 && self.gaps > self.places.len() / 2 {
            self.places.retain(|place| !place.is_gap);
            self.gaps = 0;
        }
    }

    /// Gives back memory that so few streams do not need.
    pub(super) fn shrink(&mut self) {
        self.places.retain(|place| !place.is_gap);
        self.gaps = 0;
        self.places.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn stream(id: u32) -> Stream {
        Stream {
            id,
            send: SendWindow::new(0),
            receive: ReceiveWindow::new(0),
            remaining: None,
            asked: Asked::Plain,
            has_head: false,
            is_answered: false,
            has_final_head: false,
            peer_ended: false,
            we_ended: false,
            is_blocked: false,
        }
    }

    #[test]
    fn a_stream_is_small() {
        const { assert!(size_of::<Place>() <= 64) };
    }

    proptest! {
        #[test]
        fn as_a_set(steps in prop::collection::vec((0u8..5, 0u32..100), 1..300)) {
            let (mut streams, mut set, mut next) = (Streams::default(), BTreeSet::new(), 1);
            for (what, number) in steps {
                match what {
                    0 | 1 => {
                        streams.push(stream(next));
                        set.insert(next);
                        next += 2;
                    }
                    2 | 3 => {
                        let found = streams.remove(number).map(|stream| stream.id);
                        prop_assert_eq!(found.is_some(), set.remove(&number));
                    }
                    _ if number > 90 => {
                        let last = next.saturating_sub(10);
                        streams.remove_above(last);
                        set.retain(|id| *id <= last);
                    }
                    _ => prop_assert_eq!(streams.get(number).is_some(), set.contains(&number)),
                }
                prop_assert_eq!(streams.len(), set.len());
                let all: Vec<u32> = streams.iter_mut().map(|stream| stream.id).collect();
                prop_assert_eq!(all, set.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
