//! What comes in from outside is made harmless here, before the machine keeps it.

use serde_json::Value;
use tenure_adapter::{Lookup, Outcome};

use crate::limit::JSON_DEPTH_MAX;
use crate::{Event, secret};

/// The event as the machine takes it: nothing in it reads as a secret's marker, and an answer that
/// is nested too deeply to be stored and read again is an answer nobody can read.
pub(crate) fn harmless(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::CallEnded { outcome, .. } => judge(outcome),
        Event::LookupEnded { lookup: Lookup::Happened { outcome }, .. } => judge(outcome),
        Event::EventArrived { event, .. } => event.rest.values_mut().for_each(secret::disarm),
        Event::LookupEnded { lookup: Lookup::Absent | Lookup::Unknown { .. }, .. }
        | Event::Started
        | Event::CallLost { .. }
        | Event::TimerDue { .. }
        | Event::ChildEnded { .. }
        | Event::LockGranted { .. }
        | Event::CancelRequested { .. } => {}
    }
    event
}

fn judge(outcome: &mut Outcome) {
    let Outcome::Done { output } = outcome else { return };
    secret::disarm(output);
    if is_deeper_than(output, JSON_DEPTH_MAX) {
        let detail = format!("the answer is nested deeper than {JSON_DEPTH_MAX}");
        *outcome = Outcome::Unknown { detail };
    }
}

/// Nesting of a value: 0 for a text or number, one more for each array or object around it.
pub(crate) fn is_deeper_than(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => {
            limit == 0 || items.iter().any(|item| is_deeper_than(item, limit - 1))
        }
        Value::Object(fields) => {
            limit == 0 || fields.values().any(|field| is_deeper_than(field, limit - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
