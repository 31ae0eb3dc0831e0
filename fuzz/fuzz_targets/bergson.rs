#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| surge_fit::fuzzing::bergson(bytes));
