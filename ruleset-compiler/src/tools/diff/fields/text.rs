//! Texts: whole values, domains, globs and regular expressions of one field together. Likely texts
//! are tried first; where lists alone speak, trying the listed names and one fresh name under each
//! is a proof; else `product.rs` searches.

use sallyport_ruleset::{Field, Test};

use super::alphabet::Alphabet;
use super::domain_names::{DomainNames, Fresh};
use super::machine::Machine;
use super::product::Product;
use super::universe::Universe;
use super::value::Found;
use super::words::{Form, WordsKind};

/// Steps of the search over a few tests, to find out early that they exclude each other.
const PAIR_STEPS_MAX: usize = 200_000;
/// Steps of the search over all tests.
const STEPS_MAX: usize = 6_000_000;

/// The texts of one field.
#[derive(Debug)]
pub(super) struct TextSpace {
    universe: Universe,
    machines: Vec<Machine>,
    alphabet: Alphabet,
    natural: Vec<Vec<u8>>,
    /// For domains: all that is listed.
    names: DomainNames,
    /// What was found about pairs: both hold, or one and not the other.
    pairs: std::collections::HashMap<(usize, usize, bool), bool>,
}

impl TextSpace {
    /// `None` when an expression is too large.
    pub(super) fn new(field: &Field, tests: &[&Test]) -> Option<Self> {
        let universe = Universe::of(field);
        let machines = tests
            .iter()
            .map(|test| Machine::new(test, universe))
            .collect::<Option<Vec<_>>>()?;
        let names = if universe.is_reversed() {
            let lists = machines.iter().flat_map(|machine| &machine.words);
            DomainNames::new(lists.flat_map(|list| list.values(true)))
        } else {
            DomainNames::default()
        };
        let mut natural = universe.natural(field);
        natural.extend(names.fresh());
        Some(Self {
            alphabet: Alphabet::new(universe, &machines),
            universe,
            machines,
            natural,
            names,
            pairs: std::collections::HashMap::new(),
        })
    }

    pub(super) fn holds(&mut self, test: usize, text: &[u8]) -> bool {
        let alphabet = &self.alphabet;
        self.machines
            .get_mut(test)
            .is_some_and(|machine| machine.holds(text, |byte| alphabet.of(byte)))
    }

    /// A text of which all of `positive` hold and none of `negative`.
    pub(super) fn find(&mut self, positive: &[usize], negative: &[usize]) -> Found<Vec<u8>> {
        if positive.iter().any(|test| negative.contains(test)) {
            return Found::Empty;
        }
        for text in self.natural.clone() {
            if self.fits(&text, positive, negative) {
                return Found::Value(text);
            }
        }
        match self.listed(positive, negative) {
            Found::Unknown => {}
            found => return found,
        }
        if self.excluded(positive, negative) {
            return Found::Empty;
        }
        self.search(positive, negative, STEPS_MAX)
    }

    fn fits(&mut self, text: &[u8], positive: &[usize], negative: &[usize]) -> bool {
        self.universe.permits(text)
            && positive.iter().all(|test| self.holds(*test, text))
            && !negative.iter().any(|test| self.holds(*test, text))
    }

    /// Tries what the shortest list allows. [`Found::Unknown`] when that is not all there is.
    fn listed(&mut self, positive: &[usize], negative: &[usize]) -> Found<Vec<u8>> {
        let length = |test: &usize| {
            let machine = self.machines.get(*test)?;
            let is_list = !machine.has_patterns();
            is_list.then(|| {
                machine
                    .words
                    .iter()
                    .map(super::words::Words::len)
                    .sum::<usize>()
            })
        };
        let shortest = positive
            .iter()
            .filter_map(|test| Some((length(test)?, *test)))
            .min();
        let Some((_, shortest)) = shortest else {
            return Found::Unknown;
        };
        let (values, is_all) = self.values_of(shortest);
        let has_patterns =
            |test: &usize| self.machines.get(*test).is_some_and(Machine::has_patterns);
        let has_names_under = self.has_names_under(shortest);
        // With patterns, names under a listed one are not all the same.
        let mut is_proof = if has_names_under {
            !positive.iter().chain(negative).any(has_patterns)
        } else {
            is_all
        };
        for value in values {
            if self.fits(&value, positive, negative) {
                return Found::Value(value);
            }
            if has_names_under {
                match self.under(&value, positive, negative) {
                    Found::Empty => {}
                    Found::Unknown => is_proof = false,
                    found => return found,
                }
            }
        }
        if is_proof {
            Found::Empty
        } else {
            Found::Unknown
        }
    }

