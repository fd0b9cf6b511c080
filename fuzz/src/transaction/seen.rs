//! What each side got, read by a reader that takes nothing but what RFC 9112 says outright.

/// A field line: the name in lower case, the value without blanks around it.
type Field = (String, Vec<u8>);

/// A head and where it ends.
struct Head<'d> {
    line: &'d [u8],
    fields: Vec<Field>,
    len: usize,
}

impl<'d> Head<'d> {
    /// `None` for a head that is cut short; a head that is none is a finding.
    fn read(data: &'d [u8]) -> Option<Self> {
        let end = position(data, b"\r\n\r\n")?;
        let mut lines = split(&data[..end], b"\r\n").into_iter();
        let line = lines.next().expect("there is always a first");
        let fields = lines.map(|line| {
            let colon = line.iter().position(|&byte| byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or_else(|| wrong("no colon", line)));
            demand(
                !name.is_empty() && name.iter().all(|&byte| is_token(byte)),
                "a name",
                line,
            );
            let value = value[1..].trim_ascii();
            let is_text = |&byte: &u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
            demand(value.iter().all(is_text), "a value", line);
            let name = name.to_ascii_lowercase();
            (
                String::from_utf8(name).expect("a token is ASCII"),
                value.to_vec(),
            )
        });
        Some(Self {
            line,
            fields: fields.collect(),
            len: end + 4,
        })
    }

    fn values(&self, name: &str) -> Vec<&[u8]> {
        let of_name = self.fields.iter().filter(|(field, _)| field == name);
        of_name.map(|(_, value)| &**value).collect()
    }

    /// Bytes of the body that follows in `rest`, framing included: `Err` if the end of the connection is its
    /// end or it is cut short.
    fn body_len(&self, rest: &[u8], without: Option<usize>) -> Result<usize, ()> {
        match (
            &*self.values("transfer-encoding"),
            &*self.values("content-length"),
        ) {
            ([], []) => without.ok_or(()),
            ([], [length]) => {
                demand(
                    !length.is_empty() && length.iter().all(u8::is_ascii_digit),
                    "a length",
                    length,
                );
                let length = str::from_utf8(length)
                    .expect("digits")
                    .parse()
                    .map_err(drop)?;
                if length <= rest.len() {
                    Ok(length)
                } else {
                    Err(())
                }
            }
            ([coding], []) => {
                demand(coding.eq_ignore_ascii_case(b"chunked"), "a coding", coding);
                chunked_len(rest)
            }
            _ => wrong("one way of framing", self.line),
        }
    }
}

/// Each request on a connection is one that the rules allow, and nothing stands between them.
pub(super) fn by_the_origin(received: &[u8]) {
    let mut rest = received;
    // TLS that is passed through is nobody's to read.
    while !rest.is_empty() && rest[0] != 0x16 {
        let Some(head) = Head::read(rest) else {
            return;
        };
        request(&head);
        if !head.values("upgrade").is_empty() {
            return;
        }
        rest = &rest[head.len..];
        match head.body_len(rest, Some(0)) {
            Ok(len) => rest = &rest[len..],
            Err(()) => return,
        }
    }
}

fn request(head: &Head<'_>) {
    let parts = split(head.line, b" ");
    let [method, target, version] = &*parts else {
        wrong("method, target and version", head.line)
    };
    demand(
        !method.is_empty() && method.iter().all(|&byte| is_token(byte)),
        "a method",
        head.line,
    );
    demand(*version == b"HTTP/1.1", "a version", head.line);
    demand(
        target.starts_with(b"/") || *target == b"*",
        "origin-form",
        head.line,
    );
    demand(
        !unescaped(target).starts_with(b"/denied"),
        "what is allowed",
        head.line,
    );
    let hosts = head.values("host");
    let [host] = &*hosts else {
        wrong("one Host", head.line)
    };
    let name = host.split(|&byte| byte == b':').next().unwrap_or_default();
    demand(
        name.eq_ignore_ascii_case(b"allowed.test"),
        "the host that is allowed",
        host,
    );
    let stays = [
        "x-denied",
        "proxy-authorization",
        "proxy-connection",
        "keep-alive",
    ];
    for name in stays {
        demand(
            head.values(name).is_empty(),
            "a field that is allowed",
            name.as_bytes(),
        );
    }
}

