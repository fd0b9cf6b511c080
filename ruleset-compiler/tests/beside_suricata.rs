//! Imported rules match what a real Suricata matches: it reads the packets of some fifty connections with all
//! the rules at once, and each rule is imported alone and asked about each of them.
//!
//! A rule that the report calls carried must match the same. One that errs the safe way, by its own word,
//! may do no more than that.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use sallyport_rules::import::input::MemoryInput;
use sallyport_rules::import::suricata::{self, Default as NoRule, SuricataOptions};
use sallyport_rules::import::{Import, ImportError};
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::normalize::normalize_uri;
use sallyport_ruleset::{
    Bundle, Composed, Decision, Fact, Facts, FieldValues, Host, Outcome, Phase, Protocol,
    ProtocolSet, UrlScheme, evaluate,
};

#[path = "../../engine/tests/skip.rs"]
mod skip;

#[path = "beside_suricata/capture.rs"]
mod capture;

const RULES: &str = include_str!("beside_suricata/rules.txt");
const REQUESTS: &str = include_str!("beside_suricata/requests.txt");

/// The first client port; each connection has the next.
const PORT_FIRST: u16 = 20_000;

/// A connection with one request, or one ClientHello.
#[derive(Debug)]
struct Request<'t> {
    text: &'t str,
    /// `None`: TLS.
    method: Option<&'t str>,
    /// As the client writes it; `None`: a ClientHello without a name.
    host: Option<&'t str>,
    port: u16,
    address: Ipv4Addr,
    path: &'t str,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'t> Request<'t> {
    fn parse(text: &'t str) -> Self {
        let mut parts = text.split(" | ");
        let mut words = parts.next().unwrap().split(' ');
        let method = (words.next() == Some("http")).then(|| words.next().unwrap());
        let (host, port) = words.next().unwrap().split_once(':').unwrap();
        let address = words.next().unwrap().parse().unwrap();
        let fields = parts.map(|field| field.split_once(": ").unwrap());
        let fields = fields.map(|(name, value)| (name.into(), value.into()));
        let authority = match port {
            "80" => host.to_owned(),
            _ => format!("{host}:{port}"),
        };
        let own = method.map(|_| (b"Host".to_vec(), authority.into_bytes()));
        Self {
            text,
            method,
            host: Some(host).filter(|host| *host != "-"),
            port: port.parse().unwrap(),
            address,
            path: words.next().unwrap_or(""),
            fields: own.into_iter().chain(fields).collect(),
        }
    }

    /// What the client sends, and what comes back.
    fn exchange(&self) -> (Vec<u8>, Vec<u8>) {
        let Some(method) = self.method else {
            let refusal = b"\x15\x03\x03\x00\x02\x02\x28".to_vec();
            return (capture::client_hello(self.host), refusal);
        };
        let mut head = format!("{method} {} HTTP/1.1\r\n", self.path).into_bytes();
        for (name, value) in &self.fields {
            head.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        (
            head,
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        )
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    let is_one = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().filter(is_one)
}

fn program() -> Option<PathBuf> {
    ["/usr/bin/suricata", "/usr/local/bin/suricata"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

/// Which rules Suricata found in which connections, both by their numbers.
fn matched(program: &Path, rules: &[&str], requests: &[Request<'_>]) -> HashSet<(usize, usize)> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut text = String::new();
    for (rule, number) in rules.iter().zip(1..) {
        let body = rule.strip_suffix(')').unwrap();
        text.push_str(&format!("alert {body} sid:{number};)\n"));
    }
    fs::write(path("all.rules"), text).unwrap();
    let exchanges = requests.iter().zip(PORT_FIRST..);
    let packets: Vec<u8> = capture::file(exchanges.map(|(request, port)| {
        let (sent, received) = request.exchange();
        capture::Connection {
            client: (Ipv4Addr::new(10, 0, 0, 1), port),
            server: (request.address, request.port),
            sent,
            received,
        }
    }));
    fs::write(path("all.pcap"), packets).unwrap();
    fs::write(path("suricata.yaml"), CONFIGURATION).unwrap();
    let output = Command::new(program)
        .args(["-k", "none", "--runmode", "single", "-l"])
        .arg(folder.path())
        .arg("-c")
        .arg(path("suricata.yaml"))
        .arg("-S")
        .arg(path("all.rules"))
        .arg("-r")
        .arg(path("all.pcap"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && !said.contains("E: "), "{said}");
    let log = fs::read_to_string(path("eve.json")).unwrap();
    let mut found = HashSet::new();
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        // What a rule finds in an answer belongs to the same connection.
        let port = [&event["src_port"], &event["dest_port"]]
            .map(number)
            .into_iter()
            .max()
            .unwrap();
        let rule = number(&event["alert"]["signature_id"]) - 1;
        found.insert((rule, port - usize::from(PORT_FIRST)));
    }
    found
}

const CONFIGURATION: &str = "%YAML 1.1
---
vars:
  address-groups: {}
outputs:
  - eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [alert]}
app-layer:
  protocols:
    tls: {enabled: yes}
    http:
      enabled: yes
      libhtp:
        default-config: {personality: IDS, double-decode-path: no, double-decode-query: no}
";

/// A ruleset of just one rule, and what its report says of it; `None`: the rule is left.
fn ours(rule: &str, action: &str) -> Option<(Import, Bundle)> {
    let body = rule.strip_suffix(')').unwrap();
    let files = MemoryInput::default().with("x.rules", format!("{action} {body} sid:1;)\n"));
    let default = if action == "drop" {
        NoRule::Allow
    } else {
        NoRule::Deny
    };
    let options = SuricataOptions {
        default: Some(default),
        ..SuricataOptions::default()
    };
    let import = match suricata::import(&files, "x.rules", &options) {
        Ok(import) => import,
        Err(ImportError::Nothing { .. }) => return None,
        Err(error) => panic!("{action} {rule}: {error}"),
    };
    let in_memory = import.files.iter();
    let in_memory = in_memory.fold(MemoryFiles::default(), |files, (path, text)| {
        files.with(path.clone(), text.clone())
    });
    let compiled = pipeline::compile(&in_memory, &import.files[0].0, &Options::default()).unwrap();
    let bundle = Bundle::load(compiled.emitted.unwrap().bytes).unwrap();
    Some((import, bundle))
}

fn decision(bundle: &Bundle, request: &Request<'_>) -> Decision {
    let lower = request.host.map(str::to_ascii_lowercase);
    let name = lower
        .as_deref()
        .filter(|host| host.parse::<IpAddr>().is_err());
    let host = name.map_or_else(|| Host::Address(request.address.into()), Host::Name);
    let mut uri = Vec::new();
    normalize_uri(request.path.as_bytes(), &mut uri);
    let is_http = request.method.is_some();
    let protocols = if is_http {
        ProtocolSet::EMPTY.with(Protocol::Http)
    } else {
        ProtocolSet::EMPTY
            .with(Protocol::Connect)
            .with(Protocol::Https)
    };
    let authority = Composed::Authority(host, request.port);
    let url = Composed::Url {
        scheme: UrlScheme::Http,
        host,
        port: request.port,
        uri: &uri,
    };
    let field = |name: &'static str| match is_http {
        true => Fact::Known(FieldValues::Named(&request.fields, name)),
        false => Fact::Absent,
    };
    let facts = Facts {
        source_ip: Fact::Known(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))),
        source_port: Fact::Known(PORT_FIRST),
        time: Fact::Known(0),
        protocol: Fact::Known(protocols),
        destination_domain: name.into(),
        destination_host: Fact::Known(Composed::Host(host)),
        authority: Fact::Known(authority),
        destination_port: Fact::Known(request.port),
        destination_ip: Fact::Known(request.address.into()),
        tls_sni: match is_http {
            true => Fact::Absent,
            false => request.host.map(str::as_bytes).into(),
        },
        uri: is_http.then_some(uri.as_slice()).into(),
        url: Fact::Known(if is_http { url } else { authority }),
        method: request.method.map(str::as_bytes).into(),
        user_agent: field("user-agent"),
        content_type: field("content-type"),
        host: match is_http {
            true => Fact::Known(request.fields[0].1.as_slice()),
            false => Fact::Absent,
        },
        request_headers: match is_http {
            true => Fact::Known(&request.fields),
            false => Fact::Absent,
        },
        ..Facts::unknown()
    };
    let mut scratch = bundle.scratch();
    match evaluate(bundle, Phase::PreRequest, &facts, &mut scratch) {
        Outcome::Decided(verdict) => verdict.action,
        Outcome::Undetermined => panic!("{}: undetermined", request.text),
    }
}

