//! A request whose head has been read, and the facts that rules see of it.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use sallyport_pki::OriginCertificate;
use sallyport_ruleset::{Composed, Fact, Facts, FieldValues, HeaderFields, Protocol};
use sallyport_wire::http1::{
    BodyFraming, HeaderField, HeaderName, RequestHead, ResponseHead, Version, end_to_end,
};

use crate::destination::AddressList;
use crate::enforcement::{Decisions, Guarded};
use crate::identity::Subject;
use crate::shard::Snapshot;
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::grounds::Standing;
use crate::transaction::request::proxy::Proxy;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::tls_notes::{InnerTls, TlsNotes};
use crate::upstream::tls::Origin;

/// The tunnel that a request came in, as far as the request is concerned.
pub(crate) trait Enclosing: std::fmt::Debug {
    /// Whether it may go on.
    fn is_standing(&self) -> bool;

    /// Whether something to `destination`, which is reached at `addresses`, may go on inside.
    fn admit_inside(
        &self,
        request: &Request<'_>,
        destination: &Destination<'_>,
        addresses: AddressList,
        decisions: &mut Decisions,
    ) -> Result<Guarded, Refusal>;
}

/// One request; everything in it stays as it is until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) proxy: &'a Rc<Proxy>,
    pub(crate) client: &'a ClientContext,
    /// Who it is by.
    pub(crate) subject: &'a Rc<Subject>,
    pub(crate) snapshot: &'a Rc<Snapshot>,
    pub(crate) head: &'a RequestHead,
    /// What the spans of `head` refer to.
    pub(crate) bytes: &'a [u8],
    pub(crate) started: Instant,
    /// Seconds since 1970, for the rules.
    pub(crate) unix_time: i64,
    /// The TLS that the request came in, if its tunnel is intercepted.
    pub(crate) tls: Option<&'a InnerTls<'a>>,
    /// The origin of an `https` target, once its addresses are known.
    pub(crate) target_origin: Option<&'a Origin>,
    /// The tunnel that it came in.
    pub(crate) tunnel: Option<&'a dyn Enclosing>,
    /// What that stood on when the request came.
    pub(crate) standing: Option<&'a Standing>,
}

const CONTENT_TYPE: &str = "content-type";

/// Who has sent a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnsweredBy<'a> {
    pub(crate) address: Option<IpAddr>,
    pub(crate) certificate: Option<&'a OriginCertificate>,
}

/// The header fields of a head as rules see them.
#[derive(Debug)]
pub(crate) struct Headers<'a> {
    fields: &'a [HeaderField],
    bytes: &'a [u8],
    /// `Host` as it is sent to the origin, whatever the client wrote; requests only.
    host: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// The values of one field, by its id and its name in lower case.
    fn values(&'a self, id: HeaderName, name: &'static str) -> Fact<FieldValues<'a>> {
        let mut all = end_to_end(self.fields, id);
        match (all.next(), all.next()) {
            (None, _) => Fact::Absent,
            (Some(value), None) => Fact::Known(FieldValues::One(value.of(self.bytes))),
            (Some(_), Some(_)) => Fact::Known(FieldValues::Named(self, name)),
        }
    }
}

impl HeaderFields for Headers<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        if let Some(host) = self.host {
            visit(b"Host", host);
        }
        for field in self.fields {
            // Credentials for the proxy are between it and the client, and what the client wrote as
            // `Host` goes nowhere. What `Connection` names is not sent on either: a rule that it
            // satisfied would be satisfied by nothing.
            let is_ours = field.id == HeaderName::ProxyAuthorization
                || (self.host.is_some() && field.id == HeaderName::Host);
            if !is_ours && !field.is_named_by_connection() {
                visit(field.name.of(self.bytes), field.value.of(self.bytes));
            }
        }
    }
}

