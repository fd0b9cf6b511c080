//! What each client uses on each shard, where all shards can read it.
//!
//! A limit that is promised for a client and the whole process needs a count over all shards, yet
//! shards share no lock and no counter. So each shard has a table here that it alone writes, with
//! plain stores, and that the others read when one of their clients takes something.
//!
//! Who takes something says so first and then looks at the others ([`Row::others`]). Of two shards that
//! do so at the same moment at least one sees the other, so a limit is never passed; both may be
//! refused the last place that was free.
//!
//! A table has room for [`CLIENTS_SHARED`] clients, eight to a bucket. Where a bucket is full those that
//! use least are not in it: they are counted by each shard alone until there is room.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::client_key::ClientKey;
use crate::limits::CLIENTS_SHARED;

/// Clients in one bucket.
const WAYS: usize = 8;
const BUCKETS: usize = CLIENTS_SHARED / WAYS;

/// The tables of all shards.
#[derive(Debug)]
pub(crate) struct UsageBoard {
    tables: Box<[Box<[Bucket]>]>,
    hasher: RandomState,
}

/// Three cache lines: who, what they hold, what they ask.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// Marks of the clients; 0 is none.
    marks: [AtomicU64; WAYS],
    /// Connections in the upper half, tunnels in the lower.
    held: [AtomicU64; WAYS],
    /// The second in the upper half, the requests made in it in the lower.
    requests: [AtomicU64; WAYS],
}

/// The table of one shard, and its view of the others.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    board: Arc<UsageBoard>,
    shard: usize,
}

/// What stands for a client on the board: never 0. Two clients have the same by a chance of 2⁻⁶³.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// What a client uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) connections: u32,
    pub(crate) tunnels: u32,
    pub(crate) requests: Requests,
}

/// Requests made in one second of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// The second, modulo 2³².
    pub(crate) second: u32,
    pub(crate) count: u32,
}

impl UsageBoard {
    /// The row of each of `shards` shards. A shard that is alone needs none.
    pub(crate) fn rows(shards: usize) -> Vec<Option<Row>> {
        if shards < 2 {
            return vec![None; shards];
        }
        let tables = (0..shards).map(|_| (0..BUCKETS).map(|_| Bucket::default()).collect());
        let board = Arc::new(Self {
            tables: tables.collect(),
            hasher: RandomState::new(),
        });
        let row = |shard| {
            let board = Arc::clone(&board);
            Some(Row { board, shard })
        };
        (0..shards).map(row).collect()
    }
}

impl Row {
    /// What stands for `client`. The hash is keyed: nobody can choose who shares a bucket with whom.
    pub(crate) fn mark(&self, client: ClientKey) -> Mark {
        Mark(self.board.hasher.hash_one(client) | 1)
    }

    /// Tells the other shards what a client uses on this one; nothing at all takes it off.
    pub(crate) fn write(&self, mark: Mark, usage: Usage) {
        let Some(bucket) = self.bucket(self.shard, mark) else {
            return;
        };
        let place = bucket.find(mark);
        if usage == Usage::default() {
            if let Some(place) = place {
                bucket.clear(place);
            }
        } else if let Some(place) = place.or_else(|| bucket.room_for(usage)) {
            bucket.set(place, mark, usage);
        }
    }

    /// What a client uses on all other shards, its requests being those of `second`. What this shard has
    /// written before is seen by whoever asks this at the same time.
    pub(crate) fn others(&self, mark: Mark, second: u32) -> Usage {
        fence(Ordering::SeqCst);
        let mut sum = Usage::default();
        sum.requests.second = second;
        for shard in (0..self.board.tables.len()).filter(|shard| *shard != self.shard) {
            let Some(bucket) = self.bucket(shard, mark) else {
                continue;
            };
            let Some(other) = bucket.find(mark).map(|place| bucket.get(place)) else {
                continue;
            };
            sum.connections = sum.connections.saturating_add(other.connections);
            sum.tunnels = sum.tunnels.saturating_add(other.tunnels);
            if other.requests.second == second {
                let count = &mut sum.requests.count;
                *count = count.saturating_add(other.requests.count);
            }
        }
        sum
    }

    fn bucket(&self, shard: usize, mark: Mark) -> Option<&Bucket> {
        // The lowest bit is the same in all.
        let place = usize::try_from(mark.0 >> 1).unwrap_or(usize::MAX) % BUCKETS;
        self.board.tables.get(shard)?.get(place)
    }
}

impl Bucket {
    fn find(&self, mark: Mark) -> Option<usize> {
        self.marks
            .iter()
            .position(|other| other.load(Ordering::Relaxed) == mark.0)
    }

    /// An empty place, or that of whoever uses least and less than `usage`.
    fn room_for(&self, usage: Usage) -> Option<usize> {
        let is_empty = |place: &AtomicU64| place.load(Ordering::Relaxed) == 0;
        self.marks.iter().position(is_empty).or_else(|| {
            let weights = (0..WAYS).map(|place| (place, self.get(place).weight()));
            let (place, least) = weights.min_by_key(|(_, weight)| *weight)?;
            (least < usage.weight()).then_some(place)
        })
    }

