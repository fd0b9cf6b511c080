//! What one client may use: limits that outlive its connections and hold over all shards, and shares of
//! what a shard has so much of, so that another client is always served.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::connection::Connection;
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, Response, ScriptedOrigin};

/// Two clients.
const GREEDY: &str = "127.0.0.1";
const MODEST: &str = "127.0.0.2";

fn from(client: &str, proxy: &Proxy) -> Connection {
    Connection::open_from(client, proxy.address)
}

/// The status of a GET on a connection of its own; 0 if it was closed without a word.
fn get_once(client: &str, proxy: &Proxy, url: &str) -> Response {
    let mut connection = from(client, proxy);
    let authority = url.trim_start_matches("http://").split('/').next().unwrap();
    connection.send_in_vain(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    connection.response()
}

fn second() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Waits for the begin of a second.
fn new_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    thread::sleep(Duration::from_nanos(u64::from(
        1_000_000_000 - now.subsec_nanos(),
    )));
}

/// A client that opens a connection for each request is limited like one that keeps one.
#[test]
fn requests_count_over_connections() {
    for shards in ["1", "2"] {
        let proxy = Setup::new()
            .key("shards", shards)
            .key("limits.requests_per_second_per_client", "5")
            .start(ALLOW_ALL);
        let origin = Origin::start();
        let url = origin.url("/");
        new_second();
        let begin = second();
        let responses: Vec<_> = (0..30).map(|_| get_once(GREEDY, &proxy, &url)).collect();
        let seconds = usize::try_from(second() - begin + 1).unwrap();
        let (served, refused): (Vec<_>, Vec<_>) = responses
            .iter()
            .partition(|response| response.status == 200);
        assert!(
            (5..=5 * seconds).contains(&served.len()),
            "{} of 30 in {seconds} s",
            served.len()
        );
        if seconds <= 5 {
            refused[0].assert_refusal(429, "connection_limit_reached");
            assert_eq!(refused[0].header("retry-after").as_deref(), Some("1"));
        }
        assert_eq!(get_once(MODEST, &proxy, &url).status, 200, "another client");
        // What the answer promises.
        new_second();
        assert_eq!(get_once(GREEDY, &proxy, &url).status, 200);
    }
}

/// Connections and tunnels of a client are counted over all shards: not one more than allowed.
#[test]
fn limits_of_a_client_hold_over_all_shards() {
    const ALLOWED: usize = 6;
    let proxy = Setup::new()
        .key("shards", "2")
        .key("limits.tunnels_per_client", &ALLOWED.to_string())
        .key("limits.connections_per_client", "40")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let authority = origin.address.to_string();
    let mut refused = 0;
    let mut held: Vec<_> = (0..30)
        .filter_map(|_| {
            let mut client = from(GREEDY, &proxy);
            match client.connect(&authority) {
                Ok(()) => Some(client),
                Err(refusal) => {
                    refusal.assert_refusal(429, "connection_limit_reached");
                    refused += 1;
                    None
                }
            }
        })
        .collect();
    assert_eq!((held.len(), refused), (ALLOWED, 30 - ALLOWED));
    from(MODEST, &proxy).connect(&authority).unwrap();
    held.pop();
    held.push(wait_for(
        "room for another tunnel, on whichever shard",
        || {
            let mut client = from(GREEDY, &proxy);
            client.connect(&authority).ok().map(|()| client)
        },
    ));
    // Connections: with those of the tunnels forty in all.
    let mut statuses = Vec::new();
    for _ in 0..60 {
        let mut client = from(GREEDY, &proxy);
        client.send_in_vain(format!(
            "GET {} HTTP/1.1\r\nHost: {authority}\r\n\r\n",
            origin.url("/")
        ));
        statuses.push(client.response().status);
        held.push(client);
    }
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(served, 40 - ALLOWED, "{statuses:?}");
    assert_eq!(get_once(MODEST, &proxy, &origin.url("/")).status, 200);
}

/// Uploads that trickle hold no buffers once their client holds half of its share: however many of them
/// there are, there is room for others, and for the client itself.
#[test]
fn buffers_are_shared() {
    const UPLOADS: usize = 1_000;
    let proxy = Setup::new()
        .key("limits.buffer_bytes", "\"4MiB\"")
        .start(ALLOW_ALL);
    let (silent, origin) = (ScriptedOrigin::silent(), Origin::start());
    let authority = silent.address;
    // What begins at once needs its buffers at once.
    const AT_ONCE: usize = 10;
    let mut held = Vec::new();
    while held.len() < UPLOADS {
        for _ in 0..AT_ONCE {
            let mut slow = from(GREEDY, &proxy);
            slow.send(format!(
                "POST http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 1000000\r\n\r\nx"
            ));
            held.push(slow);
        }
        wait_for("the uploads at their origin", || {
            (silent.connections() == held.len()).then_some(())
        });
    }
    for client in [MODEST, GREEDY] {
        for _ in 0..20 {
            let response = get_once(client, &proxy, &origin.url("/bytes/100000"));
            assert_eq!(response.status, 200, "{client}");
        }
    }
    drop(held);
}

/// Sends a request for a name that nobody answers for.
fn ask(client: &str, proxy: &Proxy, name: &str) -> Connection {
    let mut connection = from(client, proxy);
    connection.send(format!(
        "GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n\r\n"
    ));
    connection
}

