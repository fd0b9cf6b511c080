//! Where a request may lead: the addresses of its host.

use std::pin::pin;
use std::time::Instant;

use crate::destination::AddressList;
use crate::fair_share::FairShare;
use crate::io::unless_cut::unless_cut;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::{Destination, NormalHost};
use crate::transaction::request::reply::Refusal;

/// The addresses to try, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) list: AddressList,
    /// Until when a name has them; none for an address that stands for itself.
    pub(crate) expires: Option<Instant>,
}

/// Where `destination` leads to.
pub(crate) async fn addresses(
    request: &Request<'_>,
    destination: &Destination<'_>,
    now: Instant,
) -> Result<Addresses, Refusal> {
    match destination.host {
        NormalHost::Address(address, _) => Ok(Addresses {
            list: AddressList::one(address),
            expires: None,
        }),
        NormalHost::Domain(domain) => {
            let account = request.client.registered.account();
            let share = FairShare::new(request.snapshot.config.limits.per_client.share);
            let resolver = request.proxy.origins.resolver();
            let resolving = pin!(resolver.resolve(domain, account, share, now));
            let resolved = unless_cut(&request.proxy.shard.wheel, resolving).await;
            let addresses = resolved.ok_or_else(Refusal::ended)??;
            Ok(Addresses {
                list: AddressList::interleaved(addresses.as_slice()),
                expires: Some(addresses.expires()),
            })
        }
    }
}
