//! Values of `Proxy-Authenticate` in a 407, one a scheme that the listener takes.

/// RFC 7617 section 2.1: names and passwords are UTF-8.
pub const BASIC_CHALLENGE: &str = "Basic realm=\"sallyport\", charset=\"UTF-8\"";
/// RFC 6750 section 3, for a request without credentials: no reason is given.
pub const BEARER_CHALLENGE: &str = "Bearer realm=\"sallyport\"";
/// The same for a token that is unknown, has expired, or is none.
pub const BEARER_CHALLENGE_INVALID: &str = "Bearer realm=\"sallyport\", error=\"invalid_token\"";
