//! Mutations of inputs from a fixed seed: blind, but in every run of the tests and with nothing to
//! install. libFuzzer, which sees what an input reaches, is the other way to drive the targets.

/// Makes inputs out of seeds. The same seed number gives the same inputs.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

/// No input grows beyond this.
const INPUT_BYTES_MAX: usize = 8 * 1024;

/// Bytes at which parsers are tempted.
const TEMPTING: [u8; 24] = *b"\0\x01\x7f\x80\xff\r\n\t :;,./?#%@[]*0-_";

impl Mutator {
    /// A mutator with this seed number.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// One of the seeds with one to four mutations; random bytes when there are no seeds.
    pub fn next_input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = match seeds.len() {
            0 => (0..self.below(256)).map(|_| self.byte()).collect(),
            count => seeds[self.below(count)].clone(),
        };
        for _ in 0..=self.below(4) {
            self.mutate(&mut input, seeds);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let rest = input.len() - at;
        match self.below(9) {
            0 if rest > 0 => input[at] ^= 1 << self.below(8),
            1 if rest > 0 => input[at] = self.byte(),
            2 if rest > 0 => input[at] = TEMPTING[self.below(TEMPTING.len())],
            3 if rest > 0 => input[at] = input[at].wrapping_add(1),
            4 => input.insert(at, TEMPTING[self.below(TEMPTING.len())]),
            5 => drop(input.drain(at..at + self.below(rest.min(16) + 1))),
            6 => {
                // A part of it once more.
                let part = input[at..at + self.below(rest.min(64) + 1)].to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, part);
            }
            7 if !seeds.is_empty() => {
                // A part of another seed, in place of the rest or before it.
                let other = &seeds[self.below(seeds.len())];
                let start = self.below(other.len() + 1);
                let part = &other[start..start + self.below(other.len() - start + 1)];
                let end = if self.below(2) == 0 { at } else { input.len() };
                input.splice(at..end, part.iter().copied());
            }
            // Rarely: what is cut off cannot be reached.
            _ if self.below(8) == 0 => input.truncate(at),
            _ => {}
        }
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize {
        let scaled = u128::from(self.next()) * (count as u128);
        usize::try_from(scaled >> 64).unwrap_or(0)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
