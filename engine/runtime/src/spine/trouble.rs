//! Why an instance cannot move, in words that hold nothing of its data.

use jiff::Timestamp;
use tenure_machine::instance::Incident;
use tenure_machine::{Event, Identity, Instance, payload};
use tenure_store::port::Checkpoint;

/// What every one of them ends with.
const REMEDY: &str = "It is tried again after at most five minutes, and its answers are kept; a \
                      cancellation goes before";

/// A step that cannot be made, or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    fingerprint: String,
    detail: String,
}

impl Trouble {
    /// The machine panicked over an event.
    pub(crate) fn panicked(instance: &Instance, event: &Event) -> Self {
        let (definition, event) = (&instance.identity.definition, name(event));
        Self {
            fingerprint: format!("panic:{definition}:{event}"),
            detail: format!(
                "the step on `{event}` panicked, which is a bug of the engine: the log of the node names \
                 the place. {REMEDY}. Install a version that has it mended, or cancel the instance"
            ),
        }
    }

    /// The next state cannot be written.
    pub(crate) fn poisoned(checkpoint: &Checkpoint) -> Self {
        let transition = &checkpoint.transition;
        let (instance, journal) = (&transition.instance, &transition.journal);
        let definition = &instance.identity.definition;
        // What is not even JSON has no size, and another reason.
        let bytes = |text: serde_json::Result<String>| text.map_or(0, |text| text.len());
        let sizes = (bytes(serde_json::to_string(instance)), bytes(serde_json::to_string(journal)));
        match payload::too_large(instance, journal, sizes) {
            Some(found) => Self {
                fingerprint: format!("too-large:{definition}:{}", found.what),
                detail: format!(
                    "{found}, so the step is not written. {REMEDY}. Have the call or expression give \
                     less (`output.as`, a filter, a page), or cancel the instance"
                ),
            },
            None => Self {
                fingerprint: format!("poisoned:{definition}"),
                detail: format!(
                    "the database refuses to store the next state: the log of the node has its reason. \
                     {REMEDY}. Mend what the log names, or cancel the instance"
                ),
            },
        }
    }

    /// Its rows cannot be read.
    pub(crate) fn unreadable(error: &tenure_store::Error) -> Self {
        Self {
            fingerprint: "unreadable".to_owned(),
            detail: format!(
                "its state cannot be read ({error}): it was changed by hand, or written by a newer version. \
                 {REMEDY}. Install that version, or restore the row"
            ),
        }
    }

    /// The definition it is pinned to does not compile here.
    pub(crate) fn not_compiled(identity: &Identity) -> Self {
        let Identity { definition, version, .. } = identity;
        Self {
            fingerprint: format!("uncompiled:{definition}:{version}"),
            detail: format!(
                "definition {definition}:{version} does not compile on this node: a function it calls \
                 may be missing here. {REMEDY}. `tenure validate` says what is wrong with it"
            ),
        }
    }

    /// For people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn incident(&self, since: Timestamp) -> Incident {
        let Self { fingerprint, detail } = self.clone();
        Incident { fingerprint, detail, since }
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Started => "started",
        Event::CallEnded { .. } => "call_ended",
        Event::LookupEnded { .. } => "lookup_ended",
        Event::CallLost { .. } => "call_lost",
        Event::TimerDue { .. } => "timer_due",
        Event::EventArrived { .. } => "event_arrived",
        Event::ChildEnded { .. } => "child_ended",
        Event::LockGranted { .. } => "lock_granted",
        Event::LockRefused { .. } => "lock_refused",
        Event::CancelRequested { .. } => "cancel_requested",
    }
}
