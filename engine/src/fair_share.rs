//! How much of something that clients share one of them may hold.
//!
//! The bound moves with what is free: a client may take more as long as it holds less than its part
//! of the free rest (`limits.client_share`; at 50 as much as is free). So one that is alone gets half
//! of everything, two get a third each, and whoever holds most is refused first. Some is always left
//! for a client that holds nothing, and nobody has to look for the largest holder.

/// The part of what is shared that one client may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FairShare {
    percent: usize,
}

/// What is in use of something that clients share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    /// By one client.
    pub(crate) held: usize,
    /// By all.
    pub(crate) used: usize,
    /// At most.
    pub(crate) capacity: usize,
}

impl FairShare {
    /// One client alone may hold `percent` of a hundred parts; 100 knows no clients.
    pub(crate) const fn new(percent: usize) -> Self {
        Self { percent }
    }

    /// Whether a client may take more.
    pub(crate) const fn admits(self, now: Use) -> bool {
        let free = now.capacity.saturating_sub(now.used);
        let rest = 100_usize.saturating_sub(self.percent);
        now.held.saturating_mul(rest) < free.saturating_mul(self.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much `clients` clients get who all take as much as they can, in turn.
    fn taken(percent: usize, capacity: usize, clients: usize) -> Vec<usize> {
        let share = FairShare::new(percent);
        let mut held = vec![0; clients];
        loop {
            let before = held.clone();
            for client in 0..clients {
                let used = held.iter().sum();
                held[client] += usize::from(share.admits(Use {
                    held: held[client],
                    used,
                    capacity,
                }));
            }
            if held == before {
                return held;
            }
        }
    }

    #[test]
    fn the_part_of_each_shrinks_with_their_number() {
        assert_eq!(taken(50, 1000, 1), [500]);
        assert_eq!(taken(50, 1000, 3), [250; 3]);
        assert_eq!(taken(75, 1000, 1), [750]);
        assert_eq!(taken(100, 1000, 1), [1000]);
        assert_eq!(taken(1, 1000, 1), [10]);
        // However small: the first one gets something.
        assert_eq!(taken(50, 1, 1), [1]);
    }

    #[test]
    fn who_holds_nothing_is_admitted_while_anything_is_free() {
        for percent in [1, 50, 99, 100] {
            let share = FairShare::new(percent);
            let at = |used| Use {
                held: 0,
                used,
                capacity: 100,
            };
            assert!(share.admits(at(99)), "{percent}");
            assert!(!share.admits(at(100)), "{percent}");
            assert!(!share.admits(at(200)), "{percent}");
        }
    }

    /// One that came first and took all it could does not keep a second one from its part.
    #[test]
    fn the_largest_holder_is_refused_first() {
        let share = FairShare::new(50);
        let use_of = |held| Use {
            held,
            used: 500,
            capacity: 1000,
        };
        assert!(!share.admits(use_of(500)));
        assert!(share.admits(use_of(499)));
        assert!(share.admits(use_of(0)));
    }
}
