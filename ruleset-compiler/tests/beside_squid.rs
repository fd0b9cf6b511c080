//! An imported configuration decides as a real Squid does: each case is started with it, asked for
//! each request, and asked for the same of our rules.
//!
//! Squid is told never to go anywhere, so that what it allows ends at once with another error; but for
//! `replies`, where responses are judged.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use sallyport_rules::import::Import;
use sallyport_rules::import::input::DiskInput;
use sallyport_rules::import::squid::{self, SquidOptions};
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::normalize::normalize_uri;
use sallyport_ruleset::{
    Bundle, Composed, Decision, Fact, Facts, FieldValues, Host, Outcome, Phase, Protocol,
    ProtocolSet, UrlScheme, evaluate,
};

#[path = "../../engine/tests/skip.rs"]
mod skip;

#[path = "beside_squid/process.rs"]
mod process;
#[path = "beside_squid/replies.rs"]
mod replies;

use process::{Goes, HOSTS, Squid, connect_from, program};

/// One request: method and target, `from ADDRESS` and `as USER` before it, header lines behind `|`.
#[derive(Debug)]
struct Request<'t> {
    text: &'t str,
    from: Ipv4Addr,
    user: Option<&'t str>,
    method: &'t str,
    target: &'t str,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'t> Request<'t> {
    fn parse(text: &'t str) -> Self {
        let (line, headers) = text.split_once(" | ").unwrap_or((text, ""));
        let mut words = line.split(' ').peekable();
        let (mut from, mut user) = (Ipv4Addr::LOCALHOST, None);
        if words.next_if_eq(&"from").is_some() {
            from = words.next().unwrap().parse().unwrap();
        }
        if words.next_if_eq(&"as").is_some() {
            user = words.next();
        }
        let headers = headers
            .split(" | ")
            .filter_map(|line| line.split_once(": "));
        Self {
            text,
            from,
            user,
            method: words.next().unwrap(),
            target: words.next().unwrap(),
            headers: headers
                .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect(),
        }
    }

    fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    fn bytes(&self) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut head = format!("{} {} HTTP/1.1\r\nHost: x\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            let (name, value) = (
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value),
            );
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if let Some(user) = self.user {
            let basic = base64(format!("{user}:x").as_bytes());
            write!(head, "Proxy-Authorization: Basic {basic}\r\n").unwrap();
        }
        head.push_str("Content-Length: 0\r\nConnection: close\r\n\r\n");
        head.into_bytes()
    }

    /// Scheme, host, port, path and query as they are written.
    fn parts(&self) -> (UrlScheme, &'t str, u16, &'t str) {
        let (scheme, rest) = match self.target.split_once("://") {
            Some(("https", rest)) => (UrlScheme::Https, rest),
            Some((_, rest)) => (UrlScheme::Http, rest),
            None => (UrlScheme::Http, self.target),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap()),
            _ => (authority, if scheme == UrlScheme::Https { 443 } else { 80 }),
        };
        (scheme, host, port, path)
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| {
            number << 8 | usize::from(group.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            out.push(if digit <= group.len() {
                char::from(DIGITS[number >> (18 - 6 * digit) & 63])
            } else {
                '='
            });
        }
    }
    out
}

impl Squid {
    fn allows(&self, request: &Request<'_>) -> bool {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut socket = connect_from(request.from, to);
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        socket.write_all(&request.bytes()).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let count = socket.read(&mut piece).unwrap();
            assert!(count > 0, "{}: no answer", request.text);
            answer.extend_from_slice(&piece[..count]);
        }
        let head = String::from_utf8_lossy(&answer).into_owned();
        let status = head.split(' ').nth(1).unwrap().to_owned();
        let error = head
            .split("X-Squid-Error: ERR_")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        match (status.as_str(), error) {
            ("407", _) | ("403", Some("ACCESS_DENIED")) => false,
            // It cannot make out the request: that is no decision.
            (_, Some("INVALID_URL" | "INVALID_REQ")) => panic!("{}: {head}", request.text),
            // It has nowhere to go with what it allows; the cache manager answers itself.
            (_, Some(_)) | ("200" | "401" | "404", None) => true,
            _ => panic!("{}: {head}", request.text),
        }
    }
}

