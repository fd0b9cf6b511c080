//! ClientHellos for the tests of this folder.

/// What goes into one; the extensions are written in their order.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) legacy_version: u16,
    pub(super) cipher_suites: Vec<u16>,
    pub(super) extensions: Option<Vec<(u16, Vec<u8>)>>,
}

impl Hello {
    /// The example of the JA4 specification, with GREASE where a browser puts it.
    pub(super) fn browser() -> Self {
        let cipher_suites = vec![
            0x4a4a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let order = [
            0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
            0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0xfafa, 0x0015,
        ];
        let data = |kind: u16| match kind {
            0x0000 => b"\0\x12\0\0\x0fwww.example.com".to_vec(),
            0x0010 => b"\0\x0c\x02h2\x08http/1.1".to_vec(),
            0x000d => {
                b"\0\x12\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01\x3a\x3a"
                    .to_vec()
            }
            0x002b => b"\x06\x7a\x7a\x03\x04\x03\x03".to_vec(),
            0x0015 => vec![0; 200],
            _ => Vec::new(),
        };
        let extensions = order.into_iter().map(|kind| (kind, data(kind))).collect();
        Self {
            legacy_version: 0x0303,
            cipher_suites,
            extensions: Some(extensions),
        }
    }

    pub(super) fn with(mut self, kind: u16, data: &[u8]) -> Self {
        self.extensions
            .get_or_insert_default()
            .push((kind, data.to_vec()));
        self
    }

    pub(super) fn without(mut self, kind: u16) -> Self {
        self.extensions
            .get_or_insert_default()
            .retain(|(other, _)| *other != kind);
        self
    }

    /// The message in records of at most this many bytes.
    pub(super) fn to_records(&self, record_bytes_max: usize) -> Vec<u8> {
        let mut body = self.legacy_version.to_be_bytes().to_vec();
        body.extend_from_slice(&[7; 32]);
        body.push(32);
        body.extend_from_slice(&[9; 32]);
        let suites: Vec<u8> = self
            .cipher_suites
            .iter()
            .flat_map(|s| s.to_be_bytes())
            .collect();
        push_vector16(&mut body, &suites);
        body.extend_from_slice(&[1, 0]);
        if let Some(extensions) = &self.extensions {
            let mut list = Vec::new();
            for (kind, data) in extensions {
                list.extend_from_slice(&kind.to_be_bytes());
                push_vector16(&mut list, data);
            }
            push_vector16(&mut body, &list);
        }
        let mut message = vec![1, 0];
        push_vector16(&mut message, &body);
        let mut records = Vec::new();
        for fragment in message.chunks(record_bytes_max) {
            records.extend_from_slice(&[22, 3, 1]);
            push_vector16(&mut records, fragment);
        }
        records
    }
}

fn push_vector16(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}
