//! Lists of addresses and networks, one a line: plain ones, those of Spamhaus (`; reason`), and what
//! `ipset save` prints.

use std::net::IpAddr;

use sallyport_ruleset::Action;

use super::book::{Book, End, Rule, Target, Targets, source};
use super::condition::ValueError;
use super::draft::{DefaultAction, DefaultsBy};
use super::input::InputFiles;
use super::outcome::{Import, ImportError};
use super::report::{Difference, Effect};

/// Imports a list; what becomes of its addresses is `action`, and the rest gets the contrary.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    action: DefaultAction,
) -> Result<Import, ImportError> {
    let text = source(files, path)?;
    let mut book = Book::new(path);
    let mut targets = Targets::default();
    let mut entries = Vec::new();
    let action = action.action();
    for (line, number) in text.lines().zip(1..) {
        let content = line.split(['#', ';']).next().unwrap_or("").trim();
        let mut words = content.split_whitespace();
        let item = match words.next() {
            None => continue,
            Some("create") => {
                book.unneeded(
                    number,
                    line,
                    "ipset",
                    "a set's size and type are of no use here",
                );
                continue;
            }
            // `add NAME 192.0.2.0/24 timeout 0`
            Some("add") => words.nth(1).unwrap_or(""),
            Some(first) => first,
        };
        let networks = match networks(item) {
            Ok(networks) => networks,
            Err(why) => {
                let why = Difference::new(Effect::of_leaving(action), why);
                book.left(number, line, "address", why);
                continue;
            }
        };
        let refused = networks.into_iter().find_map(|network| {
            let target = Target::Network(network);
            book.add(&mut targets, target).err()
        });
        match refused {
            None => entries.push(book.carried(number, content, "address")),
            Some(why) => {
                let why = Difference::new(Effect::of_leaving(action), why);
                book.left(number, line, "address", why);
            }
        }
    }
    book.report.remark(
        "the addresses are those that requests go to, whether a name led there or not; each address of a name is judged by itself",
    );
    let rule = Rule::new("listed", action, targets.formula("addresses"));
    book.rule(rule.from(entries));
    book.finish(&End {
        path,
        format: "addresses",
        what: "is an address or a network",
        default: match action {
            Action::Allow => Action::Deny,
            Action::Deny | Action::Alert => Action::Allow,
        },
        default_by: DefaultsBy::Assumption("there is no address on the list that is denied"),
    })
}

/// Why a text is no address, network or range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// With a `-` between its ends.
    #[error("`{0}` is not a range of addresses")]
    Range(String),
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// An address, a network, or a range of addresses, as networks.
///
/// # Errors
/// Why it is none of them.
pub(super) fn networks(text: &str) -> Result<Vec<String>, AddressError> {
    let Some((first, last)) = text.split_once('-') else {
        return Ok(vec![text.to_owned()]);
    };
    let both = (
        first.trim().parse::<IpAddr>(),
        last.trim().parse::<IpAddr>(),
    );
    let range = match both {
        (Ok(IpAddr::V4(first)), Ok(IpAddr::V4(last))) if first <= last => {
            ipnet::IpSubnets::from(ipnet::Ipv4Subnets::new(first, last, 0))
        }
        (Ok(IpAddr::V6(first)), Ok(IpAddr::V6(last))) if first <= last => {
            ipnet::IpSubnets::from(ipnet::Ipv6Subnets::new(first, last, 0))
        }
        _ => return Err(AddressError::Range(text.to_owned())),
    };
    Ok(range.map(|network| network.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_networks() {
        let found = networks("192.0.2.0-192.0.2.4").unwrap();
        assert_eq!(found, ["192.0.2.0/30", "192.0.2.4/32"]);
        assert!(networks("192.0.2.4-192.0.2.0").is_err());
        assert!(networks("a-b").is_err());
        assert_eq!(networks("::1").unwrap(), ["::1"]);
    }
}