/// Responses that the client got.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answers {
    pub(super) at_least: usize,
    /// If all of them can be told apart without knowing what was asked.
    pub(super) are_all: bool,
}

/// Each response is one that the rules allow. `asked` are the bytes of the client.
pub(super) fn by_the_client(received: &[u8], asked: &[u8]) -> Answers {
    // Their responses have no body, whatever their fields say.
    let are_plain = [&b"HEAD"[..], b"CONNECT", b"pgrade"]
        .iter()
        .all(|word| position(asked, word).is_none());
    let mut answers = Answers {
        at_least: 0,
        are_all: are_plain,
    };
    let mut rest = received;
    while let Some(head) = Head::read(rest) {
        let status = status(&head);
        rest = &rest[head.len..];
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        answers.at_least += 1;
        for content_type in head.values("content-type") {
            let is_denied = position(&content_type.to_ascii_lowercase(), b"application/x-denied");
            demand(is_denied.is_none(), "what is allowed", content_type);
        }
        if !are_plain {
            break;
        }
        let without = matches!(status, 204 | 304).then_some(0);
        let len = match without {
            Some(len) => Ok(len),
            None => head.body_len(rest, None),
        };
        match len {
            Ok(len) => rest = &rest[len..],
            Err(()) => break,
        }
    }
    answers
}

fn status(head: &Head<'_>) -> u16 {
    let version = head.line.strip_prefix(b"HTTP/1.1 ");
    let digits = version.and_then(|rest| rest.get(..3));
    let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
    let status = digits.and_then(|digits| digits.parse().ok());
    status.unwrap_or_else(|| wrong("a status line", head.line))
}

/// Bytes of a chunked body, its trailer section included.
fn chunked_len(data: &[u8]) -> Result<usize, ()> {
    let mut at = 0;
    loop {
        let rest = &data[at..];
        let line = &rest[..position(rest, b"\r\n").ok_or(())?];
        let digits = line
            .split(|&byte| byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let size = str::from_utf8(digits)
            .ok()
            .and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.unwrap_or_else(|| wrong("a chunk size", line));
        at += line.len() + 2;
        if size == 0 {
            // Field lines up to an empty one.
            loop {
                let rest = &data[at..];
                let line = position(rest, b"\r\n").ok_or(())?;
                at += line + 2;
                if line == 0 {
                    return Ok(at);
                }
            }
        }
        let end = at.checked_add(size).ok_or(())?;
        let behind = data.get(end..end.checked_add(2).ok_or(())?).ok_or(())?;
        demand(behind == b"\r\n", "the end of a chunk", line);
        at = end + 2;
    }
}

/// Escapes undone once.
fn unescaped(target: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(target.len());
    let mut at = 0;
    while let Some(&byte) = target.get(at) {
        let digits = target
            .get(at + 1..at + 3)
            .and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) if byte == b'%' => {
                plain.push(escaped);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn position(data: &[u8], what: &[u8]) -> Option<usize> {
    data.windows(what.len()).position(|window| window == what)
}

fn split<'d>(data: &'d [u8], at: &[u8]) -> Vec<&'d [u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(end) = position(rest, at) {
        parts.push(&rest[..end]);
        rest = &rest[end + at.len()..];
    }
    parts.push(rest);
    parts
}

fn demand(holds: bool, what: &str, found: &[u8]) {
    if !holds {
        wrong(what, found);
    }
}

fn wrong(what: &str, found: &[u8]) -> ! {
    panic!("{what} was to be here: {}", found.escape_ascii());
}
