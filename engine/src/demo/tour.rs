//! The requests of the demo, and a small client to send them with.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::world::World;
use super::{DemoError, doing};

/// One request and why it is made.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) method: &'static str,
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    pub(super) user_agent: &'static str,
    pub(super) body: &'static str,
    pub(super) way: Way,
    pub(super) why: &'static str,
}

/// How a request is brought to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `GET http://host/path`
    Absolute,
    /// `CONNECT host:port`, then `GET /path` inside.
    Tunnel,
    /// `CONNECT` to a port that nobody opened.
    TunnelOnly,
}

/// The client's view of a step.
#[derive(Debug)]
pub(super) struct Answer {
    /// Status of the last response; `None` if there was none.
    pub(super) status: Option<u16>,
}

const AGENT: &str = "demo/1.0";

const fn get(host: &'static str, path: &'static str, why: &'static str) -> Step {
    Step {
        method: "GET",
        host,
        path,
        user_agent: AGENT,
        body: "",
        way: Way::Absolute,
        why,
    }
}

const fn tunnel(host: &'static str, path: &'static str, why: &'static str) -> Step {
    Step {
        way: Way::Tunnel,
        ..get(host, path, why)
    }
}

/// A few dozen requests that meet every phase and every action.
pub(super) const STEPS: &[Step] = &[
    get("api.allowed.test", "/", "allowed in all three phases"),
    get(
        "API.Allowed.TEST.",
        "/",
        "names are compared in normal form",
    ),
    get("denied.test", "/", "PreDNS: denied by name"),
    get("sub.denied.test", "/", "PreDNS: and every name under it"),
    get(
        "nobody-allowed-this.test",
        "/",
        "PreDNS: no rule decides, the default does",
    ),
    get(
        "watched.allowed.test",
        "/",
        "PreDNS: an alert, then allowed",
    ),
    get(
        "api.allowed.test",
        "/admin/users",
        "PreREQUEST: denied by path",
    ),
    get(
        "api.allowed.test",
        "/x/../%61dmin/users",
        "PreREQUEST: however it is spelled",
    ),
    get(
        "api.allowed.test",
        "/administration",
        "PreREQUEST: but not what only looks like it",
    ),
    Step {
        user_agent: "curl/8.0",
        ..get(
            "api.allowed.test",
            "/",
            "PreREQUEST: an alert on the user agent",
        )
    },
    Step {
        method: "POST",
        body: "name=value",
        ..get("api.allowed.test", "/echo", "a request with a body")
    },
    Step {
        method: "HEAD",
        ..get("api.allowed.test", "/bytes/100000", "HEAD has no body")
    },
    Step {
        method: "DELETE",
        ..get("api.allowed.test", "/", "another method")
    },
    get(
        "download.allowed.test",
        "/bytes/5000?type=application/pdf",
        "PostRESPONSE: allowed by type",
    ),
    get(
        "download.allowed.test",
        "/bytes/5000?type=application/zip",
        "PostRESPONSE: the response is dropped",
    ),
    get(
        "api.allowed.test",
        "/bytes/64?type=application/x-msdownload",
        "PostRESPONSE: programs are not let in",
    ),
    get(
        "api.allowed.test",
        "/?status=500",
        "PostRESPONSE: an alert on errors of the origin",
    ),
    get(
        "api.allowed.test",
        "/?status=404",
        "an answer like any other",
    ),
    get(
        "api.allowed.test",
        "/?chunked=1",
        "re-framed, chunk by chunk",
    ),
    get(
        "api.allowed.test",
        "/bytes/1000000",
        "a megabyte streams through",
    ),
    get(
        "api.allowed.test",
        "/?delay=50",
        "an origin that takes its time",
    ),
    get(
        "api.allowed.test",
        "/?close=before",
        "an origin that closes without an answer",
    ),
    get(
        "127.0.0.1",
        "/",
        "PreDNS: addresses are not names; nobody allowed them",
    ),
    get(
        "169.254.169.254",
        "/latest/meta-data/",
        "the metadata service",
    ),
    get(
        "2130706433",
        "/",
        "an address in disguise is refused before any rule",
    ),
    get(
        "hooks.slack.com",
        "/",
        "a name that is allowed but leads to loopback",
    ),
    tunnel(
        "api.allowed.test",
        "/",
        "CONNECT: plain HTTP inside is inspected",
    ),
    tunnel(
        "api.allowed.test",
        "/admin",
        "CONNECT: so this is denied inside",
    ),
    tunnel(
        "denied.test",
        "/",
        "CONNECT: denied before the tunnel opens",
    ),
    Step {
        way: Way::TunnelOnly,
        ..get(
            "api.allowed.test",
            "",
            "CONNECT: neither TLS nor HTTP inside",
        )
    },
];

/// Sends the requests one after the other, each on a connection of its own.
pub(super) fn walk(world: &World, steps: &[Step]) -> Result<Vec<Answer>, DemoError> {
    steps.iter().map(|step| take(world, step)).collect()
}

fn take(world: &World, step: &Step) -> Result<Answer, DemoError> {
    let mut stream = TcpStream::connect(world.proxy).map_err(doing("connecting to the proxy"))?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .map_err(doing("setting a time-out"))?;
    let authority = format!("{}:{}", step.host, world.origin.port());
    let sent = match step.way {
        Way::Absolute => converse(&mut stream, &request(step, &authority, true), step),
        Way::Tunnel | Way::TunnelOnly => {
            let head = format!(
                "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
            );
            match converse(&mut stream, head.as_bytes(), step) {
                Ok(Some(200)) if step.way == Way::Tunnel => {
                    converse(&mut stream, &request(step, &authority, false), step)
                }
                Ok(Some(200)) => converse(&mut stream, b"SSH-2.0-demo\r\n", step),
                other => other,
            }
        }
    };
    let Step {
        method, host, path, ..
    } = *step;
    let status = sent.map_err(|source| DemoError::Step {
        method,
        host,
        path,
        source,
    })?;
    Ok(Answer { status })
}

fn request(step: &Step, authority: &str, absolute: bool) -> Vec<u8> {
    let Step {
        method,
        path,
        user_agent,
        body,
        ..
    } = step;
    let target = if absolute {
        format!("http://{authority}{path}")
    } else {
        (*path).to_owned()
    };
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {user_agent}\r\n\
         {length}Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends `message` and reads one response: to the end of the connection, or for a CONNECT that
/// succeeded to the end of the head.
fn converse(stream: &mut TcpStream, message: &[u8], step: &Step) -> io::Result<Option<u16>> {
    stream.write_all(message)?;
    let stops_at_head = step.way != Way::Absolute && message.starts_with(b"CONNECT ");
    let mut received = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let bytes = match stream.read(&mut chunk) {
            Ok(bytes) => bytes,
            // Cut off is an answer as well.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        received.extend_from_slice(chunk.get(..bytes).unwrap_or_default());
        let head_ended = received.windows(4).any(|window| window == b"\r\n\r\n");
        if bytes == 0 || (stops_at_head && head_ended && status(&received) == Some(200)) {
            return Ok(status(&received));
        }
        // The rest of a long body is read, but not kept.
        if received.len() > 64 * 1024 {
            received.truncate(64);
        }
    }
}

fn status(response: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(response.get(..12)?).ok()?;
    line.strip_prefix("HTTP/1.1 ")?.parse().ok()
}
