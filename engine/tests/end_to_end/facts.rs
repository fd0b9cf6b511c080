//! What rules see of a message is what its recipient will see: every value of a field, nothing that is
//! not sent on, and interim responses like final ones.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Proxy, Response, Rules, ScriptedOrigin};
use crate::http2::{assert_cases, run};

const DENY_PROGRAMS: &str = r#"
[[group]]
priority = 1
name = "gate"
[[group.post_response]]
name = "no-programs"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-msdownload" }
"#;

const ONLY_TEXT: &str = r#"
[defaults]
pre_dns = "allow"
pre_request = "allow"
post_response = "deny"
[[group]]
priority = 1
name = "gate"
[[group.post_response]]
name = "text"
action = "allow"
when."response:Http:ContentType" = { StringEquals = "text/plain" }
"#;

/// Sends a request with these lines behind its first one.
fn ask(proxy: &Proxy, origin: &ScriptedOrigin, lines: &str) -> Response {
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\n{lines}\r\n"
    ));
    client.response()
}

/// Recipients differ in which content type they take, so no order and no form gets one past a rule.
#[test]
fn content_types_that_a_response_repeats_are_all_judged() {
    const LINES: [&str; 7] = [
        "Content-Type: text/plain\r\nContent-Type: application/x-msdownload",
        "Content-Type: application/x-msdownload\r\nContent-Type: text/plain",
        "Content-Type: text/plain, application/x-msdownload",
        "Content-Type: text/plain;a=b ,, Application/X-MSDownload;c=d",
        "Content-Type: text/plain;a=\"b\\\",\", application/x-msdownload",
        "Content-Type: text/plain;a=\"b, application/x-msdownload",
        "content-type:\r\nCONTENT-TYPE: application/x-msdownload",
    ];
    let denying = Setup::new().start(Rules(DENY_PROGRAMS));
    let allowing = Setup::new().start(Rules(ONLY_TEXT));
    let open = Proxy::open();
    for lines in LINES {
        let origin = ScriptedOrigin::answering(format!(
            "HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: 2\r\n\r\nMZ"
        ));
        let denied = ask(&denying, &origin, "");
        denied.assert_refusal(403, "http_response_denied");
        let response = ask(&allowing, &origin, "");
        assert!(
            matches!(response.status, 403 | 502),
            "{lines}: {response:?}"
        );
        // Where no rule looks at it nothing is lost by passing it on.
        assert_eq!(ask(&open, &origin, "").status, 200, "{lines}");
    }
    let lines = denying.log.transactions(LINES.len());
    assert_eq!(lines[0]["rule"], "no-programs");
    assert_eq!(
        lines[0]["content_type"],
        "text/plain, application/x-msdownload"
    );
}

/// The same type twice is one type; a comma in a parameter is none between types.
#[test]
fn a_type_that_is_repeated_with_other_parameters_passes() {
    let proxy = Setup::new().start(Rules(ONLY_TEXT));
    for lines in [
        "Content-Type: text/plain\r\nContent-Type: text/plain; charset=utf-8",
        "Content-Type: text/plain, TEXT/plain;a=b",
        "Content-Type: text/plain;a=\"b, application/x-msdownload\"",
    ] {
        let origin = ScriptedOrigin::answering(format!(
            "HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: 2\r\n\r\nok"
        ));
        assert_eq!(ask(&proxy, &origin, "").status, 200, "{lines}");
    }
}

#[test]
fn fields_that_a_request_repeats_are_all_judged() {
    let rules = r#"
[[group]]
priority = 1
name = "gate"
[[group.pre_request]]
name = "no-bots"
action = "deny"
when."request:Http:UserAgent" = { StringLike = "BadBot/*" }
[[group.pre_request]]
name = "no-forms"
action = "deny"
when."request:Http:ContentType" = { StringEquals = "multipart/form-data" }
"#;
    let proxy = Setup::new().start(Rules(rules));
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for lines in [
        "User-Agent: curl\r\nUser-Agent: BadBot/1\r\n",
        "user-agent: BadBot/1\r\nUser-Agent: curl\r\n",
        "Content-Type: text/plain\r\nContent-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: text/plain, multipart/form-data; boundary=x\r\n",
    ] {
        let response = ask(&proxy, &origin, lines);
        response.assert_refusal(403, "http_request_denied");
    }
    // None of them is denied, but what the origin would take it for is not known.
    let lines = "Content-Type: text/plain\r\nContent-Type: text/html\r\n";
    ask(&proxy, &origin, lines).assert_refusal(400, "http_request_error");
    assert_eq!(origin.connections(), 0);
    let lines = "User-Agent: curl\r\nUser-Agent: other, too\r\nContent-Type: a/b\r\n";
    assert_eq!(ask(&proxy, &origin, lines).status, 200);
    let line = proxy.log.transactions(6).remove(5);
    assert_eq!(line["user_agent"], "curl, other, too");
}

/// What `Connection` names stays behind, so no rule is satisfied by it.
#[test]
fn fields_that_connection_names_are_not_seen_by_rules() {
    let rules = r#"
[defaults]
pre_dns = "allow"
pre_request = "deny"
post_response = "allow"
[[group]]
priority = 1
name = "gate"
[[group.pre_request]]
name = "with-token"
action = "allow"
when."request:Http:Header/x-token" = { StringEquals = "good" }
when."request:Http:UserAgent" = { Null = false }
[[group.post_response]]
name = "marked"
action = "deny"
when."response:Http:Header/x-mark" = { Null = true }
"#;
    let proxy = Setup::new().start(Rules(rules));
    let origin =
        ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nX-Mark: yes\r\nContent-Length: 0\r\n\r\n");
    let fields = "X-Token: good\r\nUser-Agent: x\r\n";
    assert_eq!(ask(&proxy, &origin, fields).status, 200);
    for named in ["x-token", "close, X-TOKEN", "user-agent"] {
        let lines = format!("{fields}Connection: {named}\r\n");
        ask(&proxy, &origin, &lines).assert_refusal(403, "http_request_denied");
    }
    let origin = ScriptedOrigin::answering(
        "HTTP/1.1 200 OK\r\nX-Mark: yes\r\nConnection: x-mark\r\nContent-Length: 0\r\n\r\n",
    );
    ask(&proxy, &origin, fields).assert_refusal(403, "http_response_denied");
}

