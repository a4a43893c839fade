//! Any text as a cron schedule. What is accepted must have a next date found in bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenure_definition::cron::Cron;

fuzz_target!(|text: String| {
    if let Ok(cron) = Cron::parse(&text) {
        assert!(!cron.schedules().is_empty(), "a schedule has at least one part");
    }
});
