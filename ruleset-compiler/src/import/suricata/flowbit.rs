//! Flowbits: what one rule remembers of a connection and another asks for. They are worked into the
//! rules that ask, where what they remember follows from the same request.

use std::collections::HashMap;

use super::super::condition::Formula;
use super::unsupported::Unsupported;

/// The value of `flowbits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The rule tells nobody.
    NoAlert,
    /// It is remembered.
    Set(String),
    /// It is asked for.
    Test(BitTest),
}

/// `isset` and `isnotset`: one of these names is remembered, or none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BitTest {
    pub(super) names: Vec<String>,
    pub(super) negated: bool,
}

/// Reads a value.
///
/// # Errors
/// Why it cannot be carried over.
pub(super) fn read(value: &str) -> Result<Word, Unsupported> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    match parts.as_slice() {
        ["noalert"] => Ok(Word::NoAlert),
        ["set", name] if is_name(name) => Ok(Word::Set((*name).to_owned())),
        [word @ ("isset" | "isnotset"), names] => {
            let names: Vec<String> = names
                .split('|')
                .map(|name| name.trim().to_owned())
                .collect();
            if !names.iter().all(|name| is_name(name)) {
                return Err(Unsupported::BitNames);
            }
            Ok(Word::Test(BitTest {
                names,
                negated: *word == "isnotset",
            }))
        }
        _ => Err(Unsupported::BitCommand),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['|', '&', ' ', '"'])
}

/// What it takes for a bit to be set when a rule asks for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    known: HashMap<String, Bit>,
}

#[derive(Clone, Debug)]
enum Bit {
    /// It is set where one of these holds.
    Where(Vec<Formula>),
    /// It cannot be told from the request alone; why.
    Unknown(&'static str),
}

impl Bits {
    /// A rule that goes before those that ask, and lets them be asked, sets it where this holds.
    pub(super) fn set_where(&mut self, name: &str, formula: Formula) {
        let bit = self.entry(name);
        if let Bit::Where(formulas) = bit {
            formulas.push(formula);
        }
    }

    /// A rule sets it that decides: whoever it matches never comes to those that ask.
    pub(super) fn set_by_decision(&mut self, name: &str) {
        self.entry(name);
    }

    /// A rule sets it, or takes it back, of which it cannot be told where.
    pub(super) fn unknown(&mut self, name: &str, why: &'static str) {
        *self.entry(name) = Bit::Unknown(why);
    }

    fn entry(&mut self, name: &str) -> &mut Bit {
        self.known
            .entry(name.to_owned())
            .or_insert_with(|| Bit::Where(Vec::new()))
    }

    /// What a test asks.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub(super) fn formula(&self, test: &BitTest) -> Result<Formula, Unsupported> {
        let mut any = Vec::new();
        for name in &test.names {
            match self.known.get(name) {
                None => {
                    return Err(Unsupported::BitNeverSet(name.clone()));
                }
                Some(Bit::Unknown(why)) => {
                    return Err(Unsupported::BitUnknown {
                        name: name.clone(),
                        why,
                    });
                }
                Some(Bit::Where(formulas)) => any.extend(formulas.iter().cloned()),
            }
        }
        let any = Formula::any(any);
        Ok(if test.negated { any.negated() } else { any })
    }
}

/// Names of bits in the options of a rule that could not be read.
pub(super) fn names_set(options: &[(String, Option<String>)]) -> Vec<String> {
    let values = options.iter().filter(|(name, _)| name == "flowbits");
    let values = values.filter_map(|(_, value)| value.as_deref());
    let names = values.filter_map(|value| {
        let (word, name) = value.split_once(',')?;
        let is_test = matches!(word.trim(), "isset" | "isnotset");
        (!is_test).then(|| name.trim().to_owned())
    });
    names.collect()
}
