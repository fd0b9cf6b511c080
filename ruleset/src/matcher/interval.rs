//! Ranges of numbers, times and addresses: all ranges that hold a point, by one binary search and
//! one walk to the root of a segment tree. The size stays within ranges × log(ranges) however the
//! ranges overlap, which a list of all ranges per interval would not.

use std::ops::RangeInclusive;

use crate::invariant::Invariant;

/// A tree over predicates, to be written.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Where intervals begin, ascending; interval 0 lies before the first bound.
    pub(crate) bounds: Vec<u128>,
    /// Predicates of each node, ascending; node `i` has the children `2i` and `2i + 1`.
    pub(crate) nodes: Vec<Vec<u32>>,
}

/// Builds the tree of ranges and the predicates that they belong to.
pub(crate) fn build(ranges: &[(RangeInclusive<u128>, u32)]) -> Tree {
    let ranges = || ranges.iter().filter(|(range, _)| !range.is_empty());
    let mut bounds: Vec<u128> = ranges()
        .flat_map(|(range, _)| [Some(*range.start()), range.end().checked_add(1)])
        .flatten()
        .collect();
    bounds.sort_unstable();
    bounds.dedup();
    let leaves = bounds.len() + 1;
    let mut nodes = vec![Vec::new(); leaves * 2];
    for (range, predicate) in ranges() {
        let mut low = leaves + interval(&bounds, *range.start());
        let mut high = leaves + interval(&bounds, *range.end()) + 1;
        while low < high {
            if low % 2 == 1 {
                insert(&mut nodes, low, *predicate);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                insert(&mut nodes, high, *predicate);
            }
            low /= 2;
            high /= 2;
        }
    }
    Tree { bounds, nodes }
}

fn insert(nodes: &mut [Vec<u32>], node: usize, predicate: u32) {
    let node = nodes.get_mut(node).or_broken("a node");
    if let Err(place) = node.binary_search(&predicate) {
        node.insert(place, predicate);
    }
}

/// The nodes whose ranges hold the point, leaf first.
pub(crate) fn nodes_holding(bounds: &[u128], point: u128) -> impl Iterator<Item = usize> {
    let leaf = bounds.len() + 1 + interval(bounds, point);
    std::iter::successors(Some(leaf), |node| (*node > 1).then_some(node / 2))
}

fn interval(bounds: &[u128], point: u128) -> usize {
    bounds.partition_point(|bound| *bound <= point)
}

/// Times as keys: the order of `i64` in unsigned numbers.
pub(crate) fn time_key(time: i64) -> u128 {
    u128::from(time.cast_unsigned() ^ 1 << 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_what_a_walk_over_all_ranges_holds(
            ranges in proptest::collection::vec((0..30_u128, 0..30_u128, 0..6_u32), 0..20),
            whole in any::<bool>(),
            point in 0..32_u128,
        ) {
            let mut ranges: Vec<_> =
                ranges.into_iter().map(|(a, b, predicate)| (a..=b, predicate)).collect();
            if whole {
                ranges.push((3..=u128::MAX, 9));
            }
            let mut expected: Vec<u32> = ranges
                .iter()
                .filter(|(range, _)| range.contains(&point))
                .map(|(_, predicate)| *predicate)
                .collect();
            let tree = build(&ranges);
            let mut found: Vec<u32> = nodes_holding(&tree.bounds, point)
                .flat_map(|node| tree.nodes[node].clone())
                .collect();
            for set in [&mut expected, &mut found] {
                set.sort_unstable();
                set.dedup();
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn times_keep_their_order() {
        let times = [i64::MIN, -1, 0, 1, i64::MAX];
        assert!(times.is_sorted_by_key(|time| time_key(*time)));
    }
}
