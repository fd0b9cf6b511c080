//! The configuration as a whole: examples, defaults, every kind of problem, and the documentation.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use sallyport_identity::{Algorithm, Authority};
use sallyport_pki::UpstreamVerify;

use super::checked::{
    AccessSink, AdminListen, AuthMethods, Config, FileKey, FileSink, Fronting, HostPort, IoDriver,
    LogConnections, Ports, PrivateNetworks, ReloadTunnels, SourceOf,
};
use super::keys::KEYS;
use super::raw::{Report, Section};
use super::{ConfigErrors, Environment, Overrides};

const DOCUMENTATION: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/configuration.md"
));

/// Every key, none at its default.
const FULL: &str = r#"
ruleset = "rules.spb"
trusted_keys = ["ops.pub.pem"]
shards = 3
[admin]
listen = "unix:admin.sock"
hosts = ["Proxy.Corp.Test"]
[[listener]]
address = "127.0.0.1:3128"
protocol = "https"
certificate = "proxy.pem"
key = "proxy.key"
client_ca = "clients.pem"
proxy_protocol = "v1v2-optional"
trusted = ["192.0.2.0/24"]
auth = ["basic", "bearer", "jwt", "mtls"]
[[listener]]
address = "[::1]:0"
protocol = "http"
[dns]
servers = ["127.0.0.1:5353", "2001:db8::53"]
attempts = 3
attempt_timeout = "900ms"
lookup_timeout = "4s"
case_mixing = false
ttl_min = "2s"
ttl_max = "30m"
negative_ttl_max = "10s"
cache_entries = 5
lookups_in_flight = 6
ipv4 = true
ipv6 = false
resolution_delay = "0s"
[hosts]
"A.Origin.Test." = ["127.0.0.1", "::1"]
"bücher.example" = ["192.0.2.1"]
[guard]
allow = ["127.0.0.0/8", "::1"]
deny = ["10.0.0.0/8"]
private = "allow"
ports = "any"
http_ports = [80, "8000-8999"]
[reload]
tunnels = "leave"
[tls]
mode = "intercept"
ca = "ca.pem"
ca_key = "/keys/ca.key"
version_min = "1.3"
rsa_leaf = true
certificate_cache_entries = 7
client_certificate_fallback = true
ech = "deny"
[[tls.scope]]
domains = ["Bank.Test.", "*.bücher.example"]
destinations = ["192.0.2.0/24"]
ports = [443, 8443]
clients = ["10.0.0.0/8"]
mode = "passthrough"
upstream_verify = "deny"
client_certificate = "us.pem"
client_key = "us.key"
[[tls.scope]]
mode = "intercept"
[tls.upstream]
built_in_roots = false
system_roots = true
roots = ["extra.pem"]
crls = ["revoked.crl"]
version_min = "1.3"
verify = "alert"
[tunnel]
unknown_protocol = "allow"
fronting = "alert"
idle_timeout = "2h"
lifetime_max = "1d"
sniff_timeout = "3s"
[timeouts]
head = "1s"
keep_alive = "2s"
connect_attempt = "3s"
connect = "4s"
tls_handshake = "8s"
response = "5s"
body_idle = "6s"
upload_idle = "9s"
linger = "7s"
[tcp]
keepalive_idle = "10s"
keepalive_interval = "2s"
keepalive_probes = 3
user_timeout = "1m"
[limits]
connections = 300
connections_per_client = 20
tunnels_per_client = 10
requests_per_second_per_client = 1_000
ipv6_client_prefix = 56
client_share = 40
head_bytes = "64KiB"
headers = 100
uri_bytes = 8192
chunk_extension_bytes = 0
trailer_bytes = 0
interim_responses = 3
interim_bytes = "8KiB"
buffer_bytes = "16MiB"
upload_rate_min = "1KiB"
[http]
retry_body_bytes = "16KiB"
https_targets = false
path = "merge-slashes"
origin_leniency = ["bare-lf"]
[[http.scope]]
domains = ["old.test"]
destinations = ["192.0.2.0/24"]
ports = [8080]
origin_leniency = ["bare-lf", "length-with-chunked"]
[pool]
idle_per_destination = 1
idle_total = 2
idle_timeout = "3s"
non_idempotent_idle = "4s"
[http2]
client_streams = 10
upstream_streams = 11
streams_per_shard = 12
stream_window_bytes = "64KiB"
connection_window_bytes = "128KiB"
control_frames_per_second = 13
resets_per_second = 14
ping_interval = "1m"
ping_timeout = "5s"
[connect]
happy_eyeballs_delay = "100ms"
[headers]
via = "edge-1"
forwarded = true
x_forwarded_for = true
request.strip = ["X-Secret", "cookie"]
request.set = { X-Zone = "blue" }
[headers.response]
strip = ["Server"]
set = { X-Proxy = "yes" }
[responses]
reveal_rule = true
page = "refused.html"
[log]
access = "access.jsonl"
query = true
on_overflow = "drop"
buffer_bytes = "4MiB"
flush_interval = "1s"
progress = "90s"
connections = "all"
rotate_bytes = "1GiB"
rotate_keep = 3
level = "debug"
format = "json"
[drain]
timeout = "5s"
[io]
driver = "epoll"
[auth]
users = "users.txt"
tokens = "tokens.toml"
failures_per_minute = 5
[[auth.jwt]]
issuer = "https://issuer.example"
audience = "sallyport"
jwks = "jwks.json"
algorithms = ["ES256", "EdDSA"]
principal = "email"
labels = { Team = "/realm/team" }
leeway = "10s"
[[auth.jwt]]
trust_domain = "example.org"
audience = ["sallyport", "proxy"]
jwks = "/keys/spire.json"
[[identity.source]]
vpce = "vpce-0abc"
vpc = "vpc-1"
account = "111122223333"
labels = { Team = "payments", zone = ["a", "b"] }
[[identity.source]]
clients = ["10.0.0.0/8"]
vpc = "vpc-2"
[[identity.source]]
principal = "ann"
account = "1"
[[identity.source]]
spiffe = "spiffe://example.org/ns/pay"
account = "2"
"#;

