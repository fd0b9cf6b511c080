//! Seed after seed.

use std::env;
use std::time::{Duration, Instant};

use super::stage::{Played, Setting, play};

/// Of so many seeds one is played twice.
const REPLAYED: u64 = 16;
/// Seeds that are tried however long they take.
const SEEDS_MIN: u64 = 64;
const SECONDS: u64 = 3;

fn number(variable: &str, default: u64) -> u64 {
    let value = env::var(variable).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn promises_hold_whatever_happens() {
    let setting = Setting::new();
    let time = Duration::from_secs(number("SALLYPORT_WORLD_SECONDS", SECONDS));
    let first = number("SALLYPORT_WORLD_SEED", 1);
    let (began, mut seed) = (Instant::now(), first);
    let mut all = Played::default();
    while seed < first + SEEDS_MIN || began.elapsed() < time {
        let played = play(&setting, seed);
        if seed.is_multiple_of(REPLAYED) {
            let again = play(&setting, seed);
            assert_eq!(played.trace, again.trace, "seed {seed} gave another run");
        }
        all.add(&played);
        seed += 1;
    }
    println!("{} seeds: {all:?}", seed - first);
    // What never happens is not tried.
    all.assert_varied();
}
