//! Requests and responses of the scripted world, and a reader of them that is as plain as can be.

use std::collections::BTreeMap;
use std::io;

use crate::io::scripted::{End, World};

/// The content that goes with the request of this number.
pub(super) fn content(number: usize, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| (number * 31 + at * 7 + at / 251).to_le_bytes()[0])
        .collect()
}

/// One side's view of a connection.
pub(super) struct Wire<'a> {
    pub(super) world: &'a World,
    pub(super) end: &'a End,
    /// Received, and not used yet.
    pub(super) input: Vec<u8>,
}

/// The head of a message.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) line: Vec<String>,
    pub(super) fields: BTreeMap<String, String>,
}

/// What came of the content of a message.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Its end was told.
    pub(super) is_complete: bool,
}

impl Head {
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).expect("a head in ASCII");
        let mut lines = text.split("\r\n");
        let line = lines.next().expect("a first line");
        let line = line.splitn(3, ' ').map(str::to_owned).collect();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a field");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Self {
            line,
            fields: fields.collect(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(super) fn status(&self) -> u16 {
        self.line[1].parse().expect("a status")
    }
}

impl<'a> Wire<'a> {
    pub(super) fn new(world: &'a World, end: &'a End) -> Self {
        let input = Vec::new();
        Self { world, end, input }
    }

    /// Receives more; `false` at the end.
    pub(super) async fn more(&mut self) -> io::Result<bool> {
        let mut room = [0; 4096];
        let bytes = self.end.read(self.world, &mut room).await?;
        self.input.extend_from_slice(&room[..bytes]);
        Ok(bytes > 0)
    }

    /// The next head; `None` if the connection ends before it is whole.
    pub(super) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.input, b"\r\n\r\n") {
                let head = Head::parse(&self.input[..end]);
                self.input.drain(..end + 4);
                return Ok(Some(head));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Content of a declared length.
    pub(super) async fn sized(&mut self, length: usize) -> Content {
        while self.input.len() < length {
            if !self.more().await.unwrap_or(false) {
                break;
            }
        }
        let is_complete = self.input.len() >= length;
        let bytes = self.input.drain(..length.min(self.input.len())).collect();
        Content { bytes, is_complete }
    }

    /// Content in chunks, and its trailers.
    pub(super) async fn chunked(&mut self) -> Content {
        let mut bytes = Vec::new();
        let mut is_complete = false;
        while let Some(size) = self.line().await {
            let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
            if size == 0 {
                // Trailers, up to an empty line.
                loop {
                    match self.line().await {
                        Some(line) if line.is_empty() => {
                            is_complete = true;
                            break;
                        }
                        Some(_) => {}
                        None => break,
                    }
                }
                break;
            }
            let chunk = self.sized(size + 2).await;
            if !chunk.is_complete {
                let some = chunk.bytes.len().min(size);
                bytes.extend_from_slice(&chunk.bytes[..some]);
                break;
            }
            assert_eq!(&chunk.bytes[size..], b"\r\n", "a chunk ends with its line");
            bytes.extend_from_slice(&chunk.bytes[..size]);
        }
        Content { bytes, is_complete }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.input, b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return Some(String::from_utf8(line[..end].to_vec()).expect("a line in ASCII"));
            }
            if !self.more().await.unwrap_or(false) {
                return None;
            }
        }
    }

    /// Content that ends with the connection.
    pub(super) async fn until_end(&mut self) -> Content {
        let is_complete = loop {
            match self.more().await {
                Ok(true) => {}
                Ok(false) => break true,
                Err(_) => break false,
            }
        };
        let bytes = std::mem::take(&mut self.input);
        Content { bytes, is_complete }
    }

    /// Sends all of `data`.
    pub(super) async fn send(&self, data: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while sent < data.len() {
            sent += self.end.write(self.world, &data[sent..]).await?;
        }
        Ok(())
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Content as chunks of sizes that chances say.
pub(super) fn chunks(world: &World, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(1 + world.below(rest.len()));
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}
