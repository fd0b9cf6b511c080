//! libFuzzer's way into `response_head`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::response_head(data));
