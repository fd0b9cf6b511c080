//! Why a line of Squid, or an ACL, is not carried over.

use sallyport_ruleset::normalize::DomainError;

use super::super::condition::{TooManyAlternatives, ValueError};
use super::super::expression_error::ExpressionError;

/// The reason. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// An ACL that something refers to.
    #[error("`{name}`: {why}")]
    Within {
        /// Its name.
        name: String,
        /// What is the matter with it.
        why: Box<Self>,
    },
    /// A value of `src` or `dst`.
    #[error(
        "a host name here is looked up by Squid when it starts; put its addresses in its place"
    )]
    HostName,
    /// No address stands between them.
    #[error("a range from one kind of address to the other")]
    MixedRange,
    /// It would be a list of its own.
    #[error("the range takes too many networks")]
    WideRange,
    /// No address is in it.
    #[error("the range runs backwards")]
    Backwards,
    /// Neither a number of bits nor ones before zeros.
    #[error("`{0}` is no netmask")]
    Netmask(String),
    /// A prefix longer than an address.
    #[error(transparent)]
    Prefix(#[from] ipnet::PrefixLenError),
    /// Of `time`.
    #[error("`{0}` is no span of the day")]
    Span(String),
    /// A letter of `time`.
    #[error("`{0}` is no day")]
    Day(char),
    /// A reference to nothing.
    #[error("there is no ACL `{0}`")]
    NoAcl(String),
    /// Of `ssl_bump`.
    #[error("`!{0}`: a scope says what is in it, not what is not")]
    NegatedInScope(String),
    /// A second ACL of a kind.
    #[error("`{0}`: a scope has one list of each kind")]
    TwiceInScope(String),
    /// A scope asks nothing else.
    #[error("`{name}`: scopes know names, networks and ports, not `{kind}`")]
    KindInScope {
        /// Of the ACL.
        name: String,
        /// Its type.
        kind: String,
    },
    /// A name in a scope.
    #[error("`{value}`: {why}")]
    Domain {
        /// As it is written.
        value: String,
        /// What is wrong with it.
        why: DomainError,
    },
    /// Of a scope or a listener.
    #[error("`{0}` is no port")]
    Port(String),
    /// It has them one by one.
    #[error("a scope has at most {0} ports")]
    ManyPorts(usize),
    /// `reply_body_max_size` alone.
    #[error("it has no size")]
    NoSize,
    /// What stands in its place.
    #[error("`{0}` is no whole number of bytes, KB, MB or GB")]
    Size(String),
    /// Behind a size.
    #[error("`{0}` is no unit: Squid would not start")]
    Unit(String),
    /// More bytes than 64 bits count.
    #[error("it is too large a number")]
    LargeNumber,
    /// Perhaps without end.
    #[error("ACLs refer to each other more than {0} deep")]
    Nesting(usize),
    /// Why the first of them cannot.
    #[error("no value of it can be carried over: {0}")]
    NoValue(String),
    /// A type of ACL that has no place; why.
    #[error("{0}")]
    AclType(&'static str),
    /// Of `req_header` or `rep_header`.
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    /// Of an expression over paths.
    #[error("it has a `^` that is not at the start")]
    CaretWithin,
    /// The same.
    #[error("where it begins within the path is not clear")]
    UnclearBegin,
    /// A file of values.
    #[error("`{path}` cannot be read: {why}; `--root` says where absolute paths are")]
    Unread {
        /// The file.
        path: String,
        /// What reading it came to.
        why: String,
    },
    /// `https_port`
    #[error(
        "a listener with TLS needs its certificate in the form of this proxy: `listener.protocol = \"https\"`, `listener.certificate`"
    )]
    TlsListener,
    /// `via off`
    #[error("`Via` is always sent: loops are recognized by it")]
    ViaOff,
    /// `cache_peer` and what goes with it.
    #[error("requests go to their destinations: other proxies as parents have no place yet")]
    Parents,
    /// `http_port` alone.
    #[error("it has no port")]
    NoPort,
    /// Of `http_port`.
    #[error("listeners with `{0}` are not served by this version: clients name the proxy")]
    ListenerKind(String),
    /// Of `http_port`.
    #[error("`{0}` is a name: a listener has an address")]
    ListenerName(String),
    /// Of `dns_nameservers`.
    #[error("`{0}` is no address of a name server")]
    NameServer(String),
    /// `visible_hostname`
    #[error("it is no pseudonym for `Via`")]
    Pseudonym,
    /// `forwarded_for`
    #[error("`X-Forwarded-For` is written or not, not passed on unchanged or cut")]
    ForwardedFor,
    /// `request_header_access` of some.
    #[error("header fields are removed for all requests or none: `headers.request.strip`")]
    StripForSome,
    /// `request_header_replace` alone.
    #[error("it names no field")]
    NoField,
    /// Of `request_header_replace`.
    #[error("its value is no text of visible ASCII")]
    FieldValue,
    /// A field that stays.
    #[error("Squid replaces only what `request_header_access` denies")]
    NotDenied,
    /// A time limit.
    #[error("it is no time that can be read")]
    NoTime,
    /// As the configuration has them.
    #[error("times are 1 s to 7 days")]
    TimeBounds,
    /// `ssl_bump` alone.
    #[error("it says nothing")]
    NoAction,
    /// `ssl_bump terminate`
    #[error("a tunnel that is to be closed is denied by a rule")]
    Terminate,
    /// `all` and `other`.
    #[error("fields are removed by their names")]
    AllFields,
    /// A field that nobody edits.
    #[error("`{0}` is written by the proxy itself")]
    Controlled(String),
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// An expression without a like.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// A line that is too wide.
    #[error(transparent)]
    Alternatives(#[from] TooManyAlternatives),
}

impl Unsupported {
    /// The same, of an ACL that is referred to.
    pub(super) fn within(self, name: &str) -> Self {
        Self::Within {
            name: name.to_owned(),
            why: Box::new(self),
        }
    }
}
