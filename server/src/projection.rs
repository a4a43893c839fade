//! What the API shows of an instance, an event and a definition: facts for people and programs,
//! never the engine's inner form.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_definition::{Plan, TaskId, TaskKind};
use tenure_machine::instance::{Activity, CallPhase, Frame, Incident, TryPhase};
use tenure_machine::{CloudEvent, Fact, Instance, InstanceId, Status, TimerId};
use tenure_runtime::engine::EventAnswer;
use tenure_store::port::{JournalRow, Stored, StoredDefinition, Unsettled};

use crate::limit;

/// What is known about an instance besides its row; all of it may be missing.
#[derive(Debug, Default)]
pub struct Surroundings<'a> {
    /// Its plan, for the names of tasks.
    pub plan: Option<&'a Plan>,
    /// The newest rows of its journal, for correlation values.
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
    map.insert("input".to_owned(), instance.input.to_value());
    let (output, error, reason, ended_at) = end(&instance.status);
    map.insert("output".to_owned(), output);
    map.insert("error".to_owned(), error);
    map.insert("cancel_reason".to_owned(), reason);
    map.insert("context".to_owned(), instance.context.to_value());
    map.insert("attributes".to_owned(), json!(instance.attributes));
    map.insert("waiting_for".to_owned(), Value::Array(waiting_for(instance, around)));
    map.insert("incidents".to_owned(), Value::Array(incidents(stored, around)));
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

/// Everything a person has to look at: why it cannot move, tasks that are stuck, effects that came late.
fn incidents(stored: &Stored, around: &Surroundings<'_>) -> Vec<Value> {
    let instance = &stored.instance;
    let line = |kind: &str, task: Option<TaskId>, incident: &Incident| {
        let index = task.and_then(|task| usize::try_from(task.0).ok());
        let task = index.and_then(|index| around.plan.and_then(|plan| plan.tasks.get(index)));
        json!({
            "kind": kind,
            "fingerprint": incident.fingerprint,
            "detail": incident.detail,
            "task": task.map(|task| &task.pointer),
            "opened_at": incident.since,
        })
    };
    let parked = stored.parked.iter().map(|incident| line("parked", None, incident));
    let stuck = instance.incidents().map(|(task, incident)| line("stuck", Some(task), incident));
    let late = instance.late_incidents().map(|(task, incident)| line("late", Some(task), incident));
    parked.chain(stuck).chain(late).collect()
}

/// An effect that nobody has settled.
#[must_use]
pub fn effect(unsettled: &Unsettled) -> Value {
    json!({
        "instance": unsettled.instance,
        "href": format!("/v1/instances/{}", unsettled.instance),
        "instance_status": unsettled.instance_status,
        "definition": unsettled.definition,
        "business_key": unsettled.business_key,
        "key": unsettled.key,
        "place": unsettled.position,
        "state": unsettled.phase,
        "intent_at": unsettled.intent_at,
        "since": unsettled.updated_at,
    })
}

fn child(id: InstanceId) -> Value {
    json!({ "id": id, "href": format!("/v1/instances/{id}") })
}

/// Output, error, reason of a cancellation, time of the end.
fn end(status: &Status) -> (Value, Value, Value, Value) {
    match status {
        Status::Pending | Status::Live => (Value::Null, Value::Null, Value::Null, Value::Null),
        Status::Completed { output, at } => {
            (output.to_value(), Value::Null, Value::Null, json!(at))
        }
        Status::Faulted { error, at } => (Value::Null, json!(error), Value::Null, json!(at)),
        Status::Cancelled { reason, at } => (Value::Null, Value::Null, json!(reason), json!(at)),
    }
}

/// An event a task waits for: its type and the canonical JSON array of its correlation values.
#[derive(Debug, Clone, Copy)]
struct Awaited<'a> {
    kind: Option<&'a str>,
    value: Option<&'a str>,
}

/// The events each task waits for, by its pointer, as far as the journal's tail tells.
fn awaited_events(journal: &[JournalRow]) -> BTreeMap<&str, Vec<Awaited<'_>>> {
    let mut events: BTreeMap<&str, Vec<Awaited<'_>>> = BTreeMap::new();
    for entry in journal.iter().flat_map(|row| &row.entries) {
        let Some(task) = entry.task.as_deref() else { continue };
        if matches!(entry.fact, Fact::TaskStarted) {
            // A second visit opens waits of its own.
            events.remove(task);
        }
        if let Fact::WaitOpened { event_type, value } = &entry.fact {
            let awaited = Awaited { kind: event_type.as_deref(), value: value.as_deref() };
            events.entry(task).or_default().push(awaited);
        }
    }
    events
}

