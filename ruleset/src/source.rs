//! What becomes known of a transaction at once, and the types of its values.

/// What kind of value a field has, and so which tests fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Bytes, compared as they are.
    String,
    /// A domain name; string tests fit too.
    Domain,
    /// An address.
    Ip,
    /// A whole number.
    Number,
    /// A point in time.
    Time,
}

macro_rules! sources {
    ($($(#[doc = $doc:literal])+ $variant:ident,)+) => {
        /// A member of [`crate::Facts`]: what becomes known at once. All request headers are one source,
        /// and so are all labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Source {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Source {
            /// All sources; the position is that of [`Source::index`].
            pub const ALL: [Self; 33] = [$(Self::$variant,)+];
        }
    };
}

sources! {
    /// [`crate::Facts::source_ip`].
    SourceIp,
    /// [`crate::Facts::source_port`].
    SourcePort,
    /// [`crate::Facts::source_vpce`].
    SourceVpce,
    /// [`crate::Facts::source_vpc`].
    SourceVpc,
    /// [`crate::Facts::source_account`].
    SourceAccount,
    /// [`crate::Facts::source_labels`].
    SourceLabels,
    /// [`crate::Facts::principal`].
    Principal,
    /// [`crate::Facts::time`].
    Time,
    /// [`crate::Facts::protocol`].
    Protocol,
    /// [`crate::Facts::destination_domain`].
    DestinationDomain,
    /// [`crate::Facts::destination_host`].
    DestinationHost,
    /// [`crate::Facts::authority`].
    Authority,
    /// [`crate::Facts::destination_port`].
    DestinationPort,
    /// [`crate::Facts::destination_ip`].
    DestinationIp,
    /// [`crate::Facts::tls_sni`].
    TlsSni,
    /// [`crate::Facts::tls_alpn`].
    TlsAlpn,
    /// [`crate::Facts::tls_version`].
    TlsVersion,
    /// [`crate::Facts::ja4`].
    Ja4,
    /// [`crate::Facts::tls_ech`].
    TlsEch,
    /// [`crate::Facts::uri`].
    HttpUri,
    /// [`crate::Facts::url`].
    Url,
    /// [`crate::Facts::method`].
    HttpMethod,
    /// [`crate::Facts::user_agent`].
    HttpUserAgent,
    /// [`crate::Facts::content_type`].
    HttpContentType,
    /// [`crate::Facts::host`].
    HttpHost,
    /// [`crate::Facts::content_length`].
    HttpContentLength,
    /// [`crate::Facts::request_headers`].
    RequestHeaders,
    /// [`crate::Facts::status_code`].
    ResponseStatusCode,
    /// [`crate::Facts::response_content_length`].
    ResponseContentLength,
    /// [`crate::Facts::response_content_type`].
    ResponseContentType,
    /// [`crate::Facts::response_headers`].
    ResponseHeaders,
    /// [`crate::Facts::tls_issuer`].
    ResponseTlsIssuer,
    /// [`crate::Facts::tls_sha256`].
    ResponseTlsSha256,
}

impl Source {
    /// Whether its fields can have several values at once.
    #[must_use]
    pub const fn has_several_values(self) -> bool {
        matches!(
            self,
            Self::Protocol
                | Self::TlsAlpn
                | Self::SourceLabels
                | Self::HttpUserAgent
                | Self::HttpContentType
                | Self::RequestHeaders
                | Self::ResponseContentType
                | Self::ResponseHeaders
        )
    }

    /// The type of the values of its fields.
    #[must_use]
    pub const fn field_type(self) -> FieldType {
        match self {
            Self::SourceIp | Self::DestinationIp => FieldType::Ip,
            Self::SourcePort
            | Self::DestinationPort
            | Self::HttpContentLength
            | Self::ResponseStatusCode
            | Self::ResponseContentLength => FieldType::Number,
            Self::Time => FieldType::Time,
            Self::DestinationDomain | Self::TlsSni => FieldType::Domain,
            _ => FieldType::String,
        }
    }

    /// Whether each of its fields carries a name: there are many of them, and one of any other source.
    #[must_use]
    pub const fn has_named_fields(self) -> bool {
        matches!(
            self,
            Self::SourceLabels | Self::RequestHeaders | Self::ResponseHeaders
        )
    }

    /// Position in [`Source::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