/// Of the private key in RFC 8410 section 10.3.
const PUBLIC_KEY: &[u8] = b"-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("/etc/resolv.conf") => Ok(b"# none\nsearch x\nnameserver 192.0.2.53\n".to_vec()),
        Some("/etc/sallyport/ops.pub.pem") => Ok(PUBLIC_KEY.to_vec()),
        Some("/etc/sallyport/refused.html") => Ok(b"<p>no</p>".to_vec()),
        Some("/etc/sallyport/large.html") => Ok(vec![b'x'; 1 << 17]),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse_with(text: &str, overrides: &Overrides) -> Result<Config, ConfigErrors> {
    let file = Path::new("/etc/sallyport/sallyport.toml");
    Config::parse(
        text,
        &Environment {
            file,
            overrides,
            cores: 2,
            read: &read,
        },
    )
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_with(text, &Overrides::default())
}

#[test]
fn every_key_is_read() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.trusted_keys.len(), 1);
    assert_eq!(config.ruleset, PathBuf::from("/etc/sallyport/rules.spb"));
    assert_eq!((config.shards, config.listeners.len()), (3, 2));
    let servers: Vec<_> = config.dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["127.0.0.1:5353", "[2001:db8::53]:53"]);
    let names: Vec<_> = config.hosts.keys().map(String::as_str).collect();
    assert_eq!(names, ["a.origin.test", "xn--bcher-kva.example"]);
    assert_eq!(config.guard.allow.len(), 2);
    assert_eq!(config.guard.private, PrivateNetworks::Allow);
    assert_eq!(config.guard.ports, Ports::Any);
    assert_eq!(
        config.guard.http_ports,
        Ports::Only(vec![80..=80, 8000..=8999])
    );
    assert_eq!(config.reload.tunnels, ReloadTunnels::Leave);
    assert_eq!(config.tunnel.fronting, Fronting::Alert);
    let scope = &config.tls.scopes[0];
    assert_eq!(scope.domains, ["bank.test", "*.xn--bcher-kva.example"]);
    assert_eq!(scope.ports, [443, 8443]);
    let (ca, extra) = (config.tls.ca.unwrap(), &config.tls.upstream.roots[0]);
    assert_eq!(ca.path, PathBuf::from("/etc/sallyport/ca.pem"));
    assert_eq!((extra.key, extra.line), ("tls.upstream.roots", 68));
    assert_eq!(config.tls.scopes[1].upstream_verify, UpstreamVerify::Alert);
    let tls = config.listeners[0].protocol.tls().unwrap();
    assert_eq!(
        tls.identity.key.path,
        PathBuf::from("/etc/sallyport/proxy.key")
    );
    assert_eq!(
        config.tunnel.lifetime_max,
        Some(Duration::from_secs(86_400))
    );
    assert_eq!(config.timeouts.linger, Duration::from_secs(7));
    assert_eq!(
        (
            config.limits.connections,
            config.limits.connections_per_shard
        ),
        (300, 100)
    );
    assert_eq!(config.limits.per_client.requests_per_second, Some(1000));
    assert_eq!(config.limits.head_bytes, 65_536);
    assert_eq!(config.headers.request.strip, ["cookie", "x-secret"]);
    assert_eq!(
        config.headers.request.set,
        [("X-Zone".to_owned(), "blue".to_owned())]
    );
    let page = config.responses.page.unwrap();
    assert_eq!(
        (page.content_type, &*page.body),
        ("text/html; charset=utf-8", &b"<p>no</p>"[..])
    );
    let path = PathBuf::from("/etc/sallyport/access.jsonl");
    let file = FileSink {
        path,
        rotate_bytes: Some(1 << 30),
        rotate_keep: 3,
    };
    assert_eq!(config.log.access, AccessSink::File(file));
    assert_eq!(config.log.progress, Some(Duration::from_secs(90)));
    assert_eq!(config.log.connections, LogConnections::All);
    assert_eq!(config.drain.timeout, Duration::from_secs(5));
    assert_eq!(config.admin.hosts, ["proxy.corp.test"]);
    let AdminListen::Unix(admin) = &config.admin.listen else {
        panic!("{:?}", config.admin.listen);
    };
    assert!(admin.ends_with("admin.sock"));
    assert_eq!(config.io.driver, IoDriver::Epoll);
}