    /// The values of a list, and whether no other text can fit it.
    fn values_of(&self, test: usize) -> (Vec<Vec<u8>>, bool) {
        let lists = self.machines.get(test).map(|machine| &machine.words);
        let lists = lists.map(Vec::as_slice).unwrap_or_default();
        // Domains are in lower case.
        let is_reversed = self.universe.is_reversed();
        let is_all = lists.iter().all(|list| {
            let has_one_form = list.form == Form::Full && (is_reversed || !list.ignores_case);
            has_one_form && list.kind == WordsKind::Whole
        });
        let values = lists.iter().flat_map(|list| list.values(is_reversed));
        (values.collect(), is_all)
    }

    fn has_names_under(&self, test: usize) -> bool {
        let lists = self.machines.get(test).map(|machine| &machine.words);
        lists.is_some_and(|lists| lists.iter().any(|list| list.kind == WordsKind::Domain))
    }

    /// Listed names under a name, and a fresh one under each of them and under the name itself: to
    /// lists, every name under it is as one of these.
    fn under(&mut self, name: &[u8], positive: &[usize], negative: &[usize]) -> Found<Vec<u8>> {
        let listed: Vec<Vec<u8>> = self.names.under(name).collect();
        let mut is_proof = true;
        for parent in [name.to_vec()].iter().chain(&listed) {
            if parent != name && self.fits(parent, positive, negative) {
                return Found::Value(parent.clone());
            }
            match self.names.fresh_under(parent) {
                Fresh::Name(fresh) if self.fits(&fresh, positive, negative) => {
                    return Found::Value(fresh);
                }
                Fresh::NoRoom if self.universe == Universe::Domain => {}
                Fresh::Name(_) => {}
                Fresh::NoRoom | Fresh::NotFound => is_proof = false,
            }
        }
        if is_proof {
            Found::Empty
        } else {
            Found::Unknown
        }
    }

    /// Whether few of the tests exclude each other, which is cheaper to find out than all together.
    fn excluded(&mut self, positive: &[usize], negative: &[usize]) -> bool {
        for (position, test) in positive.iter().enumerate() {
            for other in positive.iter().skip(position + 1) {
                if self.is_empty_pair(*test, *other, true) {
                    return true;
                }
            }
            for other in negative {
                if self.is_empty_pair(*test, *other, false) {
                    return true;
                }
            }
        }
        false
    }

    fn is_empty_pair(&mut self, test: usize, other: usize, holds: bool) -> bool {
        if let Some(known) = self.pairs.get(&(test, other, holds)) {
            return *known;
        }
        let found = if holds {
            self.search(&[test, other], &[], PAIR_STEPS_MAX)
        } else {
            self.search(&[test], &[other], PAIR_STEPS_MAX)
        };
        let is_empty = found == Found::Empty;
        self.pairs.insert((test, other, holds), is_empty);
        is_empty
    }

    fn search(
        &mut self,
        positive: &[usize],
        negative: &[usize],
        steps_max: usize,
    ) -> Found<Vec<u8>> {
        let product = Product {
            universe: self.universe,
            alphabet: &self.alphabet,
            machines: &mut self.machines,
            positive,
            negative,
        };
        product.search(steps_max)
    }
}
