//! Files of raw messages: how cases are written down. The format is told at the head of
//! `data/hostile_requests.txt`.

/// One case of a file.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) status: u16,
    pub(crate) name: String,
    text: String,
}

/// Reads all cases.
pub(crate) fn parse_vectors(file: &str) -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for line in file.lines() {
        if let Some(title) = line.strip_prefix("= ") {
            let (status, name) = title.split_once(' ').unwrap();
            let status = status.parse().unwrap();
            vectors.push(Vector {
                status,
                name: name.to_owned(),
                text: String::new(),
            });
        } else if let Some(vector) = vectors.last_mut() {
            match line.strip_suffix('\\') {
                Some(joined) if !joined.ends_with('\\') => vector.text.push_str(joined),
                _ => {
                    vector.text.push_str(line);
                    vector.text.push_str("\\r\\n");
                }
            }
        }
    }
    for vector in &mut vectors {
        // The blank line that parts two cases belongs to neither.
        vector.text = vector
            .text
            .strip_suffix("\\r\\n")
            .unwrap_or(&vector.text)
            .to_owned();
    }
    vectors
}

impl Vector {
    /// The bytes to send.
    pub(crate) fn bytes(&self, authority: &str) -> Vec<u8> {
        unescape(&expand(&self.text.replace("{AUTHORITY}", authority)))
    }

    /// Whether the head alone is at fault: then not even a connection may be made.
    pub(crate) fn is_head_fault(&self) -> bool {
        !self.name.starts_with("body: ")
    }
}

/// `{REPEAT n text}`.
fn expand(text: &str) -> String {
    let Some((before, rest)) = text.split_once("{REPEAT ") else {
        return text.to_owned();
    };
    let (repeated, after) = rest.split_once('}').unwrap();
    let (count, what) = repeated.split_once(' ').unwrap();
    format!(
        "{before}{}{}",
        what.repeat(count.parse().unwrap()),
        expand(after)
    )
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    bytes
}