/// Statuses of the requests that are answered at once; the others wait for the name server.
fn answered(connections: &mut [Connection], count: usize) -> Vec<Response> {
    let mut responses = Vec::new();
    wait_for("the answers that need no name server", || {
        for connection in &mut *connections {
            connection.stream.set_nonblocking(true).unwrap();
            let has_come = matches!(connection.stream.peek(&mut [0]), Ok(1));
            connection.stream.set_nonblocking(false).unwrap();
            if has_come {
                responses.push(connection.response());
            }
        }
        (responses.len() >= count).then_some(())
    });
    responses
}

#[test]
fn lookups_are_shared() {
    // Takes what is sent to it and says nothing.
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("[\"{}\"]", server.local_addr().unwrap());
    for (share, most, status, word) in [
        ("50", 4, 429, "limits.client_share"),
        ("100", 8, 503, "over dns.lookups_in_flight"),
    ] {
        let proxy = Setup::new()
            .one_shard()
            .key("dns.servers", &address)
            .key("dns.lookup_timeout", "\"5s\"")
            .key("dns.attempt_timeout", "\"5s\"")
            .key("dns.lookups_in_flight", "8")
            .key("limits.client_share", share)
            .start(ALLOW_ALL);
        let mut asked: Vec<_> = (0..most + 3)
            .map(|number| ask(GREEDY, &proxy, &format!("name{number}.test")))
            .collect();
        let refused = answered(&mut asked, 3);
        assert_eq!(refused.len(), 3);
        for refusal in &refused {
            refusal.assert_refusal(status, "connection_limit_reached");
            assert_eq!(refusal.header("retry-after").as_deref(), Some("1"));
            assert!(refusal.text().contains(word), "{refusal:?}");
        }
        // Who asks for a name that is being asked for takes none; another client has its share.
        let _joined = ask(GREEDY, &proxy, "name0.test");
        let mut other = ask(MODEST, &proxy, "other.test");
        if share == "50" {
            other.response().assert_refusal(504, "dns_timeout");
            // Now all is over, and there is room again.
            let mut again = ask(GREEDY, &proxy, "again.test");
            again.response().assert_refusal(504, "dns_timeout");
        } else {
            other
                .response()
                .assert_refusal(503, "connection_limit_reached");
        }
    }
}

/// Idle connections to origins of one client do not keep those of another from being used again.
#[test]
fn the_pool_is_shared() {
    let proxy = Setup::new()
        .one_shard()
        .key("pool.idle_total", "4")
        .start(ALLOW_ALL);
    let answering = || ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let origins: Vec<_> = (0..8).map(|_| answering()).collect();
    let mut greedy = from(GREEDY, &proxy);
    for origin in &origins {
        assert_eq!(greedy.get(&origin.url("/")).status, 200);
    }
    let origin = answering();
    for _ in 0..5 {
        assert_eq!(get_once(MODEST, &proxy, &origin.url("/")).status, 200);
    }
    assert_eq!(origin.connections(), 1);
    // Of the first client half are kept.
    for origin in &origins {
        assert_eq!(greedy.get(&origin.url("/")).status, 200);
    }
    let again: usize = origins.iter().map(ScriptedOrigin::connections).sum();
    assert_eq!(again, 14);
}

/// A shard that is full makes room for a client that has fewer connections than another.
#[test]
fn connections_make_room() {
    let proxy = Setup::new()
        .one_shard()
        .key("limits.connections", "4")
        .start(ALLOW_ALL);
    let (origin, silent) = (Origin::start(), ScriptedOrigin::silent());
    let mut held: Vec<_> = (0..4).map(|_| from(GREEDY, &proxy)).collect();
    for client in &mut held {
        assert_eq!(client.get(&origin.url("/")).status, 200);
    }
    // One more of the same client is one too many.
    get_once(GREEDY, &proxy, &origin.url("/")).assert_refusal(503, "connection_limit_reached");
    // Two clients with two each: nobody has to go.
    let mut modest = [from(MODEST, &proxy), from(MODEST, &proxy)];
    for client in &mut modest {
        assert_eq!(client.get(&origin.url("/")).status, 200);
    }
    get_once(MODEST, &proxy, &origin.url("/")).assert_refusal(503, "connection_limit_reached");
    let is_open = |client: &mut Connection| {
        client.stream.set_nonblocking(true).unwrap();
        matches!(client.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    assert_eq!(
        held.iter_mut()
            .filter_map(|client| is_open(client).then_some(()))
            .count(),
        2
    );
    drop((held, modest));

    // Where none is idle the latest goes.
    let mut busy: Vec<_> = Vec::new();
    while busy.len() < 4 {
        let mut client = from(GREEDY, &proxy);
        let authority = silent.address;
        client.send(format!(
            "GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        ));
        wait_for("the request at the origin, or a refusal", || {
            client.stream.set_nonblocking(true).unwrap();
            let refused = matches!(client.stream.peek(&mut [0]), Ok(1));
            client.stream.set_nonblocking(false).unwrap();
            (refused || silent.connections() > busy.len()).then_some(())
        });
        if silent.connections() > busy.len() {
            busy.push(client);
        }
    }
    assert_eq!(get_once(MODEST, &proxy, &origin.url("/")).status, 200);
    wait_for("the end of the latest", || {
        (!is_open(&mut busy[3])).then_some(())
    });
    assert!(busy[..3].iter_mut().all(is_open));
}
