//! What one line of the access log says, as far as rules can ask for it.

use std::borrow::Cow;
use std::net::IpAddr;

use super::names::Names;
use super::scan::{self, Raw, Value};
use super::values::{address, number, text, unix_seconds, utf8};

/// What kind of line it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Event {
    /// A transaction ended.
    Transaction,
    /// Something happened within one (`alert`, `deny`), or it goes on (`start`, `progress`).
    Part,
    /// There was none (`connection`), or lines were lost (`dropped`).
    NoTransaction,
    /// A kind that is not known here, or none at all.
    #[default]
    Unknown,
}

/// A line that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// No JSON object.
    #[error("no JSON object")]
    NoObject,
    /// A member's value is of the wrong kind.
    #[error("`{0}` is not what the log format says")]
    Member(&'static str),
    /// An object of something else, or of a later version.
    #[error("no `ts`, or an `event` that is not known: no line of an access log")]
    Stranger,
}

/// The members of a line. Text was cut from the line; what had escapes is a copy.
#[derive(Clone, Debug, Default)]
pub struct LogRecord<'l> {
    /// `event`
    pub event: Event,
    /// `ts`, in seconds since 1970.
    pub time: Option<i64>,
    /// `txn`
    pub txn: Option<Cow<'l, [u8]>>,
    /// `bundle`
    pub bundle: Option<Cow<'l, [u8]>>,
    /// `client_ip`
    pub client_ip: Option<IpAddr>,
    /// `client_port`
    pub client_port: Option<u16>,
    /// `vpce`
    pub vpce: Option<Cow<'l, [u8]>>,
    /// `vpc`
    pub vpc: Option<Cow<'l, [u8]>>,
    /// `account`
    pub account: Option<Cow<'l, [u8]>>,
    /// `principal`
    pub principal: Option<Cow<'l, [u8]>>,
    /// `proto`
    pub proto: Option<Cow<'l, [u8]>>,
    /// `method`
    pub method: Option<Cow<'l, [u8]>>,
    /// `domain`
    pub domain: Option<Cow<'l, [u8]>>,
    /// `port`
    pub port: Option<u16>,
    /// `dst_ip`
    pub dst_ip: Option<IpAddr>,
    /// `sni`
    pub sni: Option<Cow<'l, [u8]>>,
    /// Whether there is an `alpn`; it names only the first of the protocols offered.
    pub has_alpn: bool,
    /// `ja4`
    pub ja4: Option<Cow<'l, [u8]>>,
    /// `tls_mode`
    pub tls_mode: Option<Cow<'l, [u8]>>,
    /// `tls_version`
    pub tls_version: Option<Cow<'l, [u8]>>,
    /// `uri`
    pub uri: Option<Cow<'l, [u8]>>,
    /// `user_agent`
    pub user_agent: Option<Cow<'l, [u8]>>,
    /// `status`
    pub status: Option<u16>,
    /// `content_type`
    pub content_type: Option<Cow<'l, [u8]>>,
    /// `phase`
    pub phase: Option<Cow<'l, [u8]>>,
    /// `action`
    pub action: Option<Cow<'l, [u8]>>,
    /// `rule`
    pub rule: Option<Cow<'l, [u8]>>,
    /// `group`
    pub group: Option<Cow<'l, [u8]>>,
    /// `decisions`, as it stands there.
    decisions: Option<&'l [u8]>,
    /// `alerts`, as it stands there.
    alerts: Option<&'l [u8]>,
    /// Whether there is an `error`.
    pub has_error: bool,
}

/// An entry of `decisions`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct LoggedDecision<'l> {
    /// The phase, in its public spelling.
    #[serde(borrow)]
    pub phase: Cow<'l, str>,
    /// `allow` or `deny`.
    #[serde(borrow)]
    pub action: Cow<'l, str>,
    /// The rule that decided; none: the default action.
    #[serde(borrow, default)]
    pub rule: Option<Cow<'l, str>>,
    /// Its group.
    #[serde(borrow, default)]
    pub group: Option<Cow<'l, str>>,
}

