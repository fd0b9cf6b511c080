//! What a rule asks of one buffer: contents that follow each other at some distance, sizes,
//! expressions. They become patterns over the whole text of the buffer, all of which must hold.

use std::fmt::Write as _;

use super::text::{Literal, Pattern, escaped};
use super::unsupported::Unsupported;

/// One thing that is asked of a buffer.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// `content` with its modifiers.
    Content(Content),
    /// `pcre`, in our syntax.
    Expression { expression: String, negated: bool },
    /// `bsize`: this many bytes, both ends included.
    Size { least: usize, most: Option<usize> },
    /// Not of this size: `bsize:!N`.
    NotSize(usize),
    /// `dataset`: the whole text is one of these.
    Listed { items: Vec<Vec<u8>>, negated: bool },
}

/// `content` with its modifiers.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) negated: bool,
    pub(super) nocase: bool,
    pub(super) starts: bool,
    pub(super) ends: bool,
    pub(super) offset: Option<usize>,
    pub(super) depth: Option<usize>,
    pub(super) distance: Option<usize>,
    pub(super) within: Option<usize>,
    /// So many bytes follow: `isdataat:N,relative`.
    pub(super) followed_by: usize,
}

/// A pattern, and whether it must not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    pub(super) pattern: Pattern,
    pub(super) negated: bool,
}

impl Content {
    const fn is_relative(&self) -> bool {
        self.distance.is_some() || self.within.is_some()
    }

    const fn is_placed(&self) -> bool {
        self.offset.is_some() || self.depth.is_some() || self.followed_by > 0
    }

    fn literal(&self) -> Literal {
        Literal {
            bytes: self.bytes.clone(),
            starts: self.starts,
            ends: self.ends,
            nocase: self.nocase,
        }
    }
}

/// The patterns that all tests of a buffer together are.
///
/// # Errors
/// Which of them cannot be said so.
pub(super) fn patterns(tests: &[Test]) -> Result<Vec<Sought>, Unsupported> {
    let mut found = Vec::new();
    let mut contents: Vec<&Content> = Vec::new();
    for test in tests {
        match test {
            Test::Content(content) => contents.push(content),
            Test::Expression {
                expression,
                negated,
            } => found.push(Sought {
                pattern: Pattern::Expression(expression.clone()),
                negated: *negated,
            }),
            Test::Size { least, most } => found.extend(size(*least, *most)),
            Test::NotSize(bytes_count) => found.push(Sought {
                pattern: Pattern::Expression(format!("(?s)^.{{{bytes_count}}}$")),
                negated: true,
            }),
            Test::Listed { .. } => {}
        }
    }
    let chains = chains(&contents)?;
    if let Some(whole) = whole(tests, &chains) {
        return Ok(vec![whole]);
    }
    let contents = chains.iter().map(|chain| sought(chain));
    let contents = contents.collect::<Result<Vec<_>, _>>()?;
    Ok(contents.into_iter().chain(found).collect())
}

/// Contents that refer to the one before them, together with that one.
fn chains<'c>(contents: &[&'c Content]) -> Result<Vec<Vec<&'c Content>>, Unsupported> {
    let mut chains: Vec<Vec<&Content>> = Vec::new();
    for content in contents {
        if !content.is_relative() {
            chains.push(vec![content]);
            continue;
        }
        let chain = chains.last_mut().ok_or(Unsupported::NothingBefore)?;
        let is_negated = content.negated || chain.iter().any(|before| before.negated);
        if is_negated {
            return Err(Unsupported::NegatedChain);
        }
        let ends = chain
            .iter()
            .any(|before| before.ends || before.followed_by > 0);
        if ends || content.starts || content.offset.is_some() || content.depth.is_some() {
            return Err(Unsupported::PlacesContradict);
        }
        chain.push(content);
    }
    Ok(chains)
}

