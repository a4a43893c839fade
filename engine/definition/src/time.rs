//! Durations of the language: `{days, hours, minutes, seconds, milliseconds}`, ISO 8601 text
//! (also `P1M`, `P1Y`: calendar units in the document's zone, clamped to the month's last day),
//! or an expression that gives one of these.

use jiff::tz::TimeZone;
use jiff::{Span, SpanFieldwise, Timestamp};
use serde_json::Value;

use crate::expression::Scope;
use crate::template::Template;

/// A duration, known now or at run time.
#[derive(Debug)]
pub enum Duration {
    /// Known at registration.
    Fixed(Span),
    /// Evaluated when it is needed.
    Computed(Template),
}

/// The units of the inline form.
pub(crate) const UNITS: [&str; 5] = ["days", "hours", "minutes", "seconds", "milliseconds"];

impl Duration {
    /// The instant this long after `from`.
    ///
    /// # Errors
    /// When the expression fails, or does not give a duration, or the result is out of range.
    pub fn after(
        &self,
        from: Timestamp,
        zone: &TimeZone,
        input: &Value,
        scope: &dyn Scope,
    ) -> Result<Timestamp, String> {
        let span = match self {
            Self::Fixed(span) => *span,
            Self::Computed(template) => read_span(&template.eval(input, scope)?)?,
        };
        // Days and longer units follow the calendar: a day across a change of the clocks keeps
        // the wall time, and a month from January 31 ends on the last of February.
        let end = from.to_zoned(zone.clone()).checked_add(span);
        Ok(end.map_err(|error| format!("the duration leads out of range: {error}"))?.timestamp())
    }

    /// The same, as milliseconds counted from `from`.
    ///
    /// # Errors
    /// As [`Duration::after`].
    pub fn millis(
        &self,
        from: Timestamp,
        zone: &TimeZone,
        input: &Value,
        scope: &dyn Scope,
    ) -> Result<i64, String> {
        Ok(self.after(from, zone, input, scope)?.as_millisecond() - from.as_millisecond())
    }
}

/// When something is due: so long after now, or at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Due {
    /// This long after.
    After(SpanFieldwise),
    /// At this instant.
    At(Timestamp),
}

impl Due {
    /// The instant, counted from `from`.
    ///
    /// # Errors
    /// When it is out of range.
    pub fn instant(self, from: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        match self {
            Self::At(instant) => Ok(instant),
            Self::After(span) => {
                let end = from.to_zoned(zone.clone()).checked_add(span.0);
                Ok(end
                    .map_err(|error| format!("the duration leads out of range: {error}"))?
                    .timestamp())
            }
        }
    }
}

/// Reads a duration (object or ISO 8601 text) or an instant (RFC 3339 text).
///
/// # Errors
/// Says what was found and what is expected.
pub fn read_instant(value: &Value) -> Result<Due, String> {
    match value {
        Value::String(text) if !text.starts_with('P') => text
            .parse()
            .map(Due::At)
            .map_err(|_| format!("`{text}` is neither a duration like `P3D` nor an instant")),
        Value::String(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => read_span(value).map(|span| Due::After(span.fieldwise())),
    }
}

/// Reads a duration value (object or ISO 8601 text).
///
/// # Errors
/// Says what was found and what is expected.
pub fn read_span(value: &Value) -> Result<Span, String> {
    match value {
        Value::String(text) => read_iso(text),
        Value::Object(fields) => {
            if fields.is_empty() {
                return Err(format!("a duration needs one of {}", UNITS.join(", ")));
            }
            fields.iter().try_fold(Span::new(), |span, (unit, amount)| add(span, unit, amount))
        }
        Value::Null => Err(wrong("null")),
        Value::Bool(_) => Err(wrong("a boolean")),
        Value::Number(_) => Err(wrong("a number")),
        Value::Array(_) => Err(wrong("an array")),
    }
}

fn wrong(found: &str) -> String {
    format!("expected a duration like {{days: 3}} or `P3D`, found {found}")
}

fn read_iso(text: &str) -> Result<Span, String> {
    // jiff also reads `3 days` and signs; the language has neither.
    if !text.starts_with('P') {
        return Err(format!("`{text}` is not an ISO 8601 duration like `P3D` or `PT36H`"));
    }
    let span: Span =
        text.parse().map_err(|error| format!("`{text}` is not an ISO 8601 duration: {error}"))?;
    if span.is_negative() { Err(format!("`{text}` is negative")) } else { Ok(span) }
}

fn add(span: Span, unit: &str, amount: &Value) -> Result<Span, String> {
    let count = amount
        .as_i64()
        .filter(|count| *count >= 0)
        .ok_or_else(|| format!("{unit} must be a whole number from 0 on, found {amount}"))?;
    let added = match unit {
        "days" => span.try_days(count),
        "hours" => span.try_hours(count),
        "minutes" => span.try_minutes(count),
        "seconds" => span.try_seconds(count),
        "milliseconds" => span.try_milliseconds(count),
        _ => return Err(format!("a duration has no unit {unit}; it has {}", UNITS.join(", "))),
    };
    added.map_err(|_| format!("{count} {unit} are out of range"))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;

    struct Nothing;

    impl Scope for Nothing {
        fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
            None
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with plain values")]
    fn check(value: Value, from: &str, zone: &str, expected: &str) {
        let duration = Duration::Fixed(read_span(&value).unwrap());
        let zone = TimeZone::get(zone).unwrap();
        let end = duration.after(from.parse().unwrap(), &zone, &Value::Null, &Nothing);
        assert_eq!(end.map(|end| end.to_string()), Ok(expected.to_owned()), "{value} from {from}");
    }

    #[test]
    fn durations_end_where_the_calendar_says() {
        check(
            json!({"hours": 1, "seconds": 5}),
            "2026-01-01T00:00:00Z",
            "UTC",
            "2026-01-01T01:00:05Z",
        );
        check(json!("PT36H"), "2026-01-01T00:00:00Z", "UTC", "2026-01-02T12:00:00Z");
        check(json!("P1M"), "2026-01-31T10:00:00Z", "UTC", "2026-02-28T10:00:00Z");
        check(json!("P2M"), "2026-01-31T10:00:00Z", "UTC", "2026-03-31T10:00:00Z");
        check(json!("P1Y"), "2024-02-29T10:00:00Z", "UTC", "2025-02-28T10:00:00Z");
        check(json!("P1W"), "2026-01-01T00:00:00Z", "UTC", "2026-01-08T00:00:00Z");
        // The clocks of Berlin go forward on 2026-03-29: a day keeps the wall time.
        check(json!({"days": 1}), "2026-03-28T11:00:00Z", "Europe/Berlin", "2026-03-29T10:00:00Z");
        check(json!("PT24H"), "2026-03-28T11:00:00Z", "Europe/Berlin", "2026-03-29T11:00:00Z");
        check(
            json!({"milliseconds": 1500}),
            "2026-01-01T00:00:00Z",
            "UTC",
            "2026-01-01T00:00:01.5Z",
        );
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let check = |value: Value| assert!(read_span(&value).is_err(), "{value}");
        check(json!("3 days"));
        check(json!("-P1D"));
        check(json!("P-1D"));
        check(json!("P0.5D"));
        check(json!("P"));
        check(json!({}));
        check(json!({"weeks": 1}));
        check(json!({"days": -1}));
        check(json!({"days": 1.5}));
        check(json!({"days": i64::MAX}));
        check(json!(5));
        check(json!(null));
    }
}
