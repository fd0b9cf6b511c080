//! Sending in a stream: heads, replies of our own, content, trailers.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use sallyport_wire::http1::{
    HeadLimits, HeaderName, MethodKind, Parse, RequestForward, ResponseForward, ResponseHead,
    Scheme, Version,
};
use sallyport_wire::http2::{SendFault, SendField};
use sallyport_wire::invariant::part;

use super::link::Link;
use super::stream::{Asked, OutboundHead, Sent, Side, StreamTransport};
use super::stream_state::Declined;
use super::websocket;

impl StreamTransport {
    /// Sends `data[from..]`: at its end all of it is within the windows of the recipient.
    pub(crate) async fn write_from(&self, data: Vec<u8>, from: usize) -> (io::Result<()>, Vec<u8>) {
        let result = self.send(part(&data, from..), None).await;
        (result, data)
    }

    /// Sends `data[from..]` and, behind it, the end of the message with these trailer lines.
    pub(crate) async fn write_last(
        &self,
        data: Vec<u8>,
        from: usize,
        trailers: &[u8],
    ) -> (io::Result<()>, Vec<u8>) {
        let result = self.send(part(&data, from..), Some(trailers)).await;
        (result, data)
    }

    /// Sends content; `last`: the message ends behind it, with these trailer lines.
    async fn send(&self, input: &[u8], last: Option<&[u8]>) -> io::Result<()> {
        let content = match (self.sent.get(), &self.side) {
            (Sent::Nothing, Side::Client(..)) if !input.is_empty() => self.reply(input).await?,
            _ => input,
        };
        if self.sent.get() == Sent::All {
            // A message without content ended with its head.
            return match content.is_empty() {
                true => Ok(()),
                false => Err(io::ErrorKind::BrokenPipe.into()),
            };
        }
        let ends_with_content = last.is_some_and(<[u8]>::is_empty);
        let mut taken = 0;
        poll_fn(|context| {
            self.poll_act(context, |link, id| {
                let rest = part(content, taken..);
                if rest.is_empty() && !ends_with_content {
                    return Some(Ok(()));
                }
                let sent = link.with(|codec| codec.send_data(id, rest, ends_with_content));
                match sent {
                    Ok(bytes) => {
                        taken += bytes;
                        (taken == content.len()).then_some(Ok(()))
                    }
                    Err(fault) => Some(Err(fault)),
                }
            })
        })
        .await?;
        self.count_out(content.len());
        if let Some(trailers) = last {
            if !trailers.is_empty() {
                self.send_trailers(trailers).await?;
            }
            self.sent.set(Sent::All);
        }
        Ok(())
    }

    async fn send_trailers(&self, lines: &[u8]) -> io::Result<()> {
        poll_fn(|context| {
            self.poll_act(context, |link, id| {
                let fields = fields_of(lines);
                full_is_none(link.with(|codec| codec.send_trailers(id, fields)))
            })
        })
        .await
    }

