//! A new connection to one of the addresses that were judged, and what it is kept under.

use std::net::SocketAddr;

use crate::clock;
use crate::enforcement::Dialable;
use crate::io::socket::Socket;
use crate::io::unless_cut::unless_cut;
use crate::observe::ConnectResult;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transport::Transport;
use crate::upstream::dial::{DialError, DialLimits, dial};
use crate::upstream::pool::{PoolKey, UpstreamConnection};
use crate::upstream::tls::Origin;

/// What a connection to `address` is kept under.
pub(crate) fn pool_key<'a>(
    origin: Option<&'a Origin>,
    destination: &Destination<'a>,
    address: SocketAddr,
) -> PoolKey<'a> {
    PoolKey {
        host: origin.map_or(destination.host.as_str(), |origin| &origin.host),
        address,
        tls: origin.map(|origin| origin.parameters.id),
    }
}

/// A new connection to one of the addresses, as the kernel gives it.
pub(crate) async fn connect_plain(
    request: &Request<'_>,
    dialable: &Dialable,
    draft: &mut RecordBuilder,
) -> Result<Box<UpstreamConnection>, Refusal> {
    let started = clock::now();
    let limits = DialLimits::of(&request.snapshot.config);
    let wheel = &request.proxy.shard.wheel;
    let once = async || {
        // Boxed, as all of what makes a connection is: most requests find one.
        let mut dialing = Box::pin(dial(dialable, limits));
        let dialed = unless_cut(wheel, dialing.as_mut()).await;
        dialed.unwrap_or(Err(DialError::Ended))
    };
    let mut dialed = once().await;
    if dialed.as_ref().is_err_and(DialError::wants_descriptors)
        && request.proxy.make_descriptors().await
    {
        dialed = once().await;
    }
    draft.t_connect = Some(clock::since(started));
    let metrics = &request.proxy.shard.metrics;
    metrics.upstream_connects.count((connect_result(&dialed),));
    let (line, address) = dialed.inspect_err(|error| {
        draft.dst_ip = error.address().map(|address| address.ip()).or(draft.dst_ip);
    })?;
    draft.dst_ip = Some(address.ip());
    let shard = &request.proxy.shard;
    let socket = Socket::new(line, &shard.wheel, &shard.origin_traffic);
    socket.look_after(&request.snapshot.liveness);
    Ok(Box::new(UpstreamConnection {
        transport: Transport::Plain(socket),
        address,
        reused: false,
        has_idled: false,
        certificate: None,
        demand: None,
    }))
}

fn connect_result<T>(dialed: &Result<T, DialError>) -> ConnectResult {
    match dialed {
        Ok(_) => ConnectResult::Connected,
        Err(DialError::Refused(_)) => ConnectResult::Refused,
        Err(DialError::TimedOut(_)) => ConnectResult::TimedOut,
        Err(DialError::Unroutable(_)) => ConnectResult::Unroutable,
        Err(DialError::Exhausted(_) | DialError::Failed { .. } | DialError::Ended) => {
            ConnectResult::Failed
        }
    }
}
