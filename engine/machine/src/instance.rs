//! What is kept of an instance between two steps: all of it, serializable, and nothing else.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_adapter::Problem;
use tenure_definition::TaskId;
use tenure_definition::plan::Flow;
use uuid::Uuid;

use crate::abandoned::Abandoned;
use crate::{CallId, FrameId, InstanceId, Json, LockId, TimerId, WaitId};

/// One run of a definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Whose run it is.
    pub identity: Identity,
    /// Number of transitions so far; 0 before the first. Every checkpoint adds one.
    pub revision: i64,
    /// Where it stands.
    pub status: Status,
    /// The input it was started with.
    pub input: Json,
    /// `$context`.
    pub context: Json,
    /// When it was admitted.
    pub started_at: Timestamp,
    /// The timer of the workflow's own time-out.
    pub timeout: Option<TimerId>,
    /// All set timers with the instant they are due; a firing before that is put back.
    pub timers: BTreeMap<TimerId, Timestamp>,
    /// The active tasks, by id. Parents are older than their children.
    pub frames: BTreeMap<FrameId, Frame>,
    /// The next unused counter value for frames, timers, waits and calls.
    pub next_id: i64,
    /// How often the effect at a position was resolved: the visit number of its next call. Positions inside
    /// a loop are counted by its turn, and go with it.
    pub visits: BTreeMap<String, u32>,
    /// Effects whose outcome was unknown when their task was cancelled, by position. A new call at
    /// that position continues them instead of acting a second time.
    pub abandoned: BTreeMap<String, Abandoned>,
    /// Keys of authors (`metadata.idempotencyKey`) that a vendor has refused, by their first generation, with
    /// the generation that comes next. The newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<(Uuid, u32)>,
    /// The timer of the document's `expect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<TimerId>,
    /// The lock of the document's `exclusive`, or of a queued business key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// Locks that are held above it, by whoever awaits its end: waiting for one would be waiting for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_above: Vec<HeldLock>,
    /// What was done and can be undone, in the order it was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compensations: Vec<Compensation>,
    /// Why it is being cancelled, while what it did is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelling: Option<String>,
    /// Values of `metadata.searchable`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
}

/// Whose run an instance is; never changes (a migration replaces version and digest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Namespace of the definition.
    pub namespace: String,
    /// Name of the definition.
    pub definition: String,
    /// Version of the definition.
    pub version: String,
    /// Digest of the definition.
    pub digest: String,
    /// The business's name for this run.
    pub business_key: String,
    /// The caller's Idempotency-Key, or what stands in for it.
    pub start_key: String,
    /// Who started it, when it was another instance.
    pub parent: Option<Parent>,
}

/// The task that runs a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The parent instance.
    pub instance: InstanceId,
    /// Whether it waits for the child's end.
    pub awaits: bool,
}

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Admitted, not begun.
    Pending,
    /// Has active tasks.
    Live,
    /// Came to its end.
    Completed {
        /// The output.
        output: Json,
        /// When.
        at: Timestamp,
    },
    /// An error nobody caught.
    Faulted {
        /// The error.
        error: Problem,
        /// When.
        at: Timestamp,
    },
    /// Stopped from outside.
    Cancelled {
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
}

/// An active task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The task.
    pub task: TaskId,
    /// The composite task it runs under; `None` at top level.
    pub parent: Option<FrameId>,
    /// Which branch of a fork it is in; 0 elsewhere.
    pub branch: u32,
    /// Raw input, before `input.from`.
    pub raw: Json,
    /// Transformed input, where it is another than the raw one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "Json::deserialize_some"
    )]
    pub input: Option<Json>,
    /// When it began.
    pub started_at: Timestamp,
    /// The timer of its own time-out.
    pub timeout: Option<TimerId>,
    /// The timer of `metadata.expect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<TimerId>,
    /// The lock of `metadata.exclusive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// The extensions of the task that apply and whose `after` is still to come, as indexes into
    /// the plan's list, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<usize>,
    /// How far it is.
    pub activity: Activity,
}

impl Frame {
    /// The transformed input.
    #[must_use]
    pub fn input(&self) -> &Json {
        self.input.as_ref().unwrap_or(&self.raw)
    }
}

