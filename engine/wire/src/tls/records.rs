//! Whether what follows a ClientHello is TLS, as far as that shows without keys: the headers of
//! records (RFC 8446 section 5.1), and the beginning of what the server answers.
//!
//! Called by the engine with the bytes of a tunnel that is passed through, in each direction as they
//! come, before they are forwarded. What is encrypted stays unknown: whoever is bent on it can put
//! anything into records. This is about what does not even pretend.

use thiserror::Error;

use super::ClientHello;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HEARTBEAT: u8 = 24;
const HEADER_BYTES: usize = 5;
/// Largest record: RFC 5246 section 6.2.3 allows more than RFC 8446 does.
const RECORD_BYTES_MAX: u16 = (1 << 14) + 2048;
/// Up to the compression method, with a session id of 32 bytes.
const SERVER_HELLO_BYTES_MAX: usize = 4 + 2 + 32 + 1 + 32 + 2 + 1;

/// Why bytes are not what a TLS connection has at their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotTls {
    /// Not the header of a record.
    #[error("not a TLS record")]
    Record,
    /// The server's first record is neither a handshake message nor an alert.
    #[error("neither a ServerHello nor an alert")]
    Opening,
    /// A ServerHello that answers another ClientHello: of a version or with a cipher suite that was not
    /// offered, or malformed.
    #[error("a ServerHello that does not fit the ClientHello")]
    ServerHello,
}

/// Follows the records of one direction.
#[derive(Debug)]
pub struct RecordFollower {
    header: [u8; HEADER_BYTES],
    header_len: usize,
    /// Bytes of the record that are still to come.
    left: usize,
    /// Until the server has said its hello.
    opening: Option<Box<Opening>>,
}

/// What is expected of a server, and what it has said so far.
#[derive(Debug)]
struct Opening {
    cipher_suites: Vec<u16>,
    version_max: u16,
    said: [u8; SERVER_HELLO_BYTES_MAX],
    said_len: usize,
}

impl RecordFollower {
    /// For what a client sends, its ClientHello first.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            header: [0; HEADER_BYTES],
            header_len: 0,
            left: 0,
            opening: None,
        }
    }

    /// For what a server answers to `hello`.
    #[must_use]
    pub fn server(hello: &ClientHello) -> Self {
        let opening = Opening {
            cipher_suites: hello.cipher_suites().to_vec(),
            version_max: hello.highest_version(),
            said: [0; SERVER_HELLO_BYTES_MAX],
            said_len: 0,
        };
        Self {
            opening: Some(Box::new(opening)),
            ..Self::client()
        }
    }

    /// Whether a record may begin here: all that came before were whole.
    #[must_use]
    pub const fn is_between_records(&self) -> bool {
        self.header_len == 0 && self.left == 0
    }

    /// Goes on with the next bytes, however they are cut.
    ///
    /// # Errors
    /// As soon as they cannot be TLS; nothing of them should then be forwarded.
    pub fn follow(&mut self, mut bytes: &[u8]) -> Result<(), NotTls> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left == 0 {
                self.take_header_byte(*first)?;
                bytes = rest;
                continue;
            }
            let (content, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.take_content(content)?;
            self.left -= content.len();
            bytes = rest;
        }
        Ok(())
    }

    fn take_header_byte(&mut self, byte: u8) -> Result<(), NotTls> {
        if let Some(place) = self.header.get_mut(self.header_len) {
            *place = byte;
        }
        self.header_len += 1;
        let [kind, major, minor, high, low] = self.header;
        let fits = match self.header_len {
            1 => (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind),
            2 => major == 3,
            3 => minor <= 4,
            4 => u16::from_be_bytes([high, 0]) <= RECORD_BYTES_MAX,
            _ => u16::from_be_bytes([high, low]) <= RECORD_BYTES_MAX,
        };
        if !fits {
            return Err(NotTls::Record);
        }
        // Where a hello has begun it goes on.
        if let Some(opening) = &self.opening
            && kind != HANDSHAKE
            && (kind != ALERT || opening.said_len > 0)
        {
            return Err(NotTls::Opening);
        }
        if self.header_len == HEADER_BYTES {
            self.header_len = 0;
            self.left = usize::from(u16::from_be_bytes([high, low]));
            let is_alert = self.opening.is_some() && kind == ALERT;
            if is_alert && self.left != 2 || self.opening.is_some() && self.left == 0 {
                return Err(NotTls::Opening);
            }
        }
        Ok(())
    }

    fn take_content(&mut self, content: &[u8]) -> Result<(), NotTls> {
        let [kind, ..] = self.header;
        let Some(opening) = &mut self.opening else {
            return Ok(());
        };
        if kind == HANDSHAKE && opening.take(content)? {
            self.opening = None;
        }
        Ok(())
    }
}

