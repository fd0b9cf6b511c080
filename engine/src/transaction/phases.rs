//! Every call into `enforcement` from a transaction: which facts each phase is shown, among whose
//! decisions its own goes, and how a denial is answered.

use std::net::IpAddr;
use std::time::Instant;

use sallyport_ruleset::Facts;
use sallyport_wire::http1::ResponseHead;

use crate::destination::Prohibited;
use crate::enforcement;
use crate::enforcement::{
    Admitted, Decisions, Denied, Dialable, Early, Guarded, Outbound, Passable, Permitted, Released,
    Rules,
};
use crate::transaction::request::addresses::Addresses;
use crate::transaction::request::context::{AnsweredBy, Request, response_headers};
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;

/// A message of which two recipients could make two things.
const SEVERAL_TYPES: &str = "Content-Type names several media types, and rules look at it";

/// PreDNS.
pub(crate) fn pre_dns(
    request: &Request<'_>,
    destination: &Destination<'_>,
    draft: &mut RecordBuilder,
) -> Result<Admitted, Refusal> {
    let admitted = pre_dns_again(request, destination, &mut draft.decisions);
    request.write_alerts(draft, Some(destination));
    Ok(admitted?)
}

/// PreDNS of what was let in before; its alerts were told then.
pub(crate) fn pre_dns_again(
    request: &Request<'_>,
    destination: &Destination<'_>,
    decisions: &mut Decisions,
) -> Result<Admitted, Denied> {
    let facts = request.pre_dns_facts(destination);
    enforcement::pre_dns(&request.snapshot.rules, &facts, decisions)
}

/// What the destination guard let through when the same was admitted before, while those are its addresses.
pub(crate) fn guarded_before(
    request: &Request<'_>,
    admitted: &Admitted,
    port: u16,
    now: Instant,
) -> Option<Guarded> {
    admitted.guarded_before(&request.snapshot.rules, port, now)
}

/// The destination guard, over the addresses of a name that was admitted.
pub(crate) fn guard(
    request: &Request<'_>,
    admitted: &Admitted,
    resolved: Addresses,
    port: u16,
) -> Result<Guarded, (IpAddr, Prohibited)> {
    let guarded = admitted
        .resolved(resolved.list, port)
        .guard(&request.snapshot.guard)?;
    if let Some(expires) = resolved.expires {
        admitted.remember(&request.snapshot.rules, &guarded, expires);
    }
    Ok(guarded)
}

/// PreREQUEST of a request, with every fact.
pub(crate) fn pre_request<'d>(
    request: &Request<'d>,
    destination: &Destination<'d>,
    guarded: &Guarded,
    draft: &mut RecordBuilder,
) -> Result<(Dialable, Permitted<'d>), Refusal> {
    draft.note_user_agents(request);
    let headers = request.headers(destination);
    let mut facts = request.pre_request_facts(destination, &headers);
    let outbound = Outbound {
        head: request.head,
        bytes: request.bytes,
        authority: destination.authority,
        path_and_query: destination.path_and_query,
    };
    let rules = &request.snapshot.rules;
    let permitted = guarded.pre_request(rules, (outbound, &mut facts), &mut draft.decisions);
    request.write_alerts(draft, Some(destination));
    let (dialable, permitted) = permitted?;
    if !rules.has_one_meaning(&facts) {
        return Err(Refusal::malformed(400, SEVERAL_TYPES));
    }
    draft.dst_ip = dialable.addresses().first().copied();
    Ok((dialable, permitted))
}

/// PreREQUEST of a request that was permitted before and has switched protocols; its alerts were told
/// then.
pub(crate) fn pre_request_again(
    request: &Request<'_>,
    destination: &Destination<'_>,
    guarded: &Guarded,
    decisions: &mut Decisions,
) -> Result<(), Denied> {
    let headers = request.headers(destination);
    let facts = request.pre_request_facts(destination, &headers);
    pre_request_of_tunnel(request, guarded, &facts, decisions).map(|_| ())
}

