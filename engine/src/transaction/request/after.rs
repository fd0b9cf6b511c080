//! What is next on a connection once a request was served.

use crate::transaction::request::arrival::Arrival;

/// What becomes of the connection after a transaction.
#[derive(Debug)]
pub(crate) enum After {
    /// Another request may follow.
    Next,
    /// The response said that the connection ends; unread input is discarded first.
    Linger,
    /// It ends now.
    Close,
    /// It becomes a tunnel, once what a session holds has been let go of.
    Connect(Arrival),
}
