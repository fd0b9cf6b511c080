//! What a configuration says besides access rules, as a `sallyport.toml` beside the ruleset: listeners,
//! name servers, times, header fields, and which tunnels are decrypted. What has no place there is left,
//! with the reason. `settings_text` writes it.

use std::collections::BTreeMap;

use sallyport_ruleset::normalize::is_token;

use super::super::report::{Difference, Effect, Fate, Report};
use super::acls::{Acls, acl_reference};
use super::bump::{Scope, scope};
use super::unsupported::Unsupported;

/// The file beside the ruleset.
pub(super) const FILE: &str = "sallyport.toml";

/// A directive that may have a place in the configuration.
#[derive(Debug)]
pub(super) struct SettingLine {
    /// Its entry in the report.
    pub(super) entry: usize,
    /// Its words, the directive first.
    pub(super) words: Vec<String>,
}

/// What became of a line: a note, perhaps with a difference, or why it is left.
type Outcome = Result<Difference, Unsupported>;

/// It has its place, and means the same.
#[expect(clippy::unnecessary_wraps, reason = "it ends what may fail")]
fn kept(note: impl std::fmt::Display) -> Outcome {
    Ok(Difference::new(Effect::Neither, note))
}

/// The configuration in the making.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Addresses and ports.
    pub(super) listeners: Vec<String>,
    pub(super) dns_servers: Vec<String>,
    /// Durations in seconds by table and key.
    pub(super) times: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) via: Option<String>,
    pub(super) x_forwarded_for: bool,
    pub(super) stripped: [Vec<String>; 2],
    pub(super) set: Vec<(String, String)>,
    pub(super) scopes: Vec<Scope>,
}

/// Reads the lines, tells of each what became of it, and gives the file.
///
/// `authority` is the file of the authority that signs for intercepted names; without one nothing can
/// be decrypted, and what says so is written as a comment.
pub(super) fn file(
    lines: &[SettingLine],
    acls: &mut Acls,
    authority: Option<&str>,
    report: &mut Report,
) -> String {
    let mut settings = Settings {
        // Squid's own default.
        x_forwarded_for: true,
        ..Settings::default()
    };
    // A value takes the place of a field that is removed.
    let is_late = |line: &&SettingLine| {
        line.words
            .first()
            .is_some_and(|word| word == "request_header_replace")
    };
    let early = lines.iter().filter(|line| !is_late(line));
    for line in early.chain(lines.iter().filter(is_late)) {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let Some((directive, words)) = words.split_first() else {
            continue;
        };
        let outcome = settings.line(directive, words, acls, authority.is_some());
        let Some(entry) = report.entries.get_mut(line.entry) else {
            continue;
        };
        match outcome {
            None => {}
            Some(Ok(Difference { effect, note })) => {
                entry.fate = if effect == Effect::Neither {
                    Fate::Carried
                } else {
                    Fate::Changed(effect)
                };
                entry.notes = vec![note];
            }
            Some(Err(why)) => {
                entry.notes = vec![why.to_string()];
                if *directive == "ssl_bump" {
                    // What is not decrypted, or not closed, is not looked into.
                    entry.fate = Fate::Left(Effect::Wider);
                }
            }
        }
    }
    let intercepts = settings.scopes.iter().any(|scope| scope.intercepts);
    if intercepts && authority.is_none() {
        report.remark(
            "nothing is decrypted until sallyport.toml names an authority: make one with `sallyport ca init`, give it with `--ca`, or take away the `#` under `[tls]`",
        );
    }
    settings.text(authority)
}

impl Settings {
    fn line(
        &mut self,
        directive: &str,
        words: &[&str],
        acls: &mut Acls,
        has_authority: bool,
    ) -> Option<Outcome> {
        if let Some((table, key)) = time_key(directive) {
            return Some(self.time((table, key), words));
        }
        Some(match directive {
            "http_port" => self.listener(words),
            "https_port" => Err(Unsupported::TlsListener),
            "dns_nameservers" => self.name_servers(words),
            "visible_hostname" => self.pseudonym(words),
            "forwarded_for" => self.forwarded_for(words),
            "via" if words.first() == Some(&"on") => kept("it is always so"),
            "via" => Err(Unsupported::ViaOff),
            "request_header_access" => self.strip(0, words),
            "reply_header_access" => self.strip(1, words),
            "request_header_replace" => self.replace(words),
            "ssl_bump" => self.bump(words, acls, has_authority),
            "cache_peer"
            | "cache_peer_access"
            | "cache_peer_domain"
            | "never_direct"
            | "always_direct"
            | "prefer_direct"
            | "nonhierarchical_direct" => Err(Unsupported::Parents),
            _ => return None,
        })
    }

