//! What frames bring to the streams of a link, and how it ends for them.

use std::rc::Rc;
use std::task::Waker;

use sallyport_wire::http2::{Event, GoingAway, Response};

use super::error_code::{ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED, of_goaway};
use super::link::{Arrival, Link, Refused, wake};
use super::stream_state::{Declined, Fate, Inbox, StreamState};
use crate::clock;

impl Link {
    /// Takes bytes that were received.
    pub(crate) fn take(&self, mut input: &[u8]) {
        let now = clock::now();
        self.heard.set(now);
        loop {
            let event = self.codec.borrow_mut().receive(&mut input, now);
            match event {
                Ok(Some(event)) => self.dispatch(event),
                Ok(None) => break,
                Err(_) => {
                    self.lose();
                    break;
                }
            }
        }
        self.with(|_| ());
        self.held.relieve();
        let settling = std::mem::take(&mut *self.settling.borrow_mut());
        settling.into_iter().for_each(Waker::wake);
        wake(&self.driver);
    }

    fn dispatch(&self, event: Event<'_>) {
        match event {
            Event::Request {
                stream,
                request,
                end_stream,
            } => {
                let state = Rc::new(StreamState::default());
                if end_stream {
                    state.inbox.borrow_mut().fate = Fate::Whole;
                }
                self.register(stream, &state);
                self.arrivals
                    .borrow_mut()
                    .push_back(Arrival { request, state });
            }
            Event::Interim { stream, response } => self.interim(stream, response),
            Event::Response {
                stream,
                response,
                end_stream,
            } => self.fill(stream, |inbox| {
                inbox.is_answered = true;
                inbox.heads.push_back(response);
                inbox.end_if(end_stream);
            }),
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => self.content(stream, bytes, end_stream),
            Event::Trailers { stream, trailers } => self.fill(stream, |inbox| {
                inbox.trailers = trailers.text;
                inbox.end_if(true);
            }),
            Event::Reset { stream, code } => self.find(stream, |state| state.reset(code)),
            Event::StreamFault {
                stream,
                fault,
                is_new,
            } => {
                self.find(stream, |state| state.malformed(fault.to_string()));
                if is_new {
                    let refused = Refused { stream, fault };
                    self.refused.borrow_mut().push_back(refused);
                }
            }
            Event::WindowOpen {
                stream: Some(stream),
            } => self.find(stream, StreamState::wake),
            Event::WindowOpen { stream: None } | Event::Settings => self.unblock(),
            Event::GoAway(told) => self.leave_behind(told),
            Event::SettingsAcknowledged | Event::Pong { .. } => {}
        }
    }

    /// They wait for a client that takes them as slowly as it likes, and no window holds the origin back.
    fn interim(&self, stream: u32, response: Box<Response>) {
        const DETAIL: &str = "too many interim responses wait (limits.interim_responses)";
        let limits = self.interim;
        let mut is_over = false;
        self.fill(stream, |inbox| {
            inbox.heads.push_back(response);
            let bytes: usize = inbox.heads.iter().map(|head| head.text.len()).sum();
            is_over = inbox.heads.len() > limits.responses || bytes > limits.bytes;
        });
        if is_over {
            self.find(stream, |state| state.malformed(DETAIL.to_owned()));
            self.with(|codec| codec.reset(stream, ENHANCE_YOUR_CALM));
        }
    }

    fn register(&self, stream: u32, state: &Rc<StreamState>) {
        state.id.set(stream);
        self.held.open(stream, state.clone());
        self.streams.borrow_mut().insert(stream, Rc::clone(state));
    }

    fn find(&self, stream: u32, act: impl FnOnce(&StreamState)) {
        let found = self.streams.borrow().get(&stream).map(Rc::clone);
        if let Some(state) = found {
            act(&state);
        }
    }

    fn fill(&self, stream: u32, fill: impl FnOnce(&mut Inbox)) {
        self.find(stream, |state| {
            fill(&mut state.inbox.borrow_mut());
            state.wake();
        });
    }

    fn content(&self, stream: u32, bytes: &[u8], ends: bool) {
        let found = self.streams.borrow().get(&stream).map(Rc::clone);
        let Some(state) = found else {
            // Nobody reads it any more.
            return self.codec.borrow_mut().release(stream, bytes.len());
        };
        let mut inbox = state.inbox.borrow_mut();
        inbox.push(bytes, &self.held.pool);
        inbox.end_if(ends);
        drop(inbox);
        self.held.received(stream, bytes.len());
        state.wake();
    }

    /// A stream that a request was sent in.
    pub(super) fn opened(&self, stream: u32, state: &Rc<StreamState>) {
        self.register(stream, state);
    }

    /// Nobody reads from a stream or writes to it any more.
    pub(super) fn forget(&self, state: &StreamState) {
        let Some(id) = state.number() else { return };
        self.streams.borrow_mut().remove(&id);
        let mut inbox = state.inbox.borrow_mut();
        let unread = inbox.unread();
        inbox.release(&self.held.pool);
        drop(inbox);
        let withheld = self.held.close(id);
        self.with(|codec| codec.release(id, unread + withheld));
        wake(&self.driver);
    }