#[test]
fn every_key_of_identity_is_read() {
    let config = parse(FULL).unwrap();
    let listener = &config.listeners[0];
    let all = AuthMethods {
        basic: true,
        bearer: true,
        jwt: true,
        mtls: true,
    };
    assert_eq!(listener.auth, all);
    assert_eq!(config.listeners[1].auth, AuthMethods::default());
    let policy = listener.proxy_protocol.as_ref().unwrap();
    let sender = |text: &str| text.parse().unwrap();
    assert!(!policy.is_required && policy.trusts(sender("::ffff:192.0.2.9")));
    assert!(!policy.trusts(sender("192.0.3.1")));
    let auth = &config.auth;
    let path = |file: &FileKey| file.path.to_str().unwrap().to_owned();
    assert_eq!(
        path(auth.users.as_ref().unwrap()),
        "/etc/sallyport/users.txt"
    );
    assert_eq!(
        path(auth.tokens.as_ref().unwrap()),
        "/etc/sallyport/tokens.toml"
    );
    assert_eq!(auth.failures_per_minute, Some(5));
    let [issuer, spire] = &*auth.issuers else {
        panic!("{auth:?}")
    };
    assert_eq!(
        (path(&issuer.jwks), path(&spire.jwks)),
        (
            "/etc/sallyport/jwks.json".to_owned(),
            "/keys/spire.json".to_owned()
        )
    );
    let read = &issuer.issuer;
    assert_eq!(read.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
    assert_eq!(
        (read.leeway_seconds, &*read.audiences),
        (10, &["sallyport".to_owned()][..])
    );
    assert_eq!(read.labels["team"].to_string(), "/realm/team");
    let Authority::Issuer { issuer, principal } = &read.authority else {
        panic!("{read:?}")
    };
    assert_eq!(
        (&**issuer, principal.to_string()),
        ("https://issuer.example", "email".to_owned())
    );
    let of_domain = &spire.issuer;
    assert_eq!(
        of_domain.authority,
        Authority::TrustDomain("example.org".to_owned())
    );
    assert_eq!(
        (of_domain.leeway_seconds, of_domain.audiences.len()),
        (60, 2)
    );
    let [endpoint, network, person, workload] = &*config.identity_sources else {
        panic!("{:?}", config.identity_sources)
    };
    assert_eq!(endpoint.of, SourceOf::Endpoint("vpce-0abc".to_owned()));
    assert_eq!(endpoint.labels["zone"], ["a", "b"]);
    assert_eq!(endpoint.labels["team"], ["payments"]);
    assert_eq!(
        network.of,
        SourceOf::Clients(vec!["10.0.0.0/8".parse().unwrap()])
    );
    assert_eq!(person.of, SourceOf::Principal("ann".to_owned()));
    assert!(matches!(&workload.of, SourceOf::Spiffe(id) if id.path() == "/ns/pay"));
}

/// What no key can say alone.
const NONSENSE: &[(&str, &str)] = &[
    (
        "[[listener]]\ntrusted = ['10.0.0.0/8']",
        "listener.trusted: found a listener without PROXY protocol",
    ),
    (
        "[[listener]]\nproxy_protocol = 'v1v2-required'",
        "listener.trusted: found nobody",
    ),
    (
        "[[listener]]\nproxy_protocol = 'v3'",
        "listener.proxy_protocol: found \"v3\"",
    ),
    (
        "[[identity.source]]\nvpc = 'a'",
        "identity.source.clients: found nobody",
    ),
    (
        "[[identity.source]]\nvpce = 'a'\nprincipal = 'b'\nvpc = 'c'",
        "identity.source.vpce: found vpce and principal",
    ),
    (
        "[[identity.source]]\nvpce = 'a'",
        "identity.source.vpc: found nothing about these clients",
    ),
    (
        "[[identity.source]]\nvpce = 'a'\nvpc = 'b'\n[[identity.source]]\nvpce = 'a'\nvpc = 'c'",
        "identity.source.vpce: found \"a\", expected one that no source before it has",
    ),
    (
        "[[identity.source]]\nclients = ['10.0.0.0/8']\nvpc = 'b'\n[[identity.source]]\nclients = ['10.0.0.0/8']\nvpc = 'c'",
        "identity.source.clients: found \"10.0.0.0/8\", expected a network that no source",
    ),
    (
        "[[identity.source]]\nspiffe = 'https://a'\nvpc = 'b'",
        "identity.source.spiffe: found \"https://a\"",
    ),
    (
        "[[identity.source]]\nvpce = 'a'\nlabels = { 'a b' = 'c' }",
        "identity.source.labels.a b: found \"a b\"",
    ),
    (
        "[[identity.source]]\nvpce = 'a'\nlabels = { a = 'c', A = 'd' }",
        "a label that is not there in other letters",
    ),
    (
        "[[auth.jwt]]\naudience = 'a'\njwks = 'b'",
        "auth.jwt.issuer: found neither",
    ),
    (
        "[[auth.jwt]]\nissuer = 'i'\ntrust_domain = 'd'\naudience = 'a'\njwks = 'b'",
        "auth.jwt.issuer: found issuer and trust_domain",
    ),
    (
        "[[auth.jwt]]\ntrust_domain = 'd'\nprincipal = 'p'\naudience = 'a'\njwks = 'b'",
        "auth.jwt.principal: found a trust domain",
    ),
    (
        "[[auth.jwt]]\nissuer = 'i'\naudience = 'a'",
        "auth.jwt.jwks: found nothing",
    ),
    (
        "[[auth.jwt]]\nissuer = 'i'\naudience = 'a'\njwks = 'b'\nalgorithms = ['HS256']",
        "auth.jwt.algorithms: found \"HS256\"",
    ),
];

#[test]
fn identity_that_makes_no_sense() {
    for (text, expected) in NONSENSE {
        let errors = parse(&format!("ruleset = 'r'\n{text}\n")).unwrap_err();
        assert_eq!(errors.problems.len(), 1, "{text}: {errors}");
        assert!(errors.to_string().contains(expected), "{text}: {errors}");
        assert!(errors.problems[0].place.is_some(), "{text}: {errors}");
    }
}

#[test]
fn the_parser_knows_exactly_the_listed_keys() {
    let overrides = Overrides::default();
    let file = Path::new("/etc/sallyport/sallyport.toml");
    let environment = Environment {
        file,
        overrides: &overrides,
        cores: 2,
        read: &read,
    };
    let report = Report::new(file, FULL);
    let table = report.parse().unwrap();
    let root = Section::root(&report, table.get_ref());
    super::check::check(root, &report, FULL, &environment);
    let listed: BTreeSet<_> = KEYS.iter().map(ToString::to_string).collect();
    assert_eq!(report.asked(), listed);
    assert_eq!(listed.len(), KEYS.len(), "a key is listed twice");
    for key in KEYS {
        assert!(full_has(key), "{key} is missing in the full example");
    }
}

/// Whether the full example sets `key`.
fn full_has(key: &str) -> bool {
    let table: toml::Table = FULL.parse().unwrap();
    let mut value = toml::Value::Table(table);
    for part in key.split('.') {
        let inner = match &value {
            toml::Value::Array(list) => list.iter().find_map(|entry| entry.get(part)),
            other => other.get(part),
        };
        let Some(inner) = inner.cloned() else {
            return false;
        };
        value = inner;
    }
    true
}

/// Key and default of each row of the documentation's tables.
fn documented() -> Vec<(&'static str, Option<&'static str>)> {
    let rows = DOCUMENTATION
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (key, rest) = row.split_once("` | ").unwrap();
        let mut cells = rest.split(" | ");
        let default = cells.nth(1).unwrap();
        (
            key,
            default
                .strip_prefix('`')
                .and_then(|default| default.strip_suffix('`')),
        )
    })
    .collect()
}

