//! One member of a JSON object each: the key as it stands in all lines, and a value.

use std::io::Write;
use std::net::IpAddr;

use super::digits::{hexadecimal, octets};
use super::escape::{cut_and_escape, is_plain};
use crate::limits::LOG_WORD_BYTES_MAX;

/// `,"name":` as bytes, put together at compile time: what has a length that the compiler knows is
/// copied without a call.
macro_rules! key {
    ($name:literal) => {{
        const KEY: &str = concat!(",\"", $name, "\":");
        const BYTES: [u8; KEY.len()] = array(KEY);
        &BYTES
    }};
}

/// The same with the quote that opens a text.
macro_rules! text_key {
    ($name:literal) => {{
        const KEY: &str = concat!(",\"", $name, "\":\"");
        const BYTES: [u8; KEY.len()] = array(KEY);
        &BYTES
    }};
}
pub(super) use {key, text_key};

#[expect(
    clippy::indexing_slicing,
    reason = "runs only while the program is compiled"
)]
pub(super) const fn array<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

pub(super) fn number<const KEY: usize>(
    out: &mut Vec<u8>,
    key: &[u8; KEY],
    value: Option<impl itoa::Integer>,
) {
    let Some(value) = value else { return };
    out.extend_from_slice(key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A text of this program: it needs neither a bound nor an escape.
pub(super) fn own<const KEY: usize>(
    out: &mut Vec<u8>,
    key: &[u8; KEY],
    value: Option<&'static str>,
) {
    let Some(value) = value else { return };
    debug_assert!(is_plain(value.as_bytes()) && value.len() <= LOG_WORD_BYTES_MAX);
    out.extend_from_slice(key);
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

/// Sixteen hexadecimal digits: JSON readers round larger integers than 2^53.
pub(super) fn id<const KEY: usize>(out: &mut Vec<u8>, key: &[u8; KEY], value: u64) {
    out.extend_from_slice(key);
    out.extend_from_slice(&hexadecimal(value));
    out.push(b'"');
}

pub(super) fn address<const KEY: usize>(out: &mut Vec<u8>, key: &[u8; KEY], value: Option<IpAddr>) {
    let Some(value) = value else { return };
    out.extend_from_slice(key);
    match value {
        IpAddr::V4(v4) => octets(out, v4.octets()),
        // Writing to a `Vec` cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
    out.push(b'"');
}

pub(super) fn word<const KEY: usize>(out: &mut Vec<u8>, key: &[u8; KEY], value: Option<&[u8]>) {
    bounded(out, key, value, LOG_WORD_BYTES_MAX);
}

pub(super) fn bounded<const KEY: usize>(
    out: &mut Vec<u8>,
    key: &[u8; KEY],
    value: Option<&[u8]>,
    bytes_max: usize,
) {
    let Some(value) = value else { return };
    out.extend_from_slice(key);
    cut_and_escape(out, value, bytes_max);
    out.push(b'"');
}
