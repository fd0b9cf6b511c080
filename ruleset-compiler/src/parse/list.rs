//! List files: one value a line, or the lines of a hosts file.
//!
//! Finds where the values are; what they mean depends on the condition that uses the list.

use std::net::IpAddr;
use std::ops::Range;

/// Names that hosts files give to the machine itself; they are not destinations.
const LOCAL_NAMES: [&str; 12] = [
    "localhost",
    "localhost.localdomain",
    "local",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
    "0.0.0.0",
];

/// The byte ranges of a list's values, in order.
///
/// A line is cut at a `#` that begins it or follows a space, and trimmed. What is left is one
/// value, spaces included, unless it is a line of a hosts file: an address and names after it,
/// where each name is a value, save those that mean the machine itself.
#[must_use]
pub fn entries(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut line_start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    for line in text.get(line_start..).unwrap_or("").split_inclusive('\n') {
        let content = without_comment(line);
        let trimmed = content.trim_start();
        let start = line_start + (content.len() - trimmed.len());
        line_start += line.len();
        let value = trimmed.trim_end();
        match hosts_names(value) {
            _ if value.is_empty() => {}
            None => found.push(start..start + value.len()),
            Some(names) => found.extend(
                words(value, names)
                    .map(|word| start + word.start..start + word.end)
                    .filter(|word| {
                        let name = text.get(word.clone()).unwrap_or("");
                        !LOCAL_NAMES
                            .iter()
                            .any(|local| local.eq_ignore_ascii_case(name))
                    }),
            ),
        }
    }
    found
}

fn without_comment(line: &str) -> &str {
    let mut before_is_space = true;
    for (at, byte) in line.bytes().enumerate() {
        if byte == b'#' && before_is_space {
            return line.get(..at).unwrap_or(line);
        }
        before_is_space = byte.is_ascii_whitespace();
    }
    line
}

/// Where the names of a hosts line begin, if it is one.
fn hosts_names(line: &str) -> Option<usize> {
    // Cheap tests first: most lines of a large list are single names.
    let end = line.bytes().position(|byte| byte.is_ascii_whitespace())?;
    line.get(..end)?.parse::<IpAddr>().ok().map(|_| end)
}

fn words(line: &str, from: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = from;
    std::iter::from_fn(move || {
        let rest = line.get(at..)?;
        let start = at + (rest.len() - rest.trim_start().len());
        let word = line.get(start..)?.split_whitespace().next()?;
        at = start + word.len();
        Some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<&str> {
        entries(text)
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn plain_lines() {
        assert_eq!(
            values("a.com\r\n\n  b.com  # why\n# c.com\n#\nd.com"),
            ["a.com", "b.com", "d.com"]
        );
        assert_eq!(values("\u{feff}a.com\n"), ["a.com"]);
        assert_eq!(values("/a#b\n/c #d\n"), ["/a#b", "/c"]);
        assert_eq!(
            values("Mozilla/5.0 *\n10.0.0.0/8\n10.1.1.1\n"),
            ["Mozilla/5.0 *", "10.0.0.0/8", "10.1.1.1"]
        );
        assert_eq!(values(""), Vec::<&str>::new());
        assert_eq!(values(" \n\t\n"), Vec::<&str>::new());
    }

    #[test]
    fn hosts_lines() {
        let text = "127.0.0.1 localhost\n::1\tip6-localhost ip6-loopback\n0.0.0.0 0.0.0.0\n\
                    0.0.0.0 ads.example.com\n0.0.0.0\tx.test  y.test # both\n";
        assert_eq!(values(text), ["ads.example.com", "x.test", "y.test"]);
    }
}
