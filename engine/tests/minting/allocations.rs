//! A certificate from the cache costs no allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroUsize;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::UnixTime;
use sallyport::tls::CertificateCache;
use sallyport_pki::{Authority, LeafKey, LeafSubject};

use crate::minted;

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

#[test]
fn a_hit_allocates_nothing() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = root.key().serialize_pem();
    let now = UnixTime::now();
    let authority = Authority::load(root.pem().as_bytes(), key.as_bytes(), now).unwrap();
    let mut cache =
        CertificateCache::new(minted::minter(authority), NonZeroUsize::new(64).unwrap());
    let origin = minted::origin(&["a.test", "*.b.test"]);
    let hosts = ["a.test", "x.b.test", "192.0.2.1", "2001:db8::1"].map(minted::name);
    let mut pass = || {
        for asked in &hosts {
            for origin in [None, Some(&origin)] {
                drop(
                    cache
                        .certificate(
                            LeafSubject {
                                asked,
                                origin,
                                key: LeafKey::Ecdsa,
                            },
                            now,
                        )
                        .unwrap(),
                );
            }
        }
    };
    pass();
    let before = ALLOCATIONS.get();
    pass();
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(before > 100, "the counter counts");
}
