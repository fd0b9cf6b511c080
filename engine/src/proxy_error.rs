//! What went wrong with a transaction, in the terms of RFC 9209 section 2.3: one word for the log, for
//! `Proxy-Status` and for the status of the answer.

use std::fmt;

/// A proxy error type (RFC 9209 section 2.3.2 and following), of those that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyError {
    /// No answer from the resolvers in time.
    DnsTimeout,
    /// The resolvers said that there is no such name, or failed.
    DnsError,
    /// The destination guard lets nobody go there.
    DestinationIpProhibited,
    /// There is no route.
    DestinationIpUnroutable,
    /// The origin refused the connection.
    ConnectionRefused,
    /// A connection was closed before all was said.
    ConnectionTerminated,
    /// The connection to the origin could not be made in time.
    ConnectionTimeout,
    /// Nothing more was received in time.
    ConnectionReadTimeout,
    /// Nothing more could be sent in time.
    ConnectionWriteTimeout,
    /// A limit of this proxy.
    ConnectionLimitReached,
    /// TLS was not spoken as it should be.
    TlsProtocolError,
    /// A certificate was not believed, or none can be made.
    TlsCertificateError,
    /// The other side ended TLS with an alert.
    TlsAlertReceived,
    /// The request is malformed, or more than is taken.
    HttpRequestError,
    /// Rules or configuration deny the request.
    HttpRequestDenied,
    /// No response head in time.
    HttpResponseTimeout,
    /// The origin's response breaks the protocol.
    HttpProtocolError,
    /// Rules deny the response.
    HttpResponseDenied,
    /// The fault is this proxy's.
    ProxyInternalError,
    /// The request has been here before.
    ProxyLoopDetected,
}

impl ProxyError {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::DnsTimeout,
        Self::DnsError,
        Self::DestinationIpProhibited,
        Self::DestinationIpUnroutable,
        Self::ConnectionRefused,
        Self::ConnectionTerminated,
        Self::ConnectionTimeout,
        Self::ConnectionReadTimeout,
        Self::ConnectionWriteTimeout,
        Self::ConnectionLimitReached,
        Self::TlsProtocolError,
        Self::TlsCertificateError,
        Self::TlsAlertReceived,
        Self::HttpRequestError,
        Self::HttpRequestDenied,
        Self::HttpResponseTimeout,
        Self::HttpProtocolError,
        Self::HttpResponseDenied,
        Self::ProxyInternalError,
        Self::ProxyLoopDetected,
    ];

    /// The registered name.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::DnsTimeout => "dns_timeout",
            Self::DnsError => "dns_error",
            Self::DestinationIpProhibited => "destination_ip_prohibited",
            Self::DestinationIpUnroutable => "destination_ip_unroutable",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionTerminated => "connection_terminated",
            Self::ConnectionTimeout => "connection_timeout",
            Self::ConnectionReadTimeout => "connection_read_timeout",
            Self::ConnectionWriteTimeout => "connection_write_timeout",
            Self::ConnectionLimitReached => "connection_limit_reached",
            Self::TlsProtocolError => "tls_protocol_error",
            Self::TlsCertificateError => "tls_certificate_error",
            Self::TlsAlertReceived => "tls_alert_received",
            Self::HttpRequestError => "http_request_error",
            Self::HttpRequestDenied => "http_request_denied",
            Self::HttpResponseTimeout => "http_response_timeout",
            Self::HttpProtocolError => "http_protocol_error",
            Self::HttpResponseDenied => "http_response_denied",
            Self::ProxyInternalError => "proxy_internal_error",
            Self::ProxyLoopDetected => "proxy_loop_detected",
        }
    }

    /// The status that a client is answered with, where nothing says more: that of RFC 9209, but what is
    /// denied is 403 whoever denies it, and a loop is 508 (RFC 5842 section 7.2).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::HttpRequestError => 400,
            Self::DestinationIpProhibited | Self::HttpRequestDenied | Self::HttpResponseDenied => {
                403
            }
            Self::ProxyInternalError => 500,
            Self::DnsError
            | Self::DestinationIpUnroutable
            | Self::ConnectionRefused
            | Self::ConnectionTerminated
            | Self::TlsProtocolError
            | Self::TlsCertificateError
            | Self::TlsAlertReceived
            | Self::HttpProtocolError => 502,
            Self::ConnectionLimitReached => 503,
            Self::DnsTimeout
            | Self::ConnectionTimeout
            | Self::ConnectionReadTimeout
            | Self::ConnectionWriteTimeout
            | Self::HttpResponseTimeout => 504,
            Self::ProxyLoopDetected => 508,
        }
    }

    /// Whether a policy said no: rules, the destination guard, or what the configuration leaves closed.
    #[must_use]
    pub const fn is_denial(self) -> bool {
        matches!(
            self,
            Self::HttpRequestDenied | Self::HttpResponseDenied | Self::DestinationIpProhibited
        )
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_names_of_the_variants() {
        for error in ProxyError::ALL {
            let name = format!("{error:?}");
            let mut token = String::new();
            for letter in name.chars() {
                if letter.is_uppercase() && !token.is_empty() {
                    token.push('_');
                }
                token.extend(letter.to_lowercase());
            }
            assert_eq!(error.token(), token);
        }
    }

    #[test]
    fn what_is_denied_is_forbidden_and_nothing_else_is() {
        for error in ProxyError::ALL {
            assert_eq!(error.is_denial(), error.status() == 403, "{error}");
        }
    }
}
