//! Lists of `host:port`: plain ones, and the `allowed-endpoints` of workflows that use
//! harden-runner.

mod endpoint;
mod unsupported;
mod walk;

pub use walk::{EndpointsOptions, import};
