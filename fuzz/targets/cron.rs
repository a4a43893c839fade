//! Any text as a cron schedule. What is accepted is asked for its next firings, and for the last one
//! before: in order, never early, and found in bounded time, also where the clocks change.
#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use tenure_definition::cron::Cron;
use tenure_definition::plan::{Read, Schedule};
use tenure_definition::schedule::Policy;

fn schedule(cron: Cron) -> Schedule {
    let policy = Policy::default();
    Schedule { every: None, cron: Some(cron), after: None, on: None, read: Read::Data, policy }
}

fuzz_target!(|text: String| {
    let Ok(cron) = Cron::parse(&text) else { return };
    let schedule = schedule(cron);
    // The last hours before the clocks go forward in New York.
    let start = Timestamp::from_second(1_772_942_400).expect("a time");
    let zone = TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC);
    let mut now = start;
    for _ in 0..4 {
        let Some(next) = schedule.next_after(&zone, now, start) else { return };
        assert!(next.at > now, "firings come in order");
        let last = schedule.last_until(&zone, next.at, start).expect("there was one");
        assert_eq!(last.at, next.at, "looking back finds what looking forward found");
        now = next.at;
    }
});
