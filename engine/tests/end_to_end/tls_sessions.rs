//! Sessions with origins: resumed where they began, and given up where they do not work.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sallyport_wire::tls::{ClientHello, HelloParse};

use crate::common::pki::Pki;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};

const PRE_SHARED_KEY: u16 = 41;
/// A fatal alert, `missing_extension`.
const MISSING_EXTENSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 109];

/// What a front does with those who want to go on with a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resumption {
    Allowed,
    /// As some servers do after a HelloRetryRequest.
    Refused,
}

/// A way to a TLS server that looks at each ClientHello: whether it offers a session.
struct Front {
    address: SocketAddr,
    offers: Arc<Mutex<Vec<bool>>>,
}

impl Front {
    fn before(server: SocketAddr, resumption: Resumption) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let offers = Arc::<Mutex<Vec<bool>>>::default();
        let seen = Arc::clone(&offers);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(client, server, resumption, &seen));
            }
        });
        Self { address, offers }
    }

    fn offers(&self) -> Vec<bool> {
        self.offers.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    resumption: Resumption,
    seen: &Mutex<Vec<bool>>,
) {
    let (mut received, mut buffer, mut hello) = (Vec::new(), [0; 4096], ClientHello::new());
    while !matches!(hello.parse(&received), Ok(HelloParse::Complete { .. })) {
        match client.read(&mut buffer) {
            Ok(bytes) if bytes > 0 => received.extend(&buffer[..bytes]),
            _ => return,
        }
    }
    let offers = hello.extensions().contains(&PRE_SHARED_KEY);
    seen.lock().unwrap().push(offers);
    if offers && resumption == Resumption::Refused {
        let _ = client.write_all(&MISSING_EXTENSION);
        return;
    }
    let mut server = TcpStream::connect(server).unwrap();
    server.write_all(&received).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
}

/// An origin that closes each connection after a response, so that each request makes a new one.
fn origin(pki: &Pki) -> SocketAddr {
    let plain = ScriptedOrigin::answering_once(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    );
    let identity = pki.origin(&["a.test"]);
    tls_before(plain.address, &identity, pki, ClientAuth::Nobody)
}

fn get(proxy: &Proxy, pki: &Pki, port: u16) -> u16 {
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(proxy, pki, &authority, "a.test");
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    ));
    client.response().status
}

/// A ticket of one port is not offered to another, which may be another server altogether.
#[test]
fn a_session_is_resumed_where_it_began() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.one_shard().start(ALLOW_ALL);
    let origin = origin(&pki);
    let one = Front::before(origin, Resumption::Allowed);
    let other = Front::before(origin, Resumption::Allowed);
    for front in [&one, &one, &other, &one, &other] {
        assert_eq!(get(&proxy, &pki, front.address.port()), 200);
    }
    assert!(!one.offers()[0] && !other.offers()[0]);
    assert!(one.offers().contains(&true) && other.offers().contains(&true));
}

/// What fails with a session is tried without, before the client hears of it.
#[test]
fn a_session_that_does_not_work_is_given_up() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    let front = Front::before(origin(&pki), Resumption::Refused);
    for _ in 0..4 {
        assert_eq!(get(&proxy, &pki, front.address.port()), 200);
    }
    let offers = front.offers();
    assert!(offers.contains(&true), "{offers:?}");
    // After each refusal the next handshake is one from the beginning, and is not refused.
    let refused_twice = offers.windows(2).any(|pair| pair == [true, true]);
    assert!(!refused_twice, "{offers:?}");
}
