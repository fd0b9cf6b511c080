//! What a rule asks of one buffer, as a formula over fields. Where it cannot be said exactly, a rule
//! that blocks may match more and one that lets pass may match less, and the report tells it.

use sallyport_ruleset::{Field, FieldType, Protocol};

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::bound::{Bound, Difference};
use super::buffer::Buffer;
use super::chain::{self, Sought, Test};
use super::header;
use super::text::{Literal, Pattern};
use super::unsupported::Unsupported;
use super::uri;
use crate::operator::Question;

/// What a rule asks of one buffer.
#[derive(Clone, Debug)]
pub(super) struct BufferUse {
    pub(super) buffer: Buffer,
    /// The keyword that named it.
    pub(super) keyword: String,
    pub(super) dotprefix: bool,
    pub(super) lowercase: bool,
    pub(super) absent: Option<Absent>,
    pub(super) tests: Vec<Test>,
    pub(super) of_answers: bool,
}

/// `absent`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// The buffer is not there.
    Only,
    /// It is not there, or what else is asked of it holds.
    OrElse,
}

/// A formula, and what is different about it.
pub(super) type Answer = (Formula, Vec<Difference>);

/// Asks fields what a rule asks a buffer.
///
/// # Errors
/// Why it cannot be carried over.
pub(super) fn ask(
    used: &BufferUse,
    bound: Bound,
    checker: &mut Checker,
) -> Result<Answer, Unsupported> {
    let sought = chain::patterns(&used.tests)?;
    let sought = if used.lowercase {
        lowered(sought)?
    } else {
        sought
    };
    let mut asker = Asker {
        used,
        bound,
        checker,
        differences: Vec::new(),
    };
    let formula = match &used.buffer {
        Buffer::Payload => {
            return Err(Unsupported::Payload);
        }
        Buffer::Field(field) if field.field_type() == FieldType::Domain => {
            asker.host(field, &sought)?
        }
        Buffer::Field(field) => asker.field(field, &sought)?,
        Buffer::Uri | Buffer::RawUri => asker.uri(&sought)?,
        Buffer::Headers => asker.headers(&sought)?,
    };
    Ok((formula, asker.differences))
}

/// `to_lowercase`: the buffer has no capitals.
fn lowered(sought: Vec<Sought>) -> Result<Vec<Sought>, Unsupported> {
    let lower = |mut sought: Sought| match &mut sought.pattern {
        Pattern::Literal(literal) if literal.bytes.iter().any(u8::is_ascii_uppercase) => {
            Err(Unsupported::Capitals)
        }
        Pattern::Literal(literal) => {
            literal.nocase = true;
            Ok(sought)
        }
        Pattern::AtLeast(_) => Ok(sought),
        Pattern::Expression(_) => Err(Unsupported::LowercaseExpression),
    };
    sought.into_iter().map(lower).collect()
}

/// Asks one buffer.
pub(super) struct Asker<'a> {
    pub(super) used: &'a BufferUse,
    pub(super) bound: Bound,
    pub(super) checker: &'a mut Checker,
    pub(super) differences: Vec<Difference>,
}