    fn listener(&mut self, words: &[&str]) -> Outcome {
        let (address, options) = words.split_first().ok_or(Unsupported::NoPort)?;
        let unserved = [
            "intercept",
            "transparent",
            "tproxy",
            "accel",
            "vhost",
            "defaultsite",
        ];
        for option in options {
            let name = option.split('=').next().unwrap_or_default();
            if unserved.contains(&name) {
                return Err(Unsupported::ListenerKind(name.to_owned()));
            }
        }
        let listener = match address.rsplit_once(':') {
            None => {
                let port: u16 = port(address)?;
                format!("0.0.0.0:{port}")
            }
            Some((host, number)) => {
                let number = port(number)?;
                let bare = host.trim_matches(['[', ']']);
                let address: std::net::IpAddr = bare
                    .parse()
                    .map_err(|_| Unsupported::ListenerName(host.to_owned()))?;
                std::net::SocketAddr::new(address, number).to_string()
            }
        };
        if self.listeners.contains(&listener) {
            return kept("it is there already");
        }
        self.listeners.push(listener);
        let note = "it is a `[[listener]]` of sallyport.toml";
        let plain = !address.contains(':');
        kept(if plain {
            format!("{note}, for IPv4; clients over IPv6 need another for `[::]`")
        } else {
            note.to_owned()
        })
    }

    fn name_servers(&mut self, words: &[&str]) -> Outcome {
        let mut servers = Vec::new();
        for word in words {
            let address: std::net::IpAddr = word
                .parse()
                .map_err(|_| Unsupported::NameServer((*word).to_owned()))?;
            servers.push(address.to_string());
        }
        // The configuration takes 8.
        servers.truncate(8);
        self.dns_servers = servers;
        kept("it is `dns.servers` of sallyport.toml")
    }

    fn pseudonym(&mut self, words: &[&str]) -> Outcome {
        let name = words
            .first()
            .filter(|name| is_token(name.as_bytes()) && name.len() <= 64);
        let name = name.ok_or(Unsupported::Pseudonym)?;
        self.via = Some((*name).to_owned());
        kept("it is `headers.via` of sallyport.toml")
    }

    fn forwarded_for(&mut self, words: &[&str]) -> Outcome {
        match words.first() {
            Some(&"on") => {
                self.x_forwarded_for = true;
                kept("it is `headers.x_forwarded_for` of sallyport.toml")
            }
            Some(&("delete" | "off")) => {
                self.x_forwarded_for = false;
                kept(
                    "`headers.x_forwarded_for` of sallyport.toml is off: nothing is said of the client",
                )
            }
            _ => Err(Unsupported::ForwardedFor),
        }
    }

    fn strip(&mut self, side: usize, words: &[&str]) -> Outcome {
        let [name, "deny", "all"] = words else {
            return Err(Unsupported::StripForSome);
        };
        let name = edited(name)?;
        if let Some(names) = self.stripped.get_mut(side)
            && !names.contains(&name)
        {
            names.push(name);
        }
        let side = if side == 0 { "request" } else { "response" };
        kept(format!("it is in `headers.{side}.strip` of sallyport.toml"))
    }

