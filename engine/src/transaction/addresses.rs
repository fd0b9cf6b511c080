//! Where a request may lead: the addresses of its host.

use std::time::Instant;

use super::destination::{Destination, NormalHost};
use super::reply::Refusal;
use super::request::Request;
use crate::destination::AddressList;
use crate::fair_share::FairShare;

/// The addresses to try, in order.
pub(super) async fn addresses(
    request: &Request<'_>,
    destination: &Destination<'_>,
    now: Instant,
) -> Result<AddressList, Refusal> {
    match destination.host {
        NormalHost::Address(address, _) => Ok(AddressList::one(address)),
        NormalHost::Domain(domain) => {
            let account = request.client.registered.account();
            let share = FairShare::new(request.snapshot.config.limits.per_client.share);
            let resolver = request.proxy.origins.resolver();
            let addresses = resolver.resolve(domain, account, share, now).await?;
            Ok(AddressList::interleaved(addresses.as_slice()))
        }
    }
}
