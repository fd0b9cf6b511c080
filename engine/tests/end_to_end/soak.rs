//! A proxy under mixed load with faults, for a while: what it holds afterwards is what it held before.
//!
//! `SALLYPORT_SOAK_SECONDS` says for how long (some seconds by default; hours by hand).

use std::env;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use socket2::SockRef;

use crate::common::pki::Pki;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::tls_tunnel;
use crate::common::wait::wait_for;
use crate::common::{Connection, Origin, Proxy, Rules, ScriptedOrigin};

const MIB: u64 = 1024 * 1024;
const WORKERS: usize = 6;
/// What two equal loads may leave different: the allocator's scraps, chunks of the log under way.
const GROWTH_MAX: u64 = 6 * MIB;

const RULES: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "soak"
[[group.pre_dns]]
name = "no-host"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "denied.test" }
[[group.post_response]]
name = "no-type"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-denied" }
"#,
);

/// Where clients go.
struct World<'p> {
    proxy: &'p Proxy,
    pki: &'p Pki,
    plain: Origin,
    tls: Origin,
    /// Ends within its response.
    broken: ScriptedOrigin,
    /// Answers what a rule denies.
    denied: ScriptedOrigin,
    /// Begun transactions whose end the client has seen.
    answered: AtomicUsize,
}

impl World<'_> {
    /// What clients do, good and bad.
    const CLIENTS: [fn(&Self); 12] = [
        Self::gets,
        Self::uploads,
        Self::uploads_chunks,
        Self::is_denied_a_host,
        Self::is_denied_a_response,
        Self::asks_for_no_name,
        Self::goes_through_an_intercepted_tunnel,
        Self::goes_through_a_plain_tunnel,
        Self::leaves_within_a_response,
        Self::leaves_within_an_upload,
        Self::leaves_within_a_head,
        Self::meets_a_broken_origin,
    ];

    fn connection(&self) -> Connection {
        self.proxy.connection()
    }

    fn request(&self, line: &str, host: &str, more: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
    }

    fn expect(&self, client: &mut Connection, status: u16) {
        let response = client.response();
        assert_eq!(response.status, status, "{response:?}");
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    fn gets(&self) {
        let mut client = self.connection();
        for path in ["/bytes/10", "/bytes/100000", "/bytes/3000?chunked=1"] {
            let url = self.plain.url(path);
            client.send(self.request(&format!("GET {url}"), &self.plain.address.to_string(), ""));
            self.expect(&mut client, 200);
        }
    }

    fn uploads(&self) {
        let mut client = self.connection();
        let url = self.plain.url("/echo");
        let head = self.request(
            &format!("POST {url}"),
            &self.plain.address.to_string(),
            "Content-Length: 65536\r\n",
        );
        client.send(head).send(vec![b'u'; 65536]);
        self.expect(&mut client, 200);
    }

    fn uploads_chunks(&self) {
        let mut client = self.connection();
        let url = self.plain.url("/echo");
        let head = self.request(
            &format!("PUT {url}"),
            &self.plain.address.to_string(),
            "Transfer-Encoding: chunked\r\n",
        );
        client.send(head);
        for _ in 0..20 {
            client.send(format!("400\r\n{}\r\n", "c".repeat(0x400)));
        }
        client.send("0\r\n\r\n");
        self.expect(&mut client, 200);
    }

    fn is_denied_a_host(&self) {
        let mut client = self.connection();
        client.send(self.request("GET http://denied.test/", "denied.test", ""));
        self.expect(&mut client, 403);
    }

    fn is_denied_a_response(&self) {
        let mut client = self.connection();
        let url = self.denied.url("/");
        client.send(self.request(&format!("GET {url}"), &self.denied.address.to_string(), ""));
        self.expect(&mut client, 403);
    }

    fn asks_for_no_name(&self) {
        let mut client = self.connection();
        client.send(self.request("GET http://nobody.test/", "nobody.test", ""));
        let response = client.response();
        // Lookups in flight are limited too.
        assert!(matches!(response.status, 502..=504), "{response:?}");
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    fn goes_through_an_intercepted_tunnel(&self) {
        let authority = format!("a.test:{}", self.tls.port());
        let mut tunnel = tls_tunnel(self.proxy, self.pki, &authority, "a.test");
        for _ in 0..3 {
            tunnel.send(self.request("GET /bytes/5000", "a.test", ""));
            self.expect(&mut tunnel, 200);
        }
    }

    fn goes_through_a_plain_tunnel(&self) {
        let mut tunnel = self.connection();
        tunnel.connect(&self.plain.address.to_string()).unwrap();
        tunnel.send(self.request("GET /bytes/5000", &self.plain.address.to_string(), ""));
        self.expect(&mut tunnel, 200);
    }

    /// The kernel resets what is closed with a linger of nothing.
    fn vanish(client: Connection) {
        SockRef::from(&client.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    fn leaves_within_a_response(&self) {
        let mut client = self.connection();
        let url = self.plain.url("/bytes/20000000");
        client.send(self.request(&format!("GET {url}"), &self.plain.address.to_string(), ""));
        let mut some = [0; 4096];
        client.stream.read_exact(&mut some).unwrap();
        Self::vanish(client);
    }

    fn leaves_within_an_upload(&self) {
        let mut client = self.connection();
        let url = self.plain.url("/echo");
        let head = self.request(
            &format!("POST {url}"),
            &self.plain.address.to_string(),
            "Content-Length: 100000\r\n",
        );
        client.send(head).send([b'u'; 1000]);
        Self::vanish(client);
    }

    fn leaves_within_a_head(&self) {
        self.connection().send("GET http://a.test/ HTT");
    }

    fn meets_a_broken_origin(&self) {
        let mut client = self.connection();
        let url = self.broken.url("/");
        client.send(self.request(&format!("GET {url}"), &self.broken.address.to_string(), ""));
        let (rest, _) = client.rest();
        assert!(
            rest.starts_with(b"HTTP/1.1 200 "),
            "{}",
            rest.escape_ascii()
        );
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets all clients loose for a while; beside them the configuration is read again and again.
    fn run(&self, time: Duration) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| {
                    let over = &over;
                    // Coprime to the number of clients: each worker meets all, in an order of its own.
                    let stride = [1, 5, 7, 11][worker % 4];
                    scope.spawn(move || {
                        for turn in 0.. {
                            if over.load(Ordering::Relaxed) && turn >= Self::CLIENTS.len() {
                                return;
                            }
                            let client = (turn * stride + worker) % Self::CLIENTS.len();
                            Self::CLIENTS[client](self);
                        }
                    })
                })
                .collect();
            let end = Instant::now() + time;
            while Instant::now() < end && !workers.iter().any(|worker| worker.is_finished()) {
                self.proxy.signal(Signal::SIGHUP);
                self.proxy.signal(Signal::SIGUSR1);
                thread::sleep(Duration::from_millis(500).min(time / 4));
            }
            over.store(true, Ordering::Relaxed);
        });
    }

    /// Resident bytes, once all connections have ended and there are `sockets` as before the first. (Of pipes
    /// it keeps some.)
    fn bytes_at_rest(&self, sockets: usize) -> u64 {
        let process = &self.proxy.process;
        wait_for(&format!("all but {sockets} sockets to be closed"), || {
            (process.sockets() <= sockets).then_some(())
        });
        process.memory_bytes("VmRSS:")
    }
}

