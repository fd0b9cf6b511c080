//! What a client is told of a refusal, where it can see it: the reason phrase, the page of the operator,
//! the words.

use std::process::Command;

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::programs::system;
use crate::common::proxy::Setup;
use crate::common::{Proxy, Rules, ScriptedOrigin};

const RULES: &str = r#"
[[group]]
priority = 1
name = "one"
[[group.pre_dns]]
name = "no-evil"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "evil.test" }
"#;

fn start(keys: &[(&str, &str)]) -> Proxy {
    let setup = Setup::new()
        .host("evil.test", "127.0.0.1")
        .host("a.test", "127.0.0.1");
    let setup = keys
        .iter()
        .fold(setup, |setup, (key, value)| setup.key(key, value));
    setup.start(Rules(RULES))
}

/// The status line of the answer to a request, and the transaction in the log.
fn status_line(proxy: &Proxy, request: &str) -> (String, String) {
    let mut client = proxy.connection();
    client.send(request);
    let head = String::from_utf8(client.head()).unwrap();
    let line = proxy.log.transactions(1).pop().unwrap();
    let line_end = head.find("\r\n").unwrap();
    (
        head[..line_end].to_owned(),
        line["txn"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn the_reason_phrase_tells_why_a_connect_was_refused() {
    let connect = |target: &str| format!("CONNECT {target} HTTP/1.1\r\n\r\n");
    let reveal = ("responses.reveal_rule", "true");
    let ports = ("guard.ports", "[443]");
    for (keys, request, phrase) in [
        (
            &[][..],
            connect("evil.test:443"),
            "403 Forbidden: denied by a PreDNS rule",
        ),
        (
            &[reveal],
            connect("evil.test:443"),
            "403 Forbidden: denied by a PreDNS rule, no-evil",
        ),
        (
            &[ports],
            connect("a.test:22"),
            "403 Forbidden: port 22 is not open to CONNECT (guard.ports)",
        ),
        (&[][..], connect("a.test"), "400 Bad Request: missing port"),
        (
            &[][..],
            "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n".to_owned(),
            "403 Forbidden: denied by a PreDNS rule",
        ),
    ] {
        let proxy = start(keys);
        let (line, transaction) = status_line(&proxy, &request);
        let expected = format!("HTTP/1.1 {phrase}; transaction {transaction}");
        assert_eq!(line, expected);
    }
    // What no rule and no tunnel is about has the usual words.
    let (line, _) = status_line(&start(&[]), "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(line, "HTTP/1.1 400 Bad Request");
}

/// It is what Python shows of it.
#[test]
fn python_shows_the_reason() {
    let Some(python) = system("python3") else {
        return;
    };
    let proxy = start(&[("responses.reveal_rule", "true")]);
    let script = format!(
        "import http.client\n\
         client = http.client.HTTPSConnection('127.0.0.1', {})\n\
         client.set_tunnel('evil.test', 443)\n\
         try:\n    client.request('GET', '/')\n\
         except OSError as error:\n    print(error)",
        proxy.address.port()
    );
    let output = Command::new(python).args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let transaction = proxy.log.transaction()["txn"].as_str().unwrap().to_owned();
    assert!(
        said.contains("PreDNS") && said.contains(&transaction),
        "{said}"
    );
}

/// A rule is not blamed for what no rule has said.
#[test]
fn a_default_is_no_rule() {
    let rules =
        "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n";
    let proxy = Setup::new().host("a.test", "127.0.0.1").start(Rules(rules));
    let refusal = proxy.connection().connect("a.test:443").unwrap_err();
    refusal.assert_refusal(403, "http_request_denied");
    assert!(!refusal.text().contains("denied by"), "{}", refusal.text());
    let expected = json!({ "detail": "no PreDNS rule allows it", "phase": "PreDNS", "rule": null });
    assert_fields(&proxy.log.transaction(), &expected);
}

#[test]
fn the_page_of_the_operator_is_filled_in() {
    let page = "{ \"id\": \"{id}\", \"phase\": \"{phase}\", \"reason\": \"{reason}\", \"rule\": \"{rule}\", \"x\": \"{other}{\" }";
    let cases = [
        ("page.txt", true, "no-evil"),
        ("page.json", true, "no-evil"),
        ("page.html", true, "no-evil"),
        ("page.html", false, ""),
    ];
    for (file, reveals, rule) in cases {
        let setup = Setup::new()
            .key("responses.page", &format!("\"{file}\""))
            .key("responses.reveal_rule", &reveals.to_string())
            .host("evil.test", "127.0.0.1");
        setup.write_file(file, page.as_bytes());
        let proxy = setup.start(Rules(RULES));
        let response = proxy.connection().get("http://evil.test/");
        let line = proxy.log.transaction();
        let expected = page
            .replace("{id}", line["txn"].as_str().unwrap())
            .replace("{phase}", "PreDNS")
            .replace("{reason}", "denied by a PreDNS rule")
            .replace("{rule}", rule);
        assert_eq!(response.text(), expected, "{file}");
    }
}

#[test]
fn the_built_in_page_has_a_style_and_nothing_from_outside() {
    let proxy = start(&[("responses.reveal_rule", "true")]);
    let mut client = proxy.connection();
    client.send(
        "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nAccept: text/plain;q=0.5, text/html\r\n\r\n",
    );
    let text = client.response().text();
    assert!(text.contains("color-scheme:light dark"), "{text}");
    assert!(text.contains("no-evil"), "{text}");
    for outside in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!text.contains(outside), "{outside} in {text}");
    }
}

/// A client that takes the response slower than `timeouts.body_idle` has not closed anything.
#[test]
fn a_slow_client_is_called_slow() {
    let proxy = start(&[("timeouts.body_idle", "\"300ms\"")]);
    let body = vec![b'x'; 20_000_000];
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n".to_vec();
    answer.extend_from_slice(&body);
    let origin = ScriptedOrigin::answering_once(answer);
    let mut client = proxy.connection();
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.url("/"),
        origin.address
    ));
    let expected = json!({ "error": "connection_write_timeout", "status": 200 });
    assert_fields(&proxy.log.transaction(), &expected);
}