/// Reads lines; the more there are alike, the faster.
#[derive(Clone, Debug)]
pub struct LogReader {
    names: Names<Option<Member>>,
}

impl Default for LogReader {
    fn default() -> Self {
        Self {
            names: Names::new(),
        }
    }
}

impl LogReader {
    /// Reads a line that has what all lines of a log have: a time and a kind.
    ///
    /// # Errors
    /// When it is no such line, or a member is not what the format says.
    pub fn read_logged<'l>(&mut self, line: &'l [u8]) -> Result<LogRecord<'l>, BadLine> {
        let record = self.read(line)?;
        match (record.time, record.event) {
            (None, _) | (_, Event::Unknown) => Err(BadLine::Stranger),
            _ => Ok(record),
        }
    }

    /// Reads a line. What it says does not hang on the lines before.
    ///
    /// # Errors
    /// When it is no object, or a member is not what the format says.
    pub fn read<'l>(&mut self, line: &'l [u8]) -> Result<LogRecord<'l>, BadLine> {
        let mut record = LogRecord::default();
        let mut bad = None;
        let read = scan::members(line, &mut self.names, Member::of, |member, value| {
            let Some(member) = member else {
                return Some(());
            };
            record
                .set(member, value)
                .map_err(|name| bad = Some(name))
                .ok()
        });
        match (read, bad) {
            (Some(()), _) => Ok(record),
            (None, Some(name)) => Err(BadLine::Member(name)),
            (None, None) => Err(BadLine::NoObject),
        }
    }
}

impl<'l> LogRecord<'l> {
    /// The names of the alert rules that fired.
    #[must_use]
    pub fn alerts(&self) -> Vec<Cow<'l, [u8]>> {
        let raw = self.alerts.and_then(scan::strings).unwrap_or_default();
        raw.into_iter().filter_map(Raw::decode).collect()
    }

    /// What each phase decided that ran; the last decision alone if the line does not say more. Empty
    /// if nothing was decided, or not in words of the format.
    #[must_use]
    pub fn decisions(&self) -> Vec<LoggedDecision<'_>> {
        match self.decisions {
            Some(array) => serde_json::from_slice(array).unwrap_or_default(),
            None => self.last_decision().into_iter().collect(),
        }
    }

    /// What `phase`, `action`, `rule` and `group` say.
    fn last_decision(&self) -> Option<LoggedDecision<'_>> {
        Some(LoggedDecision {
            phase: utf8(self.phase.as_deref())?,
            action: utf8(self.action.as_deref())?,
            rule: utf8(self.rule.as_deref()),
            group: utf8(self.group.as_deref()),
        })
    }

    fn set(&mut self, member: Member, value: Value<'l>) -> Result<(), &'static str> {
        let name = member.name();
        match member {
            Member::Time => self.time = Some(unix_seconds(&text(value, name)?).ok_or(name)?),
            Member::Event => {
                self.event = match &*text(value, name)? {
                    b"transaction" => Event::Transaction,
                    b"alert" | b"deny" | b"start" | b"progress" => Event::Part,
                    b"connection" | b"dropped" => Event::NoTransaction,
                    _ => Event::Unknown,
                }
            }
            Member::Txn => self.txn = Some(text(value, name)?),
            Member::Bundle => self.bundle = Some(text(value, name)?),
            Member::ClientIp => self.client_ip = Some(address(value, name)?),
            Member::ClientPort => self.client_port = Some(number(value, name)?),
            Member::Vpce => self.vpce = Some(text(value, name)?),
            Member::Vpc => self.vpc = Some(text(value, name)?),
            Member::Account => self.account = Some(text(value, name)?),
            Member::Principal => self.principal = Some(text(value, name)?),
            Member::Proto => self.proto = Some(text(value, name)?),
            Member::Method => self.method = Some(text(value, name)?),
            Member::Domain => self.domain = Some(text(value, name)?),
            Member::Port => self.port = Some(number(value, name)?),
            Member::DstIp => self.dst_ip = Some(address(value, name)?),
            Member::Sni => self.sni = Some(text(value, name)?),
            Member::Alpn => self.has_alpn = true,
            Member::Ja4 => self.ja4 = Some(text(value, name)?),
            Member::TlsMode => self.tls_mode = Some(text(value, name)?),
            Member::TlsVersion => self.tls_version = Some(text(value, name)?),
            Member::Uri => self.uri = Some(text(value, name)?),
            Member::UserAgent => self.user_agent = Some(text(value, name)?),
            Member::Status => self.status = Some(number(value, name)?),
            Member::ContentType => self.content_type = Some(text(value, name)?),
            Member::Phase => self.phase = Some(text(value, name)?),
            Member::Action => self.action = Some(text(value, name)?),
            Member::Rule => self.rule = Some(text(value, name)?),
            Member::Group => self.group = Some(text(value, name)?),
            Member::Decisions => match value {
                Value::Other(array) => self.decisions = Some(array),
                Value::Text(_) => return Err(name),
            },
            Member::Alerts => match value {
                Value::Other(array) => self.alerts = Some(array),
                Value::Text(_) => return Err(name),
            },
            Member::Error => self.has_error = true,
        }
        Ok(())
    }
}

