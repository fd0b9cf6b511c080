//! The JSON of the AWS Network Firewall Proxy preview: what `CreateProxyConfiguration` and
//! `CreateProxyRuleGroup` take and the `Describe…` calls give, read as it is. Knows the members of
//! that API, not what condition keys and operators mean.

mod configuration;
mod dialect;
mod group;
mod position;
mod reader;
mod rule;

pub use configuration::ruleset;
pub use dialect::JsonDialect;
pub use group::group;