impl Opening {
    /// Whether the server has said enough.
    fn take(&mut self, content: &[u8]) -> Result<bool, NotTls> {
        for byte in content {
            if let Some(place) = self.said.get_mut(self.said_len) {
                *place = *byte;
                self.said_len += 1;
            }
            if self.judge().ok_or(NotTls::ServerHello)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the ServerHello is there up to its compression method (RFC 8446 section 4.1.3; a
    /// HelloRetryRequest has its form); `None` if it does not fit.
    fn judge(&self) -> Option<bool> {
        const SERVER_HELLO: u8 = 2;
        const FIXED_BYTES: usize = 4 + 2 + 32 + 1;
        let said = self.said.get(..self.said_len)?;
        let [kind, long, ..] = self.said;
        let [_, _, _, _, major, minor, ..] = self.said;
        if kind != SERVER_HELLO || (said.len() > 1 && long != 0) {
            return None;
        }
        let version = u16::from_be_bytes([major, minor]);
        let is_old = self.version_max < 0x0304;
        if said.len() > 5
            && !((0x0300..=0x0303).contains(&version) && (!is_old || version <= self.version_max))
        {
            return None;
        }
        let Some(session_id_len) = said.get(FIXED_BYTES - 1) else {
            return Some(false);
        };
        let at = FIXED_BYTES + usize::from(*session_id_len);
        if at + 3 > SERVER_HELLO_BYTES_MAX {
            return None;
        }
        let Some([high, low, compression]) = said.get(at..at + 3) else {
            return Some(false);
        };
        let suite = u16::from_be_bytes([*high, *low]);
        (self.cipher_suites.contains(&suite) && *compression == 0).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Hello;
    use super::*;
    use proptest::prelude::*;

    fn hello() -> ClientHello {
        let mut hello = ClientHello::new();
        hello
            .parse(&Hello::browser().to_records(usize::MAX))
            .expect("a hello");
        hello
    }

    /// A ServerHello with one extension, in records of this size.
    fn server_hello(version: u16, suite: u16, record_bytes: usize) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(32);
        body.extend([9; 32]);
        body.extend(suite.to_be_bytes());
        body.extend([0, 0, 6, 0, 43, 0, 2, 3, 4]);
        let mut message = vec![2, 0, 0, u8::try_from(body.len()).unwrap()];
        message.extend(body);
        let mut records = Vec::new();
        for fragment in message.chunks(record_bytes) {
            records.extend([22, 3, 3, 0, u8::try_from(fragment.len()).unwrap()]);
            records.extend(fragment);
        }
        records
    }

    const SEALED: &[u8] = b"\x17\x03\x03\x00\x03abc";
    const CHANGE: &[u8] = b"\x14\x03\x03\x00\x01\x01";

    fn server_follows(bytes: &[u8]) -> Result<(), NotTls> {
        RecordFollower::server(&hello()).follow(bytes)
    }

    #[test]
    fn servers_that_answer_are_let_on() {
        let answer = server_hello(0x0303, 0x1301, 200);
        for rest in [&[][..], CHANGE, SEALED, &[CHANGE, SEALED].concat()] {
            let bytes = [&*answer, rest].concat();
            assert_eq!(server_follows(&bytes), Ok(()));
        }
        // TLS 1.2, a fatal alert, and a warning before the hello (RFC 6066 section 3).
        assert_eq!(server_follows(&server_hello(0x0303, 0xc02f, 200)), Ok(()));
        assert_eq!(server_follows(b"\x15\x03\x01\x00\x02\x02\x28"), Ok(()));
        let warned = [b"\x15\x03\x03\x00\x02\x01\x70", &*answer].concat();
        assert_eq!(server_follows(&warned), Ok(()));
        // HelloRetryRequest, and then the hello.
        assert_eq!(
            server_follows(&[&*answer, CHANGE, &answer].concat()),
            Ok(())
        );
    }

    #[test]
    fn servers_that_say_something_else_are_not() {
        let answer = server_hello(0x0303, 0x1301, 200);
        for (bytes, error) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], NotTls::Record),
            (b"HTTP/1.1 400 Bad Request\r\n", NotTls::Record),
            (b"S", NotTls::Record),
            (b"\x16SH", NotTls::Record),
            (b"\x16\x03\x05", NotTls::Record),
            (b"\x16\x03\x03\x49", NotTls::Record),
            (b"\x17\x03\x03\x00\x01a", NotTls::Opening),
            (CHANGE, NotTls::Opening),
            (b"\x15\x03\x03\x00\x20", NotTls::Opening),
            (b"\x16\x03\x03\x00\x00", NotTls::Opening),
            (b"\x16\x03\x03\x00\x04SSH-", NotTls::ServerHello),
            (b"\x16\x03\x03\x00\x04\x02SH-", NotTls::ServerHello),
            (&[&*answer, b"SSH-2.0"].concat(), NotTls::Record),
            (&[&*answer, CHANGE, b"SSH-2.0"].concat(), NotTls::Record),
            // In place of the cipher suite.
            (&[&answer[..76], b"SSH-2.0"].concat(), NotTls::ServerHello),
            // What was not offered.
            (&server_hello(0x0303, 0x1304, 200), NotTls::ServerHello),
            (&server_hello(0x0304, 0x1301, 200), NotTls::ServerHello),
            (&server_hello(0x0200, 0x1301, 200), NotTls::ServerHello),
        ] {
            assert_eq!(
                server_follows(bytes),
                Err(error),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn clients_go_on_in_records() {
        let hello = Hello::browser().to_records(300);
        for rest in [&[][..], CHANGE, SEALED, b"\x15\x03\x03\x00\x02\x02\x28"] {
            let mut client = RecordFollower::client();
            assert_eq!(client.follow(&[&*hello, rest].concat()), Ok(()));
            assert!(client.is_between_records());
        }
        for rest in [
            &b"SSH-2.0-x"[..],
            b"\x16\x03\x03\x00\x05helloGET / HTTP/1.1",
        ] {
            let mut client = RecordFollower::client();
            assert_eq!(
                client.follow(&[&*hello, rest].concat()),
                Err(NotTls::Record)
            );
        }
    }

    proptest! {
        /// Neither cuts in what is received nor cuts into records change the answer.
        #[test]
        fn cuts_change_nothing(record_bytes in 1..90usize, cuts in prop::collection::vec(1..40usize, 1..9)) {
            let bytes = [&*server_hello(0x0303, 0x1301, record_bytes), SEALED].concat();
            let mut server = RecordFollower::server(&hello());
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                prop_assert_eq!(server.follow(now), Ok(()));
                rest = later;
                if rest.is_empty() { break; }
            }
            prop_assert!(server.is_between_records());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), edit in any::<prop::sample::Index>(), to in any::<u8>()) {
            let _ = server_follows(&bytes);
            let mut answer = server_hello(0x0303, 0x1301, 20);
            let at = edit.index(answer.len());
            answer[at] = to;
            let _ = server_follows(&answer);
            let _ = RecordFollower::client().follow(&bytes);
        }
    }
}
