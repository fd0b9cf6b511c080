//! libFuzzer's way into `request_target`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::request_target(data));
