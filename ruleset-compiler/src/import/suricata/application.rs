//! Application protocols: what a proxy tells apart, and what it only knows to be neither HTTP nor TLS.

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Condition, Formula};
use super::ask::protocols;
use super::bound::{Bound, Difference};
use super::unsupported::Unsupported;

/// Protocols over TCP that a proxy does not tell from each other.
const OVER_TCP: [&str; 25] = [
    "ssh",
    "smtp",
    "ftp",
    "ftp-data",
    "smb",
    "dcerpc",
    "imap",
    "pop3",
    "msn",
    "krb5",
    "ldap",
    "rdp",
    "rfb",
    "telnet",
    "mqtt",
    "modbus",
    "dnp3",
    "enip",
    "nfs",
    "pgsql",
    "sip",
    "irc",
    "jabber",
    "websocket",
    "failed",
];

/// Protocols that are not carried by TCP.
const NOT_OVER_TCP: [&str; 18] = [
    "udp",
    "icmp",
    "icmpv4",
    "icmpv6",
    "ipv6-icmp",
    "igmp",
    "sctp",
    "quic",
    "dhcp",
    "ntp",
    "tftp",
    "snmp",
    "ike",
    "ikev2",
    "esp",
    "gre",
    "bittorrent-dht",
    "mdns",
];

/// Words that stand for whatever TCP carries.
const ANYTHING: [&str; 5] = ["ip", "tcp", "tcp-pkt", "tcp-stream", "pkthdr"];

/// Why a protocol never comes through a forward proxy.
pub(super) fn never_here(protocol: &str) -> Option<&'static str> {
    NOT_OVER_TCP
        .contains(&protocol)
        .then_some("it is not carried by TCP, so it never comes through a forward proxy")
}

/// Whether the protocol of a rule says nothing about what TCP carries.
pub(super) fn is_anything(protocol: &str) -> bool {
    ANYTHING.contains(&protocol)
}

/// Requests of a protocol.
///
/// # Errors
/// When a proxy cannot say what they are.
pub(super) fn formula(
    protocol: &str,
    tls_inspection: bool,
    bound: Bound,
) -> Result<(Formula, Option<Difference>), Unsupported> {
    // Decrypted or not, a request has a head; in the clear alone it is one of two words.
    let with_head = || Formula::from(Condition::null(Field::HttpMethod, false));
    let http = |tls_inspection: bool| match tls_inspection {
        true => with_head(),
        false => protocols(&[Protocol::Http, Protocol::Ws]),
    };
    let h2 = || protocols(&[Protocol::H2]);
    let exactly = |formula| Ok((formula, None));
    match protocol {
        _ if is_anything(protocol) => exactly(Formula::Always),
        "tls" | "ssl" => exactly(protocols(&[Protocol::Https, Protocol::Wss])),
        "http" => exactly(http(tls_inspection)),
        "http1" => exactly(Formula::all([http(tls_inspection), h2().negated()])),
        "http2" => exactly(Formula::all([http(tls_inspection), h2()])),
        "dns" => Err(Unsupported::Dns),
        _ if NOT_OVER_TCP.contains(&protocol) => exactly(Formula::Never),
        "failed" => exactly(protocols(&[Protocol::Tcp])),
        _ if OVER_TCP.contains(&protocol) => match bound {
            Bound::Wider => {
                let note = format!(
                    "a proxy does not tell `{protocol}` from other protocols: all that is neither HTTP nor TLS is meant"
                );
                Ok((protocols(&[Protocol::Tcp]), Some(Difference::wider(&note))))
            }
            Bound::Narrower => Err(Unsupported::NotTold(protocol.to_owned())),
        },
        _ => Err(Unsupported::Protocol(protocol.to_owned())),
    }
}

/// Requests of any protocol but this one.
///
/// # Errors
/// As [`formula`].
pub(super) fn other_than(
    protocol: &str,
    tls_inspection: bool,
    bound: Bound,
) -> Result<(Formula, Option<Difference>), Unsupported> {
    if !OVER_TCP.contains(&protocol) || protocol == "failed" {
        let (formula, _) = formula(protocol, tls_inspection, bound)?;
        return Ok((formula.negated(), None));
    }
    let note =
        |what: &str| format!("a proxy does not tell `{protocol}` from other protocols: {what}");
    Ok(match bound {
        Bound::Wider => (
            Formula::Always,
            Some(Difference::wider(&note("it is meant too"))),
        ),
        Bound::Narrower => (
            protocols(&[Protocol::Tcp]).negated(),
            Some(Difference::narrower(&note("only HTTP and TLS are meant"))),
        ),
    })
}