/// What is read of a line, and the words for it. The first eight bytes tell all of them apart.
macro_rules! members {
    ($($member:ident = $name:literal,)+) => {
        #[derive(Clone, Copy, Debug)]
        enum Member {
            $($member,)+
        }

        #[expect(non_upper_case_globals, reason = "named as the members they belong to")]
        mod heads {
            $(pub(super) const $member: u64 = super::scan::head($name.as_bytes());)+
        }

        impl Member {
            fn of(name: &[u8]) -> Option<Self> {
                match scan::head(name) {
                    $(heads::$member if name == $name.as_bytes() => Some(Self::$member),)+
                    _ => None,
                }
            }

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $name,)+
                }
            }
        }
    };
}

members! {
    Time = "ts",
    Event = "event",
    Txn = "txn",
    Bundle = "bundle",
    ClientIp = "client_ip",
    ClientPort = "client_port",
    Vpce = "vpce",
    Vpc = "vpc",
    Account = "account",
    Principal = "principal",
    Proto = "proto",
    Method = "method",
    Domain = "domain",
    Port = "port",
    DstIp = "dst_ip",
    Sni = "sni",
    Alpn = "alpn",
    Ja4 = "ja4",
    TlsMode = "tls_mode",
    TlsVersion = "tls_version",
    Uri = "uri",
    UserAgent = "user_agent",
    Status = "status",
    ContentType = "content_type",
    Phase = "phase",
    Action = "action",
    Rule = "rule",
    Group = "group",
    Decisions = "decisions",
    Alerts = "alerts",
    Error = "error",
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Result<LogRecord<'_>, BadLine> {
        LogReader::default().read(line)
    }

    #[test]
    fn names_are_told_apart_to_their_end() {
        let record = read(br#"{"content_typo":1,"client_ipx":2,"rul":3,"rulee":4}"#).unwrap();
        assert_eq!(
            (record.content_type, record.client_ip, record.rule),
            (None, None, None)
        );
    }

    #[test]
    fn lines_of_the_engine() {
        let line = br#"{"ts":"2026-11-21T03:21:50.000001Z","event":"transaction","txn":"00","client_ip":"2001:db8::1","client_port":5,"domain":"a\u002eb","port":443,"alerts":["x","y"],"status":200,"t_total":7,"upstream_reused":true}"#;
        let record = read(line).unwrap();
        assert_eq!(record.event, Event::Transaction);
        assert_eq!(record.domain.as_deref(), Some(&b"a.b"[..]));
        assert_eq!(record.client_ip, "2001:db8::1".parse().ok());
        assert_eq!((record.port, record.status), (Some(443), Some(200)));
        assert_eq!(record.alerts(), [&b"x"[..], b"y"]);
        assert_eq!(read(b"x").unwrap_err(), BadLine::NoObject);
        let bad = read(br#"{"port":"443"}"#).unwrap_err();
        assert_eq!(bad, BadLine::Member("port"));
        assert!(read(br#"{"port":65536}"#).is_err());
    }
}