/// How far an active task is. Tasks that end at once (set, switch, emit, raise) have none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "activity", rename_all = "snake_case")]
pub enum Activity {
    /// A `do` with a child frame.
    Do,
    /// A `for` in one of its turns.
    For {
        /// The collection.
        items: Vec<Value>,
        /// The current turn.
        index: usize,
        /// How often this loop ran before: a part of the positions inside.
        #[serde(default, skip_serializing_if = "is_first")]
        round: u32,
        /// Visits of the positions of the current turn; the next one has others.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        visits: BTreeMap<String, u32>,
    },
    /// A `fork`.
    Fork {
        /// Outputs of the branches that ended, in declared order.
        outputs: Vec<Option<Json>>,
        /// `$context` of each branch: a copy at the start, merged at the join in declared order, so
        /// that the result never depends on timing.
        contexts: Vec<Json>,
        /// The last error of a branch, for `compete`.
        error: Option<Problem>,
    },
    /// A `try`.
    Try {
        /// Retries begun so far.
        retries: u32,
        /// When the first run began.
        first_at: Timestamp,
        /// Which part runs.
        phase: TryPhase,
    },
    /// A `call`.
    Call {
        /// The effect it is about.
        effect: Effect,
        /// Where that stands.
        phase: CallPhase,
    },
    /// A `listen`.
    Listen {
        /// The open waits, one per filter (those of `to`, then those of `until`), with the index of
        /// their filter.
        waits: BTreeMap<WaitId, usize>,
        /// What was consumed, by the index of the filter: for the output, and for `until`.
        consumed: Vec<(usize, Value)>,
        /// Values bound by the first event, by correlation name.
        bound: BTreeMap<String, Value>,
        /// Source and id of the events consumed where each filter has one of its own (`all`).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seen: Vec<(String, String)>,
        /// The turns of `foreach`, when it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turns: Option<Turns>,
    },
    /// A `wait`.
    Wait {
        /// Its timer.
        timer: TimerId,
    },
    /// A `run: workflow` that awaits its child.
    Child {
        /// The child.
        child: InstanceId,
    },
    /// A `do` that waits for its lock (in the frame's `lock`).
    Locking,
    /// A call of a function of the definition, in its one task.
    Function {
        /// `$context` inside: the caller's, and what the function exports. Dropped at its end.
        context: Json,
    },
    /// A part of an entry of `use.extensions` that extends the task; the task itself has not begun,
    /// or is over.
    Extended {
        /// Which entry of the plan's list is at work.
        extension: usize,
        /// Which part of it.
        phase: ExtendedPhase,
    },
    /// `engine.compensate`, or the cancellation of an instance that undoes what it did.
    Compensating {
        /// What is left to undo, in this order, the one at work first.
        left: Vec<Compensation>,
        /// Failures in a row of the first one.
        failures: u32,
        /// The timer of the next try.
        timer: Option<TimerId>,
        /// Only a person can say how to go on.
        stuck: Option<Incident>,
    },
    /// A `human.task`.
    Human {
        /// Its wait.
        wait: WaitId,
        /// What the decision names it by.
        ticket: Uuid,
        /// The timer of `due`.
        due: Option<TimerId>,
        /// `title`, `assignees`, `form`, as evaluated.
        request: Value,
    },
}

/// How far the `foreach` of a `listen` is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Turns {
    /// The turn that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Turn>,
    /// What was kept of events that came meanwhile, by the index of their filter.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub queue: VecDeque<(usize, Value)>,
    /// Number of turns begun so far: the index of the next one.
    pub begun: usize,
    /// How often this loop ran before: a part of the positions inside.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// Outputs of the turns that ended, by the index of the filter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(usize, Value)>,
    /// Whether enough was heard: the listen ends with the last turn.
    pub heard: bool,
    /// Filters whose waits were closed because the queue was full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Vec<usize>>,
}

/// A turn of `foreach`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Which filter the event fitted.
    pub filter: usize,
    /// Number of the turn, from 0.
    pub index: usize,
    /// What was kept of the event.
    pub item: Value,
    /// Visits of the positions of this turn; the next one has others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub visits: BTreeMap<String, u32>,
}

/// Whether a loop runs for the first time.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_first(round: &u32) -> bool {
    *round == 0
}

/// Which part of an extension runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum ExtendedPhase {
    /// `before`.
    Before,
    /// `after`; what the task has given is kept meanwhile.
    After {
        /// The transformed output of the task.
        output: Json,
        /// Where it leads, when not by its own `then`.
        flow: Option<Flow>,
    },
}

/// A completed task that says how it is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compensation {
    /// The task.
    pub task: TaskId,
    /// Where it was done: pointer and loop indexes.
    pub position: String,
    /// Frames of the `try` tasks around it, innermost first: whose `catch` may undo it.
    pub tries: Vec<FrameId>,
    /// Its transformed input.
    pub input: Json,
    /// Its output: the raw input of what undoes it.
    pub output: Json,
    /// Its place in the order of what was done.
    #[serde(default)]
    pub number: i64,
    /// The task of its undoing that began last, with its raw input: a new try goes on from there and
    /// does not repeat what came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<(TaskId, Json)>,
    /// Visits of the positions of its undoing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub visits: BTreeMap<String, u32>,
}

/// A lock by name, shared by all instances of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Its number within the instance.
    pub id: LockId,
    /// Its name.
    pub name: String,
    /// Whether it is held; otherwise it is waited for.
    pub held: bool,
}

