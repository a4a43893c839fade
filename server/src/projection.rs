//! What the API shows of an instance, an event and a definition: facts for people and programs,
//! never the engine's inner form.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_definition::Plan;
use tenure_machine::instance::{Activity, CallPhase, Frame, TryPhase};
use tenure_machine::{CloudEvent, Entry, Fact, Instance, InstanceId, Status};
use tenure_runtime::engine::EventAnswer;
use tenure_store::port::{JournalRow, Stored, StoredDefinition};

use crate::limit;

/// What is known about an instance besides its row; all of it may be missing.
#[derive(Debug, Default)]
pub struct Surroundings<'a> {
    /// Its plan, for the names of tasks.
    pub plan: Option<&'a Plan>,
    /// The newest rows of its journal, for due times and correlation values.
    pub journal: &'a [JournalRow],
    /// The children it ever started.
    pub children: &'a [InstanceId],
}

/// The one word for where an instance stands.
#[must_use]
pub fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Live => "live",
        Status::Completed { .. } => "completed",
        Status::Faulted { .. } => "faulted",
        Status::Cancelled { .. } => "cancelled",
    }
}

/// An instance with everything a reader of `GET /v1/instances/{id}` needs.
#[must_use]
pub fn instance(stored: &Stored, around: &Surroundings<'_>) -> Value {
    let instance = &stored.instance;
    let mut map = head(stored);
    map.insert("input".to_owned(), instance.input.clone());
    let (output, error, reason, ended_at) = end(&instance.status);
    map.insert("output".to_owned(), output);
    map.insert("error".to_owned(), error);
    map.insert("cancel_reason".to_owned(), reason);
    map.insert("context".to_owned(), instance.context.clone());
    map.insert("waiting_for".to_owned(), Value::Array(waiting_for(instance, around)));
    let children: Vec<Value> =
        around.children.iter().take(limit::CHILDREN_MAX).map(|id| child(*id)).collect();
    map.insert("children".to_owned(), Value::Array(children));
    map.insert("children_count".to_owned(), json!(around.children.len()));
    map.insert("parent".to_owned(), json!(instance.identity.parent.map(|p| child(p.instance))));
    map.insert("ended_at".to_owned(), ended_at);
    Value::Object(map)
}

/// An instance as an item of a list.
#[must_use]
pub fn summary(stored: &Stored) -> Value {
    let mut map = head(stored);
    let (_, error, _, ended_at) = end(&stored.instance.status);
    map.insert("error".to_owned(), error);
    map.insert("ended_at".to_owned(), ended_at);
    Value::Object(map)
}

fn head(stored: &Stored) -> Map<String, Value> {
    let instance = &stored.instance;
    let identity = &instance.identity;
    let mut map = Map::new();
    for (name, value) in [
        ("id", json!(instance.id)),
        ("href", json!(format!("/v1/instances/{}", instance.id))),
        ("status", json!(status_word(&instance.status))),
        (
            "definition",
            json!({
                "namespace": identity.namespace,
                "name": identity.definition,
                "version": identity.version,
                "digest": identity.digest,
            }),
        ),
        ("business_key", json!(identity.business_key)),
        ("revision", json!(instance.revision)),
        ("started_at", json!(instance.started_at)),
        ("updated_at", json!(stored.updated_at)),
    ] {
        map.insert(name.to_owned(), value);
    }
    map
}

fn child(id: InstanceId) -> Value {
    json!({ "id": id, "href": format!("/v1/instances/{id}") })
}

/// Output, error, reason of a cancellation, time of the end.
fn end(status: &Status) -> (Value, Value, Value, Value) {
    match status {
        Status::Pending | Status::Live => (Value::Null, Value::Null, Value::Null, Value::Null),
        Status::Completed { output, at } => (output.clone(), Value::Null, Value::Null, json!(at)),
        Status::Faulted { error, at } => (Value::Null, json!(error), Value::Null, json!(at)),
        Status::Cancelled { reason, at } => (Value::Null, Value::Null, json!(reason), json!(at)),
    }
}

/// What happened last at a task, as far as the journal's tail tells.
#[derive(Default)]
struct Traces<'a> {
    due: BTreeMap<&'a str, Timestamp>,
    events: BTreeMap<&'a str, Vec<(Option<&'a str>, Option<&'a str>)>>,
    functions: BTreeMap<&'a str, &'a str>,
}

impl<'a> Traces<'a> {
    fn read(journal: &'a [JournalRow]) -> Self {
        let mut traces = Self::default();
        for entry in journal.iter().flat_map(|row| &row.entries) {
            traces.note(entry);
        }
        traces
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a reader of four facts out of many: the others leave no trace by design"
    )]
    fn note(&mut self, entry: &'a Entry) {
        let Some(task) = entry.task.as_deref() else { return };
        match &entry.fact {
            Fact::TaskStarted => {
                self.events.remove(task);
                self.due.remove(task);
            }
            Fact::TimerSet { due } => {
                self.due.insert(task, *due);
            }
            Fact::WaitOpened { event_type, value } => {
                let opened = (event_type.as_deref(), value.as_deref());
                self.events.entry(task).or_default().push(opened);
            }
            Fact::EffectIntended { intent, .. } => {
                self.functions.insert(task, &intent.function);
            }
            _ => {}
        }
    }
}

