//! Lines and words of a configuration, as Squid's own parser cuts them: continued lines, comments,
//! included files, values read from files, quoted values.

use std::rc::Rc;

use super::super::input::InputFiles;
use super::super::report::{Effect, Entry, Fate, Place, Report};
use crate::source::ReadError;

/// Files that include each other, at most so deep (Squid's own bound).
const INCLUDE_DEPTH_MAX: usize = 16;
/// Lines over all files. Includes may repeat.
const LINES_MAX: usize = 2_000_000;

/// A line with its continuations.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) place: Place,
    /// As written, joined.
    pub(super) text: String,
    pub(super) words: Vec<Word>,
    /// It stands behind an `if` whose condition cannot be told.
    pub(super) conditional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A value.
    Plain(String),
    /// The path of a file with a value on each line.
    File(String),
}

impl Word {
    /// What stands there, without quotes.
    pub(super) fn text(&self) -> String {
        let (Self::Plain(text) | Self::File(text)) = self;
        text.clone()
    }

    /// The text of a value; a file is not one.
    pub(super) fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::File(_) => None,
        }
    }
}

/// A value and the line it comes from.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) place: Place,
}

/// All lines of a configuration and of what it includes, in order.
///
/// # Errors
/// When the first file cannot be read.
pub(super) fn lines(
    files: &dyn InputFiles,
    path: &str,
    report: &mut Report,
) -> Result<Vec<Line>, ReadError> {
    let mut reader = Reader {
        files,
        report,
        lines: Vec::new(),
        quoted_values: false,
        conditions: Vec::new(),
    };
    let text = files.text(path)?;
    reader.file(path, &text, 0);
    Ok(reader.lines)
}

struct Reader<'a> {
    files: &'a dyn InputFiles,
    report: &'a mut Report,
    lines: Vec<Line>,
    /// `configuration_includes_quoted_values on`
    quoted_values: bool,
    /// The `if` that are open, the innermost last.
    conditions: Vec<Holds>,
}

/// Whether the lines behind an `if` or `else` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// It asks what only the running Squid knows.
    Unknown,
}

/// The condition of an `if`: Squid knows `true`, `false`, and numbers that are the same.
fn condition(words: &[&str]) -> Holds {
    let of = |holds| if holds { Holds::Yes } else { Holds::No };
    let text = words.concat();
    let number = |text: &str| text.parse::<i64>().ok();
    match (text.as_str(), text.split_once('=')) {
        ("true", _) => Holds::Yes,
        ("false", _) => Holds::No,
        (_, Some((one, other))) => match (number(one), number(other)) {
            (Some(one), Some(other)) => of(one == other),
            _ => Holds::Unknown,
        },
        (one, None) => number(one).map_or(Holds::Unknown, |number| of(number != 0)),
    }
}

