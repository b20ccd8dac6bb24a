#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, clippy::all, reason = "each target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::recognised(data));
