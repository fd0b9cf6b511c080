//! Schemes that authenticate a connection instead of a request (RFC 4559; NTLM, Kerberos and CredSSP as
//! Microsoft's servers speak them): whoever sends the next request on it is taken for the same user.
//!
//! The syntax only; whose connection it then is, is decided by the engine.

use super::hop_by_hop::list;

const SCHEMES: [&str; 5] = ["NTLM", "Negotiate", "Kerberos", "Nego2", "CredSSP"];

/// What a field of credentials or challenges holds of such a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAuth {
    /// The scheme alone: an offer.
    Named,
    /// A message that begins a handshake or asks for the next one.
    Message,
    /// A message that answers the other side's.
    Reply,
}

impl SessionAuth {
    /// What the value of an `Authorization` or `WWW-Authenticate` field holds, if anything. Where it is
    /// doubtful whether a scheme is meant (a parameter may contain commas), it is.
    pub fn of(value: &[u8]) -> Option<Self> {
        list(value).filter_map(Self::of_element).reduce(Self::more)
    }

    fn of_element(element: &[u8]) -> Option<Self> {
        let mut words = element
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty());
        let scheme = words.next()?;
        SCHEMES
            .iter()
            .find(|name| scheme.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(match words.next() {
            None => Self::Named,
            Some(token) if is_reply(token) => Self::Reply,
            Some(_) => Self::Message,
        })
    }

    /// The one that says more, of two fields.
    #[must_use]
    pub fn more(self, other: Self) -> Self {
        match self {
            Self::Named => other,
            _ => self,
        }
    }
}

/// An AUTHENTICATE message of NTLM ([MS-NLMP] section 2.2.1.3), or a NegTokenResp of SPNEGO (RFC 4178
/// section 4.2.2), the tag of which is 0xa1. Both in base64.
fn is_reply(token: &[u8]) -> bool {
    token.starts_with(b"TlRMTVNTUAAD") || matches!(token, [b'o', b'Q'..=b'Z' | b'a'..=b'f', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_in_any_case_and_place() {
        for (value, expected) in [
            ("", None),
            ("Basic TlRMTVNTUAAB", None),
            ("Bearer NTLM", None),
            ("NTLMv3 x", None),
            ("NTLM", Some(SessionAuth::Named)),
            ("negotiate", Some(SessionAuth::Named)),
            ("Basic realm=\"a\", ntlm", Some(SessionAuth::Named)),
            ("Negotiate, NTLM", Some(SessionAuth::Named)),
            ("Kerberos YII=", Some(SessionAuth::Message)),
            ("CredSSP  YII=", Some(SessionAuth::Message)),
            ("NTLM\tTlRMTVNTUAABB4II", Some(SessionAuth::Message)),
            ("NTLM TlRMTVNTUAACAAAA", Some(SessionAuth::Message)),
            ("NTLM TlRMTVNTUAADGAAY", Some(SessionAuth::Reply)),
            ("Negotiate YIIFMA==", Some(SessionAuth::Message)),
            ("Negotiate oYIBdjCC", Some(SessionAuth::Reply)),
            ("Negotiate, NTLM TlRMTVNTUAADGAAY", Some(SessionAuth::Reply)),
        ] {
            assert_eq!(SessionAuth::of(value.as_bytes()), expected, "{value}");
        }
    }
}
