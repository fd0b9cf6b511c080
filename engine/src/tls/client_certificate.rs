//! What an origin says about a certificate of ours: noted by the connection on which it says so, read by
//! whoever has to explain why a request failed.

use std::cell::Cell;

use rustls::AlertDescription;

/// What was heard on one connection to an origin.
#[derive(Debug, Default)]
pub(crate) struct CertificateDemand {
    /// It asked for a certificate in its handshake.
    was_asked: Cell<bool>,
    /// Its own certificate was believed.
    is_believed: Cell<bool>,
    /// It asked for another handshake, which it was not given.
    renegotiates: Cell<bool>,
    /// What it ended the connection with.
    alert: Cell<Option<AlertDescription>>,
}

impl CertificateDemand {
    pub(super) fn note_asked(&self) {
        self.was_asked.set(true);
    }

    pub(super) fn note_renegotiation(&self) {
        self.renegotiates.set(true);
    }

    pub(super) fn note_alert(&self, alert: AlertDescription) {
        self.alert.set(Some(alert));
    }

    /// Notes that it is the origin that was meant, by its certificate.
    pub(crate) fn note_believed(&self) {
        self.is_believed.set(true);
    }

    /// Whether it asked for a certificate of ours; many do who can do without.
    pub(crate) fn was_asked(&self) -> bool {
        self.was_asked.get()
    }

    /// Whether it asked, and ended the connection because it was shown none.
    ///
    /// Only an alert says so. What it answers in HTTP says less: its client could have provoked that.
    pub(crate) fn is_unmet(&self) -> bool {
        // RFC 8446 section 4.4.2.4 has a word of its own for it; servers of TLS 1.2, and old ones of
        // TLS 1.3, use the others.
        let alert = self.alert.get();
        self.was_asked.get()
            && matches!(
                alert,
                Some(
                    AlertDescription::CertificateRequired
                        | AlertDescription::NoCertificate
                        | AlertDescription::BadCertificate
                        | AlertDescription::HandshakeFailure
                )
            )
    }

    /// Whether it asked for another handshake within the connection: so do servers of TLS 1.2 that want
    /// a certificate for a part of their site only.
    pub(crate) fn renegotiates(&self) -> bool {
        self.renegotiates.get()
    }

    /// Whether who is in want of a certificate is the origin that was meant.
    pub(crate) fn is_believed(&self) -> bool {
        self.is_believed.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_ask_is_not_to_demand() {
        let demand = CertificateDemand::default();
        demand.note_alert(AlertDescription::HandshakeFailure);
        assert!(!demand.is_unmet());
        let demand = CertificateDemand::default();
        demand.note_asked();
        assert!(demand.was_asked() && !demand.is_unmet());
        demand.note_alert(AlertDescription::InternalError);
        assert!(!demand.is_unmet());
        demand.note_alert(AlertDescription::CertificateRequired);
        assert!(demand.is_unmet() && !demand.is_believed());
    }
}
