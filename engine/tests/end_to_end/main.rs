//! End-to-end tests: the real proxy on loopback, between real clients and real origins.
//!
//! One binary, so that all of it is linked once and runs side by side; one subject a file. What a
//! test needs of the system and does not find is said aloud (`SKIPPED` and why), or is a failure with
//! `SALLYPORT_TESTS_NO_SKIP=1`. See `docs/internals/end-to-end-tests.md`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod admin;
mod authentication;
mod bad_origins;
mod client_certificate_reload;
mod client_certificates;
mod clients;
mod clock;
mod common;
mod connect_host;
mod curl;
mod decisions;
mod departures;
mod dns_settings;
mod early_responses;
mod effects;
mod exit_status;
mod facts;
mod fair_shares;
mod forwarding;
mod fronting;
mod guard;
mod happy_eyeballs;
mod hostile_requests;
mod hostile_responses;
mod http2;
mod http2_leaving;
mod http2_memory;
mod http2_settings;
mod https_targets;
mod hyper_client;
mod intercepted_clients;
mod intercepted_origins;
mod interception;
mod large_rulesets;
mod live_streams;
mod log_lines;
mod max_forwards;
mod message_forms;
mod message_limits;
mod messages;
mod migrated;
mod minted_keys;
mod nginx;
mod open_tunnels;
#[path = "../../pki/tests/minting/openssl.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of minting, which use all of it"
)]
mod openssl;
mod operation;
mod origin_failures;
mod origin_leniency;
mod own_addresses;
mod paths;
mod proxy_protocol;
mod python;
mod refusals;
mod refused_connects;
mod reload;
mod renegotiation;
mod resolver;
mod scopes;
mod session_auth;
mod settings;
mod shortage;
mod signatures;
mod slow_uploads;
mod soak;
mod stale_connections;
mod tls_bulk;
mod tls_clients;
mod tls_content;
mod tls_sessions;
mod tls_settings;
mod trust_changes;
mod tunnels;
mod unseen_rules;
mod upgrades;
mod vectors;
mod whole_urls;

use common::programs;
