//! libFuzzer's way into `bundle_bytes`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::bundle_bytes(data));