impl Reader<'_> {
    fn file(&mut self, path: &str, text: &str, depth: usize) {
        let name: Rc<str> = path.into();
        let mut numbered = text.lines().zip(1..);
        while let Some((first, number)) = numbered.next() {
            let mut whole = first.to_owned();
            let is_comment = first.trim_start().starts_with('#');
            while !is_comment && whole.ends_with('\\') {
                whole.pop();
                let Some((next, _)) = numbered.next() else {
                    break;
                };
                whole.push_str(next);
            }
            if self.lines.len() >= LINES_MAX {
                self.report
                    .remark(format!("only the first {LINES_MAX} lines were read"));
                return;
            }
            let place = Place {
                file: Rc::clone(&name),
                line: number,
            };
            self.line(place, whole, depth);
        }
    }

    fn line(&mut self, place: Place, text: String, depth: usize) {
        let words = words(&text, self.quoted_values);
        let Some(directive) = words.first().and_then(Word::plain) else {
            return;
        };
        match directive {
            "if" | "else" | "endif" => {
                if self.condition(directive, &words) {
                    self.tell(place, &text, directive);
                    return;
                }
                self.lines.push(Line {
                    conditional: true,
                    place,
                    text,
                    words,
                });
                return;
            }
            _ if self.conditions.contains(&Holds::No) => {
                let entry = Entry::new(place, &text, directive, Fate::Unneeded);
                self.report
                    .push(entry.note("the condition before it does not hold"));
                return;
            }
            "include" if !self.conditions.contains(&Holds::Unknown) => {
                return self.include(&place, &text, &words, depth);
            }
            "configuration_includes_quoted_values" => {
                self.quoted_values = words.get(1).and_then(Word::plain) == Some("on");
                let entry = Entry::new(place, &text, directive, Fate::Carried);
                self.report.push(entry);
                return;
            }
            _ => {}
        }
        self.lines.push(Line {
            conditional: self.conditions.contains(&Holds::Unknown),
            place,
            text,
            words,
        });
    }

    /// Takes in the start, the middle or the end of a block; whether its condition could be told.
    fn condition(&mut self, directive: &str, words: &[Word]) -> bool {
        match directive {
            "if" => {
                let asked: Vec<&str> = words.iter().skip(1).filter_map(Word::plain).collect();
                let holds = condition(&asked);
                self.conditions.push(holds);
                holds != Holds::Unknown
            }
            "else" => self.conditions.last_mut().is_some_and(|holds| {
                *holds = match *holds {
                    Holds::Yes => Holds::No,
                    Holds::No => Holds::Yes,
                    Holds::Unknown => Holds::Unknown,
                };
                *holds != Holds::Unknown
            }),
            _ => {
                let ended = self.conditions.pop();
                ended.is_some_and(|holds| holds != Holds::Unknown)
            }
        }
    }

    /// A line that is done with.
    fn tell(&mut self, place: Place, text: &str, kind: &str) {
        self.report
            .push(Entry::new(place, text, kind, Fate::Carried));
    }

    fn include(&mut self, place: &Place, text: &str, words: &[Word], depth: usize) {
        let entry = |fate| Entry::new(place.clone(), text, "include", fate);
        if depth >= INCLUDE_DEPTH_MAX {
            let note = format!("files include each other more than {INCLUDE_DEPTH_MAX} deep");
            self.report
                .push(entry(Fate::Left(Effect::Either)).note(note));
            return;
        }
        for word in words.iter().skip(1) {
            let (Word::Plain(pattern) | Word::File(pattern)) = word;
            let paths = if pattern.contains(['*', '?']) {
                self.files.matching(pattern)
            } else {
                Ok(vec![pattern.clone()])
            };
            let read = paths.and_then(|paths| {
                let read = |path: String| self.files.text(&path).map(|text| (path, text));
                paths.into_iter().map(read).collect::<Result<Vec<_>, _>>()
            });
            match read {
                Ok(files) => {
                    let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
                    let note = format!("read: {}", names.join(", "));
                    self.report.push(entry(Fate::Carried).note(note));
                    for (path, text) in &files {
                        self.file(path, text, depth + 1);
                    }
                }
                Err(why) => {
                    let note = format!(
                        "`{pattern}` cannot be read: {why}; `--root` says where absolute paths are"
                    );
                    self.report
                        .push(entry(Fate::Left(Effect::Either)).note(note));
                    self.report.unread(pattern);
                }
            }
        }
    }
}

/// A line that stands in no file.
pub(super) fn line_of(origin: &str, text: &str) -> Line {
    Line {
        place: Place {
            file: origin.into(),
            line: 1,
        },
        text: text.to_owned(),
        words: words(text, false),
        conditional: false,
    }
}

