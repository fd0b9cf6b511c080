//! Receiving the head of a response, interim or final: text over HTTP/1, typed over HTTP/2.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use sallyport_wire::http1::{HeadError, Parse, ResponseHead};

use crate::config::checked::TunnelEnds;
use crate::http2::StreamTransport;
use crate::proxy_error::ProxyError;
use crate::transaction::exchange::answer::{Answer, Failure};
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transport::departure::departed;
use crate::transport::read_buffer::ReadBuffer;

impl Answer<'_> {
    /// Receives until a head is complete; `None` if the client no longer waits for it.
    pub(crate) async fn read_head(
        &self,
        draft: &mut RecordBuilder,
        head: &mut ResponseHead,
        input: &mut ReadBuffer,
    ) -> Result<Option<usize>, Failure> {
        let request = self.request;
        if let Some(stream) = self.upstream.stream() {
            return self.take_head(stream, draft, head, input).await;
        }
        let limits = &request.snapshot.head_limits;
        loop {
            if !input.is_empty() {
                match self.parse(draft, head, input.unread()) {
                    Ok(Parse::Complete { head_bytes }) => return Ok(Some(head_bytes)),
                    Ok(Parse::Incomplete) => {}
                    Err(error) => return Err(Refusal::protocol(error.reason()).into()),
                }
            }
            // One byte more than is allowed, so that a head that is too large is seen to be so.
            let most = limits.head_bytes_max + 1;
            let received = {
                let receiving = pin!(self.more(input, most));
                self.long_step().watch(draft, receiving).await
            };
            let Some(received) = received else {
                return Ok(None);
            };
            match received {
                Ok(0) | Err(_) if self.upstream.expired() => return Err(too_slow()),
                // Nothing at all came: the connection may have been dead before the request was written to it.
                Ok(0) | Err(_) if input.is_empty() => return Err(Failure::Stale),
                Ok(0) | Err(_) => {
                    let cut = "the origin closed the connection within a response head";
                    return Err(Refusal::terminated(cut).into());
                }
                Ok(_) => {}
            }
        }
    }

    /// Takes a head that came in a stream, and puts its text into `input`; `None` as above.
    async fn take_head(
        &self,
        stream: &StreamTransport,
        draft: &mut RecordBuilder,
        head: &mut ResponseHead,
        input: &mut ReadBuffer,
    ) -> Result<Option<usize>, Failure> {
        let pool = self.request.client.buffers();
        let received = {
            let receiving = stream.response(head, |text| input.extend(text, pool));
            let receiving = pin!(self.while_client_waits(receiving));
            self.long_step().watch(draft, receiving).await
        };
        match received {
            None => Ok(None),
            Some(Ok(())) => {
                note_tolerated(draft, head);
                Ok(Some(input.unread().len()))
            }
            Some(Err(_)) if self.upstream.expired() => Err(too_slow()),
            // What the origin said of this stream, and not of its connection.
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Refusal::protocol(error.to_string()).into())
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {
                Err(Refusal::terminated("the origin reset the stream").into())
            }
            Some(Err(_)) => Err(Failure::Stale),
        }
    }

    /// Parses a head; what is wrong with it may be let pass for this origin.
    fn parse(
        &self,
        draft: &mut RecordBuilder,
        head: &mut ResponseHead,
        bytes: &[u8],
    ) -> Result<Parse, HeadError> {
        let request = self.request;
        let (limits, method) = (&request.snapshot.head_limits, request.head.method_kind);
        let mut parsed = head.parse(bytes, limits, method);
        if parsed.is_err_and(HeadError::is_tolerable) {
            // Only now: few responses have a fault, and scopes may be many.
            let leniency = request.snapshot.config.http.leniency(&TunnelEnds {
                domain: self.destination.host.domain(),
                destination: draft.dst_ip,
                port: self.destination.port,
                client: request.client.address.ip(),
            });
            parsed = head.parse_leniently(bytes, limits, method, leniency);
        }
        if let Ok(Parse::Complete { .. }) = parsed {
            note_tolerated(draft, head);
        }
        parsed
    }

    /// Receives more of a head; `None` if the client no longer waits for it.
    async fn more(&self, input: &mut ReadBuffer, most: usize) -> Option<io::Result<usize>> {
        let pool = self.request.client.buffers();
        if !input.is_empty() {
            return Some(input.fill(self.upstream, pool, most).await);
        }
        if !pool.may_wait() {
            // No buffer is held while the origin thinks.
            let _ = self.while_client_waits(self.upstream.readable()).await?;
            return Some(input.fill(self.upstream, pool, most).await);
        }
        let mut fill = pin!(input.fill(self.upstream, pool, most));
        let received = self.while_client_waits(fill.as_mut()).await;
        if received.is_none() {
            // A receive must come to its end.
            self.upstream.cut();
            let _ = fill.await;
        }
        received
    }

    /// Waits for the origin as long as the client waits for it; `None` if it went away.
    async fn while_client_waits<T>(&self, origin: impl Future<Output = T>) -> Option<T> {
        let client = self.request.client;
        let mut origin = pin!(origin);
        let mut departed = pin!(departed(&client.transport, &client.early_byte));
        // A client of HTTP/2 has its own way, see `exchange`.
        let is_stream = client.transport.is_stream();
        poll_fn(|context| {
            if let Poll::Ready(done) = origin.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            // While a body is sent the client is listened to anyway.
            let may_look = !is_stream && self.sent.get().is_some();
            if may_look && departed.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}

fn too_slow() -> Failure {
    let slow = "the origin did not answer in time";
    Refusal::new(ProxyError::HttpResponseTimeout, slow).into()
}

fn note_tolerated(draft: &mut RecordBuilder, head: &ResponseHead) {
    for words in head.tolerated.words() {
        draft.add_detail("the origin's response has ", words);
    }
}
