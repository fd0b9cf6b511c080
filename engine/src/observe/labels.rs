//! The labels that there are, with their values.

use super::label::{Label, Names};
use crate::limits::LISTENERS_MAX;

/// A listener, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenerIndex(pub(crate) usize);

impl Label for ListenerIndex {
    const NAME: &'static str = "listener";
    const SIZE: usize = LISTENERS_MAX;

    fn index(self) -> usize {
        self.0
    }

    fn count(names: &Names) -> usize {
        names.listeners.len()
    }

    fn text(index: usize, names: &Names) -> &str {
        names.listeners.get(index).map_or("", |name| name)
    }
}

/// Enumerations that are labels.
macro_rules! labels {
    ($($(#[$doc:meta])* $label:ident $name:literal { $($value:ident $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $label { $($value,)* }

        impl $label {
            const TEXTS: &'static [&'static str] = &[$($text,)*];
        }

        impl Label for $label {
            const NAME: &'static str = $name;
            const SIZE: usize = Self::TEXTS.len();

            fn index(self) -> usize {
                self as usize
            }

            fn text(index: usize, _: &Names) -> &str {
                Self::TEXTS.get(index).copied().unwrap_or_default()
            }
        }
    )*};
}

labels! {
    /// The last phase that decided.
    Phase "phase" {
        None "none",
        PreDns "PreDNS",
        PreRequest "PreREQUEST",
        PostResponse "PostRESPONSE",
    }

    /// What was decided, by rules or by the configuration.
    Action "action" {
        None "none",
        Allow "allow",
        Deny "deny",
    }

    /// The first digit of the status that the client was answered with.
    StatusClass "status" {
        None "none",
        Informational "1xx",
        Success "2xx",
        Redirection "3xx",
        ClientError "4xx",
        ServerError "5xx",
    }

    /// A tunnel lasts for as long as its ends want.
    TransactionKind "kind" {
        Request "request",
        Tunnel "tunnel",
    }

    /// What is known of a tunnel when it is let in.
    TunnelKind "kind" {
        Connect "connect",
        Upgrade "upgrade",
    }

    /// Which of its two sides.
    Leg "leg" {
        Client "client",
        Origin "origin",
    }

    /// As seen from here.
    Direction "direction" {
        Received "received",
        Sent "sent",
    }

    /// How a look-up of a name was answered.
    LookupResult "result" {
        Cached "cached",
        CachedError "cached_error",
        Static "static",
        Resolved "resolved",
        Failed "failed",
        Refused "refused",
    }

    /// What carries a query.
    DnsTransport "transport" {
        Udp "udp",
        Tcp "tcp",
    }

    /// Why an address is not dialed.
    GuardReason "reason" {
        OwnListener "own_listener",
        Unspecified "unspecified",
        Loopback "loopback",
        LinkLocal "link_local",
        Metadata "metadata",
        Multicast "multicast",
        Broadcast "broadcast",
        OwnAddress "own_address",
        Private "private",
        Configured "configured",
    }

    /// How a handshake ended.
    HandshakeResult "result" {
        Completed "completed",
        Failed "failed",
    }

    /// Whether a session of before was taken up.
    Resumed "resumed" {
        No "false",
        Yes "true",
    }

    /// Where a certificate of ours came from.
    MintResult "result" {
        Minted "minted",
        Cached "cached",
    }

    /// How an attempt to connect to an origin ended.
    ConnectResult "result" {
        Connected "connected",
        Refused "refused",
        TimedOut "timeout",
        Unroutable "unroutable",
        Failed "failed",
    }

    /// Whether a connection had served before.
    Reused "reused" {
        No "false",
        Yes "true",
    }

    /// Which limit refused something.
    Limit "limit" {
        Connections "connections",
        ConnectionsPerClient "connections_per_client",
        TunnelsPerClient "tunnels_per_client",
        RequestsPerSecond "requests_per_second_per_client",
        Shard "shard",
        ClientShare "client_share",
    }

    /// Why it is not known who asks.
    AuthenticationFailure "reason" {
        Missing "missing",
        Wrong "wrong",
        TooMany "too_many_failures",
        Busy "busy",
    }

    /// What became of new configuration or rules.
    ReloadResult "result" {
        Adopted "adopted",
        Refused "refused",
    }
}

impl StatusClass {
    /// The class of a status; `None`: nothing was answered.
    pub(crate) fn of(status: Option<u16>) -> Self {
        match status {
            Some(100..=199) => Self::Informational,
            Some(200..=299) => Self::Success,
            Some(300..=399) => Self::Redirection,
            Some(400..=499) => Self::ClientError,
            Some(500..=599) => Self::ServerError,
            _ => Self::None,
        }
    }
}
