//! Clients that showed a certificate when they connected, and a listener that then takes others.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::connection::Connection;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::client_of_listener;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, ScriptedOrigin};
use crate::intercepted_clients::with_https;

/// The `number`th.
fn reload(proxy: &Proxy, number: usize) {
    proxy.signal(Signal::SIGHUP);
    wait_for("the reload", || {
        let lines = proxy.process.lines();
        let told = lines.iter().filter(|line| line.contains("reloaded: "));
        (told.count() == number).then_some(())
    });
}

/// Whether the other end has closed.
fn assert_ends(mut client: Connection) {
    let (rest, _) = client.rest();
    assert!(rest.is_empty(), "{}", rest.escape_ascii());
}

/// Neither a connection nor what is open inside it outlives the belief in its certificate; one that is still
/// believed goes on.
#[test]
fn a_reload_asks_again_who_is_connected() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let alice = pki.client("alice");
    let roots = pki.roots();
    std::fs::copy(&roots, setup.path("clients.pem")).unwrap();
    let (setup, https) = with_https(setup, "client_ca = \"clients.pem\"\n");
    let proxy = setup
        .key("tls.mode", "\"passthrough\"")
        .key("tunnel.unknown_protocol", "\"allow\"")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let connect = || client_of_listener(https, &roots, "proxy.test", &alice);
    let (mut direct, mut tunnelled, mut opaque) = (connect(), connect(), connect());
    let authority = origin.address.to_string();
    assert_eq!(direct.get(&origin.url("/bytes/9")).status, 200);
    tunnelled.connect(&authority).unwrap();
    let inside = format!("GET /bytes/9 HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    tunnelled.send(&inside);
    assert_eq!(tunnelled.response().status, 200);
    let silent = ScriptedOrigin::silent();
    opaque.connect(&silent.address.to_string()).unwrap();
    opaque.send("\x01\x02 a protocol of its own");

    // The same authority in other words.
    let mut text = std::fs::read_to_string(&roots).unwrap();
    text.push('\n');
    std::fs::write(proxy.folder().join("clients.pem"), text).unwrap();
    reload(&proxy, 1);
    assert_eq!(direct.get(&origin.url("/bytes/9")).status, 200);
    tunnelled.send(&inside);
    assert_eq!(tunnelled.response().status, 200);

    // Another one, under the same name of a file.
    std::fs::copy(pki.authority(), proxy.folder().join("clients.pem")).unwrap();
    reload(&proxy, 2);
    // Each shard takes it up at its next tick.
    let refused = wait_for("the new authority", || {
        let response = direct.get(&origin.url("/bytes/9"));
        (response.status != 200).then_some(response)
    });
    refused.assert_refusal(403, "http_request_denied");
    assert!(
        refused.text().contains("certificate of this client"),
        "{refused:?}"
    );
    assert_ends(direct);
    assert_ends(opaque);
    assert_ends(tunnelled);
    let refused = wait_for("the line of the refusal", || {
        let mut lines = proxy.log.of("transaction");
        lines.retain(|line| line["status"] == 403);
        lines.pop()
    });
    assert_fields(
        &refused,
        &json!({ "principal": "alice", "error": "http_request_denied" }),
    );
}