/// As much of PreREQUEST as can be said of a tunnel while facts are missing.
pub(crate) fn early(
    request: &Request<'_>,
    guarded: &Guarded,
    facts: &Facts<'_>,
    decisions: &mut Decisions,
) -> Result<Early, Denied> {
    guarded.early(&request.snapshot.rules, facts, decisions)
}

/// PreREQUEST of a tunnel of bytes, whose facts are all there.
pub(crate) fn pre_request_of_tunnel(
    request: &Request<'_>,
    guarded: &Guarded,
    facts: &Facts<'_>,
    decisions: &mut Decisions,
) -> Result<(Dialable, Passable), Denied> {
    guarded.pre_request_of_tunnel(&request.snapshot.rules, facts, decisions)
}

/// The same where the connection was made early, for the address that it leads to.
pub(crate) fn pre_request_of_connected(
    request: &Request<'_>,
    (dialable, connected): (&Dialable, IpAddr),
    facts: &Facts<'_>,
    decisions: &mut Decisions,
) -> Result<Passable, Denied> {
    dialable.pre_request_of_tunnel(connected, &request.snapshot.rules, facts, decisions)
}

/// A response whose head was received.
#[derive(Clone, Copy)]
pub(crate) struct Answered<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) destination: &'a Destination<'a>,
    pub(crate) head: &'a ResponseHead,
    /// What the spans of `head` refer to.
    pub(crate) bytes: &'a [u8],
}

/// PostRESPONSE.
pub(crate) fn post_response(
    answered: Answered<'_>,
    draft: &mut RecordBuilder,
) -> Result<Released, Refusal> {
    draft.note_content_types(answered.head, answered.bytes);
    let mut decisions = std::mem::take(&mut draft.decisions);
    let released = judge_response(answered, draft, &mut decisions);
    draft.decisions = decisions;
    let Answered {
        request,
        destination,
        ..
    } = answered;
    request.write_alerts(draft, Some(destination));
    released?.ok_or_else(|| Refusal::protocol(SEVERAL_TYPES))
}

/// PostRESPONSE of an interim response. Its alerts are told beside those of the final one. `None`: it is
/// denied although it `may_be_left_out`, and the final one decides.
pub(crate) fn post_response_of_interim(
    answered: Answered<'_>,
    may_be_left_out: bool,
    draft: &mut RecordBuilder,
) -> Result<Option<Released>, Refusal> {
    let mut decisions = Decisions::default();
    let released = judge_response(answered, draft, &mut decisions);
    let Answered {
        request,
        destination,
        ..
    } = answered;
    match released {
        Ok(Some(released)) => {
            draft.decisions.keep(decisions);
            request.write_alerts(draft, Some(destination));
            Ok(Some(released))
        }
        Ok(None) => Err(Refusal::protocol(SEVERAL_TYPES)),
        Err(_) if may_be_left_out => Ok(None),
        Err(denied) => {
            draft.decisions.adopt(decisions);
            request.write_alerts(draft, Some(destination));
            Err(denied.into())
        }
    }
}

/// What the rules say of a response; `None` if it has more than one meaning to them.
fn judge_response(
    answered: Answered<'_>,
    draft: &RecordBuilder,
    decisions: &mut Decisions,
) -> Result<Option<Released>, Denied> {
    let Answered {
        request,
        destination,
        head,
        bytes,
    } = answered;
    let rules: &Rules = &request.snapshot.rules;
    let headers = request.headers(destination);
    let answered = response_headers(head, bytes);
    let from = AnsweredBy {
        address: draft.dst_ip,
        certificate: draft.certificate.as_deref(),
    };
    let facts = request.post_response_facts(destination, &headers, from, head, &answered);
    let released = enforcement::post_response(rules, &facts, decisions)?;
    Ok(rules.has_one_meaning(&facts).then_some(released))
}
