//! The query of a request: `name=value` pairs, percent-decoded.

use std::borrow::Cow;

use hyper::Uri;

/// The pairs of a query.
#[derive(Debug)]
pub(super) struct Query<'u>(Vec<(&'u str, Cow<'u, str>)>);

impl<'u> Query<'u> {
    /// Those of `uri`; what is no pair is passed over.
    pub(super) fn of(uri: &'u Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name, decoded(value))).collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs();
        pairs.find_map(|(other, value)| (other == name).then_some(value))
    }

    /// All of them, in their order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, &**value))
    }
}

/// What is no escape is itself.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let mut ahead = rest.clone();
        let escaped = match byte {
            b'%' => digit(ahead.next()).zip(digit(ahead.next())),
            _ => None,
        };
        bytes.push(match (byte, escaped) {
            (_, Some((high, low))) => {
                rest = ahead;
                u8::try_from(high * 16 + low).unwrap_or(byte)
            }
            (b'+', None) => b' ',
            (byte, None) => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let uri = "/log?domain=a%2eb.test&x=%zz+%4&event=deny&event=alert&flag"
            .parse()
            .unwrap();
        let query = Query::of(&uri);
        assert_eq!(query.get("domain"), Some("a.b.test"));
        assert_eq!(query.get("x"), Some("%zz %4"));
        assert_eq!(query.pairs().count(), 4);
        assert_eq!(query.get("flag"), None);
    }
}
