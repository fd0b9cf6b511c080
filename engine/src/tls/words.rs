//! What the library says, in the field's words: logs and answers are read by people who know TLS and
//! not the names in somebody's code.

use std::borrow::Cow;

use rustls::{AlertDescription, CertificateError, Error, PeerMisbehaved};

/// The name of an alert (RFC 8446 section 6 and the registry of IANA).
pub(crate) fn alert_name(alert: AlertDescription) -> Cow<'static, str> {
    let number = u8::from(alert);
    let name = ALERTS.iter().find(|(known, _)| *known == number);
    match name {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("alert {number}")),
    }
}

const ALERTS: &[(u8, &str)] = &[
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
    (121, "ech_required"),
];

/// What made TLS fail.
pub(crate) fn tls_fault(error: &Error) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        Error::AlertReceived(alert) => return format!("alert {}", alert_name(*alert)).into(),
        Error::PeerIncompatible(_) => {
            "no version, cipher suite, key exchange or signature in common"
        }
        Error::NoApplicationProtocol => "no application protocol in common (ALPN)",
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a message out of order"
        }
        Error::InvalidMessage(_) => "a malformed message",
        Error::PeerMisbehaved(PeerMisbehaved::ServerNameMustContainOneHostName) => {
            "a server name that is none"
        }
        Error::PeerMisbehaved(_) | Error::InvalidEncryptedClientHello(_) => {
            "the other side broke the protocol"
        }
        Error::DecryptError => "a record that cannot be decrypted",
        Error::PeerSentOversizedRecord => "a record that is too large",
        Error::NoCertificatesPresented => "no certificate was presented",
        Error::InvalidCertificate(error) => certificate_fault(error),
        Error::InvalidCertRevocationList(_) => "a revocation list that cannot be used",
        Error::UnsupportedNameType => "a kind of server name that TLS does not have",
        Error::EncryptError | Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime => {
            "this machine failed at it"
        }
        _ => "it broke off",
    })
}

/// What is wrong with the certificate of a client.
fn certificate_fault(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "an expired certificate"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "a certificate that is not yet valid"
        }
        CertificateError::Revoked => "a revoked certificate",
        CertificateError::UnknownIssuer => "a certificate of an unknown issuer",
        CertificateError::BadSignature => "a certificate with a bad signature",
        CertificateError::BadEncoding => "a malformed certificate",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "a certificate for another purpose"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "a certificate for another name"
        }
        _ => "a certificate that is not accepted",
    }
}

#[cfg(test)]
mod tests {
    use rustls::PeerIncompatible;

    use super::*;

    #[test]
    fn nothing_is_said_in_the_words_of_the_library() {
        assert_eq!(alert_name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(alert_name(AlertDescription::from(200)), "alert 200");
        let named = (0..=u8::MAX)
            .filter(|number| !alert_name(AlertDescription::from(*number)).starts_with("alert "));
        assert_eq!(named.count(), ALERTS.len());
        let errors = [
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            Error::PeerMisbehaved(PeerMisbehaved::MissingKeyShare),
            Error::InvalidCertificate(CertificateError::UnknownIssuer),
            Error::General("x".to_owned()),
        ];
        for error in errors {
            let words = tls_fault(&error);
            let is_plain = |word: &str| !word.chars().skip(1).any(char::is_uppercase);
            assert!(words.split(' ').all(is_plain), "{words}");
        }
    }
}
