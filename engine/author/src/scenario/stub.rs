//! One stub of `calls`: which call it answers, and how.

use serde_json::Value;
use tenure_adapter::{DeclineClass, Outcome, Problem, Reason};
use tenure_definition::template::Template;

use super::field::{Field, Reader};
use super::file::CALL_VARIABLES;
use super::matcher;
use super::model::{Stub, StubLookUp, StubReply};

/// Most calls that one stub may be written for.
const TIMES_MAX: u64 = 1_000_000;
/// The outcomes, one of which a stub has.
const OUTCOMES: [&str; 6] = ["done", "rejected", "declined", "not_sent", "unknown", "failed"];
const KNOWN: [&str; 13] = [
    "call", "task", "with", "times", "always", "takes", "look_up", "done", "rejected", "declined",
    "not_sent", "unknown", "failed",
];

/// Reads a stub.
pub(super) fn read(reader: &mut Reader<'_>, item: &Field<'_>) -> Option<Stub> {
    reader.object(item, "a call", &KNOWN)?;
    let function = reader.required(item, "call", "a call")?;
    let function = reader.text(&function, "call (the function)")?;
    let function = function.split([':', '@']).next().unwrap_or_default().to_owned();
    let task = item.get("task").and_then(|field| reader.text(&field, "task"));
    let with = item.get("with").map(|field| {
        matcher::check(reader, &field);
        field.value.clone()
    });
    let times = match (item.get("times"), item.get("always")) {
        (None, None) => Some(1),
        (Some(times), None) => Some(reader.count(&times, "times", TIMES_MAX)?),
        (None, Some(always)) => (!reader.truth(&always, "always")?).then_some(1),
        (Some(_), Some(always)) => {
            reader.wrong(&always, "`always` and `times` exclude each other", "remove one of them");
            None
        }
    };
    let takes = item.get("takes").and_then(|field| reader.span(&field));
    let reply = reply(reader, item, "a call")?;
    let look_ups = match item.get("look_up") {
        None => Vec::new(),
        Some(field) if field.value.is_array() => {
            let items = reader.items(&field, "look_up");
            items.iter().filter_map(|item| look_up(reader, item)).collect()
        }
        Some(field) => look_up(reader, &field).into_iter().collect(),
    };
    let pointer = item.pointer.clone();
    Some(Stub { pointer, function, task, with, times, takes, reply, look_ups })
}

/// The one outcome of a stub, or of a look-up that found something.
fn reply(reader: &mut Reader<'_>, item: &Field<'_>, what: &str) -> Option<StubReply> {
    let given: Vec<Field<'_>> = OUTCOMES.iter().filter_map(|key| item.get(key)).collect();
    let [field] = given.as_slice() else {
        let help = format!("give one of {}", OUTCOMES.join(", "));
        reader.wrong(item, format!("{what} has one outcome"), help);
        return None;
    };
    if let Some(done) = item.get("done") {
        return Some(StubReply::Done(reader.template(&done, &CALL_VARIABLES)?));
    }
    let outcome = if item.get("rejected").is_some() {
        rejected(reader, field)?
    } else if item.get("declined").is_some() {
        declined(reader, field)?
    } else if item.get("failed").is_some() {
        Outcome::Failed { error: failed(reader, field)? }
    } else if item.get("not_sent").is_some() {
        Outcome::NotSent { detail: detail(field.value, "the vendor could not be reached") }
    } else {
        Outcome::Unknown { detail: detail(field.value, "the answer was lost") }
    };
    Some(StubReply::Other(outcome))
}

fn detail(value: &Value, otherwise: &str) -> String {
    value.as_str().unwrap_or(otherwise).to_owned()
}

fn rejected(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Outcome> {
    let mut after = None;
    let mut words = "the vendor refused".to_owned();
    let reason = if field.value.is_string() {
        field.clone()
    } else {
        reader.object(field, "rejected", &["reason", "detail", "retry_after"])?;
        if let Some(wish) = field.get("retry_after") {
            let span = reader.span(&wish)?;
            let wait = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
            after = u64::try_from(wait.as_millis()).ok();
        }
        if let Some(given) = field.get("detail") {
            words = reader.text(&given, "detail")?;
        }
        reader.required(field, "reason", "rejected")?
    };
    let Ok(reason) = serde_json::from_value::<Reason>(reason.value.clone()) else {
        let known = "throttled, transient, auth, conflict, invalid or config";
        reader.wrong(&reason, "there is no such reason", format!("use {known}"));
        return None;
    };
    Some(Outcome::Rejected { reason, detail: words, retry_after_ms: after })
}

fn declined(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Outcome> {
    reader.object(field, "declined", &["class", "code", "detail"])?;
    let class = reader.required(field, "class", "declined")?;
    let Ok(class) = serde_json::from_value::<DeclineClass>(class.value.clone()) else {
        let known = "hard, needs_customer, soft or technical";
        reader.wrong(&class, "there is no such class", format!("use {known}"));
        return None;
    };
    let code = field.get("code").map_or("declined", |field| field.value.as_str().unwrap_or(""));
    let words = field.get("detail").map_or_else(
        || "the card was declined".to_owned(),
        |field| detail(field.value, "the card was declined"),
    );
    Some(Outcome::Declined { class, code: code.to_owned(), detail: words })
}

fn failed(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Problem> {
    reader.object(field, "failed", &["type", "status", "title", "detail", "data"])?;
    let status = reader.required(field, "status", "failed")?;
    let Some(code) = status.value.as_u64().and_then(|code| u16::try_from(code).ok()) else {
        reader.wrong_type(&status, "status", "a number like 404");
        return None;
    };
    let text = |key: &str| field.get(key).and_then(|field| field.value.as_str().map(str::to_owned));
    let mut error = Problem::standard("communication", code, "Communication Error", "");
    error.kind = text("type").unwrap_or(error.kind);
    error.title = text("title").unwrap_or(error.title);
    error.detail = text("detail");
    error.data = field.get("data").map(|field| field.value.clone());
    Some(error)
}

fn look_up(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<StubLookUp> {
    match field.value.as_str() {
        Some("absent") => return Some(StubLookUp::Absent),
        Some("unknown") => return Some(StubLookUp::Unknown),
        Some(_) | None => {}
    }
    let happened = field.get("happened").filter(|happened| happened.value.is_object());
    let Some(happened) = happened else {
        let help = "write `absent`, `unknown` or `happened: {done: {...}}`";
        reader.wrong(field, "this is no answer of a look-up", help);
        return None;
    };
    reader.object(field, "look_up", &["happened"]);
    reader.object(&happened, "happened", &["done", "declined"]);
    Some(StubLookUp::Happened(reply(reader, &happened, "what happened")?))
}

impl StubReply {
    /// The template of its output, when it has one.
    pub(super) fn done(&self) -> Option<&Template> {
        match self {
            Self::Done(template) => Some(template),
            Self::Other(_) => None,
        }
    }
}
