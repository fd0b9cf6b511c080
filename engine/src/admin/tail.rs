//! `/log`: lines of the access log as they are written, as server-sent events (HTML section 9.2).
//!
//! What does not keep up loses lines and is told how many hand-overs it missed: neither a shard nor the writer of
//! the log ever waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode, Uri};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::query::Query;
use super::reply::{self, Body};
use crate::access_log::LogSource;
use crate::limits::ADMIN_FOLLOWERS_MAX;

/// How often something is said, so that a follower that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follows the log from now on; a field of the query that is one of lines is what they must have.
pub(super) fn follow(log: &LogSource, uri: &Uri) -> Response<Body> {
    if !log.is_written() {
        let off = "nothing is logged (log.access = \"off\")";
        return reply::text(StatusCode::CONFLICT, off);
    }
    if log.followers() >= ADMIN_FOLLOWERS_MAX {
        return reply::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "others follow the log already",
        );
    }
    let follower = (log.follow(), Filter::of(uri));
    let events = unfold(follower, |(mut chunks, filter)| async move {
        let event = next(&mut chunks, &filter).await?;
        Some((Ok::<_, Infallible>(Frame::data(event)), (chunks, filter)))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The next thing to say; `None`: the process ends.
async fn next(chunks: &mut Receiver<Arc<[u8]>>, filter: &Filter) -> Option<Bytes> {
    loop {
        match timeout(HEARTBEAT, chunks.recv()).await {
            Err(_) => return Some(Bytes::from_static(b":\n\n")),
            Ok(Err(RecvError::Closed)) => return None,
            Ok(Err(RecvError::Lagged(count))) => {
                return Some(format!("event: lost\ndata: {count}\n\n").into());
            }
            Ok(Ok(chunk)) => {
                let mut events = Vec::new();
                for line in chunk.split(|byte| *byte == b'\n') {
                    if !line.is_empty() && filter.takes(line) {
                        events.extend_from_slice(b"data: ");
                        events.extend_from_slice(line);
                        events.extend_from_slice(b"\n\n");
                    }
                }
                if !events.is_empty() {
                    return Some(events.into());
                }
            }
        }
    }
}

/// What lines must have.
#[derive(Debug)]
struct Filter {
    /// Names of fields, and values of which they must have one.
    fields: Vec<(String, Vec<String>)>,
}

impl Filter {
    /// `?event=deny&event=alert&domain=*.a.test`.
    fn of(uri: &Uri) -> Self {
        let query = Query::of(uri);
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in query.pairs() {
            match fields.iter_mut().find(|(other, _)| other == name) {
                Some((_, values)) => values.push(value.to_owned()),
                None => fields.push((name.to_owned(), vec![value.to_owned()])),
            }
        }
        Self { fields }
    }

    fn takes(&self, line: &[u8]) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        let Ok(line) = serde_json::from_slice::<Value>(line) else {
            return false;
        };
        self.fields.iter().all(|(name, values)| {
            let found = match line.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Bool(is)) => is.to_string(),
                _ => return false,
            };
            values.iter().any(|value| match value.strip_prefix('*') {
                Some(end) => found.ends_with(end),
                None => found == *value,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_by_their_fields() {
        let deny = br#"{"event":"deny","domain":"x.a.test","status":403}"#;
        let check = |query: &str, expected: bool| {
            let filter = Filter::of(&format!("/log?{query}").parse().unwrap());
            assert_eq!(filter.takes(deny), expected, "{query}");
        };
        check("", true);
        check("event=deny", true);
        check("event=alert&event=deny", true);
        check("event=alert", false);
        check("event=deny&domain=*.a.test&status=403", true);
        check("domain=*.b.test", false);
        check("principal=bob", false);
    }
}