/// What a live instance waits for, one line per active leaf task; before the first, its lock.
fn waiting_for(instance: &Instance, around: &Surroundings<'_>) -> Vec<Value> {
    let events = awaited_events(around.journal);
    let leaf = |frame: &Frame| {
        let index = usize::try_from(frame.task.0).ok()?;
        let task = around.plan.and_then(|plan| plan.tasks.get(index));
        let pointer = task.map(|task| task.pointer.as_str());
        let mut line = waiting(instance, frame, events.get(pointer.unwrap_or_default()))?;
        if let Some(TaskKind::Call(call)) = task.map(|task| &task.kind) {
            line.insert("function".to_owned(), json!(call.function.name));
        }
        if let Some(due) = frame.timeout.and_then(|timer| instance.timers.get(&timer)) {
            line.insert("times_out_at".to_owned(), json!(due));
        }
        line.insert("task".to_owned(), json!(pointer));
        line.insert("since".to_owned(), json!(frame.started_at));
        Some(Value::Object(line))
    };
    let lock = instance.lock.as_ref().filter(|lock| !lock.held && !instance.is_terminal());
    let lock = lock.map(|lock| {
        let since = instance.started_at;
        json!({ "kind": "lock", "name": lock.name, "task": null, "since": since })
    });
    lock.into_iter().chain(instance.frames.values().filter_map(leaf)).collect()
}

fn waiting(
    instance: &Instance,
    frame: &Frame,
    events: Option<&Vec<Awaited<'_>>>,
) -> Option<Map<String, Value>> {
    let due = |timer: &TimerId| instance.timers.get(timer).copied();
    let value = match &frame.activity {
        Activity::Do
        | Activity::For { .. }
        | Activity::Fork { .. }
        | Activity::Function { .. }
        | Activity::Extended { .. }
        | Activity::Compensating { .. } => return None,
        Activity::Locking => json!({
            "kind": "lock",
            "name": frame.lock.as_ref().map(|lock| lock.name.as_str()),
        }),
        Activity::Human { ticket, due: timer, request, .. } => json!({
            "kind": "human-task",
            "ticket": ticket,
            "title": request.get("title"),
            "description": request.get("description"),
            "assignees": request.get("assignees"),
            "form": request.get("form"),
            "due": timer.as_ref().and_then(due),
        }),
        Activity::Try { phase, .. } => match phase {
            TryPhase::Body { .. } | TryPhase::Handler { .. } => return None,
            TryPhase::Delay { error, timer } => {
                json!({ "kind": "retry", "due": due(timer), "error": error })
            }
        },
        Activity::Call { effect, phase } => {
            let mut line = call(phase, due);
            line.insert("attempts".to_owned(), json!(effect.attempts));
            line.insert("effect_key".to_owned(), json!(effect.key));
            return Some(line);
        }
        Activity::Listen { consumed, .. } => {
            let events: Vec<Value> = events.into_iter().flatten().map(awaited).collect();
            json!({ "kind": "event", "events": events, "consumed": consumed.len() })
        }
        Activity::Wait { timer } => json!({ "kind": "timer", "due": due(timer) }),
        Activity::Child { child: id } => json!({ "kind": "child", "child": child(*id) }),
    };
    object(value)
}

fn object(value: Value) -> Option<Map<String, Value>> {
    if let Value::Object(map) = value { Some(map) } else { None }
}

fn call(phase: &CallPhase, due: impl Fn(&TimerId) -> Option<Timestamp>) -> Map<String, Value> {
    let value = match phase {
        CallPhase::Sent { .. } => json!({ "kind": "call", "phase": "sent" }),
        CallPhase::Delay { timer } => {
            json!({ "kind": "call", "phase": "delay", "due": due(timer) })
        }
        CallPhase::Settling { timer } => {
            json!({ "kind": "call", "phase": "settling", "due": due(timer) })
        }
        CallPhase::LookingUp { .. } => json!({ "kind": "call", "phase": "looking-up" }),
        CallPhase::Stuck { incident } => json!({
            "kind": "incident",
            "fingerprint": incident.fingerprint,
            "detail": incident.detail,
            "opened_at": incident.since,
        }),
    };
    object(value).unwrap_or_default()
}

fn awaited(event: &Awaited<'_>) -> Value {
    let correlation =
        event.value.map(|text| serde_json::from_str(text).unwrap_or_else(|_error| json!(text)));
    json!({ "type": event.kind, "correlation": correlation })
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