#[test]
fn the_documentation_has_exactly_the_listed_keys() {
    let documented: Vec<_> = documented().into_iter().map(|(key, _)| key).collect();
    let listed: BTreeSet<_> = KEYS.iter().copied().collect();
    assert_eq!(documented.iter().copied().collect::<BTreeSet<_>>(), listed);
    assert_eq!(documented.len(), listed.len(), "a key is documented twice");
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let (mut text, mut listener) = (String::new(), String::new());
    for (key, default) in documented() {
        let Some(default) = default else { continue };
        // Scopes are a list of tables: without one there is none.
        if ["http.scope.", "auth.jwt.", "identity.source."]
            .iter()
            .any(|list| key.starts_with(list))
        {
            continue;
        }
        match key.strip_prefix("listener.") {
            Some(name) => listener.push_str(&format!("{name} = {default}\n")),
            None => text.push_str(&format!("{key} = {default}\n")),
        }
    }
    assert!(text.lines().count() > 50);
    let documented = parse(&format!("ruleset = 'r'\n{text}[[listener]]\n{listener}")).unwrap();
    let empty = parse("ruleset = 'r'").unwrap();
    assert_eq!(
        Config {
            id: empty.id.clone(),
            text: empty.text.clone(),
            ..documented
        },
        empty
    );
    assert_eq!(empty.dns.servers, ["192.0.2.53:53".parse().unwrap()]);
    assert_eq!(empty.shards, 2);
}

