//! The requests inside a tunnel: a connection like any other, which ends with the tunnel.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;

use sallyport_wire::http1::{Authority, Version};

use crate::access_log::TlsHandling;
use crate::enforcement::Guarded;
use crate::transaction::connection::ending::end;
use crate::transaction::request::after::After;
use crate::transaction::request::arrival::ConnectParts;
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::tls_notes::{InnerTls, TlsNotes};
use crate::transaction::tunnel::connect::locate;
use crate::transaction::tunnel::held::{Hello, Holds};
use crate::transaction::tunnel::outcome::{Carrier, InnerConnection, Inside};
use crate::transaction::tunnel::scope::InnerScope;
use crate::transaction::tunnel::standing::OpenTunnel;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// Has `requests` serve what is inside a tunnel, and writes its line when that is over.
pub(crate) async fn serve(
    parts: ConnectParts<'_>,
    inside: Inside,
    input: &mut ReadBuffer,
    requests: impl Requests,
) -> After {
    let ConnectParts {
        request,
        texts,
        draft,
        response: _,
        response_text: _,
    } = parts;
    // As it was found before: the text is the same.
    let (authority, destination) = match locate(&request, texts, draft) {
        Ok(located) => located,
        Err(refusal) => {
            draft.fail(refusal.error, refusal.detail);
            draft.finish(&request, None);
            return After::Close;
        }
    };
    let Inside {
        guarded,
        slot: _slot,
        carrier,
    } = inside;
    let tunnel = LetIn {
        request: &request,
        authority: &authority,
        destination: &destination,
        guarded,
    };
    let after = match carrier {
        Carrier::Plain(version) => tunnel.plain(version, (draft, input), requests).await,
        Carrier::Tls(inner) => {
            tunnel.in_tls(*inner, draft, requests).await;
            After::Close
        }
    };
    draft.finish(&request, Some(&destination));
    after
}

/// The loop of a connection, for what is inside a tunnel.
pub(crate) trait Requests:
    AsyncFnOnce(&ClientContext, &mut ReadBuffer, &InnerScope<'_>) -> After
{
}

impl<F> Requests for F where
    F: AsyncFnOnce(&ClientContext, &mut ReadBuffer, &InnerScope<'_>) -> After
{
}

/// A tunnel that was let in, before a request inside has come.
struct LetIn<'a> {
    /// The CONNECT.
    request: &'a Request<'a>,
    authority: &'a Authority<'a>,
    destination: &'a Destination<'a>,
    guarded: Guarded,
}

impl LetIn<'_> {
    async fn plain(
        self,
        version: Version,
        (draft, input): (&mut RecordBuilder, &mut ReadBuffer),
        requests: impl Requests,
    ) -> After {
        let standing = (self.guarded, None);
        let tunnel = OpenTunnel::of_requests(self.request, self.destination, Holds::Http, standing)
            .let_in_by(&draft.decisions);
        let scope = InnerScope {
            authority: self.authority,
            host: self.destination.host,
            port: self.destination.port,
            tunnel: &tunnel,
            prior_knowledge: version == Version::Http2,
            tls: None,
        };
        let serving = pin!(requests(self.request.client, input, &scope));
        let after = tunnel.long_step(None).begin(draft, serving).await;
        tunnel.conclude(draft);
        after
    }

    async fn in_tls(
        self,
        inner: InnerConnection,
        draft: &mut RecordBuilder,
        requests: impl Requests,
    ) {
        let Request { proxy, client, .. } = *self.request;
        let InnerConnection {
            stream,
            origin,
            protocols,
            failure,
        } = inner;
        let alpn: Vec<&[u8]> = protocols.iter().map(|protocol| &**protocol).collect();
        let notes = draft.tls.clone();
        let tls = InnerTls {
            notes: notes.unwrap_or_else(|| Rc::new(TlsNotes::empty(TlsHandling::Intercept))),
            alpn: &alpn,
            failure: RefCell::new(failure),
        };
        let holds = Holds::Intercepted(Hello {
            notes: &tls.notes,
            alpn: tls.alpn,
        });
        let standing = (self.guarded, Some(origin));
        let tunnel = OpenTunnel::of_requests(self.request, self.destination, holds, standing)
            .let_in_by(&draft.decisions);
        let inner = client.within(Transport::Tls(Box::new(stream)));
        let scope = InnerScope {
            authority: self.authority,
            host: self.destination.host,
            port: self.destination.port,
            tunnel: &tunnel,
            prior_knowledge: false,
            tls: Some(&tls),
        };
        let serving = pin!(async {
            let mut input = ReadBuffer::default();
            let after = requests(&inner, &mut input, &scope).await;
            end(&proxy.shard, &inner, &mut input, after).await;
        });
        tunnel.long_step(None).begin(draft, serving).await;
        tunnel.conclude(draft);
    }
}
