//! Finds the globs of a view that are looked for by their shape (`matcher/window.rs`), and lays
//! out their tables.
//!
//! A run of the text is looked up for each position and shape, whatever is found: it must be worth it.
//! So only globs count whose literal many share, and shapes that many of those have.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use super::builder::Builder;
use super::record::*;
use super::tables::{Numbers, Overflow, Relation, number};
use crate::invariant::Invariant;
use crate::limits::WINDOWS_MAX;
use crate::matcher::hash::{self, Entry};
use crate::matcher::window::{self, Shape};

/// Fewer globs of a shape are tried one by one when their literal is met.
const GLOBS_MIN: usize = 64;
/// So many patterns may share a literal.
const SHARED_MAX: usize = 8;

/// A glob that is found by the shape of a piece of it.
#[derive(Debug)]
pub(super) struct Shaped {
    /// Its position in the view.
    pub(super) position: usize,
    piece: Span,
    /// Where the piece is, the glob matches.
    pub(super) is_all: bool,
}

/// The globs of one shape.
pub(super) type Group = (Shape, Vec<Shaped>);

impl Builder<'_> {
    /// The globs of a view that are found by their shape. `literals` are those by which they would be
    /// found otherwise.
    pub(super) fn shaped(
        &mut self,
        patterns: &[Pattern],
        literals: &[&[Vec<u8>]],
    ) -> Result<Vec<Group>, Overflow> {
        let mut shared: HashMap<&[u8], usize, FixedState> = HashMap::default();
        for literal in literals.iter().copied().flatten() {
            *shared.entry(literal).or_default() += 1;
        }
        let mut groups: BTreeMap<Shape, Vec<Shaped>> = BTreeMap::new();
        for (position, (pattern, literals)) in patterns.iter().zip(literals).enumerate() {
            let (Pattern::Glob(text), [literal]) = (*pattern, *literals) else {
                continue;
            };
            let shared = shared.get(literal.as_slice());
            if *shared.or_broken("the count of a literal") <= SHARED_MAX {
                continue;
            }
            let glob = self.strings.get(text).to_vec();
            let Some(piece) = window::piece(&glob) else {
                continue;
            };
            if piece.shape.fixed_count() > literal.len() {
                let shaped = Shaped {
                    position,
                    piece: self.strings.intern(piece.text)?,
                    is_all: piece.is_all,
                };
                groups.entry(piece.shape).or_default().push(shaped);
            }
        }
        let many = groups
            .into_iter()
            .filter(|(_, globs)| globs.len() >= GLOBS_MIN);
        let mut groups: Vec<Group> = many.collect();
        groups.sort_by_key(|(_, globs)| std::cmp::Reverse(globs.len()));
        groups.truncate(WINDOWS_MAX);
        Ok(groups)
    }

    /// Lays the tables out; `records` are the numbers of the patterns that are more than their piece,
    /// `predicates` the lists of all, both by position.
    pub(super) fn finish_windows(
        &mut self,
        groups: Vec<Group>,
        records: &[Option<u32>],
        predicates: &[u32],
    ) -> Result<Span, Overflow> {
        let start = number(self.index.windows.len())?;
        for (shape, globs) in groups {
            let mut pieces = Numbers::default();
            let (mut proven, mut tried) = (Relation::default(), Relation::default());
            for glob in &globs {
                let piece = pieces.of(glob.piece)?;
                if let Some(record) = records.get(glob.position).or_broken("a pattern") {
                    tried.add(piece, *record);
                } else {
                    let list = *predicates.get(glob.position).or_broken("a pattern");
                    let predicates = self.lists.get(list).iter();
                    predicates.for_each(|predicate| proven.add(piece, *predicate));
                }
            }
            let proven = proven.lists(pieces.keys.len(), &mut self.lists)?;
            let tried = tried.lists(pieces.keys.len(), &mut self.lists)?;
            let keys = Span {
                start: number(self.index.window_keys.len())?,
                len: number(pieces.keys.len())?,
            };
            let both = proven.into_iter().zip(tried);
            let both = both.map(|(proven, tried)| WindowKeyRecord { proven, tried });
            self.index.window_keys.extend(both);
            let slots = self.finish_slots(&pieces.keys)?;
            self.index.windows.push(WindowRecord { shape, slots, keys });
        }
        Ok(Span {
            start,
            len: number(self.index.windows.len())? - start,
        })
    }

    /// Puts the tables of pieces behind all others.
    pub(super) fn append_window_slots(&mut self) -> Result<(), Overflow> {
        let behind = number(self.tables.slots.len() / 4)?;
        self.tables.slots.append(&mut self.window_slots);
        number(self.tables.slots.len())?;
        for window in &mut self.index.windows {
            window.slots.start += behind;
        }
        Ok(())
    }

    /// A table of the pieces, each standing for one more than its position.
    fn finish_slots(&mut self, pieces: &[Span]) -> Result<Span, Overflow> {
        let entries = (1..).zip(pieces).map(|(content, piece)| {
            let entry = Entry {
                key_start: piece.start,
                key_len: piece.len,
                content,
            };
            (window::key_hash(self.strings.get(*piece)), entry)
        });
        let words = hash::build_slots(&entries.collect::<Vec<_>>());
        let slots = &mut self.window_slots;
        let start = number(slots.len() / 4)?;
        slots.extend_from_slice(&words);
        number(slots.len())?;
        Ok(Span {
            start,
            len: number(words.len() / 4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::bundle::{Sizes, write};
    use crate::{BuildRecord, Bundle, Condition, Field, Test, generate};

    /// (globs found by their shape, patterns that are tried)
    fn counted(make: impl Fn(&str, usize) -> String) -> (usize, usize) {
        let letters = ["aa", "ab", "ba", "bb", "ca", "cb", "cc", "ac", "bc"];
        let pieces = letters
            .iter()
            .flat_map(|one| letters.map(|two| format!("{one}?{two}")));
        let values: Vec<String> = pieces
            .enumerate()
            .map(|(number, piece)| make(&piece, number))
            .collect();
        let ruleset = generate::single_rule(vec![Condition {
            field: Field::HttpUserAgent,
            negated: false,
            test: Test::Glob(values.iter().collect()),
        }]);
        let bytes = write(&ruleset, &BuildRecord::default()).unwrap();
        let Sizes {
            window_keys_count,
            patterns_count,
            ..
        } = Bundle::load(bytes).unwrap().sizes();
        (window_keys_count, patterns_count)
    }

    #[test]
    fn many_of_a_shape_are_found_by_it() {
        assert_eq!(counted(|piece, _| format!("*{piece}*")), (81, 0));
        // What is more than its piece is tried.
        assert_eq!(counted(|piece, _| format!("*{piece}*x")), (81, 81));
        let one_in_three = |piece: &str, n: usize| match n % 3 {
            0 => format!("{piece}*"),
            _ => format!("*{piece}*"),
        };
        assert_eq!(counted(one_in_three), (81, 27));
        // Those are found by a literal that few share.
        assert_eq!(counted(|piece, n| format!("*{piece}*/{n:02}/*")), (0, 81));
        // Of several shapes each must be worth it.
        let two = |piece: &str, n: usize| match n % 2 {
            0 => format!("*{piece}?*"),
            _ => format!("*{piece}*"),
        };
        assert_eq!(counted(two), (0, 81));
    }
}
