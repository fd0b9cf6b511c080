//! The lists of a destination: domains and URLs; `expressions` has the third kind.

use sallyport_ruleset::{Action, Field};

use super::super::book::{Book, Target, Targets, one};
use super::super::condition::Formula;
use super::super::report::{Difference, Effect};
use super::unsupported::Unsupported;
use crate::operator::Question;

/// What a list is, and what is lost with an entry of it: that depends on how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// What an access list does with what is on it.
    pub(super) action: Option<Action>,
}

impl Use {
    pub(super) const fn of_leaving(self) -> Effect {
        match self.action {
            Some(action) => Effect::of_leaving(action),
            None => Effect::Either,
        }
    }
}

/// A destination: hosts in one formula, and each URL in one of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Destination {
    pub(super) hosts: Targets,
    pub(super) urls: Vec<Formula>,
    pub(super) entries: Vec<usize>,
}

fn items(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..);
    let content = lines.map(|(line, number)| (number, line.split('#').next().unwrap_or("").trim()));
    content.filter(|(_, line)| !line.is_empty())
}

/// `example.com` is that name and all under it; addresses stand for themselves.
pub(super) fn domains(book: &mut Book, text: &str, to: &mut Destination, used: Use) {
    for (line, item) in items(text) {
        let name = item.trim_start_matches('.');
        let target = if name.parse::<std::net::IpAddr>().is_ok() {
            Target::Literal(name.to_owned())
        } else {
            Target::Tree(name.to_owned())
        };
        match book.add(&mut to.hosts, target) {
            Ok(()) => to.entries.push(book.carried(line, item, "domain")),
            Err(why) => book.left(
                line,
                item,
                "domain",
                Difference::new(used.of_leaving(), why),
            ),
        }
    }
}

/// `host/path`: that host, whatever `www` is before it, and paths that begin so.
pub(super) fn urls(book: &mut Book, text: &str, to: &mut Destination, used: Use) {
    for (line, item) in items(text) {
        match url(book, item) {
            Ok(formula) => {
                to.urls.push(formula);
                to.entries.push(book.carried(line, item, "url"));
            }
            Err(why) => book.left(line, item, "url", Difference::new(used.of_leaving(), why)),
        }
    }
}

fn url(book: &mut Book, item: &str) -> Result<Formula, Unsupported> {
    let (host, path) = item.split_once('/').ok_or(Unsupported::NoPath)?;
    let host = host.split(':').next().unwrap_or(host);
    let mut targets = Targets::default();
    if host.parse::<std::net::IpAddr>().is_ok() {
        book.add(&mut targets, Target::Literal(host.to_owned()))?;
    } else {
        // SquidGuard takes `www.`, `web.` and `ftp.` with digits off the host.
        book.add(&mut targets, Target::Exact(host.to_owned()))?;
        let name = regex_syntax::escape(&host.to_ascii_lowercase());
        book.add(
            &mut targets,
            Target::Matches(format!("^(?:www|web|ftp)[0-9]*\\.{name}$")),
        )?;
    }
    if path.contains(['*', '?']) {
        return Err(Unsupported::Wildcard);
    }
    let path = format!("/{}*", path.trim_end_matches('/'));
    book.check(&Field::HttpUri, Question::Like, &path)?;
    let uri = one(Field::HttpUri, Question::Like, "paths", &[path]);
    Ok(Formula::all([targets.formula("hosts"), uri]))
}
