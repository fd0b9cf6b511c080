//! The names of members, learned from the lines that were read. Lines of a log mostly have the same
//! members in the same order, so what comes next is compared with what came there before, comma,
//! quotes and colon included: four words, instead of a search for the end of a name and another for
//! its meaning. What a line says never hangs on what was learned. Not here: the values (`scan.rs`).

/// A name is learned if it takes no more with what stands around it. The longest that the proxy
/// writes is `upstream_http_version`.
const TEXT_BYTES_MAX: usize = 32;
/// So many names are learned. The proxy writes about fifty.
const NAMES_MAX: usize = 96;
const WORDS: usize = TEXT_BYTES_MAX / 8;
/// Numbers that are no names: the start of a line, a name that was not learned, nothing.
const START: usize = 0;
const STRANGER: usize = 1;
const NONE: usize = usize::MAX;

/// The names that were met, each with what it means to the reader.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    /// The first two are [`START`] and [`STRANGER`], and never expected.
    known: Vec<Name<T>>,
    /// The number of what stands before the place that is read.
    before: usize,
}

#[derive(Clone, Debug)]
struct Name<T> {
    /// Brace or comma, the name in quotes and the colon; zeros follow.
    words: [u64; WORDS],
    /// Ones where `words` counts.
    masks: [u64; WORDS],
    bytes: usize,
    meaning: Option<T>,
    /// What came behind it, the last one first. Lines of requests and tunnels take turns.
    next: [usize; 2],
}

impl<T: Clone> Names<T> {
    pub(super) fn new() -> Self {
        let none = Name {
            words: [0; WORDS],
            masks: [0; WORDS],
            bytes: 0,
            meaning: None,
            next: [NONE; 2],
        };
        Self {
            known: vec![none.clone(), none],
            before: START,
        }
    }

    /// A new line begins.
    pub(super) const fn restart(&mut self) {
        self.before = START;
    }

    /// Where a brace or comma and a name are to come: its meaning, and what follows its colon.
    /// `None` says nothing about what is there.
    #[inline]
    pub(super) fn expected<'l>(&mut self, text: &'l [u8]) -> Option<(T, &'l [u8])> {
        let words = match text.first_chunk() {
            Some(text) => words(text),
            None => words(&padded(text)?),
        };
        let before = self.known.get(self.before)?;
        let [likely, other] = before.next;
        let (number, name) = match self.at(likely, &words) {
            Some(name) => (likely, name),
            None => (other, self.at(other, &words)?),
        };
        let found = (name.meaning.clone()?, text.get(name.bytes..)?);
        if number == other {
            self.expect([other, likely]);
        }
        self.before = number;
        Some(found)
    }

    /// Notes a name, as it stands between its quotes, that was not expected here.
    #[cold]
    pub(super) fn learn(&mut self, name: &[u8], meaning: &T) {
        let begin = if self.before == START { b'{' } else { b',' };
        let text = [&[begin, b'"'], name, b"\":"].concat();
        let number = self.number_of(&text, meaning).unwrap_or(STRANGER);
        if self.before != STRANGER && number != STRANGER {
            let [likely, _] = self
                .known
                .get(self.before)
                .map_or([NONE; 2], |name| name.next);
            self.expect([number, likely]);
        }
        self.before = number;
    }

    fn expect(&mut self, next: [usize; 2]) {
        if let Some(before) = self.known.get_mut(self.before) {
            before.next = next;
        }
    }

    fn number_of(&mut self, text: &[u8], meaning: &T) -> Option<usize> {
        let words = words(&padded(text)?);
        let mut mask = [0; TEXT_BYTES_MAX];
        mask.get_mut(..text.len())?.fill(0xff);
        let masks = self::words(&mask);
        let same = |known: &Name<T>| known.bytes == text.len() && known.words == words;
        let found = self.known.iter().position(same);
        if found.is_some() || self.known.len() >= NAMES_MAX {
            return found;
        }
        self.known.push(Name {
            words,
            masks,
            bytes: text.len(),
            meaning: Some(meaning.clone()),
            next: [NONE; 2],
        });
        Some(self.known.len() - 1)
    }

    fn at(&self, number: usize, [a, b, c, d]: &[u64; WORDS]) -> Option<&Name<T>> {
        self.known.get(number).filter(|name| {
            let [w, x, y, z] = name.words;
            let [p, q, r, s] = name.masks;
            ((a ^ w) & p) | ((b ^ x) & q) | ((c ^ y) & r) | ((d ^ z) & s) == 0
        })
    }
}

/// A shorter text with zeros behind it. No name ends in one.
fn padded(text: &[u8]) -> Option<[u8; TEXT_BYTES_MAX]> {
    let mut padded = [0; TEXT_BYTES_MAX];
    padded.get_mut(..text.len())?.copy_from_slice(text);
    Some(padded)
}

fn words(text: &[u8; TEXT_BYTES_MAX]) -> [u64; WORDS] {
    let (chunks, _) = text.as_chunks::<8>();
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}
