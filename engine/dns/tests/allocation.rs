//! An answer from the cache, from the static hosts or from `localhost` allocates nothing, and
//! neither does a name known not to exist.

#![expect(
    unsafe_code,
    reason = "an allocator that counts can only be written so"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use sallyport_dns::{DnsError, Lookup, Resolver, ResolverConfig};

/// The system's allocator, counting what this thread asks it for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed to `System` unchanged, which upholds the contract of `GlobalAlloc`;
// the counter is a constant-initialized thread-local without destructor, so that it never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller upholds the contract of `alloc` for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with the same `layout`, as the caller ensures.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `www.test` has an address; no other name exists.
fn answer(query: &[u8]) -> Result<Vec<u8>, hickory_proto::ProtoError> {
    let query = Message::from_vec(query)?;
    let mut answer = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    for question in &query.queries {
        answer.add_query(question.clone());
        if question.name.to_lowercase() != Name::from_ascii("www.test.")? {
            answer.metadata.response_code = ResponseCode::NXDomain;
        } else if question.query_type == RecordType::A {
            let address = RData::A(A(Ipv4Addr::new(192, 0, 2, 1)));
            answer.add_answer(Record::from_rdata(question.name.clone(), 60, address));
        }
    }
    let zone = Name::from_ascii("test.")?;
    let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, 60);
    answer.add_authority(Record::from_rdata(zone, 60, RData::SOA(soa)));
    answer.to_vec()
}

#[test]
fn known_names_are_answered_without_allocation() {
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    let now = Instant::now();
    let config = ResolverConfig {
        servers: vec![SocketAddr::from(([198, 51, 100, 1], 53))],
        static_hosts: vec![("static.test".into(), vec![IpAddr::from([192, 0, 2, 2])])],
        ..ResolverConfig::default()
    };
    let mut resolver = Resolver::new(config, [1; 32]);
    let mut lookup = |name: &str| {
        let before = ALLOCATIONS.get();
        let result = resolver.lookup(name, now);
        let allocations = ALLOCATIONS.get() - before;
        while let Some(transmit) = resolver.next_transmit(now) {
            resolver.on_message(transmit.query, &answer(&transmit.message).unwrap(), now);
        }
        (result, allocations)
    };
    for name in ["www.test", "gone.test"] {
        let (first, allocations) = lookup(name);
        assert!(matches!(first, Lookup::Pending(_)));
        assert!(allocations > 0, "the counter counts");
    }
    for name in ["www.test", "static.test", "localhost"] {
        let (known, allocations) = lookup(name);
        assert!(matches!(known, Lookup::Answer(_)), "{name}: {known:?}");
        assert_eq!(allocations, 0, "{name}");
    }
    assert_eq!(
        lookup("gone.test"),
        (Lookup::Failed(DnsError::NoSuchName), 0)
    );
}
