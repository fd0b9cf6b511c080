//! What the configuration says about who clients are, checked.

use std::net::IpAddr;

use ipnet::IpNet;

/// `listener.proxy_protocol` and `listener.trusted`: who may say for whom it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Whether everybody has to say so.
    pub is_required: bool,
    /// Who is believed; at least one network.
    pub trusted: Vec<IpNet>,
}

impl ProxyProtocol {
    /// Whether a header from this address is believed.
    #[must_use]
    pub fn trusts(&self, sender: IpAddr) -> bool {
        let sender = sender.to_canonical();
        self.trusted.iter().any(|network| network.contains(&sender))
    }
}
