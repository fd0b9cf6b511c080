//! `[[listener]]`.

use std::net::{Ipv4Addr, SocketAddr};

use toml::de::DeValue;

use crate::config::checked::{Listener, ListenerProtocol};
use crate::config::raw::{Placed, Section};
use crate::config::values::{self, Wrong};
use crate::limits::LISTENERS_MAX;

/// Where clients connect if the file does not say.
const ADDRESS_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);

/// All listeners; the default one if there is none.
pub(in crate::config) fn listeners(root: &Section<'_>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (index, (section, span)) in root.sections("listener").into_iter().enumerate() {
        let (listener, address) = listener(&section);
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
        listeners.push(listener(&root.absent("listener")).0);
    }
    listeners
}

fn listener(section: &Section<'_>) -> (Listener, Placed<SocketAddr>) {
    let address = section.read("address", |value| {
        values::socket_address(values::text(value, "an address and a port")?)
    });
    let address = address.unwrap_or(Placed {
        value: ADDRESS_DEFAULT,
        span: None,
    });
    let protocol = section.read("protocol", protocol);
    let protocol = protocol.map_or(ListenerProtocol::Http, |placed| placed.value);
    (
        Listener {
            address: address.value,
            protocol,
        },
        address,
    )
}

fn protocol(value: &DeValue<'_>) -> Result<ListenerProtocol, Wrong> {
    match value.as_str() {
        Some("http") => Ok(ListenerProtocol::Http),
        Some("https" | "transparent") => Err(Wrong::value(
            value,
            r#""http": this version does not serve the other protocols yet"#,
        )),
        _ => Err(Wrong::value(value, r#""http""#)),
    }
}
