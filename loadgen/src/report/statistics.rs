//! Is a difference between two sets of runs real? Mann-Whitney's test with its exact distribution,
//! and the Hodges-Lehmann estimate of the shift with the confidence interval that belongs to the
//! same test, so that both always agree.
//!
//! Chosen over means and t intervals because runs on a shared machine have outliers on one side, and
//! over the bootstrap because with five or ten runs that has too little to draw from.

/// Products of set sizes up to which the distribution is computed exactly.
const EXACT_MAX: usize = 2_500;

/// What two sets say about a shift from the first to the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    /// Median of all differences.
    pub(super) estimate: f64,
    /// Ends of the confidence interval; none if there are too few values for this confidence.
    pub(super) interval: Option<(f64, f64)>,
    /// Probability of such a difference if there were none.
    pub(super) p_value: f64,
}

/// The shift from `a` to `b`, neither empty.
pub(super) fn shift(a: &[f64], b: &[f64], confidence: f64) -> Shift {
    let mut differences: Vec<f64> = b
        .iter()
        .flat_map(|b| a.iter().map(move |a| b - a))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let below = critical_count(a.len(), b.len(), (1.0 - confidence) / 2.0);
    // Mann-Whitney's U: how many pairs have the larger value in `b`; a tie is half a pair.
    let above = differences.iter().filter(|d| **d > 0.0).count() as f64;
    let ties = differences.iter().filter(|d| **d == 0.0).count() as f64;
    let u = above + ties / 2.0;
    let count = differences.len();
    let interval = below.and_then(|below| {
        let (low, high) = (differences.get(below)?, differences.get(count - 1 - below)?);
        Some((*low, *high))
    });
    Shift {
        estimate: median(&differences),
        interval,
        p_value: p_value(u.min(count as f64 - u), a.len(), b.len()),
    }
}

/// Median of sorted values; 0 of none.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        (at(middle.saturating_sub(1)) + at(middle)) / 2.0
    }
}

/// How many differences lie outside the interval at each end: the largest count that chance exceeds
/// with at most `tail`.
fn critical_count(a: usize, b: usize, tail: f64) -> Option<usize> {
    // The interval from the (k+1)-th difference on misses the shift with P(U <= k).
    let cumulative = cumulative(a, b);
    let outside = cumulative
        .iter()
        .take_while(|probability| **probability <= tail)
        .count();
    outside.checked_sub(1)
}

/// Two-sided.
fn p_value(u_smaller: f64, a: usize, b: usize) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of pairs, rounded up where ties make halves"
    )]
    let index = u_smaller.ceil() as usize;
    let cumulative = cumulative(a, b);
    let tail = cumulative.get(index).copied().unwrap_or(1.0);
    (2.0 * tail).min(1.0)
}

/// P(U <= u) for every u, if there is no difference.
fn cumulative(a: usize, b: usize) -> Vec<f64> {
    let mut probabilities = if a * b <= EXACT_MAX {
        exact(a, b)
    } else {
        normal(a, b)
    };
    let mut sum = 0.0;
    for probability in &mut probabilities {
        sum += *probability;
        *probability = sum;
    }
    probabilities
}

/// Orders with each U, by adding one value of the second set after the other: the generating
/// function is a Gaussian binomial coefficient.
fn exact(a: usize, b: usize) -> Vec<f64> {
    let mut counts = vec![0.0; a * b + 1];
    if let Some(first) = counts.first_mut() {
        *first = 1.0;
    }
    for step in 1..=b {
        // Times (1 - q^(a + step)), then divided by (1 - q^step).
        for u in (a + step..counts.len()).rev() {
            let taken = counts.get(u - a - step).copied().unwrap_or(0.0);
            if let Some(count) = counts.get_mut(u) {
                *count -= taken;
            }
        }
        for u in step..counts.len() {
            let added = counts.get(u - step).copied().unwrap_or(0.0);
            if let Some(count) = counts.get_mut(u) {
                *count += added;
            }
        }
    }
    let total: f64 = counts.iter().sum();
    counts.into_iter().map(|count| count / total).collect()
}

/// The normal approximation, good where the exact numbers become large.
fn normal(a: usize, b: usize) -> Vec<f64> {
    let pairs = (a * b) as f64;
    let deviation = (pairs * (a + b + 1) as f64 / 12.0).sqrt();
    let density = |u: usize| (-((u as f64 - pairs / 2.0) / deviation).powi(2) / 2.0).exp();
    let densities: Vec<f64> = (0..=a * b).map(density).collect();
    let total: f64 = densities.iter().sum();
    densities
        .into_iter()
        .map(|density| density / total)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::random::Random;

    #[test]
    fn distribution_of_small_sets() {
        // Tables of the exact test: 4 against 4 has 70 orders; 5 against 5 has 252.
        let cumulative = cumulative(4, 4);
        assert!((cumulative[0] - 1.0 / 70.0).abs() < 1e-12);
        assert!((cumulative[1] - 2.0 / 70.0).abs() < 1e-12);
        assert!((cumulative[2] - 4.0 / 70.0).abs() < 1e-12);
        assert!((p_value(2.0, 5, 5) - 2.0 * 4.0 / 252.0).abs() < 1e-12);
        // 2.5 % in each tail: at most U = 0 for 4 against 4, U = 2 for 5 against 5.
        assert_eq!(critical_count(4, 4, 0.025), Some(0));
        assert_eq!(critical_count(5, 5, 0.025), Some(2));
        assert_eq!(critical_count(3, 3, 0.025), None);
    }

    #[test]
    fn a_clear_shift_is_real_and_noise_is_not() {
        let a = [10.0, 10.2, 9.9, 10.1, 10.0];
        let b = a.map(|value| value + 1.0);
        let clear = shift(&a, &b, 0.95);
        assert!((clear.estimate - 1.0).abs() < 1e-9);
        let (low, high) = clear.interval.unwrap();
        assert!(low > 0.7 && high < 1.3 && clear.p_value < 0.01, "{clear:?}");
        let none = shift(&a, &[10.1, 9.95, 10.0, 10.2, 9.9], 0.95);
        let (low, high) = none.interval.unwrap();
        assert!(low < 0.0 && high > 0.0 && none.p_value > 0.5, "{none:?}");
        assert_eq!(shift(&a[..3], &b[..3], 0.95).interval, None);
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let mut random = Random::new(5, 0);
        // Skewed, as run times are.
        let mut draw = || 100.0 + 5.0 * random.exponential();
        let (mut held, mut false_alarms) = (0, 0);
        for _ in 0..2_000 {
            let a: Vec<f64> = (0..6).map(|_| draw()).collect();
            let b: Vec<f64> = (0..6).map(|_| draw() + 3.0).collect();
            let (low, high) = shift(&a, &b, 0.95).interval.unwrap();
            held += usize::from(low <= 3.0 && 3.0 <= high);
            let same: Vec<f64> = (0..6).map(|_| draw()).collect();
            false_alarms += usize::from(shift(&a, &same, 0.95).p_value < 0.05);
        }
        assert!(held >= 1_880, "{held} of 2000");
        assert!(false_alarms <= 120, "{false_alarms} of 2000");
    }

    #[test]
    fn large_sets_are_approximated_well() {
        let (exact, normal) = (exact(30, 30), normal(30, 30));
        let tail = |p: &[f64]| p[..320].iter().sum::<f64>();
        assert!((tail(&exact) - tail(&normal)).abs() < 0.002);
    }
}
