//! What is sent in streams: heads, content, trailers.

use thiserror::Error;

use super::super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADER_BYTES, HEADERS, write_header,
};
use super::super::hpack::Encoder;
use super::super::limits::STREAM_MAX;
use super::super::response::Asked;
use super::super::settings::Role;
use super::super::streams::Stream;
use super::state::Connection;
use crate::http1::HeaderName;
use crate::invariant::{Invariant, part, part_mut};

/// Why something was not taken to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendFault {
    /// The stream is gone, or our side of it has ended.
    #[error("the stream is closed")]
    Closed,
    /// What waits to be sent must be transmitted before.
    #[error("too much waits to be sent")]
    Full,
    /// No stream can be opened: there are too many, or one of the sides takes its leave.
    #[error("no stream can be opened")]
    NoStream,
    /// The other side does not take extended CONNECT (RFC 8441 section 3).
    #[error("extended CONNECT is not taken")]
    NoExtendedConnect,
}

/// The pseudo-header fields of a request (RFC 9113 section 8.3.1).
#[derive(Clone, Copy, Debug)]
pub struct RequestStart<'a> {
    /// `:method`
    pub method: &'a [u8],
    /// `:scheme`; left out with CONNECT.
    pub scheme: &'a [u8],
    /// `:authority`
    pub authority: &'a [u8],
    /// `:path`; left out with CONNECT.
    pub path: &'a [u8],
    /// `:protocol`, which makes it an extended CONNECT (RFC 8441).
    pub protocol: Option<&'a [u8]>,
}

/// A field to be sent.
#[derive(Clone, Copy, Debug)]
pub struct SendField<'a> {
    /// Its name, in any case.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Nobody may enter it into a table (RFC 7541 section 6.2.3). That of credentials is seen to here.
    pub never_indexed: bool,
}

impl Connection {
    /// Streams that both sides allow at once.
    #[must_use]
    pub fn streams_max(&self) -> usize {
        let streams_max = self.settings.streams_max.min(self.peer.streams_max);
        usize::try_from(streams_max).unwrap_or(usize::MAX)
    }

    /// Whether a request can be sent now.
    #[must_use]
    pub fn can_open(&self) -> bool {
        self.role == Role::Client
            && self.fault.is_none()
            && self.going_away.is_none()
            && self.leaving.is_none()
            && self.streams.len() < self.streams_max()
            && self.newest_stream < STREAM_MAX - 1
    }

