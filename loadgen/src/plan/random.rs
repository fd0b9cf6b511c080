//! Chance from a seed, and choices by weight. The same plan and seed draw the same sequence, as long as
//! the program is of the same version.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution as _, Exp1};

/// One stream of chance.
#[derive(Debug, Clone)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// Stream `stream` of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        // Any odd constant keeps neighboring streams apart; the generator mixes the rest.
        let mixed = seed ^ (stream + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(Xoshiro256PlusPlus::seed_from_u64(mixed))
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        self.0.sample(Exp1)
    }

    /// All 128 bits by chance.
    pub(crate) fn bits(&mut self) -> u128 {
        self.0.random::<u128>()
    }
}

/// A choice among a number of things: in turn if all weigh the same, else drawn by weight.
#[derive(Debug, Clone)]
pub(crate) struct Chooser {
    count: usize,
    /// None if all are equal.
    weighted: Option<WeightedAliasIndex<f64>>,
}

impl Chooser {
    /// A choice by these weights, each positive.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let are_equal = weights
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a == b));
        Self {
            count: weights.len(),
            weighted: if are_equal {
                None
            } else {
                // Positive weights whose sum is a number are all it asks for.
                WeightedAliasIndex::new(weights.to_vec()).ok()
            },
        }
    }

    /// The next index; `turn` counts the calls where things are taken in turn.
    pub(crate) fn choose(&self, turn: &mut usize, random: &mut Random) -> usize {
        if let Some(weighted) = &self.weighted {
            return weighted.sample(&mut random.0);
        }
        let index = *turn % self.count.max(1);
        *turn = turn.wrapping_add(1);
        index
    }
}

/// Deals `count` places to things by weight, evenly mixed: equal weights are dealt in turn.
pub(crate) fn deal(weights: &[f64], count: usize) -> Vec<usize> {
    let total: f64 = weights.iter().sum();
    let mut dealt = vec![0.0; weights.len()];
    let mut places = Vec::with_capacity(count);
    for place in 0..count {
        let claim = |index: usize| {
            let weight = weights.get(index).copied().unwrap_or_default() / total;
            weight * (place + 1) as f64 - dealt.get(index).copied().unwrap_or_default()
        };
        let mut best = 0;
        for index in 1..weights.len() {
            if claim(index) > claim(best) + 1e-9 {
                best = index;
            }
        }
        if let Some(count) = dealt.get_mut(best) {
            *count += 1.0;
        }
        places.push(best);
    }
    places
}

/// Weights of a Zipf distribution: the k-th most popular of `count` has 1/k^exponent.
pub(crate) fn zipf(count: usize, exponent: f64) -> Vec<f64> {
    (1..=count)
        .map(|rank| (rank as f64).powf(-exponent))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(weights: &[f64], draws: usize) -> Vec<usize> {
        let chooser = Chooser::new(weights);
        let (mut turn, mut random) = (0, Random::new(7, 0));
        let mut counts = vec![0; weights.len()];
        for _ in 0..draws {
            counts[chooser.choose(&mut turn, &mut random)] += 1;
        }
        counts
    }

    #[test]
    fn equal_weights_are_taken_in_turn() {
        assert_eq!(counts(&[2.0, 2.0, 2.0], 9), [3, 3, 3]);
        assert_eq!(counts(&[1.0], 5), [5]);
    }

    #[test]
    fn draws_follow_the_weights() {
        let counts = counts(&[6.0, 3.0, 1.0], 100_000);
        for (count, expected) in counts.iter().zip([60_000.0, 30_000.0, 10_000.0]) {
            assert!((*count as f64 - expected).abs() < 900.0, "{counts:?}");
        }
    }

    #[test]
    fn zipf_is_one_over_rank() {
        let counts = counts(&zipf(1_000, 1.0), 200_000);
        let ratio = counts[0] as f64 / counts[9] as f64;
        assert!((8.0..12.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn dealing_is_even() {
        assert_eq!(deal(&[1.0, 1.0], 5), [0, 1, 0, 1, 0]);
        let places = deal(&[3.0, 1.0], 8);
        assert_eq!(places.iter().filter(|&&index| index == 1).count(), 2);
        assert_eq!(places.first(), Some(&0));
    }

    #[test]
    fn a_seed_draws_the_same_again() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            let chooser = Chooser::new(&[1.0, 2.0, 3.0]);
            let one = |_| {
                let index = chooser.choose(&mut 0, &mut random);
                (random.exponential(), random.unit(), random.bits(), index)
            };
            (0..50).map(one).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
    }

    #[test]
    fn exponential_has_mean_one() {
        let mut random = Random::new(1, 1);
        let sum: f64 = (0..100_000).map(|_| random.exponential()).sum();
        assert!((sum / 100_000.0 - 1.0).abs() < 0.02, "{sum}");
    }
}
