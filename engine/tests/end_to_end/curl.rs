//! curl through the proxy, the way people use it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::programs::system;
use crate::common::proxy::Setup;
use crate::common::{Certificate, Origin, Proxy, Rules, ScriptedOrigin};

const RULES: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "curl"
[[group.pre_dns]]
name = "no-denied"
action = "deny"
when."request:DestinationDomain" = { DomainMatch = "denied.test" }
"#,
);

/// curl with a proxy; configuration files and the environment of the machine are left out.
pub(crate) struct Curl {
    program: PathBuf,
    proxy: String,
}

/// What `--write-out` says, and the body.
pub(crate) struct Outcome {
    pub(crate) exit: Option<i32>,
    pub(crate) code: u64,
    pub(crate) connect_code: u64,
    pub(crate) connections: u64,
    pub(crate) body: Vec<u8>,
}

impl Curl {
    pub(crate) fn through(proxy: &Proxy) -> Option<Self> {
        Some(Self {
            program: system("curl")?,
            proxy: proxy.url(),
        })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .args(["-q", "--silent", "--max-time", "30", "--noproxy", ""]);
        command
            .args(["--proxy", &self.proxy, "--write-out", "%{stderr}%{json}\n"])
            .args(arguments);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().rfind(|line| line.starts_with('{'));
        let facts: Value = serde_json::from_str(last.unwrap_or_else(|| panic!("{said}"))).unwrap();
        let number = |name: &str| facts[name].as_u64().unwrap();
        Outcome {
            exit: output.status.code(),
            code: number("http_code"),
            connect_code: number("http_connect"),
            connections: number("num_connects"),
            body: output.stdout,
        }
    }
}

#[test]
fn the_three_ways_through() {
    let proxy = Setup::new().host("a.test", "127.0.0.1").start(RULES);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let (plain, tls) = (Origin::start(), Origin::start_tls(&certificate));
    let authority = certificate.certificate.to_str().unwrap();
    let http = format!("http://a.test:{}/bytes/50000", plain.port());
    let https = format!("https://a.test:{}/bytes/50000", tls.port());
    let cases: [(&[&str], u64, Value); 3] = [
        (
            &[&http],
            0,
            json!({ "method": "GET", "tls_mode": "none", "proto": "http" }),
        ),
        (
            &["--proxytunnel", &http],
            200,
            json!({ "method": "GET", "tls_mode": "none", "proto": "http" }),
        ),
        (
            &["--cacert", authority, &https],
            200,
            json!({ "method": "CONNECT", "tls_mode": "passthrough", "sni": "a.test" }),
        ),
    ];
    let mut lines = 0;
    let mut bodies = Vec::new();
    for (arguments, connect_code, expected) in cases {
        let outcome = curl.run(arguments);
        assert_eq!(
            (outcome.exit, outcome.code),
            (Some(0), 200),
            "{arguments:?}"
        );
        assert_eq!(outcome.connect_code, connect_code, "{arguments:?}");
        bodies.push(outcome.body);
        lines += if arguments[0] == "--proxytunnel" {
            2
        } else {
            1
        };
        let logged = proxy.log.transactions(lines);
        let line = logged
            .iter()
            .rev()
            .find(|line| line["method"] == expected["method"])
            .unwrap();
        assert_fields(line, &expected);
        assert_fields(line, &json!({ "status": 200, "domain": "a.test" }));
    }
    assert!(
        bodies
            .iter()
            .all(|body| body.len() == 50_000 && *body == bodies[0])
    );
}

#[test]
fn downloads_of_every_kind() {
    let proxy = Proxy::open();
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::start();
    let big = origin.url("/bytes/20000000");
    let chunked = origin.url("/bytes/100000?chunked=1&trailer=X-Sum:1");
    let (head, empty) = (origin.url("/bytes/777"), origin.url("/?status=204"));
    let cases: [(&[&str], u64, usize); 5] = [
        (&[&big], 200, 20_000_000),
        (&[&chunked], 200, 100_000),
        (&["--http1.0", &chunked], 200, 100_000),
        (&[&empty], 204, 0),
        (&["--head", "--output", "/dev/null", &head], 200, 0),
    ];
    for (arguments, code, bytes) in cases {
        let outcome = curl.run(arguments);
        assert_eq!(
            (outcome.exit, outcome.code),
            (Some(0), code),
            "{arguments:?}"
        );
        assert_eq!(outcome.body.len(), bytes, "{arguments:?}");
    }
}

