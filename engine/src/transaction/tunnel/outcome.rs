//! HTTP that is spoken inside a tunnel, as a value: a tunnel that was let in is given back to the loop of
//! its connection, which serves what is in it like any other connection.

use sallyport_wire::http1::Version;

use crate::enforcement::Guarded;
use crate::shard::clients::Slot;
use crate::transaction::request::after::After;
use crate::transaction::request::reply::Refusal;
use crate::transport::TlsConnection;
use crate::upstream::tls::Origin;

/// What became of a CONNECT.
#[derive(Debug)]
pub(crate) enum Tunnel {
    /// It was refused, or its bytes have flowed.
    Ended(After),
    /// It holds requests.
    Holds(Inside),
}

/// A tunnel that holds requests.
#[derive(Debug)]
pub(crate) struct Inside {
    /// Where they may go.
    pub(crate) guarded: Guarded,
    /// The place among the tunnels of the client, for as long as this one is open.
    pub(crate) slot: Slot,
    pub(crate) carrier: Carrier,
}

/// What carries the requests inside a tunnel.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// The tunnel itself: nobody has encrypted them.
    Plain(Version),
    /// TLS that ends here.
    Tls(Box<InnerConnection>),
}

/// TLS with a client that takes us for its origin.
#[derive(Debug)]
pub(crate) struct InnerConnection {
    pub(crate) stream: TlsConnection,
    /// Whom TLS is spoken with on the other side.
    pub(crate) origin: Origin,
    /// What the client offered (ALPN).
    pub(crate) protocols: Vec<Box<[u8]>>,
    /// Why the origin could not be asked: the answer to the first request.
    pub(crate) failure: Option<Refusal>,
}