impl Asker<'_> {
    pub(super) fn differ(&mut self, difference: Difference) {
        if !self.differences.contains(&difference) {
            self.differences.push(difference);
        }
    }

    fn plain_only(&self) -> Result<(), Unsupported> {
        if self.used.dotprefix {
            return Err(Unsupported::Dotprefix);
        }
        Ok(())
    }

    /// The field is there, or not, and what is asked of it. Nothing is asked of a buffer that is
    /// not there, so that negated content needs it.
    pub(super) fn presence(&self, field: &Field, asked: Vec<Formula>, needs_it: bool) -> Formula {
        let null = |absent| Formula::from(Condition::null(field.clone(), absent));
        let asked = Formula::all(asked);
        match self.used.absent {
            Some(Absent::Only) => null(true),
            Some(Absent::OrElse) => Formula::any([null(true), asked]),
            None if needs_it => Formula::all([null(false), asked]),
            None => asked,
        }
    }

    fn field(&mut self, field: &Field, sought: &[Sought]) -> Result<Formula, Unsupported> {
        self.plain_only()?;
        let mut asked = Vec::new();
        let mut is_positive = false;
        for one in sought {
            let formula = self.text(field, &one.pattern)?;
            asked.push(if one.negated {
                formula.negated()
            } else {
                formula
            });
            is_positive |= !one.negated;
        }
        for (items, negated) in listed(self.used) {
            let items: Result<Vec<String>, _> =
                items.iter().cloned().map(String::from_utf8).collect();
            let items = items.map_err(|_| Unsupported::ListNoText)?;
            let formula = self.any_of(field, Question::Equals, items)?;
            asked.push(if negated { formula.negated() } else { formula });
            is_positive |= !negated;
        }
        Ok(self.presence(field, asked, !is_positive))
    }

    fn text(&mut self, field: &Field, pattern: &Pattern) -> Result<Formula, Unsupported> {
        let Pattern::Literal(literal) = pattern else {
            return self.one(field, Question::Matches, pattern.expression());
        };
        // Each fingerprint has two of them.
        if *field == Field::Ja4 && literal.bytes == b"_" && !literal.starts && !literal.ends {
            return Ok(protocols(&[Protocol::Https, Protocol::Wss]));
        }
        let text = literal.text()?;
        let has_wildcards = text.contains(['*', '?']);
        if literal.is_whole() {
            let question = if literal.nocase {
                Question::EqualsIgnoreCase
            } else {
                Question::Equals
            };
            return self.one(field, question, text.to_owned());
        }
        if literal.nocase || has_wildcards {
            return self.one(field, Question::Matches, pattern.expression());
        }
        self.one(field, Question::Like, like(literal, text))
    }

    fn uri(&mut self, sought: &[Sought]) -> Result<Formula, Unsupported> {
        self.plain_only()?;
        if !listed(self.used).is_empty() {
            return Err(Unsupported::ListOfUris);
        }
        let mut asked = Vec::new();
        let mut is_positive = false;
        for one in sought {
            let bound = self.bound.of_negated(one.negated);
            let (formula, difference) = match self.used.buffer {
                Buffer::RawUri => uri::raw(&one.pattern, bound, self.checker)?,
                _ => uri::decoded(&one.pattern, bound, self.checker)?,
            };
            if let Some(difference) = difference {
                self.differ(difference.turned(one.negated));
            }
            asked.push(if one.negated {
                formula.negated()
            } else {
                formula
            });
            is_positive |= !one.negated;
        }
        Ok(self.presence(&Field::HttpUri, asked, !is_positive))
    }

    fn headers(&mut self, sought: &[Sought]) -> Result<Formula, Unsupported> {
        self.plain_only()?;
        if self.used.absent.is_some() || !listed(self.used).is_empty() {
            return Err(Unsupported::HeaderForm);
        }
        let mut asked = Vec::new();
        for one in sought {
            let (field, literal) = header::line(&one.pattern)?;
            let formula = self.text(&field, &Pattern::Literal(literal))?;
            asked.push(if one.negated {
                formula.negated()
            } else {
                formula
            });
        }
        self.differ(Difference::either(header::DIFFERENT));
        Ok(Formula::all(asked))
    }
}

/// The lists that the text of a buffer must be on, or must not.
pub(super) fn listed(used: &BufferUse) -> Vec<(&[Vec<u8>], bool)> {
    let tests = used.tests.iter();
    tests
        .filter_map(|test| match test {
            Test::Listed { items, negated } => Some((items.as_slice(), *negated)),
            _ => None,
        })
        .collect()
}

/// `*text*`, without the stars where the buffer starts or ends.
pub(super) fn like(literal: &Literal, text: &str) -> String {
    format!(
        "{}{text}{}",
        if literal.starts { "" } else { "*" },
        if literal.ends { "" } else { "*" }
    )
}

/// Any of these words of `request:Protocol`.
pub(super) fn protocols(words: &[Protocol]) -> Formula {
    let items = words.iter().map(|word| word.name().to_owned()).collect();
    condition(Field::Protocol, Question::Equals, "protocols", items)
}

pub(super) fn condition(
    field: Field,
    question: Question,
    name: &str,
    items: Vec<String>,
) -> Formula {
    if items.is_empty() {
        return Formula::Never;
    }
    let values = Values {
        name: name.to_owned(),
        origin: String::new(),
        items,
    };
    Condition::new(field, operator(question, false), values).into()
}

/// Conditions of values that the compiler takes.
impl Asker<'_> {
    pub(super) fn one(
        &mut self,
        field: &Field,
        question: Question,
        item: String,
    ) -> Result<Formula, Unsupported> {
        self.any_of(field, question, vec![item])
    }

    pub(super) fn any_of(
        &mut self,
        field: &Field,
        question: Question,
        items: Vec<String>,
    ) -> Result<Formula, Unsupported> {
        for item in &items {
            self.checker.check(field, question, item)?;
        }
        Ok(condition(field.clone(), question, "content", items))
    }
}
