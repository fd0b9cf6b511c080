//! A name looked up: two queries written, two answers read; and the same from the cache.
#![expect(clippy::indexing_slicing, reason = "a measurement of its own input")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sallyport_dns::{Lookup, Resolver, ResolverConfig};

use crate::Step;

/// Names that take turns.
const NAMES: usize = 64;
/// What the answers say.
const TTL_SECONDS: u8 = 60;

fn resolver() -> Resolver {
    let config = ResolverConfig {
        servers: vec![([192, 0, 2, 1], 53).into()],
        ..ResolverConfig::default()
    };
    Resolver::new(config, [7; 32])
}

fn names() -> Vec<String> {
    (0..NAMES)
        .map(|number| format!("host-{number}.service.example.com"))
        .collect()
}

/// A name that the cache has no more, until its addresses are there.
pub(crate) fn lookup() -> Step {
    let (mut resolver, names, mut now) = (resolver(), names(), Instant::now());
    Box::new(move |number| {
        now += Duration::from_secs(u64::from(TTL_SECONDS) + 1);
        let found = resolver.lookup(&names[number % NAMES], now);
        assert!(matches!(found, Lookup::Pending(_)));
        while let Some(query) = resolver.next_transmit(now) {
            resolver.on_message(query.query, black_box(&answer(&query.message)), now);
        }
        let finished = resolver.finished();
        assert!(matches!(finished, Some((_, Ok(_)))));
    })
}

/// A name that is in the cache.
pub(crate) fn cached_lookup() -> Step {
    let (mut resolver, names, now) = (resolver(), names(), Instant::now());
    for name in &names {
        let _ = resolver.lookup(name, now);
        while let Some(query) = resolver.next_transmit(now) {
            resolver.on_message(query.query, &answer(&query.message), now);
        }
    }
    Box::new(move |number| {
        let found = resolver.lookup(black_box(&names[number % NAMES]), now);
        assert!(matches!(found, Lookup::Answer(_)));
    })
}

/// The message of a server that knows one address (RFC 1035 section 4).
fn answer(query: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 12;
    let behind = &query[HEADER_BYTES..];
    let name_bytes = behind.iter().position(|byte| *byte == 0).unwrap_or(0) + 1;
    let question = &behind[..name_bytes + 4];
    let is_aaaa = question[name_bytes + 1] == 28;
    let mut message = query[..2].to_vec();
    // A response, recursion available; one question, one answer.
    message.extend_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    message.extend_from_slice(question);
    // The name of the question, class IN.
    message.extend_from_slice(&[0xc0, 12, 0, question[name_bytes + 1], 0, 1]);
    message.extend_from_slice(&[0, 0, 0, TTL_SECONDS]);
    if is_aaaa {
        message.extend_from_slice(&[0, 16, 0x20, 1, 0x0d, 0xb8]);
        message.extend_from_slice(&[0; 11]);
        message.push(1);
    } else {
        message.extend_from_slice(&[0, 4, 192, 0, 2, 1]);
    }
    message
}
