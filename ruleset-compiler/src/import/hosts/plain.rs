//! Lines of hosts files and of plain lists.

use std::net::IpAddr;

use super::name::Name;

/// Names that hosts files give to the machine itself.
const LOCAL_NAMES: [&str; 11] = [
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
];

/// What a line without its comment says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// Names that an address leads nowhere.
    Hosts(Vec<&'l str>),
    /// Names with an address that leads somewhere.
    Mapping(IpAddr),
    /// Only names of the machine itself.
    Local,
    /// Something on its own.
    Plain(&'l str),
}

/// The line without a comment and spaces around it; `None` if nothing is left.
pub(super) fn content(line: &str) -> Option<&str> {
    let end = line
        .char_indices()
        .zip(std::iter::once(' ').chain(line.chars()))
        .find(|((_, c), before)| *c == '#' && before.is_whitespace());
    let content = end
        .map_or(line, |((at, _), _)| line.get(..at).unwrap_or(line))
        .trim();
    (!content.is_empty()).then_some(content)
}

pub(super) fn read(content: &str) -> Line<'_> {
    let mut words = content.split_whitespace();
    let first = words.next().unwrap_or("");
    let Ok(address) = first.parse::<IpAddr>() else {
        return Line::Plain(content);
    };
    let mut names: Vec<&str> = words.collect();
    if names.is_empty() {
        return Line::Plain(content);
    }
    names.retain(|name| {
        let is_local = LOCAL_NAMES
            .iter()
            .any(|local| local.eq_ignore_ascii_case(name));
        !is_local && name.parse::<IpAddr>().is_err()
    });
    match (
        names.is_empty(),
        address.is_loopback() || address.is_unspecified(),
    ) {
        (true, _) => Line::Local,
        (false, false) => Line::Mapping(address),
        (false, true) => Line::Hosts(names),
    }
}

/// `example.com`, `.example.com` or `*.example.com`.
pub(super) fn name(text: &str, exact: bool) -> Name {
    if let Some(tree) = text.strip_prefix('.') {
        return Name::Tree(tree.to_owned());
    }
    if text.starts_with("*.") {
        return Name::Pattern(text.to_owned());
    }
    if exact {
        Name::Exact(text.to_owned())
    } else {
        Name::Tree(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(content(" a.test # why"), Some("a.test"));
        assert_eq!(content("# all"), None);
        assert_eq!(content("a#b"), Some("a#b"));
        assert_eq!(
            read("0.0.0.0 a.test localhost b.test"),
            Line::Hosts(vec!["a.test", "b.test"])
        );
        assert_eq!(read("127.0.0.1 localhost"), Line::Local);
        assert_eq!(
            read("192.0.2.1 a.test"),
            Line::Mapping("192.0.2.1".parse().unwrap())
        );
        assert_eq!(read("192.0.2.1"), Line::Plain("192.0.2.1"));
    }
}
