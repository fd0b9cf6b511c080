//! Responses: an origin answers as the path of a request says, and each answer passes Squid where our
//! rules let it pass.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sallyport_ruleset::{
    Bundle, Composed, Fact, Facts, FieldValues, Host, Phase, Protocol, ProtocolSet, UrlScheme,
};

use super::process::{Goes, Squid, program};
use super::{compile, import, lets_pass, skip};

/// Configurations; `@PORT@` is the origin's.
const CASES: [&str; 9] = [
    "reply_body_max_size 1 KB",
    "reply_body_max_size 1000 bytes all",
    "acl big urlpath_regex ^/big/\nreply_body_max_size none big\nreply_body_max_size 500 bytes all",
    "acl big urlpath_regex ^/big/\nreply_body_max_size 2 KB big\nreply_body_max_size 500 bytes",
    "acl big urlpath_regex ^/big/\nreply_body_max_size 100 bytes big\nreply_body_max_size 1 KB !big",
    "acl html rep_mime_type ^text/html\nacl head method HEAD\nreply_body_max_size 100 bytes html !head\nreply_body_max_size 1024 bytes head",
    "reply_body_max_size 0 all",
    "acl html rep_mime_type ^text/html\nhttp_reply_access deny html\nhttp_reply_access allow all\nreply_body_max_size 1 KB",
    "acl ok http_status 200-299\nacl big urlpath_regex ^/big/\nacl one urlpath_regex 1001\nhttp_reply_access deny !ok\nreply_body_max_size -1 big one\nreply_body_max_size 1 KB one\nreply_body_max_size 200 bytes ok",
];

/// Folder, status, declared length or none, content type.
const ANSWERS: [(&str, u16, Option<u64>, &str); 12] = [
    ("/", 200, Some(0), "text/html"),
    ("/", 200, Some(100), "text/plain"),
    ("/", 200, Some(101), "text/html"),
    ("/", 200, Some(500), "text/plain"),
    ("/big/", 200, Some(501), "text/plain"),
    ("/", 200, Some(1_000), "text/plain"),
    ("/big/", 200, Some(1_001), "text/plain"),
    ("/", 200, Some(1_024), "text/html"),
    ("/big/", 404, Some(1_025), "text/plain"),
    ("/big/", 200, Some(2_049), "text/html"),
    ("/", 200, None, "text/plain"),
    ("/", 304, Some(9_000), "text/html"),
];

#[test]
fn replies_pass_as_in_squid() {
    let Some(program) = program() else {
        return skip::skip("Squid is not installed");
    };
    let origin = origin();
    let (mut asked, mut denied, mut wrong) = (0, 0, Vec::new());
    for case in CASES {
        let text = format!("{case}\nhttp_access allow all\n");
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(folder.path().join("squid.conf"), &text).unwrap();
        let squid = Squid::start(&program, folder.path(), &text, Goes::Direct);
        let import = import(folder.path());
        let (bundle, shown) = compile(&import);
        assert_eq!(import.report.count("left"), 0, "{shown}");
        for answer in ANSWERS {
            for method in ["GET", "HEAD"] {
                let path = path(answer);
                let theirs = passes_squid(&squid, method, origin, &path);
                let ours = passes_ours(&bundle, method, origin, &path, answer);
                asked += 1;
                denied += usize::from(!theirs);
                if theirs != ours {
                    wrong.push(format!(
                        "{method} {answer:?}: Squid {theirs}, ours {ours}\n{text}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(denied > 40 && asked - denied > 40, "{denied} of {asked}");
}

/// A body without a declared length is cut there and not here: each line with a limit says so.
#[test]
fn bodies_without_a_length_are_told() {
    let folder = tempfile::tempdir().unwrap();
    write_and_count(folder.path(), "reply_body_max_size 1 KB\n", [1, 0]);
    write_and_count(folder.path(), "reply_body_max_size none\n", [0, 0]);
    write_and_count(
        folder.path(),
        "acl x external y\nreply_body_max_size none x\nreply_body_max_size 1 KB\n",
        [1, 1],
    );
    write_and_count(folder.path(), "reply_body_max_size 1 pint\n", [1, 1]);
}

fn write_and_count(folder: &Path, text: &str, counts: [usize; 2]) {
    let text =
        format!("acl here src 127.0.0.1\nhttp_access allow here\nhttp_access deny all\n{text}");
    fs::write(folder.join("squid.conf"), &text).unwrap();
    let report = import(folder).report;
    let found = [report.allows_more_count(), report.denies_more_count()];
    assert_eq!(found, counts, "{text}{}", report.text());
}

fn path((folder, status, length, kind): (&str, u16, Option<u64>, &str)) -> String {
    let length = length.map_or_else(|| "chunked".to_owned(), |length| length.to_string());
    format!("{folder}{status}/{length}/{kind}")
}

/// Answers as the last parts of the path say; its address.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Squid may have gone away: that is its matter.
            let _ = answer(stream.unwrap());
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let parts: Vec<&str> = path.rsplitn(5, '/').collect();
    let (kind, length, status) = (format!("{}/{}", parts[1], parts[0]), parts[2], parts[3]);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    )?;
    let has_content = method == "GET" && status != "304";
    match length.parse::<usize>() {
        Ok(length) => {
            write!(stream, "Content-Length: {length}\r\n\r\n")?;
            if has_content {
                stream.write_all(&vec![b'x'; length])?;
            }
        }
        Err(_) => {
            write!(stream, "Transfer-Encoding: chunked\r\n\r\n")?;
            if has_content {
                write!(stream, "5\r\nhello\r\n0\r\n\r\n")?;
            }
        }
    }
    Ok(())
}

fn passes_squid(squid: &Squid, method: &str, origin: SocketAddr, path: &str) -> bool {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, squid.port)).unwrap();
    write!(
        stream,
        "{method} http://{origin}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let refused = ["ERR_TOO_BIG", "ERR_ACCESS_DENIED"]
        .iter()
        .any(|error| answer.contains(&format!("X-Squid-Error: {error}")));
    assert!(
        refused || !answer.contains("X-Squid-Error"),
        "{method} {path}: {answer}"
    );
    !refused
}

fn passes_ours(
    bundle: &Bundle,
    method: &str,
    origin: SocketAddr,
    path: &str,
    (_, status, length, kind): (&str, u16, Option<u64>, &str),
) -> bool {
    let host = Host::Address(origin.ip());
    let fields = vec![(b"content-type".to_vec(), kind.as_bytes().to_vec())];
    let facts = Facts {
        source_ip: Fact::Known(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        protocol: Fact::Known(ProtocolSet::EMPTY.with(Protocol::Http)),
        destination_port: Fact::Known(origin.port()),
        uri: Fact::Known(path.as_bytes()),
        url: Fact::Known(Composed::Url {
            scheme: UrlScheme::Http,
            host,
            port: origin.port(),
            uri: path.as_bytes(),
        }),
        method: Fact::Known(method.as_bytes()),
        status_code: Fact::Known(status),
        response_content_length: length.into(),
        response_content_type: Fact::Known(FieldValues::Named(&fields, "content-type")),
        ..Facts::unknown()
    };
    lets_pass(bundle, Phase::PostResponse, &facts)
}