    /// Has streams go on that could not send.
    pub(super) fn unblock(&self) {
        if self.has_blocked.replace(false) {
            for state in self.streams.borrow().values() {
                if state.is_blocked.replace(false) {
                    state.wake();
                }
            }
        }
        for state in self.unopened.take() {
            state.wake();
        }
    }

    /// A stream could not send all that it has, or not be opened yet.
    pub(super) fn block(&self, state: &Rc<StreamState>) {
        match state.number() {
            Some(_) => {
                state.is_blocked.set(true);
                self.has_blocked.set(true);
            }
            None => self.unopened.borrow_mut().push(Rc::clone(state)),
        }
    }

    /// RFC 9113 section 6.8: what was opened behind the last stream was not processed.
    fn leave_behind(&self, told: GoingAway) {
        let streams: Vec<_> = self.streams.borrow().values().map(Rc::clone).collect();
        for state in streams {
            let behind = state.id.get() > told.last_stream;
            if behind {
                state.lost(self.declined(state.id.get()), of_goaway(told.code));
            }
        }
    }

    /// Whether the origin has said that it has not processed the request in a stream whose response has not
    /// begun.
    fn declined(&self, stream: u32) -> Option<Declined> {
        let told = self.going_away()?;
        // The last stream is the one for which an origin wants HTTP/1.1. It resets it, or closes the
        // connection over it; what came before may have been processed.
        if told.code == HTTP_1_1_REQUIRED && stream >= told.last_stream {
            return Some(Declined::OverHttp1);
        }
        (stream > told.last_stream).then_some(Declined::Again)
    }

    /// Nothing more comes: tells all who wait for something.
    pub(crate) fn lose(&self) {
        self.ended.set(true);
        let broke = self
            .fault()
            .map(|fault| format!("the origin broke HTTP/2: {fault}"));
        // Streams that it was to finish end with the connection.
        let told = self.going_away().and_then(|told| of_goaway(told.code));
        let streams: Vec<_> = self.streams.borrow().values().map(Rc::clone).collect();
        for state in streams {
            match &broke {
                Some(fault) => state.broken(fault),
                None => state.lost(self.declined(state.id.get()), told.clone()),
            }
        }
        let settling = std::mem::take(&mut *self.settling.borrow_mut());
        settling.into_iter().for_each(Waker::wake);
        self.unblock();
        wake(&self.driver);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sallyport_wire::http1::{HeadLimits, Scheme};
    use sallyport_wire::http2::{Connection, RequestStart, Role, TargetForm};

    use super::*;
    use crate::config::checked::InterimLimits;
    use crate::http2::settings::{Pings, Settings};
    use crate::io::buffers::BufferPool;

    const SETTINGS: Settings = Settings {
        client_streams: 10,
        upstream_streams: 10,
        stream_window_bytes: 65_535,
        connection_window_bytes: 65_535,
        head: HeadLimits {
            head_bytes_max: 4096,
            headers_max: 10,
            uri_bytes_max: 100,
        },
        control_frames_per_second: 10,
        resets_per_second: 10,
        pings: Pings {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
        },
        interim: InterimLimits {
            responses: 3,
            bytes: 1000,
        },
        write_timeout: Duration::from_secs(1),
        linger: Duration::from_secs(1),
        keep_alive: Duration::from_secs(1),
    };

    #[test]
    fn interim_responses_that_nobody_takes_are_bounded() {
        for (sent, is_open) in [(3, true), (4, false), (100, false)] {
            let pool = Rc::new(BufferPool::new(1 << 20));
            let form = TargetForm::Origin(Scheme::Http);
            let link = Link::new((&pool, &Rc::default()), Role::Client, &SETTINGS, form);
            let start = RequestStart {
                method: b"GET",
                scheme: b"http",
                authority: b"a.test",
                path: b"/",
                protocol: None,
            };
            let stream = link
                .with(|codec| codec.send_request(&start, [], true))
                .unwrap();
            let state = Rc::new(StreamState::default());
            link.opened(stream, &state);
            let mut origin = Connection::server(SETTINGS.of_codec(Role::Server, form));
            let mut frames = Vec::new();
            link.with(|codec| codec.transmit(&mut frames));
            let mut input = &frames[..];
            while origin.receive(&mut input, clock::now()).unwrap().is_some() {}
            for _ in 0..sent {
                origin.send_response(stream, 103, [], false).unwrap();
            }
            let mut frames = Vec::new();
            origin.transmit(&mut frames);
            link.take(&frames);
            let inbox = state.inbox.borrow();
            assert_eq!(inbox.fate == Fate::Open, is_open, "{sent}");
            assert_eq!(inbox.heads.len(), sent.min(4), "{sent}");
        }
    }
}
