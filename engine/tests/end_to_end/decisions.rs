//! Rules that allow, deny and alert in each phase: what the client gets, what the origin sees, and
//! what the log says.

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{Proxy, Response, Rules, ScriptedOrigin};

const RULES: &str = r#"
[[group]]
priority = 10
name = "gate"

[[group.pre_dns]]
name = "watch-names"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "watched.test" }

[[group.pre_dns]]
name = "no-evil"
action = "deny"
when."request:DestinationDomain" = { DomainMatch = "evil.test" }

[[group.pre_dns]]
name = "good-names"
action = "allow"
when."request:DestinationDomain" = { DomainMatch = ["good.test", "watched.test"] }

[[group.pre_request]]
name = "watch-posts"
action = "alert"
when."request:Http:Method" = { StringEquals = "POST" }

[[group.pre_request]]
name = "watch-admin"
action = "alert"
when."request:Http:Uri" = { StringLike = "/admin*" }

[[group.pre_request]]
name = "no-deletes"
action = "deny"
when."request:Http:Method" = { StringEquals = "DELETE" }

[[group.pre_request]]
name = "no-such-address"
action = "deny"
when."request:DestinationIp" = { IpAddress = "127.66.0.0/16" }

[[group.pre_request]]
name = "reading"
action = "allow"
when."request:Http:Method" = { StringEquals = ["GET", "POST"] }

[[group.post_response]]
name = "watch-errors"
action = "alert"
when."response:Http:StatusCode" = { NumericGreaterThanEquals = 500 }

[[group.post_response]]
name = "no-programs"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-msdownload" }

[[group.post_response]]
name = "text"
action = "allow"
when."response:Http:ContentType" = { StringLike = "text/*" }
"#;

/// The origin answers what the target asks for: `/CODE/TYPE…`.
fn origin() -> ScriptedOrigin {
    ScriptedOrigin::start(|mut accepted, notebook| {
        while accepted.has_more() {
            let request = accepted.request();
            let target = request.line.split(' ').nth(1).unwrap().to_owned();
            notebook.note(request);
            let mut parts = target.trim_start_matches("/admin").splitn(3, '/').skip(1);
            let (code, content_type) = (parts.next().unwrap(), parts.next().unwrap());
            accepted.send(format!(
                "HTTP/1.1 {code} Said\r\nContent-Type: {content_type}\r\nX-Origin: seen\r\n\
                 Content-Length: 11\r\n\r\nthe content"
            ));
        }
    })
}

fn start(rules: &str) -> Proxy {
    Setup::new()
        .host("good.test", "127.0.0.1")
        .host("watched.test", "127.0.0.1")
        .host("evil.test", "127.0.0.1")
        .host("elsewhere.good.test", "127.66.0.1")
        .start(Rules(rules))
}

