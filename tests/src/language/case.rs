//! The form of a file of cases.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tenure_adapter::Outcome;
use tenure_runtime::local::Status;

/// What a definition without a `document` begins with.
const DOCUMENT: &str =
    "document: { dsl: '1.0.3', namespace: test, name: main, version: '1.0.0' }\n";

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// A row of the checklist.
    pub row: Option<String>,
    /// Or a ruling.
    pub ruling: Option<String>,
    /// At least one.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: String,
    /// The text of the definition. A `document` is put before it when it has none.
    definition: String,
    /// Further definitions, as children; each with its own `document`.
    #[serde(default)]
    pub others: Vec<String>,
    /// The input; `null` when absent.
    #[serde(default)]
    pub input: Value,
    /// The clock's reading at the start.
    pub start_at: Option<jiff::Timestamp>,
    /// Events that start it (`schedule.on`).
    #[serde(default)]
    pub triggers: Vec<Happening>,
    /// Events that come once it waits, in order, each after its delay.
    #[serde(default)]
    pub events: Vec<Happening>,
    /// Values of `$secrets`.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What `test.scripted` answers, in order.
    #[serde(default)]
    pub calls: Vec<Outcome>,
    /// Plays its schedule instead of one run.
    pub rehearse: Option<Rehearse>,
    /// What must come of it.
    pub expect: Expect,
}

/// How long a schedule is played, from `start_at` on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearse {
    /// Until when.
    pub until: jiff::Timestamp,
    /// Instances started by hand.
    #[serde(default)]
    pub starts: Vec<jiff::Timestamp>,
    /// Times in which no server runs.
    #[serde(default)]
    pub outages: Vec<(jiff::Timestamp, jiff::Timestamp)>,
}

impl Case {
    /// The whole text of the definition.
    #[must_use]
    pub fn text(&self) -> String {
        if self.definition.lines().any(|line| line.starts_with("document:")) {
            return self.definition.clone();
        }
        format!("{DOCUMENT}{}", self.definition)
    }
}

/// An event.
#[derive(Debug, Clone, Deserialize)]
pub struct Happening {
    /// Since the one before, or since somebody waits.
    #[serde(default)]
    pub after: Option<jiff::SignedDuration>,
    /// Its attributes and data; `id` and `source` may be absent.
    #[serde(flatten)]
    pub event: Map<String, Value>,
}

/// What must come of a case. What is absent is not checked, apart from the status.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How it ends: `completed` when absent.
    pub status: Option<Ending>,
    /// Its output, exactly.
    #[serde(default, deserialize_with = "present")]
    pub output: Option<Value>,
    /// `$context` at the end, exactly.
    #[serde(default, deserialize_with = "present")]
    pub context: Option<Value>,
    /// Properties of its error; it may have more.
    pub error: Option<Map<String, Value>>,
    /// Names of the tasks that began, in order.
    pub ran: Option<Vec<String>>,
    /// Names of the tasks that were cancelled, in order.
    pub cancelled: Option<Vec<String>>,
    /// Events it publishes, in order; each may have more than is written.
    pub emitted: Option<Vec<Value>>,
    /// How long it takes by its clock.
    pub took: Option<jiff::SignedDuration>,
    /// Inputs that `test.scripted` and `test.echo` were called with, in order.
    pub called: Option<Vec<Value>>,
    /// What its schedule fires, in order: the instant at which an instance starts, or an object with
    /// `nominal`, `at`, `fate` and `ended`.
    pub fires: Option<Vec<Value>>,
    /// The findings it is refused for; then nothing runs.
    pub refused: Option<Vec<Finding>>,
    /// The warnings it is accepted with.
    pub warned: Option<Vec<Finding>>,
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Came to its end.
    Completed,
    /// An error nobody caught.
    Faulted,
    /// Stopped.
    Cancelled,
    /// The input was refused.
    Rejected,
    /// It still waits.
    Waiting,
    /// It needs an operator.
    Incident,
}

impl From<Status> for Ending {
    fn from(status: Status) -> Self {
        match status {
            Status::Completed => Self::Completed,
            Status::Faulted => Self::Faulted,
            Status::Cancelled => Self::Cancelled,
            Status::Rejected => Self::Rejected,
            Status::Waiting => Self::Waiting,
            Status::Incident => Self::Incident,
        }
    }
}

/// A diagnostic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its code.
    pub code: String,
    /// A part of its message or its help.
    pub says: Option<String>,
    /// The text it marks.
    pub at: Option<String>,
}

/// Tells `output: null` from no `output`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
