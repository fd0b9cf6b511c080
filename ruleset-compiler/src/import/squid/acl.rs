//! ACLs as they are written, and what asking for their meaning gives. `meaning` knows the types.

use super::super::condition::{Checker, Formula};
use super::super::report::{Matching, Place};
use super::unsupported::Unsupported;

/// What is asked about: one and the same ACL can mean different things to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// A request that comes through no CONNECT.
    Plain,
    /// A CONNECT: whatever it holds, Squid judges the CONNECT alone.
    Tunnel,
    /// What Squid judges besides when it decrypts (`ssl_bump`): each request inside a CONNECT; of a
    /// CONNECT that is passed through, itself.
    Inside,
}

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
    /// Its entry in the report; what Squid itself says has none.
    pub(super) entry: Option<usize>,
    /// `req_header` and `rep_header` name one.
    pub(super) header: Option<String>,
    /// `-n`: names are not looked up.
    pub(super) no_lookup: bool,
    pub(super) values: Vec<AclValue>,
    /// Why a file with values of it could not be read.
    pub(super) unread: Option<Unsupported>,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct AclValue {
    pub(super) text: String,
    pub(super) place: Place,
    pub(super) ignore_case: bool,
}

/// What is different: how its matching differs, and in words.
pub(super) type Differences = Vec<(Matching, String)>;

/// Values that are left: where they stand, what they are, and why.
pub(super) type LeftValues = Vec<(Place, String, String)>;

/// What an ACL means here.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    /// Or why it has none.
    pub(super) formula: Result<Formula, Unsupported>,
    /// What is different.
    pub(super) differences: Differences,
    /// Values that are left.
    pub(super) left: LeftValues,
}

impl Meaning {
    /// None, for this reason.
    pub(super) const fn unknown(why: Unsupported) -> Self {
        Self {
            formula: Err(why),
            differences: Vec::new(),
            left: Vec::new(),
        }
    }

    /// How its matching differs from what it was.
    pub(super) fn matching(&self) -> Matching {
        let left = (!self.left.is_empty()).then_some(Matching::Fewer);
        let differences = self.differences.iter().map(|(matching, _)| *matching);
        differences
            .chain(left)
            .filter(|matching| *matching != Matching::Same)
            .reduce(|one, other| if one == other { one } else { Matching::Other })
            .unwrap_or(Matching::Same)
    }
}

/// Works out meanings.
#[derive(Debug)]
pub(super) struct Translator {
    pub(super) checker: Checker,
    /// The time zone of the machine that Squid ran on.
    pub(super) zone: Option<String>,
}

/// What Squid itself says before it reads the configuration: a name, and its line.
pub(super) const PREDEFINED: [(&str, &str); 6] = [
    ("all", "acl all src all"),
    (
        "manager",
        "acl manager url_regex -i ^cache_object:// +i ^[^:]+://[^/]+/squid-internal-mgr/",
    ),
    ("localhost", "acl localhost src 127.0.0.1/32 ::1"),
    (
        "to_localhost",
        "acl to_localhost dst 127.0.0.0/8 0.0.0.0/32 ::1/128 ::/128",
    ),
    (
        "to_linklocal",
        "acl to_linklocal dst 169.254.0.0/16 fe80::/10",
    ),
    ("CONNECT", "acl CONNECT method CONNECT"),
];