#[test]
fn the_documentation_s_example_is_right() {
    let example = DOCUMENTATION
        .split("```toml")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    parse(example).unwrap();
}

#[test]
fn the_command_line_s_ruleset_wins() {
    let overrides = Overrides {
        ruleset: Some("x.spb".into()),
    };
    let with = parse_with("", &overrides).unwrap();
    assert_eq!(with.ruleset, PathBuf::from("x.spb"));
    let both = parse_with("ruleset = 'r.spb'", &overrides).unwrap();
    assert_eq!(both.ruleset, PathBuf::from("x.spb"));
    assert_ne!(both.id, with.id);
    assert_ne!(both.id, parse("ruleset = 'r.spb'").unwrap().id);
    assert_eq!(both.id.len(), 16);
}

#[test]
fn defaults_give_way_to_their_partners() {
    let config = parse(
        "ruleset = 'r'\n[timeouts]\nconnect = '1s'\n[dns]\nlookup_timeout = '1s'\nttl_max = '0s'\n\
         [limits]\nhead_bytes = '8KiB'\n",
    )
    .unwrap();
    assert_eq!(config.timeouts.connect_attempt, Duration::from_secs(1));
    assert_eq!(config.dns.attempt_timeout, Duration::from_secs(1));
    assert_eq!(config.dns.ttl_min, Duration::ZERO);
    assert_eq!(config.limits.uri_bytes, 4096);
}

