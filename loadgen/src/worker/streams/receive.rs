//! From frames to outcomes: what the other end may send, and what follows from it.

use super::head::read_head;
use super::state::{CONNECTION_WINDOW, Ended, STREAM_WINDOW, Streams};
use crate::http2::frame::{
    self, Frame, PAYLOAD_BYTES_MAX, Violation, WINDOW_MAX, flag, kind, setting,
};
use crate::worker::failure::Failure;

/// Longest header block, octets.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

impl Streams {
    /// Takes complete frames out of `inbox`; returns how many octets they had.
    pub(in crate::worker) fn receive(
        &mut self,
        inbox: &[u8],
        outbox: &mut Vec<u8>,
        ended: &mut Vec<Ended>,
    ) -> Result<usize, Violation> {
        let mut rest = inbox;
        while let Some((frame, after)) = Frame::take(rest)? {
            rest = after;
            self.on_frame(&frame, outbox, ended)?;
        }
        self.send_bodies(outbox);
        Ok(inbox.len() - rest.len())
    }

    fn on_frame(
        &mut self,
        frame: &Frame<'_>,
        outbox: &mut Vec<u8>,
        ended: &mut Vec<Ended>,
    ) -> Result<(), Violation> {
        if !self.has_settings && frame.kind != kind::SETTINGS {
            return Err(Violation("the first frame is not SETTINGS"));
        }
        if self.open_block.is_some() != (frame.kind == kind::CONTINUATION) {
            return Err(Violation(
                "header block interrupted, or continued without a start",
            ));
        }
        match frame.kind {
            kind::DATA => self.on_data(frame, outbox, ended),
            kind::HEADERS => {
                self.known(frame.stream)?;
                self.open_block = Some((frame.stream, frame.has(flag::END_STREAM)));
                self.on_block(frame, frame.content()?, ended)
            }
            kind::CONTINUATION => self.on_block(frame, frame.payload, ended),
            kind::RST_STREAM => {
                self.known(frame.stream)?;
                let reason = frame.number()?;
                if let Some(lane) = self.lane_of(frame.stream) {
                    self.end(lane, Err(Failure::StreamReset(reason)), ended);
                }
                Ok(())
            }
            kind::SETTINGS => self.on_settings(frame, outbox),
            kind::PING if frame.payload.len() == 8 && frame.stream == 0 => {
                if !frame.has(flag::ACK) {
                    frame::put(kind::PING, flag::ACK, 0, frame.payload, outbox);
                }
                Ok(())
            }
            kind::PING => Err(Violation("ping frame broken")),
            kind::GOAWAY => self.on_goaway(frame, ended),
            kind::WINDOW_UPDATE => self.on_window_update(frame),
            kind::PUSH_PROMISE => Err(Violation("pushed, though told not to")),
            // PRIORITY is obsolete; unknown frames are to be ignored (RFC 9113 section 5.5).
            _ => Ok(()),
        }
    }

