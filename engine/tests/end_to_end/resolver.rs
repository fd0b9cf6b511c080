//! Names: a real resolver with a zone of its own, and servers that fail.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::process::Process;
use crate::common::programs::{skip, system};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, Rules, ScriptedOrigin};

/// The zone `zone.test`; `many` is too large for a datagram.
fn zone() -> String {
    let mut zone = "$ORIGIN zone.test.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n\
        a A 127.0.0.1\nalias CNAME step\nstep CNAME a\nsix AAAA ::1\ntext TXT \"no address\"\n\
        inside A 169.254.169.254\nmapped AAAA ::ffff:169.254.169.254\nboth A 127.0.0.1\nboth AAAA ::1\n\
        loop CNAME pool\npool CNAME loop\n*.wild A 127.0.0.1\n"
        .to_owned();
    for low in 1..=120 {
        zone.push_str(&format!("many A {}\n", Ipv4Addr::new(127, 0, 1, low)));
    }
    zone
}

/// A running unbound that is the authority of `zone.test` and knows nothing else.
fn unbound(folder: &Path) -> Option<(u16, Process)> {
    let program = system("unbound")?;
    std::fs::write(folder.join("zone"), zone()).unwrap();
    let started = wait_for("unbound on a free port", || {
        let port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = folder.join("unbound.conf");
        let here = folder.display();
        let text = format!(
            "server:\n  interface: 127.0.0.1\n  port: {port}\n  do-daemonize: no\n  use-syslog: no\n  logfile: \"\"\n\
             \x20 chroot: \"\"\n  username: \"\"\n  directory: \"{here}\"\n  pidfile: \"{here}/unbound.pid\"\n\
             \x20 module-config: \"iterator\"\n  verbosity: 1\n  num-threads: 1\n  minimal-responses: yes\n\
             \x20 local-zone: \"test.\" nodefault\n  local-zone: \"broken.test.\" refuse\n\
             remote-control:\n  control-enable: no\n\
             auth-zone:\n  name: \"zone.test\"\n  zonefile: \"{here}/zone\"\n  for-downstream: yes\n  for-upstream: no\n  fallback-enabled: no\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Process::start(Command::new(&program).arg("-d").arg("-c").arg(config));
        let is_up = wait_for("unbound", || {
            let is_ready = process
                .lines()
                .iter()
                .any(|line| line.contains("start of service"));
            if is_ready {
                Some(true)
            } else {
                (!process.is_running()).then_some(false)
            }
        });
        is_up.then_some((port, process))
    });
    Some(started)
}

fn start(port: u16, setup: Setup) -> Proxy {
    setup
        .key("dns.servers", &format!("[\"127.0.0.1:{port}\"]"))
        .key("dns.lookup_timeout", "\"5s\"")
        .key("dns.attempts", "2")
        .start(ALLOW_ALL)
}

#[test]
fn names_of_a_real_resolver() {
    let setup = Setup::new();
    let Some((port, _unbound)) = unbound(setup.folder.path()) else {
        return;
    };
    let proxy = start(port, setup);
    let origin = Origin::start_on("0.0.0.0:0");
    let cases = [
        ("a.zone.test", 200, None, Some("127.0.0.1")),
        ("A.ZONE.test.", 200, None, Some("127.0.0.1")),
        ("alias.zone.test", 200, None, Some("127.0.0.1")),
        ("x.y.wild.zone.test", 200, None, Some("127.0.0.1")),
        ("missing.zone.test", 502, Some("dns_error"), None),
        ("text.zone.test", 502, Some("dns_error"), None),
        ("loop.zone.test", 502, Some("dns_error"), None),
        ("refused.broken.test", 502, Some("dns_error"), None),
        (
            "inside.zone.test",
            403,
            Some("destination_ip_prohibited"),
            Some("169.254.169.254"),
        ),
        (
            "mapped.zone.test",
            403,
            Some("destination_ip_prohibited"),
            None,
        ),
    ];
    let mut client = proxy.connection();
    for (index, (name, status, error, address)) in cases.into_iter().enumerate() {
        let response = client.get(&format!("http://{name}:{}/", origin.port()));
        assert_eq!(response.status, status, "{name}: {response:?}");
        assert_eq!(response.proxy_error().as_deref(), error, "{name}");
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &json!({ "status": status, "error": error }));
        if address.is_some() {
            assert_fields(&line, &json!({ "dst_ip": address }));
        }
    }
    // More addresses than a datagram holds: the answer comes over TCP.
    let response = client.get(&format!("http://many.zone.test:{}/", origin.port()));
    assert_eq!(response.status, 200, "{response:?}");
    let line = proxy.log.transactions(cases.len() + 1).remove(cases.len());
    assert!(
        line["dst_ip"].as_str().unwrap().starts_with("127.0.1."),
        "{line}"
    );
}

