//! libFuzzer's way into `ruleset_source`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::ruleset_source(data));