/// The words of a line: cut at spaces; a `#` that begins a word ends the line.
fn words(line: &str, quoted_values: bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = word(rest, quoted_values);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn word(rest: &str, quoted_values: bool) -> (Word, &str) {
    if let Some(inside) = rest.strip_prefix("parameters(") {
        let (path, after) = inside.split_once(')').unwrap_or((inside, ""));
        return (Word::File(path.trim_matches(['"', '\'']).to_owned()), after);
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let (Some(quote), true) = (quote, quoted_values) {
        return quoted(rest.get(1..).unwrap_or(""), quote);
    }
    let (text, after) = rest.split_at(plain_end(rest));
    match quote {
        Some(quote) => {
            let inside = text.get(1..).unwrap_or("");
            let path = inside.split(quote).next().unwrap_or(inside);
            (Word::File(path.to_owned()), after)
        }
        None => (Word::Plain(text.to_owned()), after),
    }
}

/// Where a word without quotes ends: at a space that no backslash protects.
fn plain_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if c.is_whitespace() && !escaped {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The text of a quoted value; a backslash protects the next character.
fn quoted(inside: &str, quote: char) -> (Word, &str) {
    let mut text = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return (Word::Plain(text), inside.get(at + 1..).unwrap_or(""));
        }
        let c = if c == '\\' {
            chars.next().map(|(_, c)| c)
        } else {
            Some(c)
        };
        text.extend(c);
    }
    (Word::Plain(text), "")
}

/// The values of a file: a line each, without comments.
pub(super) fn file_values(path: &str, text: &str) -> Vec<Value> {
    let name: Rc<str> = path.into();
    let value = |(line, number): (&str, usize)| {
        let trimmed = line.trim();
        let mut end = trimmed.len();
        let mut before_is_space = true;
        for (at, c) in trimmed.char_indices() {
            if c == '#' && before_is_space {
                end = at;
                break;
            }
            before_is_space = c.is_whitespace();
        }
        let text = trimmed.get(..end).unwrap_or(trimmed).trim_end();
        (!text.is_empty()).then(|| Value {
            text: text.to_owned(),
            place: Place {
                file: Rc::clone(&name),
                line: number,
            },
        })
    };
    text.lines().zip(1..).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::input::MemoryInput;
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let plain = |word: Word| match word {
            Word::Plain(text) => text,
            Word::File(path) => format!("<{path}>"),
        };
        words(text, false).into_iter().map(plain).collect()
    }

    #[test]
    fn words_are_cut_as_squid_cuts_them() {
        assert_eq!(
            shown("  acl a src 10.0.0.0/8 # why"),
            ["acl", "a", "src", "10.0.0.0/8"]
        );
        assert_eq!(
            shown(r#"acl a dstdomain "/etc/l" x#y"#),
            ["acl", "a", "dstdomain", "</etc/l>", "x#y"]
        );
        assert_eq!(
            shown(r"acl a browser ^My\ Agent\.1"),
            ["acl", "a", "browser", r"^My\ Agent\.1"]
        );
        assert_eq!(
            shown(r#"acl a src parameters("/f")"#),
            ["acl", "a", "src", "</f>"]
        );
        assert_eq!(words(r#"a "b \" c" d"#, true).len(), 3);
    }

    #[test]
    fn lines_continue_and_include() {
        let files = MemoryInput::default()
            .with(
                "squid.conf",
                "acl a src \\\n  10.0.0.1\ninclude conf.d/*.conf\n# no \\\nlast\n",
            )
            .with("conf.d/1.conf", "one\n")
            .with("conf.d/2.conf", "two\ninclude squid.conf\n");
        let mut report = Report::default();
        let found = lines(&files, "squid.conf", &mut report).unwrap();
        assert_eq!(found[0].text, "acl a src   10.0.0.1");
        assert_eq!(found[1].place.to_string(), "conf.d/1.conf:1");
        assert_eq!(found.last().unwrap().place.to_string(), "squid.conf:5");
        assert!(
            report
                .entries
                .iter()
                .any(|entry| matches!(entry.fate, Fate::Left(_))),
            "an endless include"
        );
    }

    #[test]
    fn conditions_that_can_be_told_are() {
        let text = "if true\na\nelse\nb\nendif\nif 1 = 2\nc\nif true\nd\nendif\nelse\ne\nendif\nif ${process_number} = 1\nf\nendif\ng\n";
        let files = MemoryInput::default().with("squid.conf", text);
        let found = lines(&files, "squid.conf", &mut Report::default()).unwrap();
        let sure = found.iter().filter(|line| !line.conditional);
        let sure: Vec<&str> = sure.map(|line| line.text.as_str()).collect();
        assert_eq!(sure, ["a", "e", "g"]);
        let unsure = found.iter().filter(|line| line.conditional);
        assert!(unsure.into_iter().any(|line| line.text == "f"));
    }

    #[test]
    fn values_of_files() {
        let values = file_values("f", "# top\n .a.com \n\nb c # d\ne#f\n");
        let shown: Vec<String> = values
            .iter()
            .map(|v| format!("{} {}", v.place.line, v.text))
            .collect();
        assert_eq!(shown, ["2 .a.com", "4 b c", "5 e#f"]);
    }
}
