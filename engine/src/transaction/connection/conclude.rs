//! The end of a request: a reply of ours if one is to be made, its log line, what is next.

use sallyport_wire::http1::Version;

use crate::transaction::exchange::work::{Exchanged, ResponseWork};
use crate::transaction::request::after::After;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::refuse::refuse_and_record;
use crate::transaction::request::reply::Refusal;
use crate::transaction::tunnel::upgrade;

/// Ends a forwarded request: reply if there is one to make, log line, what is next.
pub(crate) async fn conclude(
    request: &Request<'_>,
    destination: Option<&Destination<'_>>,
    outcome: Result<Exchanged, Refusal>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> After {
    let after = match outcome {
        Ok(Exchanged::Complete { keep_alive: true }) => After::Next,
        Ok(Exchanged::Complete { keep_alive: false }) => After::Linger,
        Ok(Exchanged::Broken) => {
            // What the client has is not all there is. HTTP/1.0 knows no other end than that of the connection.
            match request.head.version {
                Version::Http10 => request.client.transport.break_off(),
                Version::Http11 | Version::Http2 => request.client.transport.cut(),
            }
            After::Close
        }
        Ok(Exchanged::Switched(switched)) => {
            let tunnel = upgrade::tunnel(request, destination, *switched, draft, work);
            Box::pin(tunnel).await;
            After::Close
        }
        Err(refusal) => {
            return refuse_and_record(request, destination, &refusal, draft).await;
        }
    };
    draft.finish(request, destination);
    after
}
