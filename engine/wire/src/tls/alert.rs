//! Alert records in the clear (RFC 8446 section 6), to refuse a client before
//! any key is agreed on. Called by the engine where a tunnel is denied.

/// Why a handshake is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AlertDescription {
    /// The message was not expected here.
    UnexpectedMessage = 10,
    /// No acceptable set of parameters.
    HandshakeFailure = 40,
    /// A field is out of range or contradicts another.
    IllegalParameter = 47,
    /// Valid, but policy says no.
    AccessDenied = 49,
    /// The message cannot be decoded.
    DecodeError = 50,
    /// No version in common.
    ProtocolVersion = 70,
    /// Our own fault.
    InternalError = 80,
    /// No server of this name.
    UnrecognizedName = 112,
}

/// One alert record of level fatal.
pub fn fatal_alert(description: AlertDescription) -> [u8; 7] {
    const ALERT: u8 = 21;
    const FATAL: u8 = 2;
    [ALERT, 3, 3, 0, 2, FATAL, description as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_denied_is_alert_49() {
        let record = fatal_alert(AlertDescription::AccessDenied);
        assert_eq!(record, [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x31]);
    }
}
