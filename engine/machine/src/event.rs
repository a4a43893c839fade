//! What enters the machine. Start, webhook, timer, child, operator: all by this door.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_adapter::{Lookup, Outcome, Problem};

use crate::{CallId, CloudEvent, InstanceId, LockId, TimerId, WaitId};

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The instance was admitted and begins.
    Started,
    /// An attempt came back.
    CallEnded {
        /// The attempt.
        call: CallId,
        /// What came back.
        outcome: Outcome,
    },
    /// A look-up came back.
    LookupEnded {
        /// The look-up.
        call: CallId,
        /// What came back.
        lookup: Lookup,
    },
    /// The node that may have sent this attempt (or look-up) is gone.
    CallLost {
        /// The attempt.
        call: CallId,
    },
    /// A timer is due.
    TimerDue {
        /// The timer.
        timer: TimerId,
    },
    /// An event was found for an open wait.
    EventArrived {
        /// The wait.
        wait: WaitId,
        /// The event.
        event: CloudEvent,
    },
    /// A child came to its end, or could not be started.
    ChildEnded {
        /// The child.
        child: InstanceId,
        /// How.
        result: ChildResult,
    },
    /// It holds a lock it stood in line for.
    LockGranted {
        /// The lock.
        lock: LockId,
        /// Its full name: what the instance does not know (any more) it gives back by this.
        #[serde(default)]
        name: String,
    },
    /// It stands in line for a lock that it can never get: who holds it waits for one of its own.
    LockRefused {
        /// The lock.
        lock: LockId,
        /// Who waits for whom, for people.
        detail: String,
    },
    /// The parent was cancelled, or an operator says stop.
    CancelRequested {
        /// Why, for people.
        reason: String,
    },
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ChildResult {
    /// It completed.
    Completed {
        /// Its output.
        output: Value,
    },
    /// It faulted, or its start was refused.
    Faulted {
        /// Its error.
        error: Problem,
    },
    /// It was cancelled.
    Cancelled,
}
