//! An evaluation allocates nothing: bar B12 of the pure part of the data path.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sallyport_ruleset::bundle::write;
use sallyport_ruleset::generate::{self, Entropy};
use sallyport_ruleset::{BuildRecord, Bundle, Phase, evaluate};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes on to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the conditions of `alloc`, which are the system's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn evaluations_allocate_nothing() {
    let mut evaluations = 0;
    for seed in 0..200_u8 {
        let bytes: Vec<u8> = (0..1_500_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2] ^ seed)
            .collect();
        let (rules, requests) = bytes.split_at(700);
        let ruleset = generate::ruleset(&mut Entropy::new(rules));
        let bundle = Bundle::load(write(&ruleset, &BuildRecord::default()).unwrap()).unwrap();
        let mut scratch = bundle.scratch();
        let facts = generate::facts(&mut Entropy::new(requests));
        facts.with(0, |facts| {
            for phase in Phase::ALL {
                let before = ALLOCATIONS.get();
                std::hint::black_box(evaluate(&bundle, phase, facts, &mut scratch));
                assert_eq!(ALLOCATIONS.get(), before, "{phase} with seed {seed}");
                evaluations += 1;
            }
        });
    }
    assert_eq!(evaluations, 600);
    assert!(ALLOCATIONS.get() > 600, "the counter counts");
}
