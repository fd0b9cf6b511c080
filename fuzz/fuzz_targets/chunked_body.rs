//! libFuzzer's way into `chunked_body`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::chunked_body(data));
