//! libFuzzer's way into `http2_connection`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::http2_connection(data));