#[test]
fn uploads_of_every_kind() {
    const BYTES: u64 = 3 << 20;
    let proxy = Proxy::open();
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::start();
    let (file, url) = (proxy.folder().join("upload"), origin.url("/"));
    // Above a megabyte curl asks before it sends (Expect: 100-continue).
    std::fs::write(&file, vec![b'u'; 3 << 20]).unwrap();
    let (file, from_file) = (file.to_str().unwrap(), format!("@{}", file.display()));
    let chunked = "Transfer-Encoding: chunked";
    let cases: [&[&str]; 3] = [
        &["--data-binary", &from_file, &url],
        &["--header", chunked, "--data-binary", &from_file, &url],
        &["--upload-file", file, &url],
    ];
    for arguments in cases {
        let outcome = curl.run(arguments);
        assert_eq!(
            (outcome.exit, outcome.code),
            (Some(0), 200),
            "{arguments:?}"
        );
    }
    for line in proxy.log.transactions(cases.len()) {
        assert!(line["bytes_up"].as_u64().unwrap() > BYTES, "{line}");
    }
}

#[test]
fn one_connection_for_several_urls() {
    let proxy = Proxy::open();
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::start();
    let urls = [1, 2, 3].map(|bytes| origin.url(&format!("/bytes/{bytes}")));
    let outcome = curl.run(&[&urls[0], &urls[1], &urls[2]]);
    assert_eq!(
        (outcome.body.len(), outcome.connections),
        (6, 0),
        "the last one opened none"
    );
    let lines = proxy.log.transactions(3);
    assert!(
        lines.iter().all(|line| line["conn"] == lines[0]["conn"]),
        "{lines:#?}"
    );
}

#[test]
fn refusals_and_failures_as_curl_sees_them() {
    let setup = Setup::new()
        .host("denied.test", "127.0.0.1")
        .host("a.test", "127.0.0.1");
    let proxy = setup.start(RULES);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let silent = ScriptedOrigin::silent();
    let origin = Origin::start();
    let denied = format!("denied.test:{}", silent.port());
    let outcome = curl.run(&[&format!("http://{denied}/")]);
    assert_eq!((outcome.exit, outcome.code), (Some(0), 403));
    assert!(
        String::from_utf8(outcome.body)
            .unwrap()
            .contains("transaction: ")
    );
    let outcome = curl.run(&[&format!("https://{denied}/")]);
    // 56: the proxy refused the tunnel.
    assert_eq!((outcome.exit, outcome.connect_code), (Some(56), 403));
    assert_eq!(silent.connections(), 0);
    // 18: the transfer was not complete.
    let cut = origin.url("/bytes/100000?close=body");
    assert_eq!(curl.run(&[&cut]).exit, Some(18));
    let cut = origin.url("/bytes/100000?close=body&chunked=1");
    assert_eq!(curl.run(&[&cut]).exit, Some(18));
}

#[test]
fn proxy_credentials_stay_here() {
    let proxy = Proxy::open();
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let url = origin.url("/");
    for arguments in [
        vec!["--proxy-user", "name:pa55word", &url],
        vec!["--proxytunnel", "--proxy-user", "name:pa55word", &url],
    ] {
        assert_eq!(curl.run(&arguments).code, 200);
    }
    for seen in origin.requests(2) {
        assert_eq!(seen.header("proxy-authorization"), None);
    }
    proxy.log.transactions(3);
    let log = std::fs::read_to_string(&proxy.log.path).unwrap();
    // The word itself, and the Base64 of the pair.
    assert!(
        !log.contains("pa55word") && !log.contains("bmFtZTpwYTU1d29yZA"),
        "{log}"
    );
}