/// Text, the line and key of its one problem, and words of the message or help.
const WRONG: &[(&str, usize, &str, &str)] = &[
    (
        "shards = 0",
        1,
        "shards",
        "found the integer 0, expected an integer from 1 to 1024",
    ),
    ("shards = -1", 1, "shards", "found the integer -1"),
    ("shards = 1.5", 1, "shards", "found the number 1.5"),
    ("shard = 1", 1, "shard", "did you mean `shards`?"),
    (
        "[timeouts]\nhead = 10",
        2,
        "timeouts.head",
        "found the integer 10, expected a duration",
    ),
    (
        "[timeouts]\nhead = '10'",
        2,
        "timeouts.head",
        "expected a duration",
    ),
    (
        "[timeouts]\nhead = '0s'",
        2,
        "timeouts.head",
        r#"expected "1ms" to "7d""#,
    ),
    (
        "[timeouts]\nhead = '99999999999999999999s'",
        2,
        "timeouts.head",
        "a duration",
    ),
    (
        "[timeouts]\nhead = '99999999999999999d'",
        2,
        "timeouts.head",
        "a duration",
    ),
    (
        "[timeouts]\nhaed = '1s'",
        2,
        "timeouts.haed",
        "did you mean `head`?",
    ),
    (
        "timeouts = 3",
        1,
        "timeouts",
        "expected a table: [timeouts]",
    ),
    (
        "[timeouts]\nconnect = '1s'\nconnect_attempt = '2s'",
        3,
        "timeouts.connect_attempt",
        "at most",
    ),
    (
        "[cache]\nbytes = 1",
        1,
        "cache",
        "this version does not serve it yet",
    ),
    (
        "[admin]\nlisten = 'here'",
        2,
        "admin.listen",
        "\"unix:/path\" or \"off\"",
    ),
    (
        "[admin]\nhosts = ['a.test:80']",
        2,
        "admin.hosts",
        "names of this proxy, without ports",
    ),
    (
        "[listener]\naddress = '127.0.0.1:1'",
        1,
        "listener",
        "[[listener]]",
    ),
    (
        "[[listener]]\naddress = 'localhost:1'",
        2,
        "listener.address",
        "an address and a port",
    ),
    (
        "[[listener]]\nprotocol = 'https'",
        1,
        "listener.certificate",
        "the certificate of an https listener",
    ),
    (
        "[[listener]]\nprotocol = 'gopher'",
        2,
        "listener.protocol",
        "expected \"http\"",
    ),
    (
        "[[listener]]\n[[listener]]",
        2,
        "listener.address",
        "that no listener before it has",
    ),
    ("[dns]\nservers = []", 2, "dns.servers", "a list of 1 to 8"),
    (
        "[dns]\nservers = ['1.1.1.1', 'dns.example']",
        2,
        "dns.servers",
        "\"dns.example\"",
    ),
    (
        "[dns]\nservers = '1.1.1.1'",
        2,
        "dns.servers",
        "a list of 1 to 8",
    ),
    (
        "[dns]\nipv4 = false\nipv6 = false",
        3,
        "dns.ipv6",
        "at least one address family",
    ),
    (
        "[dns]\nttl_min = '2h'",
        2,
        "dns.ttl_min",
        "at most dns.ttl_max, \"1h\"",
    ),
    (
        "[dns]\nattempt_timeout = '6s'",
        2,
        "dns.attempt_timeout",
        "at most dns.lookup_timeout",
    ),
    (
        "[hosts]\n'a..b' = ['1.1.1.1']",
        2,
        "hosts.a..b",
        "a domain name",
    ),
    (
        "[hosts]\nb = '1.1.1.1'",
        2,
        "hosts.b",
        "a list of 1 to 16 addresses",
    ),
    ("[hosts]\nb = ['c']", 2, "hosts.b", "expected an address"),
    (
        "[hosts]\nb = ['1.1.1.1']\nB = ['1.1.1.1']",
        3,
        "hosts.B",
        "another spelling",
    ),
    (
        "[guard]\nallow = ['10.0.0.1/8']",
        2,
        "guard.allow",
        "\"10.0.0.0/8\"",
    ),
    (
        "[guard]\nallow = ['10.0.0.0/33']",
        2,
        "guard.allow",
        "expected a network",
    ),
    (
        "[guard]\nprivate = 'open'",
        2,
        "guard.private",
        r#""deny" or "allow""#,
    ),
    (
        "[guard]\nhttp_ports = ['90-80']",
        2,
        "guard.http_ports",
        "a range such as",
    ),
    (
        "[guard]\nports = ['0-80']",
        2,
        "guard.ports",
        "a range such as",
    ),
    (
        "[reload]\ntunnels = 'cut'",
        2,
        "reload.tunnels",
        r#""judge" or "leave""#,
    ),
    ("[guard]\nports = 'all'", 2, "guard.ports", "or \"any\""),
    (
        "[guard]\nports = [0]",
        2,
        "guard.ports",
        "a port from 1 to 65535",
    ),
    (
        "[guard]\nports = [65536]",
        2,
        "guard.ports",
        "a port from 1 to 65535",
    ),
    ("[tls]\nmode = 'off'", 2, "tls.mode", r#""intercept""#),
    (
        "[tls]\nversion_min = '1.1'",
        2,
        "tls.version_min",
        r#""1.2" or "1.3""#,
    ),
    (
        "[[tls.scope]]\nports = [443]",
        1,
        "tls.scope.mode",
        "found nothing",
    ),
    (
        "[[tls.scope]]\nmode = 'passthrough'\ndomains = ['*.*.test']",
        3,
        "tls.scope.domains",
        "a domain such as",
    ),
    (
        "[tls.upstream]\nbuilt_in_roots = false",
        2,
        "tls.upstream.built_in_roots",
        "no origin is believed",
    ),
    (
        "[[listener]]\ncertificate = 'c'",
        1,
        "listener.certificate",
        "speaks no TLS",
    ),
    (
        "[tunnel]\nfronting = 'permit'",
        2,
        "tunnel.fronting",
        r#""deny" or "alert" or "allow""#,
    ),
    (
        "[limits]\nconnections = 1",
        2,
        "limits.connections",
        "from 2 to",
    ),
    (
        "[limits]\nhead_bytes = '1M'",
        2,
        "limits.head_bytes",
        "expected a size",
    ),
    (
        "[limits]\nhead_bytes = '1KiB'",
        2,
        "limits.head_bytes",
        r#""8KiB" to "256KiB""#,
    ),
    (
        "[limits]\nuri_bytes = '32KiB'",
        2,
        "limits.uri_bytes",
        "less than limits.head_bytes",
    ),
    ("[headers]\nvia = 'a b'", 2, "headers.via", "a token"),
    (
        "[headers.request]\nstrip = ['Host']",
        2,
        "headers.request.strip",
        "does not control",
    ),
    (
        "[headers.request]\nset = { Te = 'x' }",
        2,
        "headers.request.set.Te",
        "does not control",
    ),
    (
        "[headers.request]\nset = { A = \"x\\ny\" }",
        2,
        "headers.request.set.A",
        "visible ASCII",
    ),
    (
        "[headers.request]\nset = { A = 'x', a = 'y' }",
        2,
        "headers.request.set.a",
        "once",
    ),
    (
        "[headers.request]\nstrip = ['a']\nset.A = 'x'",
        3,
        "headers.request.set.A",
        "`strip`",
    ),
    (
        "trusted_keys = ['absent.pem']",
        1,
        "trusted_keys",
        "a file that can be read",
    ),
    (
        "trusted_keys = ['refused.html']",
        1,
        "trusted_keys",
        "a public key; it is not an ed25519 public key in PEM",
    ),
    (
        "[responses]\npage = 'absent.html'",
        2,
        "responses.page",
        "a file that can be read",
    ),
    (
        "[responses]\npage = 'large.html'",
        2,
        "responses.page",
        "at most 65536 bytes",
    ),
    (
        "[log]\naccess = 'unix:'",
        2,
        "log.access",
        "expected a path",
    ),
    (
        "[log]\naccess = 'kafka://x:1'",
        2,
        "log.access",
        "syslog+udp",
    ),
    (
        "[log]\naccess = 'syslog+udp://x'",
        2,
        "log.access",
        "syslog+udp",
    ),
    (
        "[log]\nrotate_bytes = '1GiB'",
        2,
        "log.rotate_bytes",
        "log.access to be a path",
    ),
    (
        "[log]\naccess = 'a'\nrotate_bytes = 5",
        3,
        "log.rotate_bytes",
        "\"1MiB\" or more",
    ),
];

#[test]
fn what_is_wrong_is_told_with_line_and_key() {
    let overrides = Overrides {
        ruleset: Some("r".into()),
    };
    for &(text, line, key, words) in WRONG {
        let errors = parse_with(text, &overrides).expect_err(text);
        let shown = errors.to_string();
        assert_eq!(errors.problems.len(), 1, "{text}\n{shown}");
        let problem = &errors.problems[0];
        assert_eq!(problem.key.as_deref(), Some(key), "{text}\n{shown}");
        assert!(shown.contains(words), "{text}\n{shown}");
        let place = problem.place.as_ref().unwrap();
        // Names of tables that come in another order than written are judged by their own line.
        let line = if text.contains("B = ") {
            place.line
        } else {
            line
        };
        assert_eq!(place.line, line, "{text}\n{shown}");
        assert_eq!(
            place.excerpt.line,
            text.lines().nth(line - 1).unwrap(),
            "{shown}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_in_order() {
    let text = "shards = 0\nunknown = 1\n[dns]\nattempts = 99\nipv4 = 1\n[log]\nlevel = 'loud'\n";
    let errors = parse(text).unwrap_err();
    let lines: Vec<_> = errors
        .problems
        .iter()
        .map(|problem| problem.place.as_ref().map(|at| at.line))
        .collect();
    // The missing ruleset has no place.
    assert_eq!(lines, [Some(1), Some(2), Some(4), Some(5), Some(7), None]);
}

#[test]
fn a_problem_is_shown_with_its_line() {
    let errors = parse("ruleset = 'r'\n[timeouts]\n  head = 10\n").unwrap_err();
    let expected = r#"/etc/sallyport/sallyport.toml:3:10: timeouts.head: found the integer 10, expected a duration such as "500ms", "10s", "5m", "1h" or "2d"
   |
 3 |   head = 10
   |          ^^"#;
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn faults_of_syntax_are_told_alone() {
    let errors = parse("a = \nb = 'x\nshards = 0").unwrap_err();
    assert!(errors.problems.len() >= 2, "{errors}");
    assert!(
        errors.problems.iter().all(|problem| problem.key.is_none()),
        "{errors}"
    );
}

#[test]
fn without_any_name_server_nothing_starts() {
    let file = Path::new("x.toml");
    let overrides = Overrides {
        ruleset: Some("r".into()),
    };
    let empty = |_: &Path| Ok(b"nameserver\nnameserver fe80::1%eth0\noptions x".to_vec());
    let environment = Environment {
        file,
        overrides: &overrides,
        cores: 1,
        read: &empty,
    };
    let errors = Config::parse("", &environment).unwrap_err();
    assert_eq!(errors.problems[0].key.as_deref(), Some("dns.servers"));
    let absent = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let environment = Environment {
        read: &absent,
        ..environment
    };
    assert!(Config::parse("", &environment).is_err());
    assert!(Config::parse("dns.servers = ['192.0.2.1']", &environment).is_ok());
}

#[test]
fn sinks_are_told_apart() {
    let sink = |text: &str| {
        let text = format!("ruleset = 'r'\n[log]\naccess = '{text}'\n");
        parse(&text).unwrap().log.access
    };
    let at = |host: &str, port| HostPort {
        host: host.to_owned(),
        port,
    };
    assert_eq!(sink("off"), AccessSink::Off);
    assert_eq!(sink("stdout"), AccessSink::Stdout);
    assert_eq!(sink("unix:/run/s"), AccessSink::UnixStream("/run/s".into()));
    assert_eq!(
        sink("unix-datagram:s"),
        AccessSink::UnixDatagram("/etc/sallyport/s".into())
    );
    assert_eq!(
        sink("syslog+udp://log.example:514"),
        AccessSink::SyslogUdp(at("log.example", 514))
    );
    assert_eq!(
        sink("syslog+tcp://[::1]:601"),
        AccessSink::SyslogTcp(at("::1", 601))
    );
}

#[test]
fn a_file_is_loaded_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sallyport.toml");
    std::fs::write(
        &file,
        "ruleset = 'r'\ndns.servers = ['192.0.2.1']\nresponses.page = 'p'",
    )
    .unwrap();
    std::fs::write(folder.path().join("p"), "no").unwrap();
    let config = Config::load(&file, &Overrides::default()).unwrap();
    assert_eq!(config.ruleset, folder.path().join("r"));
    assert_eq!(&*config.responses.page.unwrap().body, b"no");
    std::fs::write(&file, b"# \xff").unwrap();
    assert!(
        Config::load(&file, &Overrides::default())
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
    let absent = Config::load(&folder.path().join("absent"), &Overrides::default());
    assert!(absent.unwrap_err().to_string().contains("cannot be read"));
}

proptest! {
    /// Whatever is in the file, an answer comes back and can be shown, on lines that exist.
    #[test]
    fn any_text_gets_an_answer(
        lines in prop::collection::vec(
            (0..KEYS.len(), r#"([0-9]{1,20}|"[ -~]{0,8}"|\[\]|true|"[0-9]{1,22}(ms|s|d|KiB)"|\PC{0,6})"#),
            0..12,
        ),
    ) {
        let mut text = String::new();
        for (index, value) in &lines {
            text.push_str(&format!("{} = {value}\n", KEYS[*index]));
        }
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.problems.is_empty());
            prop_assert!(!errors.to_string().is_empty());
            for place in errors.problems.iter().filter_map(|problem| problem.place.as_ref()) {
                prop_assert!(place.line <= text.lines().count() + 1);
            }
        }
    }
}

#[test]
fn what_is_printed_writes_nothing_to_a_terminal() {
    let errors = parse("[hosts]\n\"a\\u001b]0;x\\u0007..b\" = [\"1.2.3.4\"]\n").unwrap_err();
    let shown = errors.problems.iter().map(ToString::to_string);
    for problem in shown {
        assert!(!problem.contains(['\u{1b}', '\u{7}']), "{problem:?}");
    }
}