/// What our rules decide about the request, as the proxy asks them.
fn ours_allows(bundle: &Bundle, request: &Request<'_>, within: Option<&str>) -> bool {
    let (scheme, host, port, path) = request.parts();
    let lower = host.trim_end_matches('.').to_ascii_lowercase();
    let literal: Option<IpAddr> = lower.trim_matches(['[', ']']).parse().ok();
    let parts = literal.map_or(Host::Name(&lower), Host::Address);
    let mut uri = Vec::new();
    normalize_uri(within.unwrap_or(path).as_bytes(), &mut uri);
    let is_connect = request.is_connect();
    let method = if is_connect { "GET" } else { request.method };
    let is_seen = !is_connect || within.is_some();
    let word = match (is_connect, scheme) {
        (true, _) | (_, UrlScheme::Https) => Protocol::Https,
        _ => Protocol::Http,
    };
    let connect = ProtocolSet::EMPTY.with(Protocol::Connect);
    let authority = Composed::Authority(parts, port);
    let early = Facts {
        source_ip: Fact::Known(request.from.into()),
        principal: request.user.map(str::as_bytes).into(),
        time: Fact::Known(0),
        protocol: Fact::Known(if is_connect {
            connect
        } else {
            ProtocolSet::EMPTY.with(word)
        }),
        destination_domain: literal.is_none().then_some(lower.as_str()).into(),
        destination_host: Fact::Known(Composed::Host(parts)),
        authority: Fact::Known(authority),
        destination_port: Fact::Known(port),
        ..Facts::unknown()
    };
    let url = Composed::Url {
        scheme: if is_connect { UrlScheme::Https } else { scheme },
        host: parts,
        port,
        uri: &uri,
    };
    let late = Facts {
        protocol: Fact::Known(if is_connect {
            connect.with(word)
        } else {
            ProtocolSet::EMPTY.with(word)
        }),
        destination_ip: literal.or_else(|| address_of(&lower)).into(),
        url: Fact::Known(if is_seen { url } else { authority }),
        uri: is_seen.then_some(uri.as_slice()).into(),
        method: is_seen.then_some(method.as_bytes()).into(),
        user_agent: if is_seen {
            Fact::Known(FieldValues::Named(&request.headers, "user-agent"))
        } else {
            Fact::Absent
        },
        request_headers: if is_seen {
            Fact::Known(&request.headers)
        } else {
            Fact::Absent
        },
        tls_sni: Fact::Absent,
        ..early
    };
    let phases = [(Phase::PreDns, &early), (Phase::PreRequest, &late)];
    phases
        .into_iter()
        .all(|(phase, facts)| lets_pass(bundle, phase, facts))
}

