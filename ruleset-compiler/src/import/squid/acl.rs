//! ACLs as they are written, and what asking for their meaning gives. `meaning` knows the types.

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::super::report::Place;
use super::meaning::Work;
use super::url_regex::protocol;
use crate::operator::Question;

/// All lines of one name.
#[derive(Debug)]
pub(super) struct Acl {
    pub(super) name: String,
    /// Its type.
    pub(super) kind: String,
    pub(super) lines: Vec<AclLine>,
}

/// One line.
#[derive(Debug)]
pub(super) struct AclLine {
    pub(super) place: Place,
    /// Its entry in the report.
    pub(super) entry: usize,
    /// `req_header` and `rep_header` name one.
    pub(super) header: Option<String>,
    /// `-n`: names are not looked up.
    pub(super) no_lookup: bool,
    pub(super) values: Vec<AclValue>,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct AclValue {
    pub(super) text: String,
    pub(super) place: Place,
    pub(super) ignore_case: bool,
}

/// What an ACL means here.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    /// Or why it has none.
    pub(super) formula: Result<Formula, String>,
    /// What is different.
    pub(super) differences: Vec<String>,
    /// Values that are left, where they stand, and why.
    pub(super) left: Vec<(Place, String, String)>,
}

/// Works out meanings.
#[derive(Debug)]
pub(super) struct Translator {
    pub(super) checker: Checker,
    /// The time zone of the machine that Squid ran on.
    pub(super) zone: Option<String>,
}

impl Translator {
    /// The meaning of an ACL that does not refer to others.
    pub(super) fn meaning(&mut self, acl: &Acl) -> Meaning {
        let mut work = Work::new(self, acl);
        let formula = work.formula();
        let (differences, left) = work.finish();
        let values_count: usize = acl.lines.iter().map(|line| line.values.len()).sum();
        let formula = match formula {
            Ok(_) if values_count > 0 && left.len() == values_count => {
                let why = left.first().map_or("", |(_, _, why)| why.as_str());
                Err(format!("no value of it can be carried over: {why}"))
            }
            other => other,
        };
        Meaning {
            formula,
            differences,
            left,
        }
    }
}

/// The ACLs that Squid knows without being told.
pub(super) fn predefined(name: &str) -> Option<Formula> {
    let networks = |field: Field, items: &[&str]| {
        let values = Values {
            name: name.to_owned(),
            origin: String::new(),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
        };
        Condition::new(field, operator(Question::Ip, false), values).into()
    };
    Some(match name {
        "all" => Formula::Always,
        "localhost" => networks(Field::SourceIp, &["127.0.0.1", "::1"]),
        "to_localhost" => networks(
            Field::DestinationIp,
            &["127.0.0.0/8", "0.0.0.0", "::1", "::"],
        ),
        "to_linklocal" => networks(Field::DestinationIp, &["169.254.0.0/16", "fe80::/10"]),
        "CONNECT" => protocol(&[Protocol::Connect]),
        // The cache manager's own URLs: there is none to reach.
        "manager" => Formula::Never,
        _ => return None,
    })
}
