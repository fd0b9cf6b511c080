//! `reply_body_max_size`: the first line whose ACLs all match is the limit of a response. One whose
//! declared length is over it is denied in PostRESPONSE; a body without a declared length, which Squid
//! cuts when it has grown over the limit, is not bounded here, and each line says so.

use sallyport_ruleset::{Action, Field};

use super::super::condition::{Condition, Formula, Values, operator};
use super::super::draft::Draft;
use super::super::report::{Difference, Effect, Report};
use super::access::reply_views;
use super::acl::View;
use super::acls::Acls;
use super::unsupported::Unsupported;
use super::writer::{AccessLine, Writer};
use crate::operator::{Comparison, Question};

/// One line.
#[derive(Debug)]
pub(super) struct SizeLine {
    /// In bytes; `None`: nothing is too large.
    limit: Option<u64>,
    /// As an access line that denies what is too large.
    access: AccessLine,
}

/// The limit at the front of the words behind the directive, and what stands behind it.
///
/// # Errors
/// Why Squid would not take it, or what cannot be read.
pub(super) fn limit(words: &[String]) -> Result<(Option<u64>, &[String]), Unsupported> {
    let (size, rest) = words.split_first().ok_or(Unsupported::NoSize)?;
    if size == "none" || size == "-1" {
        return Ok((None, rest));
    }
    let number: u64 = size.parse().map_err(|_| Unsupported::Size(size.clone()))?;
    // Squid reads no unit behind a zero.
    if number == 0 {
        return Ok((Some(0), rest));
    }
    let Some((unit, rest)) = rest.split_first() else {
        return Ok((Some(number), rest));
    };
    let bytes = match unit.to_ascii_lowercase() {
        unit if unit.starts_with("bytes") => 1,
        unit if unit.starts_with("kb") => 1 << 10,
        unit if unit.starts_with("mb") => 1 << 20,
        unit if unit.starts_with("gb") => 1 << 30,
        unit => return Err(Unsupported::Unit(unit)),
    };
    let limit = number.checked_mul(bytes);
    limit
        .map(|limit| (Some(limit), rest))
        .ok_or(Unsupported::LargeNumber)
}

impl SizeLine {
    /// `access` has the ACLs; its name is made of the limit and them.
    pub(super) fn new(limit: Option<u64>, mut access: AccessLine) -> Self {
        if let Some(limit) = limit {
            access.words.insert(0, format!("content-over-{limit}"));
        }
        Self { limit, access }
    }

    /// Whether it takes from a line with this limit what that one would deny: what is over the other's
    /// limit is over its own as well if that is no larger.
    fn spares(&self, limit: u64) -> bool {
        self.limit.is_none_or(|own| own > limit)
    }
}

/// The rules of all lines; they stand before those of `http_reply_access`, as Squid looks at the length
/// first.
pub(super) fn size_rules(
    lines: &[SizeLine],
    decrypts: bool,
    acls: &mut Acls,
    report: &mut Report,
    draft: &mut Draft,
) {
    if lines.is_empty() {
        return;
    }
    let views = reply_views(decrypts);
    let mut writer = Writer::new("reply-body-max-size", acls, report);
    let mut told: Vec<&SizeLine> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let later = lines.iter().skip(at + 1).any(|line| line.limit.is_some());
        match writer.size_line(line, &told, views) {
            Ok(()) => told.push(line),
            Err(why) => writer.leave(&line.access, &why, effect_of_leaving(line, later)),
        }
    }
    writer.settle(lines.iter().map(|line| &line.access), views);
    draft.groups.push(writer.group);
}

const NO_LENGTH: &str = "a body without a declared length is not cut where it grows over the limit";

/// Without a line its limit is gone, and what follows is asked in its place.
const fn effect_of_leaving(line: &SizeLine, has_later: bool) -> Effect {
    match (line.limit, has_later) {
        (None, false) => Effect::Neither,
        (None, true) => Effect::Narrower,
        (Some(_), false) => Effect::Wider,
        (Some(_), true) => Effect::Either,
    }
}

impl Writer<'_> {
    /// The rules of a line, behind those that were told before it.
    fn size_line(
        &mut self,
        line: &SizeLine,
        before: &[&SizeLine],
        views: &[View],
    ) -> Result<(), Unsupported> {
        let Some(limit) = line.limit else {
            // What it spares is said by the lines behind it; whether it can be said is found out here.
            for view in views {
                self.told(&line.access.acls, Formula::Always, *view)?;
            }
            self.note(&line.access, "what it matches is left out of later limits");
            return Ok(());
        };
        let sparing = before.iter().filter(|earlier| earlier.spares(limit));
        let sparing: Vec<&AccessLine> = sparing.map(|earlier| &earlier.access).collect();
        let mut by_view = Vec::new();
        for view in views {
            let mut beside = vec![is_over(limit)];
            for earlier in &sparing {
                beside.push(self.formula(&earlier.acls, *view)?.negated());
            }
            let told = self.told(&line.access.acls, Formula::all(beside), *view)?;
            by_view.push((*view, told));
        }
        self.deny(&line.access, &by_view);
        if self.has_rules(&line.access) {
            self.differ(&line.access, Difference::new(Effect::Wider, NO_LENGTH));
        }
        let spared = sparing.iter().flat_map(|earlier| &earlier.acls);
        let spared: Vec<(bool, String)> = spared
            .map(|(negated, name)| (!negated, name.clone()))
            .collect();
        let effect = self.effect(&spared, Action::Deny, views);
        if effect != Effect::Neither {
            self.differ(
                &line.access,
                Difference::new(effect, "ACLs of lines before it say what is different"),
            );
        }
        Ok(())
    }
}

/// A declared length over the limit, but of the answer to a HEAD, which has no content.
fn is_over(limit: u64) -> Formula {
    let values = |item: String| Values {
        name: String::new(),
        origin: String::new(),
        items: vec![item],
    };
    let over = operator(Question::Number(Comparison::Greater), false);
    let over = Condition::new(
        Field::ResponseContentLength,
        over,
        values(limit.to_string()),
    );
    let other_method = Condition::new(
        Field::HttpMethod,
        operator(Question::Equals, true),
        values("HEAD".to_owned()),
    );
    Formula::all([over.into(), other_method.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (text, expected) in [
            ("none all", Ok((None, 1))),
            ("-1", Ok((None, 0))),
            ("0 all", Ok((Some(0), 1))),
            ("10 MB", Ok((Some(10 << 20), 0))),
            ("10 mb a b", Ok((Some(10 << 20), 2))),
            ("3 KB a", Ok((Some(3_072), 1))),
            ("700 bytes", Ok((Some(700), 0))),
            ("700", Ok((Some(700), 0))),
            ("1 GB !a", Ok((Some(1 << 30), 1))),
            ("10 all", Err("`all` is no unit: Squid would not start")),
            (
                "1.5 MB",
                Err("`1.5` is no whole number of bytes, KB, MB or GB"),
            ),
            ("99999999999 GB", Err("it is too large a number")),
            ("", Err("it has no size")),
        ] {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let found = limit(&words).map(|(limit, rest)| (limit, rest.len()));
            let found = found.map_err(|why| why.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
