//! Labels of bounded number: from values to the place of a cell, and back to text.

use std::net::SocketAddr;

/// One label. How many values it has is known when the process starts.
pub(crate) trait Label: Copy {
    /// As in the text of the metrics.
    const NAME: &'static str;
    /// More than any index.
    const SIZE: usize;

    /// Which value it is.
    fn index(self) -> usize;

    /// How many values there are.
    fn count(_: &Names) -> usize {
        Self::SIZE
    }

    /// A value as text.
    fn text(index: usize, names: &Names) -> &str;
}

/// The values of labels that the configuration decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Where this process listens, in the order of the configuration.
    pub(crate) listeners: Box<[Box<str>]>,
}

impl Names {
    /// Those of a process that listens there.
    pub(crate) fn of_listeners(addresses: &[SocketAddr]) -> Self {
        let names = addresses.iter().map(|address| address.to_string().into());
        Self {
            listeners: names.collect(),
        }
    }
}

/// The labels of a metric. Of the first one the number of values may depend on the configuration.
pub(crate) trait LabelSet: Copy {
    /// In order.
    const NAMES: &'static [&'static str];

    /// The place of the cell.
    fn index(self) -> usize;

    /// How many cells there are.
    fn count(names: &Names) -> usize;

    /// The values of the cell at `index`.
    fn texts(index: usize, names: &Names) -> Vec<&str>;
}

impl LabelSet for () {
    const NAMES: &'static [&'static str] = &[];

    fn index(self) -> usize {
        0
    }

    fn count(_: &Names) -> usize {
        1
    }

    fn texts(_: usize, _: &Names) -> Vec<&str> {
        Vec::new()
    }
}

/// The first label is the most significant digit.
macro_rules! label_sets {
    ($($first:ident $($other:ident)*;)*) => {$(
        impl<$first: Label, $($other: Label),*> LabelSet for ($first, $($other,)*) {
            const NAMES: &'static [&'static str] = &[$first::NAME, $($other::NAME),*];

            #[allow(non_snake_case, reason = "each value has the name of its type")]
            fn index(self) -> usize {
                let ($first, $($other,)*) = self;
                let place = $first.index();
                $(let place = place * $other::SIZE + $other.index();)*
                place
            }

            fn count(names: &Names) -> usize {
                $first::count(names) $(* $other::SIZE)*
            }

            fn texts(index: usize, names: &Names) -> Vec<&str> {
                let inner: usize = 1 $(* $other::SIZE)*;
                #[allow(unused_mut, reason = "there may be no second label")]
                let mut texts = vec![$first::text(index / inner, names)];
                $(
                    let (index, inner) = (index % inner, inner / $other::SIZE);
                    texts.push($other::text(index / inner, names));
                )*
                let _ = (index, inner);
                texts
            }
        }
    )*};
}

label_sets! {
    A;
    A B;
    A B C;
    A B C D;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::labels::{Action, ListenerIndex, Phase, StatusClass};

    type Labels = (ListenerIndex, Phase, Action, StatusClass);

    #[test]
    fn each_set_of_values_has_a_place_of_its_own_and_is_told_from_it() {
        let names = Names {
            listeners: ["a:1", "b:2"].map(Into::into).into(),
        };
        let mut seen = std::collections::BTreeSet::new();
        for listener in 0..2 {
            for phase in [Phase::None, Phase::PreDns, Phase::PostResponse] {
                for action in [Action::Allow, Action::Deny, Action::None] {
                    for status in [StatusClass::None, StatusClass::Success] {
                        let index = (ListenerIndex(listener), phase, action, status).index();
                        assert!(seen.insert(index) && index < Labels::count(&names));
                        let texts = Labels::texts(index, &names);
                        assert_eq!(texts.first().copied(), Some(&*names.listeners[listener]));
                        assert_eq!(texts[1], Phase::text(phase.index(), &names));
                        assert_eq!(texts[2], Action::text(action.index(), &names));
                        assert_eq!(texts[3], StatusClass::text(status.index(), &names));
                    }
                }
            }
        }
    }
}
