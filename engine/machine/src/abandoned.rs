//! What is kept of an effect whose task is gone while nobody knew whether it had happened.
//!
//! It is evidence: it outlives its task and its instance, is listed until somebody knows, and what
//! comes back late is added to it.

use serde::{Deserialize, Serialize};
use tenure_adapter::Outcome;
use tenure_definition::TaskId;

use crate::instance::{Effect, Incident, Instance};
use crate::{CallId, FrameId, Json};

/// An effect in doubt, or one that is known too late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Abandoned {
    /// The effect.
    #[serde(flatten)]
    pub effect: Effect,
    /// The task that called.
    #[serde(default = "first_task")]
    pub task: TaskId,
    /// The function it called.
    #[serde(default)]
    pub function: String,
    /// The task around it: the loop around that counts its visits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<FrameId>,
    /// The attempt or look-up that is still out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// What came back when nobody waited for it any more: it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The transformed input of the task, when a cancellation has to undo what it did.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "Json::deserialize_some"
    )]
    pub undoable: Option<Json>,
    /// Why a person has to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
}

/// What is known of an abandoned effect, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// An answer may still come.
    Awaited,
    /// No answer comes any more; nobody was harmed as far as the function tells.
    Lost,
    /// No answer comes any more, and it may have moved money: an incident.
    Unknown,
    /// It happened, and nobody uses or undoes it: an incident.
    Late,
}

/// The task in states that do not tell it.
fn first_task() -> TaskId {
    TaskId(0)
}

impl Abandoned {
    /// What is known of it.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge {
        match (&self.outcome, &self.incident, self.call) {
            (Some(_), _, _) => Knowledge::Late,
            (None, Some(_), _) => Knowledge::Unknown,
            (None, None, Some(_)) => Knowledge::Awaited,
            (None, None, None) => Knowledge::Lost,
        }
    }
}

impl Instance {
    /// Attempts and look-ups that are out although their task is gone: their answers are evidence,
    /// and a new owner must declare them lost like all others.
    pub fn abandoned_calls(&self) -> impl Iterator<Item = CallId> {
        self.abandoned.values().filter_map(|abandoned| abandoned.call)
    }

    /// Incidents of what was abandoned. They stop no task, and outlive the instance.
    pub fn late_incidents(&self) -> impl Iterator<Item = (TaskId, &Incident)> {
        self.abandoned
            .values()
            .filter_map(|abandoned| Some((abandoned.task, abandoned.incident.as_ref()?)))
    }
}
