//! What happened in a run, as expectations, properties and expressions see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_adapter::{Lookup, Outcome};
use tenure_definition::plan::Document;
use tenure_machine::{CloudEvent, Entry, Fact, InstanceId};
use tenure_runtime::local::Report;
use tenure_runtime::local::director::Told;
use uuid::Uuid;

/// Facts of one run that are kept; a run with more is stopped and says so.
pub(super) const MOMENTS_MAX: usize = 500_000;

/// A fact with its circumstances.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) instance: InstanceId,
    /// Name of the definition.
    pub(super) definition: String,
    /// Which of the definitions that take part it is, as [`identity`] tells them.
    pub(super) identity: Arc<str>,
    pub(super) is_root: bool,
    pub(super) entry: Entry,
}

/// An attempt.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) function: String,
    pub(super) definition: String,
    pub(super) pointer: String,
    pub(super) with: Value,
    pub(super) attempt: u32,
    pub(super) key: Uuid,
    /// The moment it was decided.
    pub(super) intended: usize,
    /// The moment its outcome was known, and what that was.
    pub(super) returned: Option<(usize, Outcome)>,
}

/// The record of a run.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) moments: Vec<Moment>,
    pub(super) calls: Vec<Made>,
    /// How the run ended.
    pub(super) report: Option<Report>,
    /// What the run was started with.
    input: Value,
    /// The newest attempt of each effect.
    newest: BTreeMap<(InstanceId, Uuid), usize>,
    /// The identity of each instance's definition.
    identities: BTreeMap<InstanceId, Arc<str>>,
}

impl Record {
    pub(super) fn new(input: Value) -> Self {
        Self { input, ..Self::default() }
    }

    /// Whether it holds as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.moments.len() >= MOMENTS_MAX
    }

    pub(super) fn hear(&mut self, told: &Told<'_>) {
        let number = self.moments.len();
        let fact = &told.entry.fact;
        if let Fact::EffectIntended { intent, attempt } = fact {
            self.newest.insert((told.instance, intent.key), self.calls.len());
            self.calls.push(Made {
                function: intent.function.clone(),
                definition: told.document.name.clone(),
                pointer: intent.origin.task.clone(),
                with: intent.request.to_value(),
                attempt: *attempt,
                key: intent.key,
                intended: number,
                returned: None,
            });
        }
        if let Fact::EffectReturned { key, outcome }
        | Fact::LookupReturned { key, lookup: Lookup::Happened { outcome } } = fact
        {
            self.returned(told, *key, outcome, number);
        }
        let of = self.identities.entry(told.instance);
        let identity = Arc::clone(of.or_insert_with(|| identity(told.document).into()));
        self.moments.push(Moment {
            at: told.at,
            instance: told.instance,
            definition: told.document.name.clone(),
            identity,
            is_root: told.is_root,
            entry: told.entry.clone(),
        });
    }

    fn returned(&mut self, told: &Told<'_>, key: Uuid, outcome: &Outcome, number: usize) {
        let newest = self.newest.get(&(told.instance, key));
        if let Some(made) = newest.and_then(|index| self.calls.get_mut(*index)) {
            made.returned = Some((number, outcome.clone()));
        }
    }

    /// When a moment was.
    pub(super) fn at(&self, moment: usize) -> Option<Timestamp> {
        self.moments.get(moment).map(|moment| moment.at)
    }

    /// The attempts as expectations see them.
    pub(super) fn calls_json(&self) -> Vec<Value> {
        self.calls.iter().map(|made| self.call_json(made)).collect()
    }

    fn call_json(&self, made: &Made) -> Value {
        let mut shown = json!({
            "call": made.function,
            "definition": made.definition,
            "task": name_of(&made.pointer),
            "pointer": made.pointer,
            "at": self.at(made.intended).map(|at| at.to_string()),
            "attempt": made.attempt,
            "key": made.key,
            "with": made.with,
        });
        if let (Some((_, outcome)), Some(map)) = (&made.returned, shown.as_object_mut()) {
            map.insert("outcome".to_owned(), Value::from(word(outcome)));
            if let Outcome::Done { output } = outcome {
                map.insert("output".to_owned(), output.clone());
            }
        }
        shown
    }

    /// The events that were published by the instances.
    pub(super) fn emitted(&self) -> Vec<Value> {
        let event = |moment: &Moment| {
            let Fact::EventEmitted { event } = &moment.entry.fact else { return None };
            Some(CloudEvent::envelope(event))
        };
        self.moments.iter().filter_map(event).collect()
    }

    /// The facts, as the journal tells them.
    pub(super) fn journal(&self) -> Vec<Value> {
        let one = |moment: &Moment| {
            let mut entry = serde_json::to_value(&moment.entry).unwrap_or_default();
            if let Some(map) = entry.as_object_mut() {
                map.insert("definition".to_owned(), Value::from(moment.definition.clone()));
                map.insert("at".to_owned(), Value::from(moment.at.to_string()));
                if let Some(pointer) = &moment.entry.task {
                    map.insert("name".to_owned(), Value::from(name_of(pointer)));
                }
            }
            entry
        };
        self.moments.iter().map(one).collect()
    }

    /// What expressions of the scenario see as `.`.
    pub(super) fn so_far(&self, now: Timestamp) -> Value {
        let mut calls = Map::new();
        for made in &self.calls {
            let list = calls.entry(made.function.clone()).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(self.call_json(made));
            }
        }
        json!({ "calls": calls, "emitted": self.emitted(), "input": self.input, "now": now })
    }
}

/// What a definition is told by: `namespace/name:version`, one definition in each run.
pub(super) fn identity(document: &Document) -> String {
    format!("{}/{}:{}", document.namespace, document.name, document.version)
}

/// The name of a task, from its pointer.
pub(super) fn name_of(pointer: &str) -> String {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    last.replace("~1", "/").replace("~0", "~")
}

/// The word of an outcome, as stubs write it.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done { .. } => "done",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Declined { .. } => "declined",
        Outcome::Failed { .. } => "failed",
        Outcome::NotSent { .. } => "not_sent",
        Outcome::Unknown { .. } => "unknown",
    }
}

/// Whether `wanted` (`task`, `/pointer` or `definition:task`) means this task.
pub(super) fn means(wanted: &str, definition: &str, is_root: bool, pointer: &str) -> bool {
    let (of, task) = match wanted.split_once(':') {
        Some((of, task)) if !wanted.starts_with('/') => (Some(of), task),
        _ => (None, wanted),
    };
    of.map_or(is_root, |of| of == definition) && (task == pointer || task == name_of(pointer))
}
