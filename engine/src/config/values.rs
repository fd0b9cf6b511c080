//! Single values: from the text of one to its type. Knows nothing of keys, places or relations.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use jiff::{Span, SpanRelativeTo};
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

/// A duration, by the rule of `docs/units.md`. A bare number is refused, as its unit is anyone's guess.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    const EXPECTED: &str = r#"a duration such as "500ms", "10s", "5m", "1h" or "2d""#;
    value
        .as_str()
        .and_then(duration_of)
        .ok_or_else(|| Wrong::value(value, EXPECTED))
}

fn duration_of(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(exact).ok()
}

/// A size, bytes: an integer, or a text by the rule of `docs/units.md`.
pub(super) fn size(value: &DeValue<'_>) -> Result<u64, Wrong> {
    const EXPECTED: &str = r#"a size: bytes, or a text such as "64KiB", "1MiB" or "2GiB""#;
    match value.as_str() {
        Some(text) => size_of(text).ok_or_else(|| Wrong::value(value, EXPECTED)),
        None => integer(value, EXPECTED),
    }
}

fn size_of(text: &str) -> Option<u64> {
    // Without its last letter a unit may mean either of two.
    let is_plain = text.ends_with(|last: char| last == 'B' || last.is_ascii_digit());
    let size: ByteSize = text.parse().ok().filter(|_| is_plain)?;
    Some(size.as_u64())
}

/// `10s`, as a file would have it; for messages. In the one unit that says it whole, which the printers
/// of crates do not do.
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

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: &str = include_str!("../../../docs/units.md");

    /// Rows of one table of the page: a text, and what it is.
    fn rows(unit: &str) -> Vec<(&'static str, Option<f64>)> {
        let (durations, sizes) = UNITS.split_once("| size | is |").unwrap();
        let table = if unit == " s" { durations } else { sizes };
        let row = |row: &'static str| {
            let (text, is) = row.strip_prefix("| `")?.split_once("` | ")?;
            let value = is.strip_suffix(" |")?.strip_suffix(unit);
            Some((text, value.map(|number| number.parse().unwrap())))
        };
        let rows: Vec<_> = table.lines().filter_map(row).collect();
        assert!(rows.len() > 15, "{rows:?}");
        rows
    }

    #[test]
    fn durations_are_those_of_the_page() {
        for (text, seconds) in rows(" s") {
            let found = duration_of(text).map(|duration| duration.as_secs_f64());
            assert_eq!(found, seconds, "{text}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_page() {
        for (text, bytes) in rows(" bytes") {
            let found = size_of(text).map(|bytes| bytes as f64);
            assert_eq!(found, bytes, "{text}");
        }
    }
}