/// Rules over responses hold for all that an origin says before the final one.
#[test]
fn interim_responses_are_judged() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </secret>\r\n\r\n";
    let end = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
    let rules = r#"
[[group]]
priority = 1
name = "gate"
[[group.post_response]]
name = "watch"
action = "alert"
when."response:Http:StatusCode" = { NumericBetween = "100-199" }
[[group.post_response]]
name = "no-secrets"
action = "deny"
when."response:Http:Header/link" = { StringLike = "*secret*" }
"#;
    let proxy = Setup::new().start(Rules(rules));
    let denied = ScriptedOrigin::answering_once(format!("{hints}{end}"));
    ask(&proxy, &denied, "").assert_refusal(403, "http_response_denied");
    let line = proxy.log.transaction();
    assert_fields(&line, &json!({ "rule": "no-secrets", "alerts": ["watch"] }));
    let everything =
        "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"deny\"\n";
    let proxy = Setup::new().start(Rules(everything));
    for code in [100, 103] {
        let said = format!("HTTP/1.1 {code} Hello\r\nX-Data: leak\r\n\r\n");
        let origin = ScriptedOrigin::answering_once(format!("{said}{end}"));
        ask(&proxy, &origin, "").assert_refusal(403, "http_response_denied");
    }
    // Alerts of what has passed stay beside those of the final response, each once.
    let proxy = Setup::new().start(Rules(rules));
    let hints = hints.replace("secret", "public");
    let origin = ScriptedOrigin::answering_once(format!("{hints}{hints}{end}"));
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    let statuses = [(); 3].map(|()| client.response().status);
    assert_eq!(statuses, [103, 103, 200]);
    assert_fields(&proxy.log.transaction(), &json!({ "alerts": ["watch"] }));
    assert_eq!(proxy.log.of("alert").len(), 1);
}

/// A rule that lists the statuses of final responses does not break uploads that wait for a 100.
#[test]
fn a_bare_continue_that_no_rule_allows_is_left_out() {
    let rules = r#"
[defaults]
pre_dns = "allow"
pre_request = "allow"
post_response = "deny"
[[group]]
priority = 1
name = "gate"
[[group.post_response]]
name = "fine"
action = "allow"
when."response:Http:StatusCode" = { NumericEquals = 200 }
"#;
    let proxy = Setup::new().start(Rules(rules));
    let origin = ScriptedOrigin::answering_once(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(ask(&proxy, &origin, "").status, 200);
}

/// Whatever is not known to all clients stays behind, and none of them comes without end.
#[test]
fn other_interim_responses_are_not_forwarded_and_all_are_counted() {
    let end = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let others = "HTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\nHTTP/1.1 104 Upload\r\nX-A: 1\r\n\r\n\
                  HTTP/1.1 199 Other\r\n\r\n";
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering_once(format!("{others}{end}"));
    assert_eq!(ask(&proxy, &origin, "").status, 200);
    let hints = |count: usize, bytes: usize| {
        let field = "x".repeat(bytes - 41);
        format!("HTTP/1.1 103 Early Hints\r\nX-Filling: {field}\r\n\r\n").repeat(count)
    };
    let check = |setup: Setup, said: String, passes: usize, status: u16| {
        let proxy = setup.start(ALLOW_ALL);
        let origin = ScriptedOrigin::answering_once(format!("{said}{end}"));
        let (authority, url) = (origin.address, origin.url("/"));
        let mut client = proxy.connection();
        client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        for _ in 0..passes {
            assert_eq!(client.response().status, 103);
        }
        assert_eq!(client.response().status, status);
    };
    let few = || Setup::new().key("limits.interim_responses", "2");
    check(few(), hints(2, 100), 2, 200);
    check(few(), hints(3, 100), 2, 502);
    let small = || Setup::new().key("limits.interim_bytes", "2000");
    check(small(), hints(2, 1000), 2, 200);
    check(small(), hints(2, 1001), 1, 502);
    check(Setup::new(), hints(3, 28_000), 2, 502);
}

/// HTTP/2 has other forms of the same messages; rules are none the wiser.
#[test]
fn the_same_over_http2() {
    let rules = r#"
[[group]]
priority = 1
name = "gate"
[[group.pre_request]]
name = "no-bots"
action = "deny"
when."request:Http:UserAgent" = { StringLike = "BadBot/*" }
[[group.pre_request]]
name = "no-websockets"
action = "deny"
when."request:Protocol" = { StringEquals = ["ws", "wss"] }
[[group.post_response]]
name = "no-secrets"
action = "deny"
when."response:Http:Header/link" = { StringLike = "*secret*" }
[[group.post_response]]
name = "no-programs"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-msdownload" }
"#;
    let proxy = Setup::new().host("a.test", "127.0.0.1").start(Rules(rules));
    let arguments = [&*proxy.address.to_string(), "a.test"];
    if let Some(outcome) = run("http2_facts.py", &["hpack"], &arguments) {
        assert_cases(&outcome, 9);
    }
}