    fn get(&self, place: usize) -> Usage {
        let load =
            |of: &[AtomicU64; WAYS]| of.get(place).map_or(0, |it| it.load(Ordering::Relaxed));
        let (connections, tunnels) = halves(load(&self.held));
        let (second, count) = halves(load(&self.requests));
        Usage {
            connections,
            tunnels,
            requests: Requests { second, count },
        }
    }

    fn set(&self, place: usize, mark: Mark, usage: Usage) {
        let store = |of: &[AtomicU64; WAYS], value| {
            if let Some(it) = of.get(place) {
                it.store(value, Ordering::Relaxed);
            }
        };
        let Usage {
            connections,
            tunnels,
            requests,
        } = usage;
        store(&self.held, joined(connections, tunnels));
        store(&self.requests, joined(requests.second, requests.count));
        store(&self.marks, mark.0);
    }

    fn clear(&self, place: usize) {
        if let Some(mark) = self.marks.get(place) {
            mark.store(0, Ordering::Relaxed);
        }
    }
}

impl Usage {
    fn weight(&self) -> u64 {
        u64::from(self.connections) + u64::from(self.tunnels) + u64::from(self.requests.count)
    }
}

fn joined(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

fn halves(word: u64) -> (u32, u32) {
    let lower = u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
    let upper = u32::try_from(word >> 32).unwrap_or_default();
    (upper, lower)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    fn client(number: u32) -> ClientKey {
        ClientKey::new(std::net::Ipv4Addr::from(number).into(), 64)
    }

    fn usage(connections: u32, tunnels: u32, requests: u32) -> Usage {
        Usage {
            connections,
            tunnels,
            requests: Requests {
                second: 7,
                count: requests,
            },
        }
    }

    fn rows(shards: usize) -> Vec<Row> {
        UsageBoard::rows(shards).into_iter().flatten().collect()
    }

    #[test]
    fn a_shard_sees_the_sum_of_the_others() {
        assert!(UsageBoard::rows(1).iter().all(Option::is_none));
        let rows = rows(3);
        let mark = rows[0].mark(client(1));
        rows[0].write(mark, usage(1, 2, 3));
        rows[1].write(mark, usage(10, 20, 30));
        rows[1].write(rows[1].mark(client(2)), usage(9, 9, 9));
        assert_eq!(rows[2].others(mark, 7), usage(11, 22, 33));
        assert_eq!(rows[0].others(mark, 7), usage(10, 20, 30));
        // Of another second no requests are counted, and what is gone is gone.
        assert_eq!(rows[2].others(mark, 8).requests.count, 0);
        rows[1].write(mark, Usage::default());
        assert_eq!(rows[2].others(mark, 7), usage(1, 2, 3));
    }

    #[test]
    fn who_uses_least_makes_room() {
        let rows = rows(2);
        let marks: Vec<_> = (0..100_000)
            .map(|number| rows[0].mark(client(number)))
            .collect();
        for (weight, mark) in (1..).zip(&marks) {
            rows[0].write(*mark, usage(weight, 0, 0));
        }
        let seen = |mark: &Mark| rows[1].others(*mark, 0).connections;
        let busiest = marks.iter().rev().take(CLIENTS_SHARED / 4);
        assert!(
            busiest
                .zip((1..=100_000).rev())
                .filter(|(mark, weight)| seen(mark) == *weight)
                .count()
                > CLIENTS_SHARED / 5
        );
        // None is seen with what another uses.
        assert!(
            (1..)
                .zip(&marks)
                .all(|(weight, mark)| [0, weight].contains(&seen(mark)))
        );
    }

    /// The promise: however two shards meet, no more than the limit are let in.
    #[test]
    fn a_limit_is_never_passed() {
        const LIMIT: u32 = 3;
        let rows = rows(2);
        let mark = rows[0].mark(client(1));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for row in &rows {
                let (now, most) = (&now, &most);
                scope.spawn(move || {
                    let mut held = 0;
                    for turn in 0..200_000_u32 {
                        row.write(mark, usage(held + 1, 0, 0));
                        if held + 1 + row.others(mark, 0).connections > LIMIT {
                            row.write(mark, usage(held, 0, 0));
                        } else {
                            held += 1;
                            most.fetch_max(
                                now.fetch_add(1, Ordering::SeqCst) + 1,
                                Ordering::SeqCst,
                            );
                        }
                        if held > turn % 3 {
                            now.fetch_sub(1, Ordering::SeqCst);
                            held -= 1;
                            row.write(mark, usage(held, 0, 0));
                        }
                    }
                    now.fetch_sub(held as usize, Ordering::SeqCst);
                    row.write(mark, Usage::default());
                });
            }
        });
        assert_eq!(most.into_inner(), LIMIT as usize);
    }
}
