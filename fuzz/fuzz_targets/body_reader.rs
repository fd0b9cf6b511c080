//! libFuzzer's way into `body_reader`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::body_reader(data));
