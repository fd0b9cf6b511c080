//! libFuzzer's way into `client_hello`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::client_hello(data));