/// A request and everything that must come of it.
struct Case {
    request: (&'static str, &'static str, &'static str),
    /// Status, and the error type if the proxy refuses.
    got: (u16, Option<&'static str>),
    /// What decided: phase, action, rule.
    decided: (&'static str, &'static str, Option<&'static str>),
    alerts: &'static [(&'static str, &'static str)],
    reaches_origin: bool,
}

const CASES: &[Case] = &[
    Case {
        request: ("GET", "good.test", "/200/text/plain"),
        got: (200, None),
        decided: ("PostRESPONSE", "allow", Some("text")),
        alerts: &[],
        reaches_origin: true,
    },
    Case {
        request: ("GET", "good.test", "/200/image/png"),
        got: (200, None),
        decided: ("PostRESPONSE", "allow", None),
        alerts: &[],
        reaches_origin: true,
    },
    Case {
        request: ("GET", "evil.test", "/200/text/plain"),
        got: (403, Some("http_request_denied")),
        decided: ("PreDNS", "deny", Some("no-evil")),
        alerts: &[],
        reaches_origin: false,
    },
    Case {
        request: ("GET", "watched.test", "/200/text/plain"),
        got: (200, None),
        decided: ("PostRESPONSE", "allow", Some("text")),
        alerts: &[("PreDNS", "watch-names")],
        reaches_origin: true,
    },
    Case {
        request: ("DELETE", "good.test", "/200/text/plain"),
        got: (403, Some("http_request_denied")),
        decided: ("PreREQUEST", "deny", Some("no-deletes")),
        alerts: &[],
        reaches_origin: false,
    },
    Case {
        request: ("GET", "elsewhere.good.test", "/200/text/plain"),
        got: (403, Some("http_request_denied")),
        decided: ("PreREQUEST", "deny", Some("no-such-address")),
        alerts: &[],
        reaches_origin: false,
    },
    Case {
        request: ("DELETE", "good.test", "/admin/200/text/plain"),
        got: (403, Some("http_request_denied")),
        decided: ("PreREQUEST", "deny", Some("no-deletes")),
        alerts: &[("PreREQUEST", "watch-admin")],
        reaches_origin: false,
    },
    Case {
        request: ("POST", "watched.test", "/admin/200/text/plain"),
        got: (200, None),
        decided: ("PostRESPONSE", "allow", Some("text")),
        alerts: &[
            ("PreDNS", "watch-names"),
            ("PreREQUEST", "watch-posts"),
            ("PreREQUEST", "watch-admin"),
        ],
        reaches_origin: true,
    },
    Case {
        request: ("GET", "good.test", "/200/application/x-msdownload;v=1"),
        got: (403, Some("http_response_denied")),
        decided: ("PostRESPONSE", "deny", Some("no-programs")),
        alerts: &[],
        reaches_origin: true,
    },
    Case {
        request: ("GET", "good.test", "/503/application/x-msdownload"),
        got: (403, Some("http_response_denied")),
        decided: ("PostRESPONSE", "deny", Some("no-programs")),
        alerts: &[("PostRESPONSE", "watch-errors")],
        reaches_origin: true,
    },
    Case {
        request: ("GET", "good.test", "/500/text/html"),
        got: (500, None),
        decided: ("PostRESPONSE", "allow", Some("text")),
        alerts: &[("PostRESPONSE", "watch-errors")],
        reaches_origin: true,
    },
];

#[test]
fn absolute_form() {
    for case in CASES {
        let (proxy, origin) = (start(RULES), origin());
        let (method, host, path) = case.request;
        let authority = format!("{host}:{}", origin.port());
        let mut client = proxy.connection();
        client.send(format!(
            "{method} http://{authority}{path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 0\r\n\r\n"
        ));
        check(case, &proxy, &origin, &client.response(), |_| true);
    }
}

/// The same inside a tunnel: nothing is encrypted, so nothing is exempt.
#[test]
fn plain_tunnels() {
    for case in CASES {
        let (proxy, origin) = (start(RULES), origin());
        let (method, host, path) = case.request;
        let authority = format!("{host}:{}", origin.port());
        let mut client = proxy.connection();
        if let Err(refusal) = client.connect(&authority) {
            // Decided before anything in the tunnel was seen.
            check(case, &proxy, &origin, &refusal, |_| true);
            continue;
        }
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 0\r\n\r\n"
        ));
        let response = client.response();
        drop(client);
        // The line of the tunnel follows that of the request in it.
        let line = proxy.log.transactions(2).remove(1);
        let names = case.names_of(|phase| phase == "PreDNS");
        let expected = json!({ "method": "CONNECT", "status": 200, "alerts": names });
        assert_fields(&line, &expected);
        // PreDNS judged the tunnel; the request in it is judged by the other two phases.
        check(case, &proxy, &origin, &response, |phase| phase != "PreDNS");
    }
}

impl Case {
    /// The alerts of some phases as a log line lists them.
    fn names_of(&self, is_phase: impl Fn(&str) -> bool) -> Value {
        let alerts = self.alerts.iter().filter(|(phase, _)| is_phase(phase));
        let names: Vec<_> = alerts.map(|(_, name)| *name).collect();
        if names.is_empty() {
            Value::Null
        } else {
            json!(names)
        }
    }
}

/// Holds the client's response, the origin and the log against `case`; `own_phases` are those that
/// the transaction itself went through.
fn check(
    case: &Case,
    proxy: &Proxy,
    origin: &ScriptedOrigin,
    response: &Response,
    own_phases: impl Fn(&str) -> bool,
) {
    let (method, host, path) = case.request;
    let what = format!("{method} {host}{path}");
    let (status, error) = case.got;
    assert_eq!(response.status, status, "{what}: {response:?}");
    assert_eq!(response.proxy_error().as_deref(), error, "{what}");
    let line = proxy.log.wait("transaction", 1).remove(0);
    if error.is_some() {
        assert_eq!(
            response.header("x-origin"),
            None,
            "{what}: a byte of the origin passed"
        );
        assert!(!response.text().contains("the content"), "{what}");
        assert_eq!(
            response.transaction(),
            line["txn"].as_str().unwrap(),
            "{what}"
        );
        let rule = case.decided.2.unwrap();
        assert!(
            !response.text().contains(rule),
            "{what}: the rule is not revealed by default"
        );
    } else {
        assert_eq!(response.body, b"the content", "{what}");
    }
    let connections = origin.connections();
    assert_eq!(
        connections,
        usize::from(case.reaches_origin),
        "{what}: connections at the origin"
    );
    let (phase, action, rule) = case.decided;
    let expected = json!({
        "status": case.got.0, "error": case.got.1, "phase": phase, "action": action, "rule": rule,
        "group": rule.map(|_| "gate"), "domain": host, "method": method, "uri": path,
        "alerts": case.names_of(&own_phases),
    });
    // A tunnel that was refused before it opened is a CONNECT without a path.
    match line["method"] == "CONNECT" {
        false => assert_fields(&line, &expected),
        true => assert_fields(
            &line,
            &json!({ "phase": phase, "action": action, "rule": rule }),
        ),
    }
    assert!(line["bundle"].is_string(), "{what}: the bundle's id");
    assert_alerts(case, proxy, &line, &own_phases);
    let denials = proxy.log.of("deny");
    assert_eq!(
        denials.len(),
        usize::from(case.decided.1 == "deny"),
        "{what}: {denials:#?}"
    );
    for denial in &denials {
        assert_fields(
            denial,
            &json!({ "txn": line["txn"], "rule": line["rule"], "phase": line["phase"] }),
        );
    }
}

fn assert_alerts(case: &Case, proxy: &Proxy, line: &Value, own_phases: impl Fn(&str) -> bool) {
    let lines = proxy.log.of("alert");
    let field = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
    let found: Vec<_> = lines
        .iter()
        .map(|alert| (field(alert, "phase"), field(alert, "rule")))
        .collect();
    let expected = case
        .alerts
        .iter()
        .map(|(phase, rule)| ((*phase).to_owned(), (*rule).to_owned()));
    assert_eq!(
        found,
        expected.collect::<Vec<_>>(),
        "alert lines of {line:#}"
    );
    for alert in &lines {
        let is_own = own_phases(&field(alert, "phase"));
        assert_eq!(alert["txn"] == line["txn"], is_own, "{alert:#}");
        assert_fields(alert, &json!({ "action": "alert", "group": "gate" }));
    }
}

/// The answer to an upload that nobody wants arrives, though the client is still sending.
#[test]
fn denied_uploads_are_answered_not_reset() {
    let (proxy, origin) = (start(RULES), origin());
    let authority = format!("good.test:{}", origin.port());
    let head = |expect: &str| {
        format!(
            "DELETE http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n{expect}Content-Length: 4000000\r\n\r\n"
        )
    };
    let mut client = proxy.connection();
    client.send(head(""));
    client.send_in_vain(vec![b'x'; 4_000_000]);
    let response = client.response();
    response.assert_refusal(403, "http_request_denied");
    assert!(response.says_close());
    // Who asks first is told at once, and not to go on.
    let mut client = proxy.connection();
    client.send(head("Expect: 100-continue\r\n"));
    client.response().assert_refusal(403, "http_request_denied");
    client.assert_closed();
    assert_eq!(origin.connections(), 0);
}

#[test]
fn defaults_decide_where_no_rule_does() {
    let phases = ["pre_dns", "pre_request", "post_response"];
    let names = ["PreDNS", "PreREQUEST", "PostRESPONSE"];
    for (phase, name) in phases.iter().zip(names) {
        let defaults: String = phases
            .iter()
            .map(|other| {
                format!(
                    "{other} = \"{}\"\n",
                    if other == phase { "deny" } else { "allow" }
                )
            })
            .collect();
        let (proxy, origin) = (start(&format!("[defaults]\n{defaults}")), origin());
        let mut client = proxy.connection();
        let response = client.get(&format!(
            "http://good.test:{}/200/text/plain",
            origin.port()
        ));
        let error = if name == "PostRESPONSE" {
            "http_response_denied"
        } else {
            "http_request_denied"
        };
        response.assert_refusal(403, error);
        assert!(response.text().contains(name), "{}", response.text());
        let line = proxy.log.transaction();
        assert_fields(
            &line,
            &json!({ "phase": name, "action": "deny", "rule": null, "group": null }),
        );
        assert_eq!(origin.connections(), usize::from(name == "PostRESPONSE"));
        // The connection of the client is as good as before.
        assert_eq!(
            client
                .get(&format!("http://good.test:{}/200/a/b", origin.port()))
                .status,
            403
        );
    }
}

#[test]
fn refusals_come_in_the_format_that_was_asked_for() {
    let origin = origin();
    let proxy = Setup::new()
        .host("evil.test", "127.0.0.1")
        .key("responses.reveal_rule", "true")
        .start(Rules(RULES));
    let url = format!("http://evil.test:{}/200/text/plain", origin.port());
    let cases = [
        ("*/*", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        (
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/html; charset=utf-8",
        ),
    ];
    let mut client = proxy.connection();
    for (index, (accept, content_type)) in cases.into_iter().enumerate() {
        client.send(format!(
            "GET {url} HTTP/1.1\r\nHost: evil.test:{}\r\nAccept: {accept}\r\n\r\n",
            origin.port()
        ));
        let response = client.response();
        assert_eq!(response.status, 403);
        assert_eq!(
            response.header("content-type").as_deref(),
            Some(content_type)
        );
        let line = proxy.log.transactions(index + 1).remove(index);
        let text = response.text();
        assert!(text.contains(line["txn"].as_str().unwrap()), "{text}");
        assert!(text.contains("no-evil"), "the rule may be told: {text}");
        if content_type == "application/json" {
            let body: Value = serde_json::from_str(&text).unwrap();
            assert_fields(
                &body,
                &json!({ "status": 403, "phase": "PreDNS", "rule": "no-evil" }),
            );
        }
    }
}
