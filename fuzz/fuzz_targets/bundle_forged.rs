//! libFuzzer's way into `bundle_forged`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::bundle_forged(data));
