//! libFuzzer's way into `tls_records`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::tls_records(data));
