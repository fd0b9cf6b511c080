//! libFuzzer's way into `normal_forms`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::normal_forms(data));
