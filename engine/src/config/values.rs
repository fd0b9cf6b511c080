//! Single values: from the text of one to its type. Knows nothing of keys, places or relations.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeValue;

use super::checked::{AccessSink, FileSink, HostPort};
use crate::limits::DNS_PORT;

/// A value that is not what was expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What is there.
    pub(super) found: String,
    /// What should be there.
    pub(super) expected: String,
}

impl Wrong {
    /// For a value of the file.
    pub(super) fn value(found: &DeValue<'_>, expected: impl Into<String>) -> Self {
        Self {
            found: describe(found),
            expected: expected.into(),
        }
    }

    /// For a text.
    pub(super) fn text(found: &str, expected: impl Into<String>) -> Self {
        Self {
            found: describe_text(found),
            expected: expected.into(),
        }
    }
}

/// A value in a few words, for a message.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => describe_text(text),
        DeValue::Integer(integer) => format!("the integer {integer}"),
        DeValue::Float(float) => format!("the number {float}"),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(datetime) => format!("the date {datetime}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn describe_text(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let cut = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{cut}")
}

/// A text.
pub(super) fn text<'v>(value: &'v DeValue<'_>, expected: &str) -> Result<&'v str, Wrong> {
    value.as_str().ok_or_else(|| Wrong::value(value, expected))
}

/// An integer that is not negative.
pub(super) fn integer(value: &DeValue<'_>, expected: &str) -> Result<u64, Wrong> {
    value
        .as_integer()
        .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok())
        .ok_or_else(|| Wrong::value(value, expected))
}

/// A duration: a whole number and a unit. A bare number is refused, as its unit is anyone's guess.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    const EXPECTED: &str = r#"a duration such as "500ms", "10s", "5m", "1h" or "2d""#;
    let wrong = || Wrong::value(value, EXPECTED);
    let text = value.as_str().ok_or_else(wrong)?;
    let (count, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return Err(wrong()),
    };
    count
        .checked_mul(millis_per_unit)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

/// A size: an integer of bytes, or a text with a unit.
pub(super) fn size(value: &DeValue<'_>) -> Result<u64, Wrong> {
    const EXPECTED: &str = r#"a size: bytes, or a text such as "64KiB", "1MiB" or "2GiB""#;
    let wrong = || Wrong::value(value, EXPECTED);
    let Some(text) = value.as_str() else {
        return integer(value, EXPECTED);
    };
    let (count, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let bytes_per_unit = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    count.checked_mul(bytes_per_unit).ok_or_else(wrong)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start_matches(' ')))
}

/// `10s`, as a file would have it; for messages.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, millis_per_unit) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if millis >= millis_per_unit && millis.is_multiple_of(millis_per_unit) {
            return format!("\"{}{unit}\"", millis / millis_per_unit);
        }
    }
    format!("\"{millis}ms\"")
}

/// `64KiB`, as a file would have it; for messages.
pub(super) fn show_size(bytes: u64) -> String {
    for (unit, bytes_per_unit) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= bytes_per_unit && bytes.is_multiple_of(bytes_per_unit) {
            return format!("\"{}{unit}\"", bytes / bytes_per_unit);
        }
    }
    bytes.to_string()
}

/// A network; a bare address is the network of that one address.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    let wrong = || Wrong::text(text, r#"a network such as "10.0.0.0/8" or "fd00::/8""#);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| wrong())?;
    if network.trunc() == network {
        return Ok(network);
    }
    Err(Wrong::text(
        text,
        format!("no bits beyond the prefix: \"{}\"", network.trunc()),
    ))
}

/// An address.
pub(super) fn address(text: &str) -> Result<IpAddr, Wrong> {
    text.parse()
        .map_err(|_| Wrong::text(text, r#"an address such as "192.0.2.1" or "2001:db8::1""#))
}

/// An address and a port.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse()
        .map_err(|_| Wrong::text(text, r#"an address and a port, such as "127.0.0.1:3128""#))
}

/// A name server: an address, and a port unless it is 53.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, Wrong> {
    let expected = r#"the address of a name server, such as "192.0.2.1" or "127.0.0.1:5353""#;
    let wrong = || Wrong::text(text, expected);
    let address = match text.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, DNS_PORT),
        Err(_) => text.parse().map_err(|_| wrong())?,
    };
    let usable =
        address.port() != 0 && !address.ip().is_multicast() && !address.ip().is_unspecified();
    if usable { Ok(address) } else { Err(wrong()) }
}

/// The servers of the text of a `resolv.conf`, in order. Lines that make no sense are passed over,
/// as every resolver does.
pub(super) fn resolv_conf(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next()? == "nameserver").then(|| words.next())?
        })
        .filter_map(|word| name_server(word).ok())
        .collect()
}

/// `log.access`. Paths are relative to `base_dir`.
pub(super) fn access_sink(text: &str, base_dir: &Path) -> Result<AccessSink, Wrong> {
    const EXPECTED: &str = r#"a path, "stdout", "off", "unix:/path", "unix-datagram:/path", "syslog+udp://host:port" or "syslog+tcp://host:port""#;
    let wrong = || Wrong::text(text, EXPECTED);
    let path = |path: &str| match path {
        "" => Err(wrong()),
        _ => Ok(base_dir.join(path)),
    };
    if let Some((scheme, rest)) = text.split_once("://") {
        let at = host_port(rest).ok_or_else(wrong)?;
        return match scheme {
            "syslog+udp" => Ok(AccessSink::SyslogUdp(at)),
            "syslog+tcp" => Ok(AccessSink::SyslogTcp(at)),
            _ => Err(wrong()),
        };
    }
    match text.split_once(':') {
        Some(("unix", rest)) => Ok(AccessSink::UnixStream(path(rest)?)),
        Some(("unix-datagram", rest)) => Ok(AccessSink::UnixDatagram(path(rest)?)),
        _ if text == "stdout" => Ok(AccessSink::Stdout),
        _ if text == "off" => Ok(AccessSink::Off),
        _ => Ok(AccessSink::File(FileSink {
            path: path(text)?,
            rotate_bytes: None,
            rotate_keep: crate::limits::LOG_ROTATE_KEEP_DEFAULT,
        })),
    }
}

fn host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|&port| port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']').filter(|v6| v6.contains(':'))?,
        None => Some(host).filter(|host| !host.contains([':', '/', '@']))?,
    };
    (!host.is_empty()).then(|| HostPort {
        host: host.to_owned(),
        port,
    })
}
