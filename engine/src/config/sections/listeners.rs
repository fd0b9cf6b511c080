//! `[[listener]]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use toml::de::DeValue;

use crate::config::checked::{Listener, ListenerProtocol, ProxyProtocol};
use crate::config::environment::Environment;
use crate::config::raw::{Placed, Section, Span};
use crate::config::sections::auth::methods;
use crate::config::sections::destinations::networks;
use crate::config::sections::listener_tls;
use crate::config::values::{self, Wrong};
use crate::limits::LISTENERS_MAX;

/// Where clients connect if the file does not say.
const HTTP_ADDRESS_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);
/// The same where they speak TLS.
const HTTPS_ADDRESS_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

/// All listeners; the default one if there is none.
pub(in crate::config) fn listeners(
    root: &Section<'_>,
    environment: &Environment<'_>,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    let auth = root.section("auth");
    for (index, (section, span)) in root.sections("listener").into_iter().enumerate() {
        let (listener, address) = listener(&section, &span, &auth, environment);
        // Port 0 is a new one each time.
        let repeated = listener.address.port() != 0
            && listeners
                .iter()
                .any(|other| other.address == listener.address);
        if repeated {
            let found = listener.address.to_string();
            let wrong = Wrong::text(&found, "an address that no listener before it has");
            section.wrong("address", address.span.or(Some(span)), &wrong);
        } else if index == LISTENERS_MAX {
            let found = "one listener more".to_owned();
            let expected = format!("at most {LISTENERS_MAX}");
            root.wrong("listener", Some(span), &Wrong { found, expected });
        }
        listeners.push(listener);
        section.finish();
    }
    if listeners.is_empty() {
        listeners.push(listener(&root.absent("listener"), &(0..0), &auth, environment).0);
    }
    listeners
}

fn listener(
    section: &Section<'_>,
    span: &Span,
    auth: &Section<'_>,
    environment: &Environment<'_>,
) -> (Listener, Placed<SocketAddr>) {
    let address = section.read("address", |value| {
        values::socket_address(values::text(value, "an address and a port")?)
    });
    let protocol = protocol(section, span, environment);
    let default = match protocol {
        ListenerProtocol::Http => HTTP_ADDRESS_DEFAULT,
        ListenerProtocol::Https(_) => HTTPS_ADDRESS_DEFAULT,
    };
    let address = address.unwrap_or(Placed {
        value: default,
        span: None,
    });
    let auth = methods(section, auth, protocol.tls().is_some());
    (
        Listener {
            address: address.value,
            auth,
            protocol,
            proxy_protocol: proxy_protocol(section, span),
        },
        address,
    )
}

/// Who may say for whom it connects. Nobody is believed by default, so there is no default network.
fn proxy_protocol(section: &Section<'_>, span: &Span) -> Option<ProxyProtocol> {
    let is_required = section.choice(
        "proxy_protocol",
        None,
        &[
            ("off", None),
            ("v1v2-required", Some(true)),
            ("v1v2-optional", Some(false)),
        ],
    );
    let trusted = networks(section, "trusted");
    let wrong = |name, found: &str, expected: &str| {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        section.wrong(name, Some(span.clone()), &Wrong { found, expected });
    };
    match is_required {
        None if section.is_present("trusted") && !section.is_present("proxy_protocol") => {
            wrong(
                "trusted",
                "a listener without PROXY protocol",
                r#"proxy_protocol = "v1v2-required" or "v1v2-optional""#,
            );
            None
        }
        None => None,
        Some(_) if trusted.is_empty() => {
            wrong(
                "trusted",
                "nobody",
                "the networks of those whose PROXY protocol headers are believed",
            );
            None
        }
        Some(is_required) => Some(ProxyProtocol {
            is_required,
            trusted,
        }),
    }
}

fn protocol(section: &Section<'_>, span: &Span, environment: &Environment<'_>) -> ListenerProtocol {
    let word = section.read("protocol", protocol_word);
    let tls = listener_tls(section, environment);
    let speaks_tls = word.is_some_and(|word| word.value == Word::Https);
    match tls {
        Some(tls) if speaks_tls => return ListenerProtocol::Https(tls),
        None if speaks_tls && !section.is_present("certificate") => {
            let found = "nothing".to_owned();
            let expected = "the certificate of an https listener".to_owned();
            let wrong = Wrong { found, expected };
            section.wrong("certificate", Some(span.clone()), &wrong);
        }
        _ => {}
    }
    if !speaks_tls {
        for name in ["certificate", "key", "client_ca"] {
            if section.is_present(name) {
                let found = "a listener that speaks no TLS".to_owned();
                let expected = "protocol = \"https\"".to_owned();
                section.wrong(name, Some(span.clone()), &Wrong { found, expected });
            }
        }
    }
    ListenerProtocol::Http
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Http,
    Https,
}

fn protocol_word(value: &DeValue<'_>) -> Result<Word, Wrong> {
    match value.as_str() {
        Some("http") => Ok(Word::Http),
        Some("https") => Ok(Word::Https),
        Some("transparent") => Err(Wrong::value(
            value,
            r#""http" or "https": this version does not serve the other protocols yet"#,
        )),
        _ => Err(Wrong::value(value, r#""http" or "https""#)),
    }
}
