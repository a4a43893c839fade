//! What a step gives: the next instance, what to do once it is committed, and what to remember.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_adapter::{Lookup, Origin, Outcome, Problem};
use tenure_definition::TaskId;
use uuid::Uuid;

use crate::instance::{HeldLock, Instance};
use crate::{CallId, ChildResult, CloudEvent, InstanceId, Json, LockId, TimerId, WaitId};

/// The result of [`crate::step`].
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The event moved the instance.
    Moved(Box<Transition>),
    /// The event does not concern this instance (any more): a late or doubled answer, an event
    /// that does not fit its wait. A value, not an error; nothing is written.
    Stale(Stale),
}

/// Why an event moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// The instance has ended.
    Ended,
    /// The timer, call, wait or child is no longer open.
    Closed,
    /// The timer is not due yet: put it back.
    Early,
    /// The event does not fit the wait's filter.
    Mismatch,
}

/// A change to be committed in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The next state; its revision is one more than before.
    pub instance: Instance,
    /// In order. Rows (timers, waits, outbox) are written with the checkpoint; calls are released
    /// after it committed.
    pub commands: Vec<Command>,
    /// What happened, in order: the body of one journal row.
    pub journal: Vec<Entry>,
}

/// What a transition asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Make one attempt of an effect.
    Call(Intent),
    /// Ask the vendor whether an effect happened.
    LookUp(Intent),
    /// Remember a timer.
    SetTimer {
        /// The timer.
        timer: TimerId,
        /// When it is due.
        due: Timestamp,
    },
    /// Forget a timer.
    ClearTimer {
        /// The timer.
        timer: TimerId,
    },
    /// Remember a wait.
    OpenWait(Wait),
    /// Forget a wait.
    CloseWait {
        /// The wait.
        wait: WaitId,
    },
    /// Start a child (outbox).
    StartChild(ChildStart),
    /// Cancel a child (outbox).
    CancelChild {
        /// The child.
        child: InstanceId,
        /// Why.
        reason: String,
    },
    /// Tell the parent how this instance ended (outbox).
    TellParent {
        /// The parent.
        parent: InstanceId,
        /// How this instance ended.
        result: ChildResult,
    },
    /// Publish an event (outbox).
    Emit {
        /// The event.
        event: CloudEvent,
    },
    /// Replace the attributes it is found by.
    SetAttributes {
        /// All of them.
        attributes: BTreeMap<String, Value>,
    },
    /// Stand in line for a lock (outbox); [`crate::Event::LockGranted`] answers.
    AcquireLock {
        /// Its number within the instance.
        lock: LockId,
        /// Its full name: namespace and name.
        name: String,
    },
    /// Leave the line, or give the lock to the next in it (outbox).
    ReleaseLock {
        /// Its number within the instance.
        lock: LockId,
        /// Its full name: namespace and name.
        name: String,
    },
}

/// An attempt (or look-up) of an effect, as it is journaled and as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// This attempt.
    pub call: CallId,
    /// The function.
    pub function: String,
    /// The effect key.
    pub key: Uuid,
    /// The evaluated `with`.
    pub request: Json,
    /// When the first intent with this key was recorded.
    pub intent_at: Timestamp,
    /// No byte is sent after this instant; from then on it is `not_sent`.
    pub send_by: Timestamp,
    /// Total time of the attempt, in milliseconds.
    pub deadline_ms: u64,
    /// Who asks.
    pub origin: Origin,
}

/// An open wait, findable by (namespace, type, shape, value).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The wait.
    pub wait: WaitId,
    /// Event type; `None` fits any.
    pub event_type: Option<String>,
    /// Shape of the correlations, as in the plan's filter.
    pub shape: String,
    /// Canonical JSON array of the expected values in order of the correlations' names; `None`
    /// when a value is not known yet (the first event binds it).
    pub value: Option<String>,
}

