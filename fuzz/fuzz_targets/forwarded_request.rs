//! libFuzzer's way into `forwarded_request`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::forwarded_request(data));