    /// Squid puts the value in place of a field that is denied.
    fn replace(&mut self, words: &[&str]) -> Outcome {
        let (name, value) = words.split_first().ok_or(Unsupported::NoField)?;
        let name = edited(name)?;
        let value = value.join(" ").trim_matches('"').to_owned();
        if value.is_empty() || value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            return Err(Unsupported::FieldValue);
        }
        if !self
            .stripped
            .iter()
            .take(1)
            .flatten()
            .any(|known| *known == name)
        {
            return Err(Unsupported::NotDenied);
        }
        self.set.retain(|(known, _)| *known != name);
        self.set.push((name, value));
        kept("it is in `headers.request.set` of sallyport.toml")
    }

    fn time(&mut self, key: (&'static str, &'static str), words: &[&str]) -> Outcome {
        const SECONDS_MAX: u64 = 7 * 86_400;
        let seconds = seconds(words).ok_or(Unsupported::NoTime)?;
        if seconds == 0 || seconds > SECONDS_MAX {
            return Err(Unsupported::TimeBounds);
        }
        self.times.insert(key, seconds);
        kept(format!("it is `{}.{}` of sallyport.toml", key.0, key.1))
    }

    fn bump(&mut self, words: &[&str], acls: &mut Acls, has_authority: bool) -> Outcome {
        let (action, names) = words.split_first().ok_or(Unsupported::NoAction)?;
        let intercepts = match *action {
            // What is stared at is decrypted in the end.
            "bump" | "stare" | "server-first" | "client-first" | "allow" => true,
            "splice" | "none" | "deny" => false,
            "peek" => {
                return kept("every ClientHello is read before anything is decided");
            }
            _ => {
                return Err(Unsupported::Terminate);
            }
        };
        let names: Vec<(bool, String)> = names.iter().map(|name| acl_reference(name)).collect();
        let mut scope = scope(&names, acls)?;
        scope.intercepts = intercepts;
        acls.in_settings
            .extend(names.into_iter().map(|(_, name)| name));
        let difference = scope.difference(has_authority);
        self.scopes.push(scope);
        Ok(difference)
    }
}

fn port(text: &str) -> Result<u16, Unsupported> {
    text.parse().map_err(|_| Unsupported::Port(text.to_owned()))
}

/// Names of header fields that may be edited.
fn edited(name: &str) -> Result<String, Unsupported> {
    // What the proxy controls itself.
    const CONTROLLED: [&str; 15] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "forwarded",
        "x-forwarded-for",
    ];
    let lower = name.to_ascii_lowercase();
    if ["all", "other"].contains(&lower.as_str()) {
        return Err(Unsupported::AllFields);
    }
    if CONTROLLED.contains(&lower.as_str()) || !is_token(name.as_bytes()) {
        return Err(Unsupported::Controlled(name.to_owned()));
    }
    Ok(lower)
}

/// Where a time of Squid's goes.
fn time_key(directive: &str) -> Option<(&'static str, &'static str)> {
    Some(match directive {
        "connect_timeout" | "peer_connect_timeout" => ("timeouts", "connect_attempt"),
        "forward_timeout" => ("timeouts", "connect"),
        "read_timeout" => ("timeouts", "body_idle"),
        "request_timeout" => ("timeouts", "head"),
        "persistent_request_timeout" | "client_idle_pconn_timeout" => ("timeouts", "keep_alive"),
        "pconn_timeout" | "server_idle_pconn_timeout" => ("pool", "idle_timeout"),
        "shutdown_lifetime" => ("drain", "timeout"),
        _ => return None,
    })
}

/// `1 minute`, `30 seconds`; rounded up.
fn seconds(words: &[&str]) -> Option<u64> {
    let [number, unit] = words else {
        let [number] = words else { return None };
        return number.parse().ok();
    };
    let number: u64 = number.parse().ok()?;
    let unit = match unit.trim_end_matches('s') {
        "millisecond" => return Some(number.div_ceil(1_000)),
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("1 minute", Some(60)),
            ("30 seconds", Some(30)),
            ("500 milliseconds", Some(1)),
            ("2 hours", Some(7_200)),
            ("5", Some(5)),
            ("1 fortnight", None),
            ("x", None),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(seconds(&words), expected, "{text}");
        }
    }

    #[test]
    fn listeners() {
        let listener = |text: &str| {
            let mut settings = Settings::default();
            let words: Vec<&str> = text.split(' ').collect();
            settings
                .listener(&words)
                .map(|_| settings.listeners.remove(0))
        };
        assert_eq!(listener("3128").as_deref(), Ok("0.0.0.0:3128"));
        assert_eq!(listener("[::1]:3128 name=x").as_deref(), Ok("[::1]:3128"));
        assert_eq!(
            listener("10.0.0.1:80 ssl-bump cert=/x").as_deref(),
            Ok("10.0.0.1:80")
        );
        for bad in [
            "3129 intercept",
            "3130 tproxy",
            "80 accel",
            "proxy.test:3128",
            "x",
        ] {
            assert!(listener(bad).is_err(), "{bad}");
        }
    }
}
