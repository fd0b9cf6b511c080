//! Bytes that no test of a field can tell apart are one: the searches step over one byte of each
//! class, the one that reads best.

use std::collections::{HashMap, HashSet};

use super::machine::Machine;
use super::universe::Universe;

/// One byte of each class.
#[derive(Debug)]
pub(super) struct Alphabet {
    pub(super) bytes: Vec<u8>,
    /// The byte that stands for each.
    of: Vec<u8>,
}

impl Alphabet {
    pub(super) fn new(universe: Universe, machines: &[Machine]) -> Self {
        let mut literal = HashSet::new();
        for machine in machines {
            machine.literal_bytes(&mut literal);
        }
        literal.extend(universe.separator());
        if universe.is_reversed() {
            literal.insert(b'.');
        }
        let mut by_looks: Vec<u8> = (0..=255).collect();
        by_looks.sort_by_key(|byte| (looks(*byte), *byte));
        let mut classes: HashMap<Vec<u8>, u8> = HashMap::new();
        let mut bytes = Vec::new();
        let mut of = vec![0; 256];
        for byte in by_looks {
            let mut signature = vec![universe.class(byte), u8::from(literal.contains(&byte))];
            if literal.contains(&byte) {
                signature.push(byte);
            }
            for machine in machines {
                machine.classes(byte, &mut signature);
            }
            let class = *classes.entry(signature).or_insert_with(|| {
                bytes.push(byte);
                byte
            });
            if let Some(place) = of.get_mut(usize::from(byte)) {
                *place = class;
            }
        }
        Self { bytes, of }
    }

    /// The byte that stands for one.
    pub(super) fn of(&self, byte: u8) -> u8 {
        self.of.get(usize::from(byte)).copied().unwrap_or(byte)
    }
}

/// Lower is better to read.
const fn looks(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'-' | b'_' | b'.' | b'/' => 3,
        0x21..=0x7e => 4,
        b' ' => 5,
        _ => 6,
    }
}
