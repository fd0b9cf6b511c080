//! Holds a response against what was expected: status, length, content, checksums. Which bytes are
//! its body, `response` (HTTP/1.1) and `session` (HTTP/2) know.

use super::failure::Failure;
use crate::http::digest;
use crate::pattern;
use crate::plan::mix::{Expectation, Sent};

/// What was seen of one response.
#[derive(Debug)]
pub(super) struct Check {
    expectation: Expectation,
    /// 0 until the head was read.
    status: u16,
    body_bytes: u64,
    mismatch: bool,
    /// CRC-32C that the body must have, by plan or by its `Content-Digest`.
    crc32c: Option<u32>,
    crc32c_actual: u32,
    /// What the origin says that it received, if that is not what was sent.
    upload_mismatch: Option<String>,
}

impl Check {
    pub(super) fn new(expectation: Expectation) -> Self {
        Self {
            expectation,
            status: 0,
            body_bytes: 0,
            mismatch: false,
            crc32c: expectation.crc32c,
            crc32c_actual: 0,
            upload_mismatch: None,
        }
    }

    /// 0 until the final head was read.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// The request was HEAD: there is no body.
    pub(super) fn is_head_only(&self) -> bool {
        self.expectation.head_only
    }

    /// The final status.
    pub(super) fn on_status(&mut self, status: u16) {
        self.status = status;
    }

    /// A field of the final head.
    pub(super) fn on_field(&mut self, name: &[u8], value: &[u8]) {
        if name.len() == 14 && name.eq_ignore_ascii_case(b"content-digest") {
            self.crc32c = self.crc32c.or_else(|| digest::from_field(value));
        } else if name.len() == 10 && name.eq_ignore_ascii_case(digest::RECEIVED.as_bytes()) {
            let Sent { bytes, crc32c } = self.expectation.sent;
            let received = String::from_utf8_lossy(value);
            if received != digest::received(bytes, crc32c) {
                self.upload_mismatch = Some(received.into_owned());
            }
        }
    }

    /// The next octets of the body.
    pub(super) fn on_body(&mut self, data: &[u8]) {
        let has_pattern = self.expectation.pattern && self.status == 200;
        self.mismatch |= has_pattern && !pattern::matches(self.body_bytes, data);
        if self.crc32c.is_some() {
            self.crc32c_actual = crc32c::crc32c_append(self.crc32c_actual, data);
        }
        self.body_bytes += data.len() as u64;
    }

    /// What is wrong with the complete response, if anything is.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.status != self.expectation.status {
            return Err(Failure::BadStatus(self.status));
        }
        match self.expectation.body_bytes {
            Some(expected) if expected != self.body_bytes && !self.expectation.head_only => {
                Err(Failure::BodyLength {
                    expected,
                    actual: self.body_bytes,
                })
            }
            _ if self.mismatch => Err(Failure::BodyMismatch),
            _ => self.checksums(),
        }
    }

    fn checksums(&self) -> Result<(), Failure> {
        if let Some(received) = &self.upload_mismatch {
            return Err(Failure::Upload(received.clone()));
        }
        match self.crc32c {
            Some(expected) if expected != self.crc32c_actual && !self.expectation.head_only => {
                Err(Failure::Checksum {
                    expected,
                    actual: self.crc32c_actual,
                })
            }
            _ => Ok(()),
        }
    }
}
