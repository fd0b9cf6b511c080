//! libFuzzer's way into `dns_messages`; see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sallyport_fuzz::dns_messages(data));