#[test]
fn what_it_holds_stays_the_same() {
    let seconds = env::var("SALLYPORT_SOAK_SECONDS").map_or(8, |text| text.parse().unwrap());
    let phase = Duration::from_secs(seconds) / 2;
    let (setup, pki) = Setup::intercepting();
    let mut proxy = setup
        .key("timeouts.keep_alive", "\"4s\"")
        .key("pool.idle_timeout", "\"1s\"")
        .key("tunnel.idle_timeout", "\"5s\"")
        .key("dns.lookup_timeout", "\"100ms\"")
        .start(RULES);
    let sockets = proxy.process.sockets();
    let world = World {
        plain: Origin::start(),
        tls: Origin::certified(&pki.origin(&["a.test"])),
        broken: ScriptedOrigin::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        denied: ScriptedOrigin::answering(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-denied\r\nContent-Length: 1\r\n\r\nx",
        ),
        answered: AtomicUsize::new(0),
        proxy: &proxy,
        pki: &pki,
    };
    // The first half fills what may be filled.
    world.run(phase);
    let bytes_before = world.bytes_at_rest(sockets);
    world.run(phase);
    world.bytes_at_rest(sockets);
    // What is freed goes back to the system a little later.
    wait_for(
        &format!("memory to go back to {bytes_before} bytes and some"),
        || {
            let grown = world.bytes_at_rest(sockets).saturating_sub(bytes_before);
            (grown < GROWTH_MAX).then_some(())
        },
    );
    let answered = world.answered.into_inner();
    // One line each, whatever else there was.
    let lines = wait_for("the lines of all that was answered", || {
        let lines = proxy.log.of("transaction");
        (lines.len() >= answered).then_some(lines)
    });
    let ids: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line["txn"].to_string()).collect();
    assert_eq!(ids.len(), lines.len(), "a transaction has two lines");
    proxy.signal(Signal::SIGTERM);
    assert!(proxy.process.wait_end().success());
    let panics = proxy.process.lines();
    let panics: Vec<_> = panics
        .iter()
        .filter(|line| line.contains("panic"))
        .collect();
    assert!(panics.is_empty(), "{panics:?}");
}
