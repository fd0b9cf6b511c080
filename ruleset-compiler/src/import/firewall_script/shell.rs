//! As much of the shell as such scripts use: statements with their lines, words, variables that hold
//! lists of words, and what names they were resolved from. Nothing is run.

use std::collections::HashMap;

/// A statement: a command, or the start or end of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) line: usize,
    pub(super) text: String,
    /// The lines of a here-document.
    pub(super) document: Vec<(usize, String)>,
}

/// Cuts a script into statements: at line ends and semicolons outside quotes and parentheses.
pub(super) fn statements(script: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut lines = script.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let mut text = without_comment(line).to_owned();
        while let Some(cut) = continues(&text) {
            text.truncate(cut);
            let Some((next, _)) = lines.next() else { break };
            // Words of a list keep the line that they stand on.
            text.push('\n');
            text.push_str(without_comment(next));
        }
        let mut document = Vec::new();
        if let Some(end) = heredoc(&text) {
            for (next, number) in lines.by_ref() {
                if next.trim() == end {
                    break;
                }
                document.push((number, next.to_owned()));
            }
        }
        let mut line = number;
        for part in split(&text) {
            let before = line;
            line += part.matches('\n').count();
            push(&mut found, before, &part, &mut document);
        }
    }
    found
}

/// `do cmd` and `then cmd` are two statements.
fn push(found: &mut Vec<Statement>, line: usize, part: &str, document: &mut Vec<(usize, String)>) {
    let text = part.trim();
    if text.is_empty() {
        return;
    }
    let first = text.split_whitespace().next().unwrap_or("");
    let rest = text.get(first.len()..).unwrap_or("").trim();
    if ["do", "then", "else", "{", "sudo"].contains(&first) && !rest.is_empty() {
        if first == "then" || first == "else" {
            push(found, line, first, &mut Vec::new());
        }
        return push(found, line, rest, document);
    }
    if ["do", "{"].contains(&first) {
        return;
    }
    found.push(Statement {
        line,
        text: text.to_owned(),
        document: std::mem::take(document),
    });
}

/// Where the text is cut to be continued on the next line: before a backslash, or at its end while a
/// quote or a parenthesis is open.
fn continues(text: &str) -> Option<usize> {
    if text.ends_with('\\') && !text.ends_with("\\\\") {
        return Some(text.len() - 1);
    }
    let (mut quote, mut depth) = (None, 0_usize);
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (quote.is_some() || depth > 0).then_some(text.len())
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '#') if before.is_whitespace() => return line.get(..at).unwrap_or(line),
            _ => {}
        }
        before = c;
    }
    line
}

/// The word that ends a here-document.
fn heredoc(text: &str) -> Option<String> {
    let (_, after) = text.split_once("<<")?;
    if after.starts_with('<') {
        return None;
    }
    let word = after.trim_start_matches('-').split_whitespace().next()?;
    Some(word.trim_matches(['"', '\'', '\\']).to_owned())
}

/// Parts between semicolons, `&&` and `||`, outside quotes and parentheses.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut quote, mut depth) = (None, 0_usize);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_double = matches!(c, '&' | '|') && chars.peek() == Some(&c);
        if quote.is_none() && depth == 0 && (c == ';' || is_double) {
            if is_double {
                chars.next();
            }
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts
}

/// Words with their lines, quotes gone. A list in parentheses gives the words in it.
pub(super) fn words(text: &str, line: usize) -> Vec<(String, usize)> {
    let (mut words, mut word, mut quote, mut is_word) = (Vec::new(), String::new(), None, false);
    let (mut line, mut depth) = (line, 0_usize);
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                is_word = true;
            }
            (Some(open), _) if open == c => quote = None,
            (None, _) if c.is_whitespace() && depth == 0 => {
                if is_word || !word.is_empty() {
                    words.push((std::mem::take(&mut word), line));
                }
                is_word = false;
            }
            _ => {
                depth = match c {
                    '(' => depth + 1,
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                word.push(c);
            }
        }
        line += usize::from(c == '\n');
    }
    if is_word || !word.is_empty() {
        words.push((word, line));
    }
    words
}

/// What a variable holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Words that stand in the script, with their lines.
    Words(Vec<(String, usize)>),
    /// Addresses of these names.
    AddressesOf(Vec<(String, usize)>),
    /// Something that is known only when the script runs.
    Unknown,
}

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(HashMap<String, Value>);

