//! The admin listener: who is answered, health, metrics.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::common::programs::{python_with, sallyport};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Origin, Response, Rules};
use crate::operation::held_origin;
use crate::python::run;

/// A request as a tool would make it.
fn ask(admin: SocketAddr, method: &str, path: &str, host: &str) -> Response {
    let mut connection = Connection::open(admin);
    connection.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    connection.response_to(method)
}

fn get(admin: SocketAddr, path: &str) -> Response {
    ask(admin, "GET", path, &admin.to_string())
}

/// The sum of a metric over the labels of which `is_meant` says so.
fn sum(admin: SocketAddr, name: &str, labels: &str) -> f64 {
    let text = get(admin, "/metrics").text();
    let of_name = text.lines().filter_map(|line| line.strip_prefix(name));
    let meant = of_name.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels));
    meant
        .map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

const DENY_ONE: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "metrics"
[[group.pre_dns]]
name = "no-denied"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "denied.test" }
"#,
);

#[test]
fn metrics_count_what_the_log_tells() {
    let mut proxy = Setup::new()
        .admin()
        .host("denied.test", "127.0.0.1")
        .start(DENY_ONE);
    let admin = proxy.admin();
    let origin = Origin::start();
    let mut connection = proxy.connection();
    for _ in 0..3 {
        assert_eq!(connection.get(&origin.url("/")).status, 200);
    }
    assert_eq!(connection.get("http://denied.test/").status, 403);
    assert_eq!(
        proxy.connection().get("http://169.254.169.254/").status,
        403
    );
    assert_eq!(proxy.connection().get("http://nowhere.test/").status, 502);
    let mut malformed = proxy.connection();
    malformed.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(malformed.response().status, 400);
    let mut tunnel = proxy.connection();
    tunnel.connect(&origin.address.to_string()).unwrap();
    wait_for("the open tunnel", || {
        (sum(admin, "sallyport_tunnels_open", "") == 1.0).then_some(())
    });
    drop(tunnel);
    let lines = proxy.log.wait("transaction", 8);
    let requests = |labels: &str| sum(admin, "sallyport_requests_total", labels);
    assert_eq!(requests(""), lines.len() as f64, "{lines:#?}");
    let listener = format!("listener=\"{}\"", proxy.address);
    assert_eq!(requests(&listener), 8.0);
    assert_eq!(
        requests(r#"phase="PreDNS",action="deny",status="4xx""#),
        1.0
    );
    assert_eq!(requests(r#"phase="none",action="deny",status="4xx""#), 1.0);
    assert_eq!(requests(r#"action="allow",status="2xx""#), 4.0);
    assert_eq!(requests(r#"action="allow",status="5xx""#), 1.0);
    let of = |name: &str, labels: &str| sum(admin, &format!("sallyport_{name}"), labels);
    assert_eq!(
        of("guard_denials_total", "link_local") + of("guard_denials_total", "metadata"),
        1.0
    );
    assert_eq!(of("upstream_requests_total", "true"), 2.0);
    assert_eq!(of("tunnels_total", r#"kind="connect""#), 1.0);
    assert_eq!(of("request_duration_seconds_count", ""), 8.0);
    assert_eq!(of("decision_duration_seconds_count", ""), 8.0);
    assert!(
        of(
            "transferred_bytes_total",
            r#"leg="client",direction="received""#
        ) > 300.0
    );
    assert_eq!(of("log_lines_dropped_total", ""), 0.0);
    wait_for("all lines written", || {
        (of("log_lines_total", "") == proxy.log.lines().len() as f64).then_some(())
    });
}

#[test]
fn reloads_are_counted() {
    let mut proxy = Setup::new().admin().start(ALLOW_ALL);
    let admin = proxy.admin();
    let reloads = |result: &str| sum(admin, "sallyport_reloads_total", result);
    assert_eq!((reloads("adopted"), reloads("refused")), (0.0, 0.0));
    proxy.signal(Signal::SIGHUP);
    wait_for("a reload that is adopted", || {
        (reloads("adopted") == 1.0).then_some(())
    });
    std::fs::write(proxy.setup.path("sallyport.toml"), "nonsense").unwrap();
    proxy.signal(Signal::SIGHUP);
    wait_for("a reload that is refused", || {
        (reloads("refused") == 1.0).then_some(())
    });
    assert_eq!(reloads("adopted"), 1.0);
}

#[test]
fn the_parsers_of_others_take_the_metrics() {
    let Some(python) = python_with(&["prometheus_client"]) else {
        return;
    };
    let mut proxy = Setup::new().admin().start(ALLOW_ALL);
    let admin = proxy.admin();
    let origin = Origin::start();
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    let _ = proxy.log.transaction();
    let told = run(&python, "metrics.py", &[&format!("http://{admin}/metrics")]);
    let [open_metrics, text] = told.as_array().unwrap().as_slice() else {
        panic!("{told}")
    };
    let kind = |told: &Value| told["content_type"].as_str().unwrap().to_owned();
    assert!(kind(open_metrics).starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(kind(text).starts_with("text/plain; version=0.0.4"));
    for told in [open_metrics, text] {
        let samples = told["samples"].as_array().unwrap();
        let value = |name: &str| {
            let of_name = samples.iter().filter(|sample| sample[0] == name);
            of_name
                .map(|sample| sample[2].as_f64().unwrap())
                .sum::<f64>()
        };
        assert_eq!(value("sallyport_requests_total"), 1.0);
        assert_eq!(value("sallyport_request_duration_seconds_count"), 1.0);
        for info in ["build", "io_driver", "bundle"] {
            assert_eq!(value(&format!("sallyport_{info}_info")), 1.0);
        }
    }
    let families = &open_metrics["families"];
    assert_eq!(families["sallyport_io_driver"], "info");
    assert_eq!(families["sallyport_shard_cpu_seconds"], "counter");
    assert!(families.as_object().unwrap().len() > 35, "{families:#}");
}

#[test]
fn a_process_that_drains_is_not_ready() {
    let mut proxy = Setup::new().admin().start(ALLOW_ALL);
    let admin = proxy.admin();
    assert_eq!(get(admin, "/healthz").status, 200);
    assert_eq!(get(admin, "/readyz").text(), "ready\n");
    let (held, release) = held_origin();
    let mut busy = proxy.connection();
    busy.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        held.url("/"),
        held.address
    ));
    busy.head();
    proxy.signal(Signal::SIGTERM);
    let unready = wait_for("the drain", || {
        let answer = get(admin, "/readyz");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((unready.status, &*unready.text()), (503, "draining\n"));
    assert_eq!(get(admin, "/healthz").status, 200);
    assert_eq!(sum(admin, "sallyport_draining", ""), 1.0);
    release.send(()).unwrap();
    assert!(proxy.process.wait_end().success());
}

#[test]
fn only_methods_paths_and_hosts_of_ours_are_answered() {
    let mut proxy = Setup::new()
        .admin()
        .key("admin.hosts", "[\"proxy.corp.test\"]")
        .start(ALLOW_ALL);
    let admin = proxy.admin();
    let post = ask(admin, "POST", "/metrics", "localhost");
    assert_eq!(
        (post.status, post.header("allow")),
        (405, Some("GET, HEAD".to_owned()))
    );
    assert_eq!(ask(admin, "HEAD", "/metrics", "localhost").status, 200);
    assert_eq!(get(admin, "/nothing").status, 404);
    for (host, status) in [
        ("localhost:1", 200),
        ("proxy.corp.test", 200),
        ("192.0.2.7", 200),
        ("rebound.evil.test", 403),
        ("", 403),
    ] {
        let answer = ask(admin, "GET", "/metrics", host);
        assert_eq!(answer.status, status, "{host}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.text().contains("sallyport_"), status == 200);
    }
}

#[test]
fn no_request_through_the_proxy_reaches_it() {
    // Everything is allowed, loopback and names for it too.
    let mut proxy = Setup::new()
        .admin()
        .host("admin.test", "127.0.0.1")
        .key("guard.allow", "[\"0.0.0.0/0\", \"::/0\"]")
        .start(ALLOW_ALL);
    let port = proxy.admin().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "admin.test",
        "ADMIN.test.",
        "127.1",
        "127.0.1",
        "0x7f000001",
        "0177.0.0.1",
        "2130706433",
        "0.0.0.0",
        "0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "[64:ff9b::7f00:1]",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
    ] {
        let mut plain = proxy.connection();
        plain.send(format!(
            "GET http://{host}:{port}/metrics HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        ));
        let answer = plain.response();
        assert!(answer.status >= 400, "{host}: {answer:?}");
        assert!(!answer.text().contains("sallyport_"), "{host}: {answer:?}");
        let refused = proxy.connection().connect(&format!("{host}:{port}"));
        assert!(refused.is_err(), "CONNECT {host} is answered");
    }
}

#[test]
fn a_taken_address_is_an_error_that_names_the_key() {
    let mut proxy = Setup::new().admin().start(ALLOW_ALL);
    let admin = proxy.admin();
    let second = Setup::new().key("admin.listen", &format!("\"{admin}\""));
    ALLOW_ALL.compile(&second.path("rules.spb"));
    let run = |command: &str| {
        let mut sallyport = sallyport();
        let command = sallyport.args([command, "--config"]).arg(second.write());
        command.output().unwrap()
    };
    let refused = run("run");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(
        said.contains(&format!("admin.listen: cannot listen on {admin}")),
        "{said}"
    );
    // Who is there may be the process that the configuration is for.
    assert!(run("check").status.success());
}

#[test]
fn a_unix_socket_is_its_owners() {
    let setup = Setup::new().key("admin.listen", "\"unix:admin.sock\"");
    let path = setup.path("admin.sock");
    // What a process that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let _proxy = setup.start(ALLOW_ALL);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    // Names do not matter where no browser can ask.
    let request = "GET /readyz HTTP/1.1\r\nHost: any.test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ready\n"),
        "{answer}"
    );
}

fn json(response: &Response) -> Value {
    assert_eq!(
        response.header("content-type").as_deref(),
        Some("application/json")
    );
    serde_json::from_slice(&response.body).unwrap()
}

fn post(admin: SocketAddr, path: &str) -> Response {
    let mut connection = Connection::open(admin);
    connection.send(format!(
        "POST {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\n\r\n"
    ));
    connection.response()
}

#[test]
fn a_reload_is_answered_with_what_came_of_it() {
    let mut proxy = Setup::new()
        .admin()
        .host("denied.test", "127.0.0.1")
        .start(ALLOW_ALL);
    let admin = proxy.admin();
    assert_eq!(get(admin, "/reload").status, 405);
    let before = json(&get(admin, "/rules"))["bundle"].clone();
    let same = post(admin, "/reload");
    assert_eq!((same.status, &json(&same)["bundle"]), (200, &before));
    DENY_ONE.compile(&proxy.bundle());
    let answer = post(admin, "/reload");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(json(&answer)["bundle"], before);
    wait_for("the new rules", || {
        (proxy.connection().get("http://denied.test/").status == 403).then_some(())
    });
    std::fs::write(proxy.bundle(), "no bundle").unwrap();
    let refused = post(admin, "/reload");
    assert_eq!(refused.status, 422);
    let why = json(&refused)["error"].to_string();
    assert!(why.contains("rules.spb: not a usable bundle"), "{why}");
    assert_eq!(proxy.connection().get("http://denied.test/").status, 403);
}

#[test]
fn an_order_to_drain_is_answered_and_carried_out() {
    let mut proxy = Setup::new()
        .admin()
        .key("drain.timeout", "\"7s\"")
        .start(ALLOW_ALL);
    let admin = proxy.admin();
    let foreign = format!(
        "POST /drain HTTP/1.1\r\nHost: {admin}\r\nOrigin: http://evil.test\r\nContent-Length: 0\r\n\r\n"
    );
    let mut page = Connection::open(admin);
    page.send(foreign);
    assert_eq!(page.response().status, 403);
    assert!(proxy.process.is_running());
    let answer = post(admin, "/drain");
    assert_eq!(
        (answer.status, &json(&answer)["timeout_seconds"]),
        (202, &Value::from(7.0))
    );
    assert!(proxy.process.wait_end().success());
}

#[test]
fn rules_tell_how_often_they_were_hit() {
    let mut proxy = Setup::new()
        .admin()
        .host("denied.test", "127.0.0.1")
        .start(DENY_ONE);
    let admin = proxy.admin();
    let never = json(&get(admin, "/rules?hit=no"));
    assert_eq!(
        (&never["rules_count"], &never["never_hit_count"]),
        (&1.into(), &1.into())
    );
    assert_eq!(never["rules"][0]["rule"], "no-denied");
    assert_eq!(never["rules"][0]["last_hit"], Value::Null);
    for _ in 0..2 {
        assert_eq!(proxy.connection().get("http://denied.test/").status, 403);
    }
    let origin = Origin::start();
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    let _ = proxy.log.transactions(3);
    let hit = json(&get(admin, "/rules"));
    let first = &hit["rules"][0];
    assert_eq!(
        (&first["rule"], &first["hits"]),
        (&"no-denied".into(), &2.into())
    );
    assert_eq!(
        (&first["group"], &first["action"]),
        (&"metrics".into(), &"deny".into())
    );
    assert!(
        first["last_hit"].as_str().unwrap().starts_with("20"),
        "{first}"
    );
    // The defaults decided about the one request that nothing denied.
    let defaults = hit["defaults"].as_array().unwrap().iter();
    let hits: Vec<_> = defaults.map(|of| of["hits"].as_u64().unwrap()).collect();
    assert_eq!(hits, [1, 1, 1]);
    assert_eq!(hit["never_hit_count"], 0);
    // The same rules go on counting.
    assert_eq!(post(admin, "/reload").status, 200);
    assert_eq!(json(&get(admin, "/rules?limit=1"))["rules"][0]["hits"], 2);
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let mut proxy = Setup::new()
        .admin()
        .append("[headers.request.set]\nX-Key = \"hush-hush\"\n")
        .start(ALLOW_ALL);
    let admin = proxy.admin();
    let answer = get(admin, "/config");
    assert!(!answer.text().contains("hush"), "{}", answer.text());
    let config = json(&answer);
    assert_eq!(config["file"]["admin"]["listen"], "127.0.0.1:0");
    assert_eq!(config["file"]["headers"]["request"]["set"]["X-Key"], "***");
    assert_eq!(config["id"].as_str().unwrap().len(), 16);
}

#[test]
fn what_is_open_is_told() {
    let mut proxy = Setup::new().admin().start(ALLOW_ALL);
    let admin = proxy.admin();
    let origin = Origin::start();
    let mut tunnel = proxy.connection();
    tunnel.connect(&origin.address.to_string()).unwrap();
    let _idle = proxy.connection();
    let told = wait_for("both connections", || {
        let told = json(&get(admin, "/connections"));
        (told["clients"][0]["connections"] == 2).then_some(told)
    });
    assert_eq!(told["clients"][0]["client"], "127.0.0.1");
    assert_eq!(told["clients"][0]["tunnels"], 1);
    let of_shards = told["shards"].as_array().unwrap().iter();
    let connections: u64 = of_shards
        .map(|shard| shard["connections"].as_u64().unwrap())
        .sum();
    assert_eq!(connections, 2);
}

#[test]
fn the_log_can_be_followed_line_by_line() {
    let mut proxy = Setup::new()
        .admin()
        .host("denied.test", "127.0.0.1")
        .start(DENY_ONE);
    let admin = proxy.admin();
    let mut follower = Connection::open(admin);
    follower.send(format!(
        "GET /log?event=deny&domain=*.test HTTP/1.1\r\nHost: {admin}\r\n\r\n"
    ));
    let head = String::from_utf8(follower.head()).unwrap();
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let origin = Origin::start();
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    assert_eq!(proxy.connection().get("http://denied.test/").status, 403);
    let denied = proxy.log.wait("deny", 1).remove(0);
    // One event in one chunk: its size, then the line as it is in the file.
    let expected = format!("data: {{\"ts\":{}", denied["ts"]);
    let mut seen = String::new();
    while !seen.ends_with("\n\n\r\n") {
        seen.push(char::from(follower.bytes(1)[0]));
    }
    let (_, event) = seen.split_once("\r\n").unwrap();
    assert!(event.starts_with(&expected), "{event}");
    let line: Value = serde_json::from_str(event.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(line, denied);
}

#[test]
fn a_request_is_explained_by_the_rules_in_force() {
    let mut proxy = Setup::new().admin().start(DENY_ONE);
    let admin = proxy.admin();
    let explain = |body: &str| {
        let mut connection = Connection::open(admin);
        let length = body.len();
        connection.send(format!(
            "POST /explain HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        connection.response()
    };
    let denied = json(&explain(
        r#"{"from":"10.1.2.3","url":"https://Denied.test/x"}"#,
    ));
    let phase = &denied["phases"][0];
    assert_eq!(
        (&phase["phase"], &phase["decision"]),
        (&"PreDNS".into(), &"deny".into())
    );
    assert_eq!(phase["rule"]["rule"], "no-denied");
    assert_eq!(phase["rule"]["conditions"][0]["holds"], true);
    let allowed = json(&explain(r#"{"url":"http://a.test/"}"#));
    assert_eq!(allowed["phases"][0]["decision"], "allow");
    assert_eq!(allowed["phases"][0]["rule"], Value::Null);
    let wrong = explain(r#"{"uri":"http://a.test/"}"#);
    assert_eq!(
        (
            wrong.status,
            json(&wrong)["error"].to_string().contains("uri")
        ),
        (400, true)
    );
    assert_eq!(explain(&" ".repeat(100_000)).status, 413);
}

#[test]
fn the_page_is_whole_and_takes_nothing_from_elsewhere() {
    let mut proxy = Setup::new().admin().start(ALLOW_ALL);
    let admin = proxy.admin();
    let page = get(admin, "/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let text = page.text();
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"));
    for foreign in ["http://", "https://", "innerHTML", "document.write"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
}