/// One content and its exact size: the buffer is just that.
fn whole(tests: &[Test], chains: &[Vec<&Content>]) -> Option<Sought> {
    let ([[content]], [_, _]) = (
        chains
            .iter()
            .map(Vec::as_slice)
            .collect::<Vec<_>>()
            .as_slice(),
        tests,
    ) else {
        return None;
    };
    let is_size = |test: &Test| matches!(test, Test::Size { least, most } if *most == Some(*least) && *least == content.bytes.len());
    if content.negated || content.is_placed() || !tests.iter().any(is_size) {
        return None;
    }
    let literal = Literal {
        starts: true,
        ends: true,
        ..content.literal()
    };
    Some(Sought {
        pattern: Pattern::Literal(literal),
        negated: false,
    })
}

fn size(least: usize, most: Option<usize>) -> Vec<Sought> {
    let mut found = Vec::new();
    if least > 0 {
        found.push(Sought {
            pattern: Pattern::AtLeast(least),
            negated: false,
        });
    }
    if let Some(most) = most {
        found.push(Sought {
            pattern: Pattern::AtLeast(most.saturating_add(1)),
            negated: true,
        });
    }
    found
}

fn sought(chain: &[&Content]) -> Result<Sought, Unsupported> {
    let negated = chain.iter().any(|content| content.negated);
    let pattern = match chain {
        [content] if !content.is_placed() => Pattern::Literal(content.literal()),
        [content] if starts_by_depth(content) => Pattern::Literal(Literal {
            starts: true,
            ..content.literal()
        }),
        [content]
            if content.offset == Some(0) && content.depth.is_none() && content.followed_by == 0 =>
        {
            Pattern::Literal(content.literal())
        }
        _ => Pattern::Expression(expression(chain)?),
    };
    Ok(Sought { pattern, negated })
}

/// `depth` as long as the content: the old way to say `startswith`.
fn starts_by_depth(content: &Content) -> bool {
    let is_start = content.offset.is_none_or(|offset| offset == 0);
    is_start && content.depth == Some(content.bytes.len()) && content.followed_by == 0
}

fn expression(chain: &[&Content]) -> Result<String, Unsupported> {
    let mut out = "(?s)".to_owned();
    for (at, content) in chain.iter().enumerate() {
        let bytes_count = content.bytes.len();
        let room = |limit: usize| limit.checked_sub(bytes_count).ok_or(Unsupported::NoRoom);
        if at == 0 {
            first(content, &mut out, room)?;
        } else {
            let least = content.distance.unwrap_or(0);
            let most = content.within.map(room).transpose()?;
            gap(&mut out, least, most);
        }
        let text = escaped(&content.bytes);
        if content.nocase {
            let _ = write!(out, "(?i:{text})");
        } else {
            out.push_str(&text);
        }
        if content.followed_by > 0 {
            let _ = write!(out, ".{{{}}}", content.followed_by);
        }
        if content.ends {
            out.push('$');
        }
    }
    Ok(out)
}

fn first(
    content: &Content,
    out: &mut String,
    room: impl Fn(usize) -> Result<usize, Unsupported>,
) -> Result<(), Unsupported> {
    if content.starts && (content.offset.is_some() || content.depth.is_some()) {
        return Err(Unsupported::StartsElsewhere);
    }
    if content.starts {
        out.push('^');
    } else if content.offset.is_some() || content.depth.is_some() {
        out.push('^');
        let most = content.depth.map(room).transpose()?;
        gap(out, content.offset.unwrap_or(0), most);
    }
    Ok(())
}

/// At least so many bytes between, and at most so many more.
fn gap(out: &mut String, least: usize, more: Option<usize>) {
    let _ = match more {
        Some(0) if least == 0 => Ok(()),
        Some(more) => write!(out, ".{{{least},{}}}", least.saturating_add(more)),
        None if least == 0 => write!(out, ".*"),
        None => write!(out, ".{{{least},}}"),
    };
}
