//! `[admin]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::config::checked::{Admin, AdminListen};
use crate::config::raw::Section;
use crate::config::values::{self, Wrong};
use crate::limits::ADMIN_HOSTS_MAX;

/// Where it is if the file does not say.
const ADDRESS_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9128);

/// The listener of operators.
pub(in crate::config) fn admin(section: Section<'_>, base_dir: &Path) -> Admin {
    const EXPECTED: &str = "an address and a port, \"unix:/path\" or \"off\"";
    let listen = section.read("listen", |value| {
        let text = values::text(value, EXPECTED)?;
        if text == "off" {
            return Ok(AdminListen::Off);
        }
        match text.strip_prefix("unix:") {
            Some("") => Err(Wrong::value(value, EXPECTED)),
            Some(path) => Ok(AdminListen::Unix(base_dir.join(path))),
            None => values::socket_address(text)
                .map(AdminListen::Tcp)
                .map_err(|_| Wrong::value(value, EXPECTED)),
        }
    });
    let names = "names of this proxy, without ports";
    let hosts = section.list("hosts", 0..=ADMIN_HOSTS_MAX, names, |value| {
        let name = values::text(value, names)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        match !name.is_empty() && name.bytes().all(is_name) {
            true => Ok(name.to_ascii_lowercase()),
            false => Err(Wrong::value(value, names)),
        }
    });
    section.finish();
    Admin {
        listen: listen.map_or(AdminListen::Tcp(ADDRESS_DEFAULT), |placed| placed.value),
        hosts: hosts
            .unwrap_or_default()
            .into_iter()
            .map(|host| host.value)
            .collect(),
    }
}
