//! The specification's lifecycle events, as a projection of what a step wrote into the journal.
//!
//! They are off by default (`metadata.lifecycle`): the journal holds the same facts, in order and
//! for ever, while each event costs a row of the outbox, a row of the inbox and a look for waits,
//! which is about as much as the step itself. `workflow` publishes the few of the instance, `tasks`
//! also those of its tasks.
//!
//! Ids are derived from instance and revision, so a step that is made again publishes the same
//! events, and the inbox drops the copies.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_definition::Plan;
use tenure_definition::plan::Lifecycle;

use crate::{CloudEvent, Entry, Fact, Instance, key};

/// What all their types begin with; the renamed specification has kept it.
const PREFIX: &str = "io.serverlessworkflow";

/// Whether an event tells of the life of an instance that publishes under this source: of the same
/// definition, in any version.
pub(crate) fn is_of(event: &CloudEvent, source: &str) -> bool {
    let told = event.kind.strip_prefix(PREFIX);
    let is_lifecycle =
        told.is_some_and(|told| told.starts_with(".workflow.") || told.starts_with(".task."));
    is_lifecycle && event.source == source
}

/// What the journal does not say by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Signal {
    /// A `listen` began.
    CorrelationStarted,
    /// A `listen` has heard enough.
    CorrelationCompleted {
        /// Values by the correlations' names.
        keys: Value,
    },
}

/// The events of one transition, in order. A signal stands before the journal entry of its number.
pub(crate) fn events(
    plan: &Plan,
    instance: &Instance,
    journal: &[Entry],
    signals: &[(usize, Signal)],
    at: Timestamp,
) -> Vec<CloudEvent> {
    let tasks = match plan.extensions.lifecycle {
        Lifecycle::Off => return Vec::new(),
        Lifecycle::Workflow => false,
        Lifecycle::Tasks => true,
    };
    let mut teller = Teller { instance, at, events: Vec::new() };
    let mut signals = signals.iter().peekable();
    for (number, entry) in journal.iter().enumerate() {
        while let Some((_, signal)) = signals.next_if(|(before, _)| *before <= number) {
            teller.signal(signal);
        }
        teller.fact(plan, entry, tasks);
    }
    for (_, signal) in signals {
        teller.signal(signal);
    }
    teller.events
}

struct Teller<'a> {
    instance: &'a Instance,
    at: Timestamp,
    events: Vec<CloudEvent>,
}

impl Teller<'_> {
    fn signal(&mut self, signal: &Signal) {
        match signal {
            Signal::CorrelationStarted => {
                self.workflow("correlation-started", "startedAt", json!({}));
            }
            Signal::CorrelationCompleted { keys } => {
                let more = json!({ "correlationKeys": keys });
                self.workflow("correlation-completed", "completedAt", more);
            }
        }
    }

    fn fact(&mut self, plan: &Plan, entry: &Entry, tasks: bool) {
        let task = entry.task.as_deref();
        match (&entry.fact, task) {
            (Fact::InstanceStarted, _) => {
                let document = &plan.document;
                let definition = json!({
                    "name": document.name,
                    "namespace": document.namespace,
                    "version": document.version,
                });
                self.workflow("started", "startedAt", json!({ "definition": definition }));
            }
            (Fact::InstanceCompleted { .. }, _) => {
                let output = format!("/v1/instances/{}#/output", self.instance.id);
                self.workflow("completed", "completedAt", json!({ "outputUri": output }));
            }
            (Fact::InstanceFaulted { error }, _) => {
                self.workflow("faulted", "faultedAt", json!({ "error": error }));
            }
            (Fact::InstanceCancelled { .. }, _) => {
                self.workflow("cancelled", "cancelledAt", json!({}));
            }
            (fact, Some(task)) if tasks => self.task_fact(task, fact),
            (_, Some(_) | None) => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a projection names what it tells; new facts stay untold until someone needs them"
    )]
    fn task_fact(&mut self, task: &str, fact: &Fact) {
        match fact {
            // Here a task begins when it is created.
            Fact::TaskStarted => {
                self.task(task, "created", "createdAt", json!({}));
                self.task(task, "started", "startedAt", json!({}));
            }
            Fact::TaskCompleted { .. } => {
                let (id, before) = (self.instance.id, self.instance.revision - 1);
                let output = format!("/v1/instances/{id}/journal?after={before}&limit=1");
                self.task(task, "completed", "completedAt", json!({ "outputUri": output }));
            }
            Fact::TaskFaulted { error } => {
                self.task(task, "faulted", "faultedAt", json!({ "error": error }));
            }
            Fact::TaskCancelled => self.task(task, "cancelled", "cancelledAt", json!({})),
            Fact::TaskRetried { .. } => self.task(task, "retried", "retriedAt", json!({})),
            _ => {}
        }
    }

    fn workflow(&mut self, what: &str, moment: &str, more: Value) {
        let data = json!({ "name": self.qualified() });
        self.tell(&format!("{PREFIX}.workflow.{what}.v1"), data, moment, more);
    }

    fn task(&mut self, task: &str, what: &str, moment: &str, more: Value) {
        let data = json!({ "workflow": self.qualified(), "task": task });
        self.tell(&format!("{PREFIX}.task.{what}.v1"), data, moment, more);
    }

    /// The qualified name of the instance.
    fn qualified(&self) -> String {
        format!("{}.{}", self.instance.id, self.instance.identity.namespace)
    }

    fn tell(&mut self, kind: &str, data: Value, moment: &str, more: Value) {
        let identity = &self.instance.identity;
        let position = format!("lifecycle:{}:{}", self.instance.revision, self.events.len());
        let mut fields = Map::new();
        for part in [data, json!({ (moment): self.at.to_string() }), more] {
            if let Value::Object(part) = part {
                fields.extend(part);
            }
        }
        let mut rest = Map::new();
        rest.insert("subject".to_owned(), Value::String(self.instance.id.to_string()));
        rest.insert("time".to_owned(), Value::String(self.at.to_string()));
        rest.insert("datacontenttype".to_owned(), Value::from("application/json"));
        rest.insert("data".to_owned(), Value::Object(fields));
        self.events.push(CloudEvent {
            specversion: "1.0".to_owned(),
            id: key::effect_key(identity, &position, 0, 0).to_string(),
            source: identity.event_source(),
            kind: kind.to_owned(),
            rest,
        });
    }
}