fn lets_pass(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> bool {
    match evaluate(bundle, phase, facts, &mut bundle.scratch()) {
        Outcome::Decided(verdict) => verdict.action == Decision::Allow,
        Outcome::Undetermined => panic!("{phase} does not decide"),
    }
}

/// What a name resolves to.
fn address_of(name: &str) -> Option<IpAddr> {
    HOSTS.lines().find_map(|line| {
        let mut words = line.split(' ');
        let address = words.next()?;
        let has_name = words.any(|known| known == name);
        has_name.then(|| address.parse().unwrap())
    })
}

fn import(folder: &Path) -> Import {
    let files = DiskInput::new(folder, None);
    squid::import(&files, "squid.conf", &SquidOptions::default()).unwrap()
}

fn compile(import: &Import) -> (Bundle, String) {
    let in_memory = import.files.iter();
    let in_memory = in_memory.fold(MemoryFiles::default(), |files, (path, text)| {
        files.with(path.clone(), text.clone())
    });
    let compiled = pipeline::compile(&in_memory, &import.files[0].0, &Options::default()).unwrap();
    let shown: String = import.files.iter().map(|(_, text)| text.as_str()).collect();
    let bundle = Bundle::load(compiled.emitted.unwrap().bytes).unwrap();
    (bundle, shown + &import.report.text())
}

/// Requests that are asked of each case besides its own.
const COMMON: &str = include_str!("beside_squid/requests.txt");

#[test]
fn imports_decide_as_squid_does() {
    let Some(program) = program() else {
        return skip::skip("Squid is not installed");
    };
    let cases = include_str!("beside_squid/cases.conf");
    let cases: Vec<&str> = cases.split("\n### ").skip(1).collect();
    let counts = Mutex::new(Counts::default());
    // Squid waits for names that nobody answers for: several wait at once.
    std::thread::scope(|scope| {
        for cases in cases.chunks(cases.len().div_ceil(4)) {
            let (program, counts) = (&program, &counts);
            scope.spawn(move || {
                for case in cases {
                    let found = compare(program, case);
                    counts.lock().unwrap().add(found);
                }
            });
        }
    });
    let Counts {
        asked,
        allowed,
        wrong,
    } = counts.into_inner().unwrap();
    let heads: Vec<&str> = wrong.iter().filter_map(|one| one.lines().next()).collect();
    assert!(
        wrong.is_empty(),
        "{} wrong; the first:\n{}\nall:\n{}",
        wrong.len(),
        wrong[0],
        heads.join("\n")
    );
    let is_telling = asked > 1_000 && allowed > 200 && asked - allowed > 200;
    assert!(is_telling, "asked {asked}, allowed {allowed}");
}

/// Squid asks for the name of an address, and our rules do not: the report counts it.
#[test]
fn names_of_addresses_are_looked_up_there_only() {
    let Some(program) = program() else {
        return skip::skip("Squid is not installed");
    };
    for (acl, lines, allows_more) in [
        ("dstdomain", "deny x\nhttp_access allow all", 1),
        ("dstdomain", "allow !x\nhttp_access deny all", 1),
        ("dstdomain", "allow x\nhttp_access deny all", 0),
        ("dstdom_regex", "deny x\nhttp_access allow all", 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let text = format!("acl x {acl} reverse99.invalid\nhttp_access {lines}\n");
        fs::write(folder.path().join("squid.conf"), &text).unwrap();
        let squid = Squid::start(&program, folder.path(), &text, Goes::Nowhere);
        let import = import(folder.path());
        let (bundle, _) = compile(&import);
        let request = Request::parse("GET http://192.0.2.99/");
        let (theirs, ours) = (squid.allows(&request), ours_allows(&bundle, &request, None));
        assert_eq!(
            (theirs, ours),
            (allows_more == 0, allows_more == 1),
            "{text}"
        );
        let counts = [
            import.report.allows_more_count(),
            import.report.denies_more_count(),
        ];
        assert_eq!(counts, [allows_more, 1 - allows_more], "{text}");
    }
}

/// What came of comparisons.
#[derive(Debug, Default)]
struct Counts {
    asked: usize,
    allowed: usize,
    wrong: Vec<String>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.allowed += other.allowed;
        self.wrong.extend(other.wrong);
    }
}

/// Asks Squid and our rules about the requests of a case.
fn compare(program: &Path, case: &str) -> Counts {
    let (name, text) = case.split_once('\n').unwrap();
    let (configuration, own) = text.split_once("\n---\n").unwrap_or((text, ""));
    let folder = tempfile::tempdir().unwrap();
    // Squid reads it as another user when it is started as root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let helper = folder.path().join("helper");
    fs::write(&helper, "#!/bin/sh\nwhile read line; do echo OK; done\n").unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let list = ".evil.test\n# not\nok.test # why\n";
    fs::write(folder.path().join("list"), list).unwrap();
    let configuration = configuration.replace("@DIR@", &folder.path().display().to_string());
    fs::write(folder.path().join("squid.conf"), &configuration).unwrap();
    let squid = Squid::start(program, folder.path(), &configuration, Goes::Nowhere);
    let (bundle, shown) = compile(&import(folder.path()));
    let mut counts = Counts::default();
    for line in COMMON.lines().chain(own.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let request = Request::parse(line);
        let theirs = squid.allows(&request);
        counts.asked += 1;
        counts.allowed += usize::from(theirs);
        // Whatever a tunnel holds.
        let inside = [None, Some("/"), Some("/secret/x.exe?q")];
        let ways = if request.is_connect() { 3 } else { 1 };
        for within in inside.into_iter().take(ways) {
            if ours_allows(&bundle, &request, within) != theirs {
                let says = if theirs { "allows" } else { "denies" };
                let wrong = format!("{name}: Squid {says} {line} {within:?}\n{shown}");
                counts.wrong.push(wrong);
            }
        }
    }
    counts
}