/// What a live instance waits for, one line per active leaf task.
fn waiting_for(instance: &Instance, around: &Surroundings<'_>) -> Vec<Value> {
    let traces = Traces::read(around.journal);
    instance.frames.values().filter_map(|frame| waiting(frame, around.plan, &traces)).collect()
}

fn waiting(frame: &Frame, plan: Option<&Plan>, traces: &Traces<'_>) -> Option<Value> {
    let pointer = plan
        .and_then(|plan| plan.tasks.get(usize::try_from(frame.task.0).ok()?))
        .map(|task| task.pointer.clone());
    let place = pointer.as_deref().unwrap_or_default();
    let due = traces.due.get(place);
    let mut line = match &frame.activity {
        Activity::Do | Activity::For { .. } | Activity::Fork { .. } => return None,
        Activity::Try { phase, .. } => match phase {
            TryPhase::Body { .. } | TryPhase::Handler { .. } => return None,
            TryPhase::Delay { error, .. } => {
                json!({ "kind": "retry", "due": due, "error": error })
            }
        },
        Activity::Call { effect, phase } => {
            let mut line = call(phase);
            line.insert("function".to_owned(), json!(traces.functions.get(place)));
            line.insert("attempts".to_owned(), json!(effect.attempts));
            line.insert("effect_key".to_owned(), json!(effect.key));
            if matches!(phase, CallPhase::Delay { .. } | CallPhase::Settling { .. }) {
                line.insert("due".to_owned(), json!(due));
            }
            Value::Object(line)
        }
        Activity::Listen { consumed, .. } => {
            let events: Vec<Value> = traces.events.get(place).map_or_else(Vec::new, |events| {
                events.iter().map(|(kind, value)| awaited(*kind, *value)).collect()
            });
            json!({ "kind": "event", "events": events, "consumed": consumed.len() })
        }
        Activity::Wait { .. } => json!({ "kind": "timer", "due": due }),
        Activity::Child { child: id } => json!({ "kind": "child", "child": child(*id) }),
    };
    if let Some(map) = line.as_object_mut() {
        map.insert("task".to_owned(), json!(pointer));
        map.insert("since".to_owned(), json!(frame.started_at));
    }
    Some(line)
}

fn call(phase: &CallPhase) -> Map<String, Value> {
    let value = match phase {
        CallPhase::Sent { .. } => json!({ "kind": "call", "phase": "sent" }),
        CallPhase::Delay { .. } => json!({ "kind": "call", "phase": "delay" }),
        CallPhase::Settling { .. } => json!({ "kind": "call", "phase": "settling" }),
        CallPhase::LookingUp { .. } => json!({ "kind": "call", "phase": "looking-up" }),
        CallPhase::Stuck { incident } => json!({
            "kind": "incident",
            "fingerprint": incident.fingerprint,
            "detail": incident.detail,
            "opened_at": incident.since,
        }),
    };
    value.as_object().cloned().unwrap_or_default()
}

/// A wait: the correlation value is a canonical JSON array, shown as one.
fn awaited(kind: Option<&str>, value: Option<&str>) -> Value {
    let correlation = value.map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    json!({ "type": kind, "correlation": correlation })
}

/// One row of the journal.
#[must_use]
pub fn journal_row(row: &JournalRow) -> Value {
    json!({ "seq": row.seq, "at": row.at, "entries": row.entries })
}

/// What became of an event. Equal for the first and for every repeated delivery.
#[must_use]
pub fn event(answer: &EventAnswer) -> Value {
    let delivered: Vec<Value> = answer.receipt.delivered_to.iter().map(|id| child(*id)).collect();
    json!({
        "id": answer.event.id,
        "source": answer.event.source,
        "type": answer.event.kind,
        "href": event_href(&answer.event),
        "received_at": answer.receipt.received_at,
        "delivered_to": delivered,
    })
}

/// Where the fate of an event is read.
#[must_use]
pub fn event_href(event: &CloudEvent) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    format!("/v1/events?source={}&id={}", encode(&event.source), encode(&event.id))
}

/// A definition as an item of a list.
#[must_use]
pub fn definition(stored: &StoredDefinition) -> Value {
    json!({
        "namespace": stored.namespace,
        "name": stored.name,
        "version": stored.version,
        "digest": stored.digest,
        "href": format!("/v1/definitions/{}?version={}", stored.name, stored.version),
        "created_at": stored.created_at,
    })
}

#[cfg(test)]
mod tests;
