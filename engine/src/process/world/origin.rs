//! An origin: it reads requests as strictly as can be, and answers as chances say.

use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use crate::io::scripted::{End, World};

use super::ledger::{Kind, Ledger};
use super::message::{Head, Wire, chunks, content};
use super::origin_streams;

/// The type of a response that PostRESPONSE denies.
pub(super) const DENIED_TYPE: &str = "application/x-denied";
/// What a tunnel begins with that holds no HTTP: it is sent back, and so is what follows.
pub(super) const ECHO: u8 = 0xee;
/// The most that an origin answers with.
const ANSWER_BYTES_MAX: usize = 40_000;

/// Serves one connection.
pub(super) async fn serve(world: Rc<World>, ledger: Rc<Ledger>, end: End) {
    let mut wire = Wire::new(&world, &end);
    if !wire.more().await.unwrap_or(false) {
        return;
    }
    if wire.input.first() == Some(&ECHO) {
        return echo(wire).await;
    }
    while b"PRI ".starts_with(&wire.input) && wire.input.len() < 4 {
        if !wire.more().await.unwrap_or(false) {
            return;
        }
    }
    if wire.input.starts_with(b"PRI ") {
        return origin_streams::serve(wire, &ledger).await;
    }
    let mut next = Next::Request;
    while next == Next::Request
        && let Ok(Some(head)) = wire.head().await
    {
        next = exchange(&mut wire, &ledger, &head).await;
    }
    if next == Next::Reset || world.one_in(8) && next != Next::Close {
        end.reset();
    }
}

/// How a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    /// It is closed, and the answer with it.
    Close,
    /// It ends in whatever way.
    End,
    /// It is reset, as no other end says that the answer is cut off.
    Reset,
}

async fn echo(mut wire: Wire<'_>) {
    loop {
        let some = std::mem::take(&mut wire.input);
        if wire.send(&some).await.is_err() || !wire.more().await.unwrap_or(false) {
            break;
        }
    }
    wire.end.shut_down(Shutdown::Write);
}

/// Reads the rest of a request and answers it.
async fn exchange(wire: &mut Wire<'_>, ledger: &Ledger, head: &Head) -> Next {
    let world = wire.world;
    let number = judge(ledger, head);
    if world.one_in(12) {
        // Never, as far as anybody will wait.
        world.sleep(Duration::from_secs(60)).await;
    }
    let answers_early = world.one_in(8);
    if !answers_early {
        if head.field("expect").is_some()
            && !world.one_in(3)
            && wire.send(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err()
        {
            return Next::End;
        }
        if !receive(wire, ledger, head, number).await {
            return Next::End;
        }
    }
    if world.one_in(20) {
        return Next::End;
    }
    let is_head = head.line[0] == "HEAD";
    let (answer, may_stay) = answer(world, ledger, number, is_head);
    if world.one_in(10) {
        // It breaks off.
        let some = world.below(answer.len());
        let _ = wire.send(&answer[..some]).await;
        return if may_stay { Next::End } else { Next::Reset };
    }
    match (wire.send(&answer).await, may_stay) {
        (Err(_), _) => Next::End,
        (Ok(()), false) => Next::Close,
        (Ok(()), true) if answers_early || world.one_in(8) => Next::End,
        (Ok(()), true) => Next::Request,
    }
}

/// Whether the request may be here; returns its number.
pub(super) fn judge(ledger: &Ledger, head: &Head) -> usize {
    let [method, target, version] = &head.line[..] else {
        panic!("a request line has three parts: {head:?}");
    };
    assert_eq!(version, "HTTP/1.1");
    assert!(target.starts_with("/allowed/"), "{target} has no permit");
    let host = head.field("host").expect("a request has a host");
    assert!(
        host.starts_with("a.test") || host.starts_with("two.test"),
        "{host} has no permit"
    );
    let number = target.rsplit('/').next().expect("a number");
    let number = number.parse().expect("a number");
    ledger.with(number, |entry| {
        assert_eq!((entry.method, entry.kind), (&**method, Kind::Allowed));
        entry.arrived += 1;
        assert!(
            entry.method != "POST" || entry.arrived == 1,
            "request {number} was repeated"
        );
    });
    number
}

/// Reads content; whether all of it came.
async fn receive(wire: &mut Wire<'_>, ledger: &Ledger, head: &Head, number: usize) -> bool {
    let received = match (
        head.field("transfer-encoding"),
        head.field("content-length"),
    ) {
        (Some("chunked"), None) => wire.chunked().await,
        (None, length) => {
            wire.sized(length.map_or(0, |text| text.parse().expect("a length")))
                .await
        }
        other => panic!("content is framed in one way: {other:?}"),
    };
    check_content(ledger, number, &received.bytes, received.is_complete);
    received.is_complete
}

/// What has come of the content of a request is the begin of it, and all of it if that was told.
pub(super) fn check_content(ledger: &Ledger, number: usize, received: &[u8], is_complete: bool) {
    let bytes = ledger.with(number, |entry| entry.bytes);
    assert!(
        content(number, bytes).starts_with(received),
        "content of request {number}"
    );
    assert!(
        !is_complete || received.len() == bytes,
        "request {number} is told to be complete with {} of {bytes} bytes",
        received.len()
    );
}

/// How long an answer is, and whether it is denied. A request that is sent again is answered alike.
pub(super) fn answer_bytes(world: &World, ledger: &Ledger, number: usize) -> (usize, bool) {
    let bytes = match world.below(4) {
        0 => 0,
        1 => 1 + world.below(ANSWER_BYTES_MAX),
        _ => 1 + world.below(300),
    };
    let is_denied = world.one_in(8);
    ledger.with(number, |entry| {
        entry.answer_denied |= is_denied;
        let bytes = *entry.answer_bytes.get_or_insert(bytes);
        (bytes, entry.answer_denied)
    })
}

/// An answer, and whether the connection may stay after it.
fn answer(world: &World, ledger: &Ledger, number: usize, is_head: bool) -> (Vec<u8>, bool) {
    let (bytes, is_denied) = answer_bytes(world, ledger, number);
    let mut out = Vec::new();
    for _ in 0..world.below(3) / 2 * world.below(3) {
        out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    }
    let kind = if is_denied { DENIED_TYPE } else { "text/plain" };
    let fields = format!("X-Number: {number}\r\nContent-Type: {kind}\r\n");
    let body = content(number, bytes);
    let head = |line: &str, framing: &str| format!("{line}\r\n{fields}{framing}\r\n").into_bytes();
    let may_stay = match world.below(8) {
        0 if bytes == 0 => {
            out.extend(head("HTTP/1.1 204 No Content", ""));
            return (out, true);
        }
        0 | 1 => {
            out.extend(head("HTTP/1.1 200 OK", "Connection: close\r\n"));
            out.extend_from_slice(if is_head { b"" } else { &body });
            return (out, false);
        }
        2 | 3 => {
            out.extend(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n"));
            out.extend(if is_head {
                Vec::new()
            } else {
                chunks(world, &body)
            });
            true
        }
        kind => {
            let length = format!("Content-Length: {bytes}\r\n");
            out.extend(head("HTTP/1.1 200 OK", &length));
            out.extend_from_slice(if is_head { b"" } else { &body });
            if kind == 4 && world.one_in(8) {
                // No response: one that comes late enough would answer the next request for all to see.
                out.extend_from_slice(b"surplus");
            }
            true
        }
    };
    (out, may_stay)
}
