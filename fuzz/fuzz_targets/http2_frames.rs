//! libFuzzer's way into `http2_frames`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::http2_frames(data));
