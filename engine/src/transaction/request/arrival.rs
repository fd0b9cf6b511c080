//! A request that has come, before what it asks for is looked at.

use std::rc::Rc;
use std::time::Instant;

use sallyport_wire::http1::ResponseHead;

use crate::clock::since_1970;
use crate::identity::Subject;
use crate::shard::Snapshot;
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::context::Request;
use crate::transaction::request::proxy::Proxy;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::target::Scratch;
use crate::transaction::request::workspace::Workspace;

/// A request whose head was read, and what was allocated for it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) snapshot: Rc<Snapshot>,
    pub(crate) subject: Rc<Subject>,
    pub(crate) workspace: Box<Workspace>,
    pub(crate) started: Instant,
    pub(crate) unix_time: i64,
}

/// A CONNECT and what it is served with, each to be used by itself.
#[derive(Debug)]
pub(crate) struct ConnectParts<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) texts: Scratch<'a>,
    pub(crate) draft: &'a mut RecordBuilder,
    /// Room for a response that never comes.
    pub(crate) response: &'a mut ResponseHead,
    pub(crate) response_text: &'a mut Vec<u8>,
}

impl Arrival {
    /// The parts of a CONNECT, which has neither TLS nor a tunnel around it.
    pub(crate) fn of_connect<'a>(
        &'a mut self,
        proxy: &'a Rc<Proxy>,
        client: &'a ClientContext,
    ) -> ConnectParts<'a> {
        let Workspace {
            request: head,
            bytes,
            response,
            response_text,
            path,
            uri,
            domain,
            draft,
        } = &mut *self.workspace;
        ConnectParts {
            request: Request {
                proxy,
                client,
                subject: &self.subject,
                snapshot: &self.snapshot,
                head,
                bytes,
                started: self.started,
                unix_time: self.unix_time,
                tls: None,
                target_origin: None,
                tunnel: None,
                standing: None,
            },
            texts: Scratch::of(path, uri, domain),
            draft,
            response,
            response_text,
        }
    }
}

/// Now, for the rules.
pub(crate) fn unix_seconds() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}