#[test]
fn rules_match_what_suricata_matches() {
    let Some(program) = program() else {
        return skip::skip("Suricata is not installed");
    };
    let rules: Vec<&str> = lines(RULES).collect();
    let requests: Vec<Request<'_>> = lines(REQUESTS).map(Request::parse).collect();
    let matched = matched(&program, &rules, &requests);
    let (mut same, mut asked, mut left, mut wrong) = (0, 0, Vec::new(), Vec::new());
    for (number, rule) in rules.iter().enumerate() {
        for action in ["drop", "pass"] {
            let Some((import, bundle)) = ours(rule, action) else {
                left.push(format!("{action} {rule}"));
                continue;
            };
            let report = &import.report;
            let (more, less) = (
                report.allows_more_count() > 0,
                report.denies_more_count() > 0,
            );
            for (at, request) in requests.iter().enumerate() {
                let passes_there = matched.contains(&(number, at)) == (action == "pass");
                let passes_here = decision(&bundle, request) == Decision::Allow;
                let is_told = match (passes_there, passes_here) {
                    (true, false) => less,
                    (false, true) => more,
                    _ => true,
                };
                asked += 1;
                same += usize::from(passes_there == passes_here);
                if !is_told {
                    wrong.push(format!(
                        "{action} {rule}\n    {}: there {passes_there}, here {passes_here}\n{}",
                        request.text,
                        report.lines_text()
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Otherwise it proves nothing: most rules match something and not everything.
    let telling = (0..rules.len()).filter(|rule| {
        let count = (0..requests.len()).filter(|at| matched.contains(&(*rule, *at)));
        (1..requests.len()).contains(&count.count())
    });
    let telling = telling.count();
    assert!(
        telling + 2 >= rules.len(),
        "{telling} of {} rules tell",
        rules.len()
    );
    assert!(same * 100 > asked * 95, "{same} of {asked} the same");
    // Those whose length rules do not see as the firewall does.
    assert!(
        left.iter()
            .all(|rule| rule.contains(",raw") && rule.starts_with("pass")),
        "{}",
        left.join("\n")
    );
}
