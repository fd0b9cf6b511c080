//! Lists of whole values and of domains: membership at once, and a walk over the values letter by
//! letter for the machine that tests them together with patterns.

use std::collections::HashSet;

use sallyport_ruleset::ValueList;

/// Values of one kind.
#[derive(Debug)]
pub(super) struct Words {
    set: HashSet<Vec<u8>>,
    /// Sorted, for the walk; backwards where texts are read so.
    sorted: Vec<Vec<u8>>,
    pub(super) kind: WordsKind,
    pub(super) form: Form,
    /// ASCII letters are compared without case; the values are in lower case.
    pub(super) ignores_case: bool,
}

/// How a text fits a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordsKind {
    /// It equals the value.
    Whole,
    /// It equals the value or is a name under it.
    Domain,
}

/// What of the text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Form {
    /// All of it.
    Full,
    /// What stands before the separator.
    Short,
    /// Either may fit.
    Both,
}

/// Values that begin with what was read: a run of the sorted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Prefix {
    first: u32,
    end: u32,
    length: u32,
}

impl Words {
    pub(super) fn new<'v>(
        values: impl Iterator<Item = &'v str>,
        kind: WordsKind,
        form: Form,
        ignores_case: bool,
        is_reversed: bool,
    ) -> Self {
        let normal = |value: &str| {
            let mut bytes = value.as_bytes().to_vec();
            if ignores_case {
                bytes.make_ascii_lowercase();
            }
            bytes
        };
        let set: HashSet<Vec<u8>> = values.map(normal).collect();
        let mut sorted: Vec<Vec<u8>> = set.iter().cloned().collect();
        if is_reversed {
            sorted.iter_mut().for_each(|value| value.reverse());
        }
        sorted.sort_unstable();
        Self {
            set,
            sorted,
            kind,
            form,
            ignores_case,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    /// In the order of `sorted`, as they are written.
    pub(super) fn values(&self, is_reversed: bool) -> impl Iterator<Item = Vec<u8>> {
        self.sorted.iter().map(move |value| {
            let mut value = value.clone();
            if is_reversed {
                value.reverse();
            }
            value
        })
    }

    /// Whether a text of the right form fits a value.
    pub(super) fn contains(&self, text: &[u8]) -> bool {
        let folded;
        let text = if self.ignores_case {
            folded = text.to_ascii_lowercase();
            &folded
        } else {
            text
        };
        match self.kind {
            WordsKind::Whole => self.set.contains(text),
            WordsKind::Domain => {
                super::domain_names::suffixes(text).any(|name| self.set.contains(name))
            }
        }
    }

    /// All bytes that the values have.
    pub(super) fn bytes(&self) -> HashSet<u8> {
        self.sorted.iter().flatten().copied().collect()
    }

    /// Before anything was read.
    pub(super) fn start(&self) -> Prefix {
        Prefix {
            first: 0,
            end: u32::try_from(self.sorted.len()).unwrap_or(u32::MAX),
            length: 0,
        }
    }

    /// The values that go on with `byte`.
    pub(super) fn step(&self, prefix: Prefix, byte: u8) -> Option<Prefix> {
        let byte = if self.ignores_case {
            byte.to_ascii_lowercase()
        } else {
            byte
        };
        let run = self.run(prefix)?;
        let at = prefix.length as usize;
        // A value that ends here sorts first.
        let before = run.partition_point(|value| value.get(at).is_none_or(|next| *next < byte));
        let after = run.partition_point(|value| value.get(at).is_none_or(|next| *next <= byte));
        let shift = |count: usize| Some(prefix.first + u32::try_from(count).ok()?);
        (before < after).then_some(Prefix {
            first: shift(before)?,
            end: shift(after)?,
            length: prefix.length + 1,
        })
    }

    /// Whether what was read is a value.
    pub(super) fn is_value(&self, prefix: Prefix) -> bool {
        let first = self.run(prefix).and_then(<[Vec<u8>]>::first);
        first.is_some_and(|value| value.len() == prefix.length as usize)
    }

    fn run(&self, prefix: Prefix) -> Option<&[Vec<u8>]> {
        self.sorted.get(prefix.first as usize..prefix.end as usize)
    }
}

/// The values of a list by the form that each is compared with.
pub(super) fn by_form(values: &ValueList, separator: Option<u8>) -> [(Form, Vec<&str>); 2] {
    let has_separator =
        |value: &&str| separator.is_some_and(|separator| value.as_bytes().contains(&separator));
    let (full, short): (Vec<_>, Vec<_>) = values.iter().partition(has_separator);
    match separator {
        Some(_) => [(Form::Short, short), (Form::Full, full)],
        None => [(Form::Full, short), (Form::Full, full)],
    }
}
