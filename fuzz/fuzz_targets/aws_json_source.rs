//! libFuzzer's way into `aws_json_source`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::aws_json_source(data));