/// A child to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildStart {
    /// Its id, derived from the parent and the task.
    pub id: InstanceId,
    /// Namespace of its definition.
    pub namespace: String,
    /// Name of its definition.
    pub name: String,
    /// Version, or `latest`.
    pub version: String,
    /// Its input.
    pub input: Value,
    /// Its start key.
    pub start_key: String,
    /// Whether the parent awaits its end.
    pub awaits: bool,
    /// Locks that are held above it until it ends: it may not wait for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_above: Vec<HeldLock>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// JSON pointer of the task it is about; `None` for the instance as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which task of the plan that is, while the step is at hand: the tasks of functions and
    /// extensions stand at several places under one pointer. It is not stored.
    #[serde(skip)]
    pub place: Option<TaskId>,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A `wait` is over.
    #[default]
    Wait,
    /// `timeout`.
    Timeout,
    /// `retry.limit.attempt.duration`.
    Attempt,
    /// The body of a `try` runs again.
    Retry,
    /// A call is made again.
    Resend,
    /// The vendor can no longer be acting on a call of unknown outcome.
    Settled,
    /// A person has not decided until `due`.
    Overdue,
    /// `expect`.
    Late,
    /// An undoing is tried again.
    Undo,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The instance began.
    InstanceStarted,
    /// The instance came to its end.
    InstanceCompleted {
        /// Its output.
        output: Json,
    },
    /// Nobody caught this.
    InstanceFaulted {
        /// The error.
        error: Problem,
    },
    /// Stopped from outside.
    InstanceCancelled {
        /// Why.
        reason: String,
    },
    /// Stopped from outside; what it did is undone first.
    InstanceCancelling {
        /// Why.
        reason: String,
    },
    /// A task began.
    TaskStarted,
    /// `if` was false.
    TaskSkipped,
    /// A `switch` chose its way.
    CaseTaken {
        /// The name of the case.
        case: String,
    },
    /// A task ended.
    TaskCompleted {
        /// Its transformed output.
        output: Json,
    },
    /// A task failed.
    TaskFaulted {
        /// The error.
        error: Problem,
    },
    /// A task was stopped by its surroundings.
    TaskCancelled,
    /// A `try` caught an error and will run again.
    TaskRetried {
        /// Number of the retry, from 1.
        retry: u32,
        /// When it runs.
        at: Timestamp,
        /// What was caught.
        error: Problem,
    },
    /// An attempt was decided: written before the call is made.
    EffectIntended {
        /// The intent.
        intent: Intent,
        /// Number of the attempt, from 1.
        attempt: u32,
    },
    /// An attempt came back, or was given up as lost.
    EffectReturned {
        /// The effect key.
        key: Uuid,
        /// What came back.
        outcome: Outcome,
    },
    /// An attempt came back whose task, or whose instance, was over: kept as evidence.
    EffectReturnedLate {
        /// The effect key.
        key: Uuid,
        /// What came back.
        outcome: Outcome,
    },
    /// The outcome is unknown; nothing is done until this instant.
    EffectSettling {
        /// The effect key.
        key: Uuid,
        /// Until when.
        until: Timestamp,
    },
    /// The vendor is asked whether it happened.
    LookupIntended {
        /// The effect key.
        key: Uuid,
    },
    /// The vendor answered.
    LookupReturned {
        /// The effect key.
        key: Uuid,
        /// The answer.
        lookup: Lookup,
    },
    /// A timer was set.
    TimerSet {
        /// When it is due.
        due: Timestamp,
    },
    /// A timer fired.
    TimerFired {
        /// What it was for.
        #[serde(default)]
        purpose: Purpose,
    },
    /// A wait was opened.
    WaitOpened {
        /// The event type waited for.
        event_type: Option<String>,
        /// The expected correlation values.
        value: Option<String>,
    },
    /// An event was consumed.
    EventConsumed {
        /// The event.
        event: CloudEvent,
        /// Which filter of a `listen` took it: the number among those of `to`, then those of `until`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<usize>,
    },
    /// An event was published.
    EventEmitted {
        /// The event.
        event: CloudEvent,
    },
    /// A child was started.
    ChildStarted {
        /// Its id.
        child: InstanceId,
        /// Its definition.
        definition: String,
    },
    /// A child ended.
    ChildEnded {
        /// Its id.
        child: InstanceId,
        /// How.
        result: ChildResult,
    },
    /// `$context` was replaced.
    ContextExported {
        /// The new context.
        context: Json,
    },
    /// It stands in line for a lock.
    LockRequested {
        /// Its name.
        name: String,
    },
    /// It holds a lock.
    LockGranted {
        /// Its name.
        name: String,
    },
    /// It let a lock go.
    LockReleased {
        /// Its name.
        name: String,
    },
    /// It takes longer than expected.
    Late,
    /// How a task is undone was registered.
    CompensationRegistered,
    /// A task is being undone.
    CompensationStarted,
    /// A task was undone.
    CompensationCompleted,
    /// A person is asked.
    HumanTaskOpened {
        /// What the decision names it by.
        ticket: Uuid,
        /// `title`, `assignees`, `form`, as evaluated.
        request: Value,
        /// When it is overdue.
        due: Option<Timestamp>,
    },
    /// An operator is needed.
    IncidentOpened {
        /// Fingerprint of the cause.
        fingerprint: String,
        /// For people.
        detail: String,
    },
}