/// RFC 8305: IPv6 and IPv4, and each of them alone.
#[test]
fn addresses_of_both_families() {
    let setup = Setup::new().key("guard.allow", "[\"127.0.0.0/8\", \"::1/128\"]");
    let Some((port, _unbound)) = unbound(setup.folder.path()) else {
        return;
    };
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        skip("this machine has no IPv6");
        return;
    }
    let proxy = start(port, setup);
    let origin = Origin::start_on("[::1]:0");
    let mut client = proxy.connection();
    for name in ["six", "both"] {
        // Nobody listens on the IPv4 address of `both`.
        let response = client.get(&format!("http://{name}.zone.test:{}/", origin.port()));
        assert_eq!(response.status, 200, "{name}: {response:?}");
    }
    let lines = proxy.log.transactions(2);
    assert!(
        lines.iter().all(|line| line["dst_ip"] == "::1"),
        "{lines:#?}"
    );
    assert_eq!(
        client
            .get(&format!("http://[::1]:{}/", origin.port()))
            .status,
        200
    );
}

/// PreDNS denies before the resolver is asked.
#[test]
fn a_denied_name_is_never_asked_for() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let rules =
        "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n";
    let proxy = Setup::new()
        .key(
            "dns.servers",
            &format!("[\"{}\"]", server.local_addr().unwrap()),
        )
        .start(Rules(rules));
    let mut client = proxy.connection();
    assert_eq!(client.get("http://secret-in-the-name.test/").status, 403);
    assert_eq!(
        client
            .connect("secret-in-the-name.test:443")
            .unwrap_err()
            .status,
        403
    );
    proxy.log.transactions(2);
    assert!(
        server.recv(&mut [0; 512]).is_err(),
        "the name leaked to the resolver"
    );
}

#[test]
fn a_server_that_does_not_answer() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let proxy = Setup::new()
        .key(
            "dns.servers",
            &format!("[\"{}\"]", server.local_addr().unwrap()),
        )
        .key("dns.attempts", "2")
        .key("dns.attempt_timeout", "\"100ms\"")
        .key("dns.lookup_timeout", "\"400ms\"")
        .start(ALLOW_ALL);
    let started = Instant::now();
    let mut client = proxy.connection();
    client
        .get("http://a.test/")
        .assert_refusal(504, "dns_timeout");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 504, "error": "dns_timeout" }),
    );
    client
        .connect("a.test:443")
        .unwrap_err()
        .assert_refusal(504, "dns_timeout");
    let mut client = proxy.connection();
    // Who asks for an address meanwhile is served.
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.get(&origin.url("/")).status, 200);
}

/// Answers to another question, and answers with another id, are not believed.
#[test]
fn a_server_that_lies() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = server.recv_from(&mut query) {
            let mut answer = query[..length].to_vec();
            // A response without an answer, to a question that nobody asked.
            answer[2] |= 0x80;
            answer[0] ^= 0xff;
            let _ = server.send_to(&answer, client);
            answer[0] ^= 0xff;
            answer[13] ^= 1;
            let _ = server.send_to(&answer, client);
            let _ = server.send_to(&[0; 3], client);
        }
    });
    let proxy = Setup::new()
        .key("dns.servers", &format!("[\"{address}\"]"))
        .key("dns.attempt_timeout", "\"150ms\"")
        .key("dns.lookup_timeout", "\"400ms\"")
        .start(ALLOW_ALL);
    let response = proxy.connection().get("http://a.test/");
    response.assert_refusal(504, "dns_timeout");
}
