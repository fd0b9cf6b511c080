//! What one line of the access log says, as far as rules can ask for it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::names::Names;
use super::scan::{self, Raw, Value};

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

fn text<'l>(value: Value<'l>, name: &'static str) -> Result<Cow<'l, [u8]>, &'static str> {
    match value {
        Value::Text(raw) => raw.decode().ok_or(name),
        Value::Other(_) => Err(name),
    }
}

fn utf8(text: Option<&[u8]>) -> Option<Cow<'_, str>> {
    str::from_utf8(text?).ok().map(Cow::Borrowed)
}

fn number(value: Value<'_>, name: &'static str) -> Result<u16, &'static str> {
    let Value::Other(digits) = value else {
        return Err(name);
    };
    if digits.is_empty() || digits.len() > 5 {
        return Err(name);
    }
    let add = |sum: u32, digit: &u8| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(sum * 10 + digit)
    };
    let sum = digits.iter().try_fold(0, add).ok_or(name)?;
    u16::try_from(sum).map_err(|_| name)
}

fn address(value: Value<'_>, name: &'static str) -> Result<IpAddr, &'static str> {
    let text = text(value, name)?;
    if let Some(v4) = dotted_quad(&text) {
        return Ok(v4.into());
    }
    let text = str::from_utf8(&text).map_err(|_| name)?;
    text.parse().map_err(|_| name)
}

/// An IPv4 address as it is mostly written; what is not so may be one all the same.
fn dotted_quad(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = text;
    for (position, octet) in octets.iter_mut().enumerate() {
        if position > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (first, mut after) = rest.split_first()?;
        let mut sum = digit(*first)?;
        while let Some((next, behind)) = after.split_first()
            && let Some(next) = digit(*next)
            && sum > 0
        {
            sum = (sum * 10 + next).min(1_000);
            after = behind;
        }
        *octet = u8::try_from(sum).ok()?;
        rest = after;
    }
    rest.is_empty().then(|| octets.into())
}

fn digit(byte: u8) -> Option<u16> {
    byte.is_ascii_digit().then(|| u16::from(byte - b'0'))
}

/// `2026-11-21T03:21:50.123456Z`, as the engine writes it (RFC 3339, UTC).
fn unix_seconds(text: &[u8]) -> Option<i64> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
        rest @ ..,
    ] = text
    else {
        return None;
    };
    let fraction = rest.strip_suffix(b"Z")?;
    let is_fraction = match fraction {
        [] => true,
        [b'.', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_fraction {
        return None;
    }
    let digits = |digits: &[&u8]| {
        digits.iter().try_fold(0_i64, |sum, digit| {
            let digit = char::from(**digit).to_digit(10)?;
            Some(sum * 10 + i64::from(digit))
        })
    };
    let (year, month, day) = (
        digits(&[y0, y1, y2, y3])?,
        digits(&[m0, m1])?,
        digits(&[d0, d1])?,
    );
    let (hour, minute, second) = (digits(&[h0, h1])?, digits(&[n0, n1])?, digits(&[s0, s1])?);
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Of the proleptic Gregorian calendar; years are counted from March, so that the leap day is the
/// last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Result<LogRecord<'_>, BadLine> {
        LogReader::default().read(line)
    }

    #[test]
    fn times_are_those_of_a_calendar_library() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "2026-11-21T03:21:50.123456Z",
            "2000-02-29T23:59:59Z",
            "2099-12-31T00:00:00.5Z",
            "2100-03-01T12:30:00Z",
        ] {
            let expected: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(
                unix_seconds(text.as_bytes()),
                Some(expected.as_second()),
                "{text}"
            );
        }
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21T03:21:50+01:00",
            "2026-11-21T03:21:5xZ",
        ] {
            assert_eq!(unix_seconds(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn addresses_are_those_of_the_standard_library(text in "[0-9]{1,4}(\\.[0-9]{1,4}){2,4}|[0-9.]{0,12}|[0-2]?[0-9]?[0-9](\\.[0-2]?[0-9]?[0-9]){3}", address: Ipv4Addr) {
            assert_eq!(dotted_quad(text.as_bytes()), text.parse().ok());
            assert_eq!(dotted_quad(address.to_string().as_bytes()), Some(address));
        }
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
