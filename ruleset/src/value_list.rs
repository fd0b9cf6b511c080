//! A list of condition values: one allocation for the text of all of them, shared between the
//! conditions that use it. Not here: the syntax of list files (the compiler's).

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// An immutable list of strings. Cloning shares it; comparing two clones is a pointer comparison.
#[derive(Clone)]
pub struct ValueList {
    shared: Arc<Shared>,
}

struct Shared {
    text: String,
    /// End of each value within `text`.
    ends: Vec<usize>,
    /// Of the content, so that hashing a list of 100 000 values costs nothing.
    content_hash: u64,
}

impl ValueList {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.ends.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.ends.is_empty()
    }

    /// The value at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&str> {
        let end = *self.shared.ends.get(position)?;
        let start = match position.checked_sub(1) {
            Some(before) => *self.shared.ends.get(before)?,
            None => 0,
        };
        self.shared.text.get(start..end)
    }

    /// The values in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|position| self.get(position))
    }
}

impl<S: AsRef<str>> FromIterator<S> for ValueList {
    fn from_iter<I: IntoIterator<Item = S>>(values: I) -> Self {
        let mut text = String::new();
        let mut ends = Vec::new();
        for value in values {
            text.push_str(value.as_ref());
            ends.push(text.len());
        }
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        text.hash(&mut hasher);
        ends.hash(&mut hasher);
        Self {
            shared: Arc::new(Shared {
                text,
                ends,
                content_hash: hasher.finish(),
            }),
        }
    }
}

impl PartialEq for ValueList {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
            || (self.shared.content_hash == other.shared.content_hash
                && self.shared.ends == other.shared.ends
                && self.shared.text == other.shared.text)
    }
}

impl Eq for ValueList {}

impl Hash for ValueList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.shared.content_hash);
    }
}

impl fmt::Debug for ValueList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_values_and_their_borders() {
        let list: ValueList = ["a", "", "bc"].into_iter().collect();
        assert_eq!(list.iter().collect::<Vec<_>>(), ["a", "", "bc"]);
        assert_eq!(list.get(3), None);
        let moved: ValueList = ["ab", "", "c"].into_iter().collect();
        assert_ne!(list, moved);
        assert_eq!(list, list.iter().map(str::to_owned).collect());
    }
}