    fn on_block(
        &mut self,
        frame: &Frame<'_>,
        piece: &[u8],
        ended: &mut Vec<Ended>,
    ) -> Result<(), Violation> {
        let Some((stream, is_end)) = self.open_block.filter(|(id, _)| *id == frame.stream) else {
            return Err(Violation("header block continued on another stream"));
        };
        if self.block.len() + piece.len() > BLOCK_BYTES_MAX {
            return Err(Violation("header block longer than 64 KiB"));
        }
        self.block.extend_from_slice(piece);
        if !frame.has(flag::END_HEADERS) {
            return Ok(());
        }
        self.open_block = None;
        let lane = self.lane_of(stream);
        let entry = lane
            .and_then(|lane| self.lanes.get_mut(lane))
            .and_then(Option::as_mut);
        let outcome = read_head(&mut self.decoder, &self.block, entry.map(|s| &mut s.check));
        self.block.clear();
        let is_interim = outcome?;
        match lane {
            Some(_) if is_end && is_interim => Err(Violation("1xx that ends its stream")),
            Some(lane) if is_end => {
                self.finish(lane, ended);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The stream has ended in order.
    fn finish(&mut self, lane: usize, ended: &mut Vec<Ended>) {
        let verdict = self.lanes.get(lane).and_then(Option::as_ref);
        let verdict = verdict.map_or(Err(Failure::EarlyClose), |stream| {
            Ok(stream.check.verdict())
        });
        self.end(lane, verdict, ended);
    }

    fn on_data(
        &mut self,
        frame: &Frame<'_>,
        outbox: &mut Vec<u8>,
        ended: &mut Vec<Ended>,
    ) -> Result<(), Violation> {
        self.known(frame.stream)?;
        let data = frame.content()?;
        // Padding counts too (RFC 9113 section 6.9.1).
        let bytes = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
        self.unacknowledged += bytes;
        if self.unacknowledged > CONNECTION_WINDOW {
            return Err(Violation("more data than the connection's window"));
        }
        if self.unacknowledged >= CONNECTION_WINDOW / 2 {
            frame::put_number(kind::WINDOW_UPDATE, 0, self.unacknowledged, outbox);
            self.unacknowledged = 0;
        }
        let Some(lane) = self.lane_of(frame.stream) else {
            return Ok(());
        };
        let Some(stream) = self.lanes.get_mut(lane).and_then(Option::as_mut) else {
            return Ok(());
        };
        if stream.check.status() == 0 {
            return Err(Violation("data before the head"));
        }
        stream.unacknowledged += bytes;
        if stream.unacknowledged > STREAM_WINDOW {
            return Err(Violation("more data than the stream's window"));
        }
        stream.check.on_body(data);
        self.traffic.received += data.len() as u64;
        if frame.has(flag::END_STREAM) {
            self.finish(lane, ended);
        } else if stream.unacknowledged >= STREAM_WINDOW / 2 {
            frame::put_number(
                kind::WINDOW_UPDATE,
                stream.id,
                stream.unacknowledged,
                outbox,
            );
            stream.unacknowledged = 0;
        }
        Ok(())
    }

    fn on_settings(&mut self, frame: &Frame<'_>, outbox: &mut Vec<u8>) -> Result<(), Violation> {
        self.has_settings = true;
        if frame.has(flag::ACK) {
            return Ok(());
        }
        for (key, value) in frame.settings()? {
            match key {
                setting::MAX_CONCURRENT_STREAMS => {
                    self.peer_streams_max = usize::try_from(value).unwrap_or(usize::MAX);
                }
                setting::INITIAL_WINDOW_SIZE => {
                    let window = i64::from(value);
                    if window > WINDOW_MAX {
                        return Err(Violation("initial window too large"));
                    }
                    for stream in self.lanes.iter_mut().flatten() {
                        stream.window += window - self.peer_window;
                    }
                    self.peer_window = window;
                }
                setting::MAX_FRAME_SIZE => {
                    self.peer_payload_max = usize::try_from(value).unwrap_or(PAYLOAD_BYTES_MAX);
                }
                _ => {}
            }
        }
        frame::put(kind::SETTINGS, flag::ACK, 0, &[], outbox);
        Ok(())
    }

    fn on_goaway(&mut self, frame: &Frame<'_>, ended: &mut Vec<Ended>) -> Result<(), Violation> {
        self.is_going = true;
        let last = frame.number()?;
        for lane in 0..self.lanes.len() {
            let stream = self.lanes.get(lane).and_then(Option::as_ref);
            // It was not processed and may be asked again elsewhere (RFC 9113 section 6.8).
            if stream.is_some_and(|stream| stream.id > last) {
                self.end(lane, Err(Failure::StaleConnection), ended);
            }
        }
        Ok(())
    }

    fn on_window_update(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let more = i64::from(frame.number()?) & WINDOW_MAX;
        if frame.stream == 0 {
            self.window += more;
        } else {
            self.known(frame.stream)?;
            let lane = self.lane_of(frame.stream);
            let stream = lane.and_then(|lane| self.lanes.get_mut(lane));
            if let Some(stream) = stream.and_then(Option::as_mut) {
                stream.window += more;
            }
        }
        if more == 0 || self.window > WINDOW_MAX {
            return Err(Violation("window update of nothing, or over the limit"));
        }
        Ok(())
    }
}
