//! nginx behind the proxy: what a real server saw, by its own log and counters.

use std::path::Path;

use crate::common::message::find;
use crate::common::nginx::Nginx;
use crate::common::proxy::Setup;
use crate::common::{Connection, Rules};

const LOCATIONS: &str = "location = /counters { stub_status; access_log off; }
location = /nothing { return 204; }
location = /moved { return 301 http://elsewhere.test/; }";

/// One page, and what [`LOCATIONS`] has.
fn start(folder: &Path) -> Option<Nginx> {
    std::fs::create_dir(folder.join("www")).unwrap();
    std::fs::write(folder.join("www/page.html"), "<p>page</p>".repeat(1000)).unwrap();
    Nginx::start(folder, LOCATIONS)
}

/// Connections that it has accepted so far, this one included.
fn accepted(nginx: &Nginx) -> u64 {
    let mut direct = Connection::open(([127, 0, 0, 1], nginx.port).into());
    direct.send("GET /counters HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    let text = direct.response().text();
    let numbers = text.lines().nth(2).unwrap();
    numbers.split_whitespace().next().unwrap().parse().unwrap()
}

const RULES: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "web"
[[group.pre_dns]]
name = "no-denied-host"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "denied.test" }
[[group.pre_request]]
name = "no-secrets"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
[[group.post_response]]
name = "no-redirects"
action = "deny"
when."response:Http:StatusCode" = { NumericEquals = 301 }
"#,
);

#[test]
fn nginx_sees_what_was_allowed_and_nothing_else() {
    let setup = Setup::new()
        .host("web.test", "127.0.0.1")
        .host("denied.test", "127.0.0.1");
    let Some(nginx) = start(setup.folder.path()) else {
        return;
    };
    let proxy = setup.start(RULES);
    let url = |host: &str, path: &str| format!("http://{host}.test:{}{path}", nginx.port);
    let mut client = proxy.connection();
    // Denied before anything: not a line, not a connection.
    let before = accepted(&nginx);
    assert_eq!(client.get(&url("denied", "/page.html")).status, 403);
    assert_eq!(client.get(&url("web", "/secret.html")).status, 403);
    assert_eq!(
        client
            .connect(&format!("denied.test:{}", nginx.port))
            .unwrap_err()
            .status,
        403
    );
    assert_eq!(accepted(&nginx), before + 1, "only the question itself");
    // The refused CONNECT has ended the connection.
    let mut client = proxy.connection();
    // Allowed: one connection for all of them.
    let page = client.get(&url("web", "/page.html"));
    assert_eq!((page.status, page.body.len()), (200, 11_000));
    assert!(
        page.header("server")
            .is_some_and(|server| server.starts_with("nginx"))
    );
    let unchanged = {
        let authority = format!("web.test:{}", nginx.port);
        let tag = page.header("etag").unwrap();
        client.send(format!(
            "GET {} HTTP/1.1\r\nHost: {authority}\r\nIf-None-Match: {tag}\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
            url("web", "/page.html")
        ));
        client.response()
    };
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(client.get(&url("web", "/nothing")).status, 204);
    assert_eq!(client.get(&url("web", "/missing")).status, 404);
    let moved = client.get(&url("web", "/moved"));
    moved.assert_refusal(403, "http_response_denied");
    assert_eq!(moved.header("location"), None);
    assert!(
        find(&moved.body, b"nginx").is_none(),
        "not one byte of the origin's answer passes"
    );
    assert_seen(&nginx.lines(5));
    let mut lines = proxy.log.transactions(8);
    lines.retain(|line| line["action"] == "deny");
    assert_eq!(lines.len(), 4);
}

/// The requests that were allowed, by name of the proxy, without credentials, on one connection.
fn assert_seen(lines: &[String]) {
    let fields = |line: &String| line.split('|').map(str::to_owned).collect::<Vec<_>>();
    let requests: Vec<_> = lines.iter().map(|line| fields(line).remove(0)).collect();
    let expected = ["/page.html", "/page.html", "/nothing", "/missing", "/moved"];
    assert_eq!(
        requests,
        expected.map(|path| format!("GET {path} HTTP/1.1"))
    );
    for line in lines {
        assert_eq!(fields(line)[2..4], ["1.1 sallyport", "-"], "{line}");
        assert_eq!(
            fields(line)[4],
            fields(&lines[0])[4],
            "one connection: {line}"
        );
    }
}
