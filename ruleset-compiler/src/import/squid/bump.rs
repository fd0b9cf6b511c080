//! The ACLs of an `ssl_bump` line as a `[[tls.scope]]`: a scope has lists of names, networks and ports, and
//! each that it has must contain the tunnel.

use super::super::report::{Difference, Effect};
use super::acl::Acl;
use super::acls::Acls;
use super::address::{Addresses, addresses};
use super::toml_values::list;
use super::unsupported::Unsupported;

/// A scope in the making.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// What the scope says of TLS: it ends here, or it passes.
    pub(super) intercepts: bool,
    /// Names under those of an ACL are in it as well.
    pub(super) is_wider: bool,
    /// Squid asks for the names of addresses, and finds more in it.
    pub(super) misses_names: bool,
    /// It is about addresses, also those of names.
    pub(super) is_of_addresses: bool,
    domains: Vec<String>,
    destinations: Vec<String>,
    clients: Vec<String>,
    ports: Vec<u16>,
}

/// As the configuration has it.
const PORTS_MAX: usize = 4096;

/// The scope of ACLs that must all match.
///
/// # Errors
/// What a scope cannot say.
pub(super) fn scope(names: &[(bool, String)], acls: &Acls) -> Result<Scope, Unsupported> {
    let mut scope = Scope::default();
    for (negated, name) in names {
        let acl = acls
            .by_name
            .get(name)
            .ok_or_else(|| Unsupported::NoAcl(name.clone()))?;
        if acl.kind == "at_step" {
            continue;
        }
        if *negated {
            return Err(Unsupported::NegatedInScope(name.clone()));
        }
        add(&mut scope, acl)?;
    }
    Ok(scope)
}

fn add(scope: &mut Scope, acl: &Acl) -> Result<(), Unsupported> {
    if let Some(why) = acl.lines.iter().find_map(|line| line.unread.clone()) {
        return Err(why);
    }
    let values: Vec<&str> = acl
        .lines
        .iter()
        .flat_map(|line| &line.values)
        .map(|value| value.text.as_str())
        .collect();
    let is_domain = ["dstdomain", "ssl::server_name"].contains(&acl.kind.as_str());
    scope.is_wider |= is_domain && values.iter().any(|value| !value.starts_with('.'));
    let looks_up = acl.lines.iter().any(|line| !line.no_lookup);
    scope.misses_names |= acl.kind == "dstdomain" && looks_up;
    scope.is_of_addresses |= acl.kind == "dst" && looks_up;
    let twice = || Err(Unsupported::TwiceInScope(acl.name.clone()));
    let (into, found) = match acl.kind.as_str() {
        "dstdomain" | "ssl::server_name" => (&mut scope.domains, domains(&values)?),
        "src" => (&mut scope.clients, networks(&values)?),
        "dst" => (&mut scope.destinations, networks(&values)?),
        "port" => {
            if !scope.ports.is_empty() {
                return twice();
            }
            scope.ports = ports(&values)?;
            return Ok(());
        }
        kind => {
            return Err(Unsupported::KindInScope {
                name: acl.name.clone(),
                kind: kind.to_owned(),
            });
        }
    };
    if !into.is_empty() && !found.is_empty() {
        return twice();
    }
    into.extend(found);
    Ok(())
}

/// A scope means a name and all under it.
fn domains(values: &[&str]) -> Result<Vec<String>, Unsupported> {
    let name = |value: &&str| {
        let name = value.trim_start_matches('.').to_ascii_lowercase();
        let mut scratch = String::new();
        sallyport_ruleset::normalize::normalize_domain(&name, &mut scratch)
            .map(str::to_owned)
            .map_err(|why| Unsupported::Domain {
                value: (*value).to_owned(),
                why,
            })
    };
    values.iter().map(name).collect()
}

/// None: all.
fn networks(values: &[&str]) -> Result<Vec<String>, Unsupported> {
    let mut found = Vec::new();
    for value in values {
        match addresses(value)? {
            Addresses::All => return Ok(Vec::new()),
            Addresses::Networks(networks) => {
                found.extend(networks.iter().map(|network| network.trunc().to_string()));
            }
        }
    }
    Ok(found)
}

/// A scope has ports one by one.
fn ports(values: &[&str]) -> Result<Vec<u16>, Unsupported> {
    let mut found = Vec::new();
    for value in values {
        let (from, to) = value.split_once('-').unwrap_or((value, value));
        let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else {
            return Err(Unsupported::Port((*value).to_owned()));
        };
        found.extend(from..=to);
        if found.len() > PORTS_MAX {
            return Err(Unsupported::ManyPorts(PORTS_MAX));
        }
    }
    Ok(found)
}

impl Scope {
    /// What is different from the line that it comes from. To pass a tunnel through that Squid looks into
    /// is to allow more, since nothing inside is judged.
    pub(super) fn difference(&self, has_authority: bool) -> Difference {
        let mut note = "it is a `[[tls.scope]]` of sallyport.toml".to_owned();
        let mut effect = Effect::Neither;
        let mut differs = |with: Effect, words: &str| {
            effect = effect.and(with);
            note.push_str(words);
        };
        let missed = if self.intercepts {
            Effect::Wider
        } else {
            Effect::Narrower
        };
        if self.intercepts && !has_authority {
            differs(
                Effect::Wider,
                ", and a comment until there is an authority (`--ca`): nothing is decrypted before",
            );
        }
        if !self.intercepts && self.is_wider {
            differs(
                Effect::Wider,
                "; names under those of its ACLs are passed through as well",
            );
        }
        if self.misses_names {
            differs(
                missed,
                "; the name of an address in a CONNECT is not looked up, so such a tunnel is not in it",
            );
        }
        if !self.intercepts && self.is_of_addresses {
            differs(
                missed,
                "; a name of which just one address is in it is not passed through",
            );
        }
        Difference::new(effect, note)
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        let mut lines = vec!["[[tls.scope]]".to_owned()];
        for (key, items) in [
            ("domains", &self.domains),
            ("destinations", &self.destinations),
            ("clients", &self.clients),
        ] {
            if !items.is_empty() {
                lines.push(format!("{key} = {}", list(items)));
            }
        }
        if !self.ports.is_empty() {
            let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            lines.push(format!("ports = [{}]", ports.join(", ")));
        }
        let mode = if self.intercepts {
            "intercept"
        } else {
            "passthrough"
        };
        lines.push(format!("mode = \"{mode}\""));
        lines.join("\n")
    }
}