    /// Sends a head; `end` if no content follows.
    pub(crate) async fn send_head(&self, head: OutboundHead<'_>, end: bool) -> io::Result<()> {
        let before = self.link.with(|codec| codec.output_len());
        match (head, &self.side) {
            (OutboundHead::Request(request), Side::Origin(_, scheme)) => {
                self.send_request(request, *scheme, end).await?;
            }
            (OutboundHead::Response(response), Side::Client(_, asked)) => {
                self.send_response(response, asked, end).await?;
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        let after = self.link.with(|codec| codec.output_len());
        self.count_out(after.saturating_sub(before));
        Ok(())
    }

    async fn send_request(
        &self,
        request: &RequestForward<'_>,
        scheme: Scheme,
        end: bool,
    ) -> io::Result<()> {
        let is_tunnel = request.upgrade && request.head.upgrade.is_some();
        let end = end && !is_tunnel;
        let sent = poll_fn(|context| {
            self.poll_open(context, |link| {
                full_is_none(link.with(|codec| codec.forward_request(request, scheme, end)))
            })
        })
        .await;
        let id = sent.inspect_err(|_| {
            // The request never left: its connection takes no more of them.
            let over_http1 = self.link.wants_http1().then_some(Declined::OverHttp1);
            let declined = Some(over_http1.unwrap_or(Declined::Again));
            self.state.lost(declined, None);
        })?;
        self.link.opened(id, &self.state);
        self.sent.set(match (is_tunnel, end) {
            (true, _) => Sent::Tunnel,
            (false, true) => Sent::All,
            (false, false) => Sent::Head,
        });
        Ok(())
    }

    async fn send_response(
        &self,
        response: &ResponseForward<'_>,
        asked: &Asked,
        end: bool,
    ) -> io::Result<()> {
        let switches = response.head.status == 101;
        if switches {
            self.check_accept(response, asked)?;
        }
        let end = end && !switches;
        poll_fn(|context| {
            self.poll_act(context, |link, id| {
                full_is_none(link.with(|codec| codec.forward_response(id, response, end)))
            })
        })
        .await?;
        let is_final = response.head.status >= 200 || switches;
        if is_final {
            self.sent.set(match (switches, end) {
                (true, _) => Sent::Tunnel,
                (false, true) => Sent::All,
                (false, false) => Sent::Head,
            });
        }
        Ok(())
    }

    /// An origin of HTTP/1.1 has to know the key (RFC 6455 section 4.1).
    fn check_accept(&self, response: &ResponseForward<'_>, asked: &Asked) -> io::Result<()> {
        const ACCEPT: &str = "the origin did not accept the WebSocket key";
        let Some(key) = &asked.key else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut accepted = response
            .head
            .header_values(response.buf, "sec-websocket-accept");
        // Where the origin speaks HTTP/2, its answer is as good.
        let is_of_stream = response.head.version == Version::Http2;
        match is_of_stream || accepted.next() == Some(&websocket::accept(key)[..]) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, ACCEPT)),
        }
    }

    /// Sends the head of a reply of our own, which is text; returns what stands behind it.
    async fn reply<'t>(&self, text: &'t [u8]) -> io::Result<&'t [u8]> {
        let Side::Client(_, asked) = &self.side else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut head = ResponseHead::new();
        let parsed = head.parse(text, &HeadLimits::default(), MethodKind::Get);
        let Ok(Parse::Complete { head_bytes }) = parsed else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let content = part(text, head_bytes..);
        let is_tunnel = asked.is_connect && (200..300).contains(&head.status);
        let ends = !is_tunnel && (asked.is_head || head.content_length == Some(0));
        poll_fn(|context| {
            self.poll_act(context, |link, id| {
                let fields = head.headers.iter().map(|field| SendField {
                    name: field.name.of(text),
                    value: field.value.of(text),
                    never_indexed: false,
                });
                let sent = link.with(|codec| codec.send_response(id, head.status, fields, ends));
                full_is_none(sent)
            })
        })
        .await?;
        self.count_out(head_bytes);
        self.sent.set(match (is_tunnel, ends) {
            (true, _) => Sent::Tunnel,
            (false, true) => Sent::All,
            (false, false) => Sent::Head,
        });
        Ok(content)
    }

    /// Does something in the stream, again and again until it gives something.
    fn poll_act<T>(
        &self,
        context: &mut Context<'_>,
        mut act: impl FnMut(&Link, u32) -> Option<Result<T, SendFault>>,
    ) -> Poll<io::Result<T>> {
        let Some(id) = self.state.number() else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        self.poll_open(context, |link| act(link, id))
    }

    fn poll_open<T>(
        &self,
        context: &mut Context<'_>,
        mut act: impl FnMut(&Link) -> Option<Result<T, SendFault>>,
    ) -> Poll<io::Result<T>> {
        if self.state.is_mute.get() || self.state.is_gone.get() || self.link.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.state.watch(context);
        match act(&self.link) {
            Some(Ok(done)) => Poll::Ready(Ok(done)),
            Some(Err(fault)) => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, fault))),
            None => {
                self.link.block(&self.state);
                Poll::Pending
            }
        }
    }
}

/// What is full takes more later.
fn full_is_none<T>(sent: Result<T, SendFault>) -> Option<Result<T, SendFault>> {
    match sent {
        Err(SendFault::Full) => None,
        sent => Some(sent),
    }
}

/// The fields of trailer lines, which were judged before.
fn fields_of(lines: &[u8]) -> impl Iterator<Item = SendField<'_>> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some(SendField {
            name,
            value: value.get(1..)?.trim_ascii(),
            never_indexed: HeaderName::classify(name) == HeaderName::Authorization,
        })
    })
}
