//! Other roots at a reload: what was believed before is dialed, judged and answered anew.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn idle_connections_to_origins_are_closed_and_open_tunnels_believe_the_new_roots() {
    let (setup, pki) = Setup::intercepting();
    let mut proxy = setup.key("pool.idle_timeout", "\"1h\"").start(ALLOW_ALL);
    let (ended, ends) = mpsc::channel();
    let ended = Mutex::new(ended);
    let origin = ScriptedOrigin::start(move |mut accepted, _| {
        accepted.request();
        accepted.send(OK);
        accepted.connection.rest();
        let _ = ended.lock().unwrap().send(());
    });
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let authority = format!("a.test:{}", address.port());
    let request = format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(&request);
    assert_eq!(client.response().body, b"ok");
    // The proxy's own authority has signed no origin.
    std::fs::copy(pki.authority(), pki.roots()).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    ends.recv_timeout(Duration::from_secs(20))
        .expect("the idle connection is closed");
    // Each shard takes it up at its next tick; the one that serves the tunnel has.
    let refused = wait_for("the new roots", || {
        client.send(&request);
        let response = client.response();
        (response.status == 502).then_some(response)
    });
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(text.contains("unknown issuer"), "{text}");
}
