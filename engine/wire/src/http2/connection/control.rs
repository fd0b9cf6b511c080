//! What frames that carry no message do: SETTINGS, PING, WINDOW_UPDATE, RST_STREAM, PRIORITY, GOAWAY.

use super::super::event::{Event, GoingAway};
use super::super::fault::FrameFault;
use super::super::frames::{ACK, FrameHeader, PING, SETTINGS, write_header};
use super::super::limits::{ANSWER_BYTES_MAX, STREAM_MAX, WINDOW_MAX};
use super::super::settings::{HEADER_TABLE_SIZE, Role};
use super::super::stream_fault::StreamFault;
use super::leave::DRAIN_PING;
use super::receive::word;
use super::state::Connection;
use crate::invariant::Invariant;

impl Connection {
    /// RFC 9113 section 6.5.
    pub(super) fn peer_settings(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, FrameFault> {
        if header.has(ACK) {
            return Ok(Some(Event::SettingsAcknowledged));
        }
        let before = self.peer.initial_window;
        let (settings, _) = payload.as_chunks::<6>();
        for setting in settings {
            let [a, b, c, d, e, f] = *setting;
            let (key, value) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]));
            match key {
                HEADER_TABLE_SIZE => self.encoder.limit_table(value),
                _ => self.peer.set(self.role, key, value)?,
            }
        }
        self.change_windows(i64::from(self.peer.initial_window) - i64::from(before))?;
        self.answer(0, SETTINGS, &[])?;
        Ok(Some(Event::Settings))
    }

    /// RFC 9113 section 6.9.2: what streams begin with has changed by so much, for those that are open too.
    fn change_windows(&mut self, change: i64) -> Result<(), FrameFault> {
        if change == 0 {
            return Ok(());
        }
        for stream in self.streams.iter_mut() {
            if !stream.send.change(change) {
                return Err(FrameFault::Window);
            }
            stream.is_blocked = false;
        }
        Ok(())
    }

    /// Answers a frame, unless nobody reads the answers.
    fn answer(&mut self, stream: u32, kind: u8, payload: &[u8]) -> Result<(), FrameFault> {
        if self.output.len()
            > self
                .settings
                .output_bytes_max
                .saturating_add(ANSWER_BYTES_MAX)
        {
            return Err(FrameFault::UnreadAnswers);
        }
        write_header(&mut self.output, payload.len(), kind, ACK, stream);
        self.output.extend_from_slice(payload);
        Ok(())
    }

    /// RFC 9113 section 6.7.
    pub(super) fn peer_ping(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, FrameFault> {
        if !header.has(ACK) {
            self.answer(0, PING, payload)?;
            return Ok(None);
        }
        let payload = *payload.first_chunk().or_broken("eight bytes of a PING");
        if payload == DRAIN_PING && self.is_draining {
            // Whatever the other side had sent before it knew has come.
            self.leave_for_good();
            return Ok(None);
        }
        Ok(Some(Event::Pong { payload }))
    }

    /// RFC 9113 section 6.9.
    pub(super) fn window_update(
        &mut self,
        id: u32,
        bytes: u32,
    ) -> Result<Option<Event<'static>>, FrameFault> {
        let bytes = bytes & WINDOW_MAX;
        if id == 0 {
            return self.connection_window_update(bytes);
        }
        let Some(stream) = self.streams.get_mut(id) else {
            return match () {
                () if self.is_idle(id) => Err(FrameFault::StreamIdle),
                () if self.closed.open_window(id, bytes) => Ok(None),
                () => {
                    self.write_reset(id, StreamFault::Window.code())?;
                    Ok(None)
                }
            };
        };
        let fault = match bytes {
            0 => Some(StreamFault::WindowUpdate),
            _ if !stream.send.open(bytes) => Some(StreamFault::Window),
            _ => None,
        };
        if let Some(fault) = fault {
            return self.fail_stream(id, fault, false);
        }
        let is_awaited = stream.is_blocked && stream.send.room() > 0;
        stream.is_blocked = stream.is_blocked && !is_awaited;
        Ok(is_awaited.then_some(Event::WindowOpen { stream: Some(id) }))
    }

    fn connection_window_update(
        &mut self,
        bytes: u32,
    ) -> Result<Option<Event<'static>>, FrameFault> {
        if bytes == 0 {
            return Err(FrameFault::WindowUpdate);
        }
        if !self.send_window.open(bytes) {
            return Err(FrameFault::Window);
        }
        let is_awaited = std::mem::take(&mut self.is_blocked);
        Ok(is_awaited.then_some(Event::WindowOpen { stream: None }))
    }

    /// RFC 9113 section 6.4.
    pub(super) fn peer_reset(&mut self, stream: u32, code: u32) -> Option<Event<'static>> {
        self.streams.remove(stream)?;
        self.closed.reset_by_peer(stream);
        Some(Event::Reset { stream, code })
    }

    /// RFC 9113 section 5.3.2: priorities say nothing any more, but what they are must be well-formed.
    pub(super) fn priority(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, FrameFault> {
        let id = header.stream;
        if word(payload, 0) & STREAM_MAX != id {
            return Ok(None);
        }
        match self.streams.get(id) {
            Some(_) => self.fail_stream(id, StreamFault::Dependency, false),
            None if self.is_idle(id) => Err(FrameFault::StreamIdle),
            None => Ok(None),
        }
    }

    /// RFC 9113 section 6.8.
    pub(super) fn peer_goes_away(&mut self, last_stream: u32, code: u32) -> Option<Event<'static>> {
        let before = self.going_away.map(|told| told.code);
        let told = GoingAway {
            last_stream: last_stream & STREAM_MAX,
            // An error stands, whatever is said behind it.
            code: before.filter(|before| *before != 0).unwrap_or(code),
        };
        self.going_away = Some(told);
        if self.role == Role::Client {
            self.streams.remove_above(told.last_stream);
        }
        Some(Event::GoAway(told))
    }
}