    /// Opens a stream with a request; `end` if no content follows. Connection-specific fields and `host` are
    /// left out.
    ///
    /// # Errors
    /// Nothing was done then.
    pub fn send_request<'f>(
        &mut self,
        start: &RequestStart<'_>,
        fields: impl IntoIterator<Item = SendField<'f>>,
        end: bool,
    ) -> Result<u32, SendFault> {
        if !self.can_open() {
            return Err(SendFault::NoStream);
        }
        if !self.has_room() {
            return Err(SendFault::Full);
        }
        if start.protocol.is_some() && !self.peer.takes_extended_connect {
            return Err(SendFault::NoExtendedConnect);
        }
        // The first number is 1 (RFC 9113 section 5.1.1).
        let id = match self.newest_stream {
            0 => 1,
            newest => newest + 2,
        };
        self.newest_stream = id;
        let is_connect = start.method == b"CONNECT";
        let asked = match (start.protocol, start.method) {
            (Some(_), _) => Asked::WebSocket,
            (None, b"CONNECT") => Asked::Tunnel,
            (None, b"HEAD") => Asked::Head,
            _ => Asked::Plain,
        };
        self.streams.push(Stream {
            is_answered: true,
            has_final_head: true,
            we_ended: end,
            ..self.new_stream(id, asked)
        });
        let has_target = !is_connect || start.protocol.is_some();
        self.write_block(id, end, |encoder, out| {
            encoder.field(b":method", start.method, false, out);
            if has_target {
                encoder.field(b":scheme", start.scheme, false, out);
                encoder.field(b":path", start.path, false, out);
            }
            encoder.field(b":authority", start.authority, false, out);
            if let Some(protocol) = start.protocol {
                encoder.field(b":protocol", protocol, false, out);
            }
            encode_fields(fields, encoder, out);
        });
        Ok(id)
    }

    /// Sends the head of a response, interim or final; `end` if no content follows. Connection-specific
    /// fields are left out.
    ///
    /// # Errors
    /// Nothing was done then.
    pub fn send_response<'f>(
        &mut self,
        stream: u32,
        status: u16,
        fields: impl IntoIterator<Item = SendField<'f>>,
        end: bool,
    ) -> Result<(), SendFault> {
        let is_full = !self.has_room();
        let found = self.sending(stream)?;
        if found.has_final_head {
            return Err(SendFault::Closed);
        }
        if is_full {
            return Err(SendFault::Full);
        }
        let is_first = !std::mem::replace(&mut found.is_answered, true);
        found.has_final_head = status >= 200;
        found.we_ended = end;
        if is_first {
            // What was answered pays for what is not.
            self.resets.earn(1);
        }
        let mut digits = itoa::Buffer::new();
        let status = digits.format(status);
        self.write_block(stream, end, |encoder, out| {
            encoder.field(b":status", status.as_bytes(), false, out);
            encode_fields(fields, encoder, out);
        });
        self.close_if_ended(stream);
        Ok(())
    }

    /// Ends our side of a stream with trailers.
    ///
    /// # Errors
    /// Nothing was done then.
    pub fn send_trailers<'f>(
        &mut self,
        stream: u32,
        fields: impl IntoIterator<Item = SendField<'f>>,
    ) -> Result<(), SendFault> {
        let is_full = !self.has_room();
        let found = self.sending(stream)?;
        if !found.has_final_head {
            return Err(SendFault::Closed);
        }
        if is_full {
            return Err(SendFault::Full);
        }
        found.we_ended = true;
        self.write_block(stream, true, |encoder, out| {
            encode_fields(fields, encoder, out)
        });
        self.close_if_ended(stream);
        Ok(())
    }

    /// Sends content, as much as windows and the room for what waits allow; how much that was. `end` if
    /// nothing follows `bytes`: it is told once all of them were taken. Where less was, there is an
    /// [`Event::WindowOpen`](super::super::Event::WindowOpen), or [`transmit`](Self::transmit) makes room.
    ///
    /// # Errors
    /// Nothing was taken then.
    pub fn send_data(&mut self, stream: u32, bytes: &[u8], end: bool) -> Result<usize, SendFault> {
        let frame_bytes_max = self.frame_bytes_max();
        let found = self.sending(stream)?;
        if !found.has_final_head {
            return Err(SendFault::Closed);
        }
        let mut taken = 0;
        loop {
            let left = part(bytes, taken..);
            let most = left.len().min(frame_bytes_max);
            let size = most.min(self.writable(stream));
            if size == 0 && !left.is_empty() {
                self.note_blocked(stream);
                return Ok(taken);
            }
            let is_last = size == left.len();
            if size == 0 && !end {
                return Ok(taken);
            }
            let flags = if is_last && end { END_STREAM } else { 0 };
            write_header(&mut self.output, size, DATA, flags, stream);
            self.output.extend_from_slice(part(left, ..size));
            self.send_window.take(size);
            if let Some(found) = self.streams.get_mut(stream) {
                found.send.take(size);
                found.we_ended = is_last && end;
            }
            taken += size;
            if is_last {
                self.close_if_ended(stream);
                return Ok(taken);
            }
        }
    }

    /// How much content of a stream would be taken now.
    #[must_use]
    pub fn writable(&self, stream: u32) -> usize {
        let output_bytes_max = self.settings.output_bytes_max;
        let room = output_bytes_max.saturating_sub(self.output.len());
        let room = room.min(self.send_window.room());
        self.streams
            .get(stream)
            .map_or(0, |stream| stream.send.room().min(room))
    }

    /// Whether heads and content are taken, as far as what waits to be sent is concerned.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.output.len() < self.settings.output_bytes_max
    }

    /// How much waits to be sent.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Moves what waits to be sent behind what is in `out`. An empty buffer is exchanged for it, so that
    /// nothing is copied; its memory is written to next.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        self.earn(self.output.len());
        match out.is_empty() {
            true => std::mem::swap(out, &mut self.output),
            false => out.append(&mut self.output),
        }
    }

    /// The stream, if our side of it has not ended.
    fn sending(&mut self, id: u32) -> Result<&mut Stream, SendFault> {
        let stream = self.streams.get_mut(id).ok_or(SendFault::Closed)?;
        match stream.we_ended {
            true => Err(SendFault::Closed),
            false => Ok(stream),
        }
    }

    /// Has it told when a window that is closed opens.
    fn note_blocked(&mut self, stream: u32) {
        self.is_blocked |= self.send_window.room() == 0;
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.is_blocked = stream.send.room() == 0;
        }
    }

    /// Writes HEADERS, and CONTINUATION if one frame is too small. Nothing comes between them: all are
    /// written before anything else is.
    fn write_block(
        &mut self,
        stream: u32,
        end: bool,
        encode: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) {
        let frame_bytes_max = self.frame_bytes_max();
        let out = &mut self.output;
        let start = out.len();
        let flags = if end { END_STREAM } else { 0 };
        write_header(out, 0, HEADERS, flags | END_HEADERS, stream);
        let begin = out.len();
        self.encoder.begin(out);
        encode(&mut self.encoder, out);
        let length = out.len() - begin;
        if length > frame_bytes_max {
            let block = out.split_off(begin);
            out.truncate(start);
            let frames = block.chunks(frame_bytes_max);
            let last = frames.len() - 1;
            for (number, fragment) in frames.enumerate() {
                let end_headers = if number == last { END_HEADERS } else { 0 };
                let (kind, flags) = match number {
                    0 => (HEADERS, flags),
                    _ => (CONTINUATION, 0),
                };
                write_header(out, fragment.len(), kind, flags | end_headers, stream);
                out.extend_from_slice(fragment);
            }
            return;
        }
        let [.., high, middle, low] = length.to_be_bytes();
        let place = part_mut(out, start..start + HEADER_BYTES);
        let places = place.first_chunk_mut::<3>();
        *places.or_broken("the length of a frame") = [high, middle, low];
    }
}

/// Fields that say something beyond a connection of HTTP/1.1 (RFC 9113 section 8.2.2), names in lower case.
fn encode_fields<'f>(
    fields: impl IntoIterator<Item = SendField<'f>>,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    let mut lower = Vec::new();
    for field in fields {
        match HeaderName::classify(field.name) {
            HeaderName::Connection
            | HeaderName::Host
            | HeaderName::Http2Settings
            | HeaderName::KeepAlive
            | HeaderName::ProxyConnection
            | HeaderName::TransferEncoding
            | HeaderName::Upgrade => continue,
            HeaderName::Te if !field.value.eq_ignore_ascii_case(b"trailers") => continue,
            _ => {}
        }
        let name = match field.name.iter().any(u8::is_ascii_uppercase) {
            false => field.name,
            true => {
                lower.clear();
                lower.extend(field.name.iter().map(u8::to_ascii_lowercase));
                &lower
            }
        };
        encoder.field(name, field.value, field.never_indexed, out);
    }
}
