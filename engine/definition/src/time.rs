//! Durations of the language: `{days, hours, minutes, seconds, milliseconds}`, ISO 8601 text
//! (also `P1M`, `P1Y`: calendar units in the document's zone, clamped to the month's last day),
//! or an expression that gives one of these.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
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
        let _ = (from, zone, input, scope);
        Err("not compiled".to_owned())
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

/// Reads a duration value (object or ISO 8601 text).
///
/// # Errors
/// Says what was found and what is expected.
pub fn read_span(_value: &Value) -> Result<Span, String> {
    Err("not compiled".to_owned())
}