const RESOLVERS: [&str; 6] = [
    "dig ",
    "getent ",
    "host ",
    "nslookup ",
    "resolvectl ",
    "drill ",
];

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// What a piece of the script stands for.
    pub(super) fn value(&self, text: &str, line: usize) -> Value {
        let names = references(text);
        if RESOLVERS.iter().any(|resolver| text.contains(resolver)) {
            return self.resolved(text, &names, line);
        }
        if let Some(inner) = text
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            && !text.trim().starts_with("((")
        {
            return self.list(inner, line);
        }
        if text.contains("$(")
            || text.contains('`')
            || text.contains("curl ")
            || text.contains("wget ")
        {
            let mut derived = names.iter().filter_map(|name| self.0.get(*name));
            return derived.next_back().cloned().unwrap_or(Value::Unknown);
        }
        self.list(text, line)
    }

    fn resolved(&self, text: &str, names: &[&str], line: usize) -> Value {
        let mut all = Vec::new();
        for name in names {
            match self.0.get(*name) {
                Some(Value::Words(words) | Value::AddressesOf(words)) => all.extend(words.clone()),
                Some(Value::Unknown) | None => {}
            }
        }
        if all.is_empty() {
            let is_host = |word: &(String, usize)| {
                let text = word.0.trim_end_matches(')');
                text.contains('.')
                    && !text.starts_with(['@', '+', '-', '$', '/'])
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
            };
            all = words(&text.replace(['(', ')'], " "), line)
                .into_iter()
                .filter(is_host)
                .collect();
        }
        if all.is_empty() {
            Value::Unknown
        } else {
            Value::AddressesOf(all)
        }
    }

    /// Words, variables among them worked in.
    fn list(&self, text: &str, line: usize) -> Value {
        let mut all = Vec::new();
        for (word, line) in words(text, line) {
            match references(&word).as_slice() {
                [] => all.push((word, line)),
                [name] if is_reference(&word) => match self.0.get(*name) {
                    Some(Value::Words(words)) => all.extend(words.clone()),
                    Some(other) => return other.clone(),
                    None => return Value::Unknown,
                },
                names => {
                    // A variable within a word stands for its one word.
                    let mut word = word.clone();
                    for name in names {
                        match self.0.get(*name) {
                            Some(Value::Words(words)) if words.len() == 1 => {
                                let text = words.first().map_or("", |(text, _)| text.as_str());
                                word = word
                                    .replace(&format!("${{{name}}}"), text)
                                    .replace(&format!("${name}"), text);
                            }
                            _ => return Value::Unknown,
                        }
                    }
                    all.push((word, line));
                }
            }
        }
        // A quoted list of words is one word of the script, and several when it is used.
        let split = |(word, line): (String, usize)| {
            let mut at = line.saturating_sub(word.matches('\n').count());
            let parts: Vec<(String, usize)> = word
                .split_inclusive(char::is_whitespace)
                .filter_map(|part| {
                    let here = at;
                    at += part.matches('\n').count();
                    let part = part.trim();
                    (!part.is_empty()).then(|| (part.to_owned(), here))
                })
                .collect();
            parts
        };
        Value::Words(all.into_iter().flat_map(split).collect())
    }
}

/// `$name`, `${name}` or `${name[@]}` and nothing else.
fn is_reference(word: &str) -> bool {
    let inner = word.strip_prefix('$').unwrap_or("");
    let inner = inner
        .strip_prefix('{')
        .map_or(inner, |rest| rest.trim_end_matches('}'));
    let inner = inner.trim_end_matches("[@]").trim_end_matches("[*]");
    !inner.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The names of the variables in a text.
fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = text.get(at + 1..).unwrap_or("");
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if let Some(name) = rest.get(..end).filter(|name| !name.is_empty()) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_cut_into_statements() {
        let script = "A=1 # x\nfor d in \\\n  \"a.test\" \\\n  'b.test'; do\n  echo \"$d; x\"\ndone < <(cat f)\nif x; then y; fi\n";
        let found = statements(script);
        let texts: Vec<(usize, &str)> = found
            .iter()
            .map(|one| (one.line, one.text.as_str()))
            .collect();
        assert_eq!(
            texts,
            [
                (1, "A=1"),
                (2, "for d in \n  \"a.test\" \n  'b.test'"),
                (5, "echo \"$d; x\""),
                (6, "done < <(cat f)"),
                (7, "if x"),
                (7, "then"),
                (7, "y"),
                (7, "fi"),
            ]
        );
    }

    #[test]
    fn variables_know_what_they_come_from() {
        let mut variables = Variables::default();
        let list = variables.value("( a.test\n  b.test )", 3);
        assert_eq!(
            list,
            Value::Words(vec![("a.test".into(), 3), ("b.test".into(), 4)])
        );
        variables.set("LIST", list.clone());
        assert_eq!(variables.value("\"${LIST[@]}\"", 9), list);
        variables.set("d", list);
        let resolved = variables.value("$(dig +short A \"$d\")", 10);
        assert!(matches!(&resolved, Value::AddressesOf(names) if names.len() == 2));
        variables.set("ips", resolved.clone());
        assert_eq!(variables.value("$(echo \"$ips\" | sort)", 11), resolved);
        assert_eq!(
            variables.value("$(curl -s https://api.test/meta)", 12),
            Value::Unknown
        );
        assert_eq!(variables.value("$nobody", 12), Value::Unknown);
    }
}
