//! Any JSON, or any text, as a duration, added to an instant.
#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tenure_definition::time::read_span;

fuzz_target!(|text: String| {
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if let Ok(span) = read_span(&value) {
        let _end = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC).checked_add(span);
    }
});