/// A lock that an instance holds while it awaits a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLock {
    /// Its full name: namespace and name.
    pub name: String,
    /// Who holds it.
    pub instance: InstanceId,
    /// Its number within that instance.
    pub lock: LockId,
}

/// Which part of a `try` runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum TryPhase {
    /// The guarded tasks.
    Body {
        /// Timer of one attempt (`retry.limit.attempt.duration`).
        timer: Option<TimerId>,
    },
    /// Waiting before the next run.
    Delay {
        /// Its timer.
        timer: TimerId,
        /// What was caught.
        error: Problem,
    },
    /// `catch.do`.
    Handler {
        /// What was caught.
        error: Problem,
    },
}

/// One outward effect: what is asked for, and under which key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The position the key was derived from (pointer and loop indexes).
    pub position: String,
    /// Visit number of the position.
    pub visit: u32,
    /// 0, and one more for each new try after a proven rejection.
    pub generation: u32,
    /// The effect key.
    pub key: Uuid,
    /// The evaluated `with`.
    pub request: Json,
    /// When the first intent with this key was recorded.
    pub intent_at: Timestamp,
    /// No byte of an attempt is sent after this instant.
    pub send_by: Timestamp,
    /// Attempts so far, of all generations.
    pub attempts: u32,
    /// Unknown outcomes under this key that no look-up has disproved.
    pub unknowns: u32,
    /// Look-ups that said *absent*, under all keys.
    pub absences: u32,
    /// Attempts in a row that were never sent.
    pub unsent: u32,
    /// The first generation of a key that the author computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored: Option<Uuid>,
    /// An attempt of the task that was cancelled before: it may still be out, and what it answers
    /// counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<CallId>,
}

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum CallPhase {
    /// An attempt is out.
    Sent {
        /// The attempt.
        call: CallId,
    },
    /// Waiting before the next attempt, which is safe to send.
    Delay {
        /// Its timer.
        timer: TimerId,
    },
    /// The outcome is unknown; waiting until the vendor can no longer be acting.
    Settling {
        /// Its timer.
        timer: TimerId,
    },
    /// Asking the vendor whether it happened.
    LookingUp {
        /// The look-up.
        call: CallId,
    },
    /// Only a person can say: an incident.
    Stuck {
        /// The cause.
        incident: Incident,
    },
}

/// Why an instance needs an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Stable over ids and times: equal causes have equal fingerprints.
    pub fingerprint: String,
    /// What happened, for people.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

impl Identity {
    /// `source` of the events it publishes.
    #[must_use]
    pub fn event_source(&self) -> String {
        event_source(&self.namespace, &self.definition)
    }
}

/// `source` of the events that instances of a definition publish.
pub(crate) fn event_source(namespace: &str, definition: &str) -> String {
    format!("/{namespace}/{definition}")
}

impl Instance {
    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self.status {
            Status::Pending | Status::Live => false,
            Status::Completed { .. } | Status::Faulted { .. } | Status::Cancelled { .. } => true,
        }
    }

    /// Attempts and look-ups that are out: what a new owner must declare lost.
    pub fn open_calls(&self) -> impl Iterator<Item = CallId> {
        self.frames.values().filter_map(|frame| match &frame.activity {
            Activity::Call {
                phase: CallPhase::Sent { call } | CallPhase::LookingUp { call },
                ..
            } => Some(*call),
            Activity::Call {
                phase:
                    CallPhase::Delay { .. } | CallPhase::Settling { .. } | CallPhase::Stuck { .. },
                ..
            }
            | Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Listen { .. }
            | Activity::Wait { .. }
            | Activity::Child { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Compensating { .. }
            | Activity::Human { .. } => None,
        })
    }

    /// Awaited children.
    pub fn open_children(&self) -> impl Iterator<Item = InstanceId> {
        self.frames.values().filter_map(|frame| match &frame.activity {
            Activity::Child { child } => Some(*child),
            Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Compensating { .. }
            | Activity::Human { .. }
            | Activity::Call { .. }
            | Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Listen { .. }
            | Activity::Wait { .. } => None,
        })
    }

    /// Incidents that stop a task, with that task. [`Instance::late_incidents`] stop none.
    pub fn incidents(&self) -> impl Iterator<Item = (TaskId, &Incident)> {
        self.frames.values().filter_map(|frame| match &frame.activity {
            Activity::Call { phase: CallPhase::Stuck { incident }, .. } => {
                Some((frame.task, incident))
            }
            Activity::Compensating { stuck, .. } => Some((frame.task, stuck.as_ref()?)),
            Activity::Call {
                phase:
                    CallPhase::Sent { .. }
                    | CallPhase::Delay { .. }
                    | CallPhase::Settling { .. }
                    | CallPhase::LookingUp { .. },
                ..
            }
            | Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Listen { .. }
            | Activity::Wait { .. }
            | Activity::Child { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Human { .. } => None,
        })
    }
}
