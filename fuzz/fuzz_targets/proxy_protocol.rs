//! libFuzzer's way into `proxy_protocol`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::proxy_protocol(data));
