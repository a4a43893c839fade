//! What comes in from outside is made harmless here, before the machine keeps it.

use serde_json::Value;
use tenure_adapter::{Lookup, Outcome, Problem};

use crate::limit::JSON_DEPTH_MAX;
use crate::{ChildResult, Event, secret};

/// The event as the machine takes it: nothing in it reads as a secret's marker, and an answer that
/// is nested too deeply to be stored and read again is an answer nobody can read.
pub(crate) fn harmless(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::CallEnded { outcome, .. } => judge(outcome),
        Event::LookupEnded { lookup: Lookup::Happened { outcome }, .. } => judge(outcome),
        Event::EventArrived { event, .. } => {
            for text in [&mut event.id, &mut event.source, &mut event.kind, &mut event.specversion]
            {
                disarm_text(text);
            }
            let mut rest = Value::Object(std::mem::take(&mut event.rest));
            secret::disarm(&mut rest);
            if let Value::Object(rest) = rest {
                event.rest = rest;
            }
        }
        Event::ChildEnded { result, .. } => match result {
            ChildResult::Completed { output } => secret::disarm(output),
            ChildResult::Faulted { error } => disarm_error(error),
            ChildResult::Cancelled => {}
        },
        Event::LookupEnded { lookup: Lookup::Absent | Lookup::Unknown { .. }, .. }
        | Event::Started
        | Event::CallLost { .. }
        | Event::TimerDue { .. }
        | Event::LockGranted { .. }
        | Event::LockRefused { .. }
        | Event::CancelRequested { .. } => {}
    }
    event
}

fn judge(outcome: &mut Outcome) {
    let deep = match outcome {
        Outcome::Done { output } => {
            secret::disarm(output);
            is_deeper_than(output, JSON_DEPTH_MAX)
        }
        Outcome::Failed { error } => {
            disarm_error(error);
            error.data.as_ref().is_some_and(|data| is_deeper_than(data, JSON_DEPTH_MAX))
        }
        Outcome::Declined { class: _, code, detail } => {
            disarm_text(code);
            disarm_text(detail);
            false
        }
        Outcome::Rejected { detail, .. }
        | Outcome::NotSent { detail }
        | Outcome::Unknown { detail } => {
            disarm_text(detail);
            false
        }
    };
    if deep {
        let detail = format!("the answer is nested deeper than {JSON_DEPTH_MAX}");
        *outcome = Outcome::Unknown { detail };
    }
}

fn disarm_error(error: &mut Problem) {
    let Problem { kind, status: _, title, detail, instance: _, data } = error;
    [Some(kind), Some(title), detail.as_mut()].into_iter().flatten().for_each(disarm_text);
    if let Some(data) = data {
        secret::disarm(data);
    }
}

fn disarm_text(text: &mut String) {
    if text.contains(secret::OPEN) {
        *text = text.replace(secret::OPEN, "\u{FFFD}");
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