impl<'a> Request<'a> {
    /// The header fields as they are judged: with the `Host` that the origin will see.
    pub(crate) fn headers<'h>(&self, destination: &Destination<'h>) -> Headers<'h>
    where
        'a: 'h,
    {
        Headers {
            fields: &self.head.headers,
            bytes: self.bytes,
            host: Some(destination.authority.as_bytes()),
        }
    }

    /// Whom TLS is spoken with: the end of an intercepted tunnel, or of an `https` target.
    pub(crate) fn origin(&self) -> Option<&'a Origin> {
        let of_tunnel = self.standing.and_then(|standing| standing.origin.as_ref());
        of_tunnel.or(self.target_origin)
    }

    /// Whether the origin is spoken to in TLS.
    pub(crate) fn goes_in_tls(&self) -> bool {
        self.tls.is_some() || self.target_origin.is_some()
    }

    /// Whether its connection, or the tunnel that it came in, ends with it.
    pub(crate) fn is_last(&self) -> bool {
        self.proxy.shard.is_draining() || self.tunnel.is_some_and(|tunnel| !tunnel.is_standing())
    }

    /// Whether a body follows the head.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(
            self.head.framing,
            BodyFraming::None | BodyFraming::Length(0)
        )
    }

    /// What is known before the name is resolved.
    pub(crate) fn pre_dns_facts(&self, destination: &Destination<'a>) -> Facts<'a> {
        let client = self.client;
        let mut facts = Facts {
            source_ip: Fact::Known(client.address.ip()),
            source_port: Fact::Known(client.address.port()),
            time: Fact::Known(self.unix_time),
            protocol: Fact::Known(match self.head.version {
                Version::Http2 => destination.protocol.with(Protocol::H2),
                Version::Http10 | Version::Http11 => destination.protocol,
            }),
            destination_domain: destination.host.domain().into(),
            destination_host: Fact::Known(Composed::Host(destination.host.parts())),
            authority: Fact::Known(destination.target()),
            destination_port: Fact::Known(destination.port),
            ..Facts::unknown()
        };
        self.subject.tell(&mut facts);
        facts
    }

    /// Everything that is known once the head is read, but the address.
    pub(crate) fn pre_request_facts<'h>(
        &self,
        destination: &Destination<'h>,
        headers: &'h Headers<'h>,
    ) -> Facts<'h>
    where
        'a: 'h,
    {
        let notes = self.tls.map(|tls| &*tls.notes);
        // Changed in place, here and below: facts are the largest of what a request copies.
        let mut facts = self.pre_dns_facts(destination);
        facts.tls_sni = notes.and_then(|notes| notes.sni.as_deref()).into();
        facts.tls_alpn = self.tls.map(|tls| tls.alpn).into();
        facts.tls_version = notes
            .and_then(|notes| notes.version.map(str::as_bytes))
            .into();
        facts.ja4 = notes.map(|notes| notes.ja4.as_bytes()).into();
        facts.tls_ech = notes.and_then(TlsNotes::ech).into();
        facts.uri = Fact::Known(destination.uri);
        facts.url = Fact::Known(destination.url());
        facts.method = Fact::Known(self.head.method.of(self.bytes));
        facts.user_agent = headers.values(HeaderName::UserAgent, "user-agent");
        facts.content_type = headers.values(HeaderName::ContentType, CONTENT_TYPE);
        facts.host = Fact::Known(destination.authority.as_bytes());
        facts.content_length = self.head.content_length.into();
        facts.request_headers = Fact::Known(headers);
        facts
    }

    /// Everything that is known once the response head is read.
    pub(crate) fn post_response_facts<'h>(
        &self,
        destination: &Destination<'h>,
        headers: &'h Headers<'h>,
        from: AnsweredBy<'h>,
        response: &'h ResponseHead,
        response_headers: &'h Headers<'h>,
    ) -> Facts<'h>
    where
        'a: 'h,
    {
        let mut facts = self.pre_request_facts(destination, headers);
        facts.destination_ip = from.address.into();
        facts.status_code = Fact::Known(response.status);
        facts.response_content_length = response.content_length.into();
        facts.response_content_type =
            response_headers.values(HeaderName::ContentType, CONTENT_TYPE);
        facts.response_headers = Fact::Known(response_headers);
        let certificate = from.certificate;
        facts.tls_issuer = certificate
            .map(|certificate| certificate.issuer().as_bytes())
            .into();
        facts.tls_sha256 = certificate
            .map(|certificate| certificate.sha256_hex().as_bytes())
            .into();
        facts
    }
}

/// The fields of a response.
pub(crate) fn response_headers<'a>(response: &'a ResponseHead, bytes: &'a [u8]) -> Headers<'a> {
    Headers {
        fields: &response.headers,
        bytes,
        host: None,
    }
}
