//! A cancellation that undoes waits for what is still out: an effect that is known only after the
//! undoing would stay done.
//!
//! Each effect in doubt whose task says how it is undone goes on as a frame of its own at the top: it is
//! answered, settled or looked up as always, but never sent again to learn what became of it, unless
//! repeating it leads to the same state. What has happened joins what is undone; what has not is
//! forgotten. Then the undoing begins.

use jiff::Timestamp;
use serde_json::Value;
use tenure_adapter::{EffectClass, Outcome};

use super::call::lost_until;
use super::mover::Mover;
use crate::abandoned::Abandoned;
use crate::instance::{Activity, CallPhase, Compensation, Frame};
use crate::{CallId, FrameId, Json};

impl Mover<'_> {
    /// Takes up the effects in doubt that this cancellation has to undo; says whether any is still
    /// to be waited for.
    pub(super) fn begin_drain(&mut self) -> bool {
        let all = std::mem::take(&mut self.instance.abandoned);
        let (to_undo, others) =
            all.into_iter().partition(|(_, abandoned)| abandoned.undoable.is_some());
        self.instance.abandoned = others;
        for (_, abandoned) in to_undo {
            self.drain(abandoned);
        }
        self.is_draining()
    }

    fn drain(&mut self, found: Abandoned) {
        let Abandoned { effect, task, call, outcome, undoable, .. } = found;
        let id = FrameId(self.number());
        let plan = self.plan;
        let tenure_definition::TaskKind::Call(spec) = &plan.task(task).kind else { return };
        let phase = match (call, &outcome) {
            (Some(call), _) => CallPhase::Sent { call },
            // Decided below, in this same step.
            (None, Some(_)) => CallPhase::Sent { call: CallId(0) },
            (None, None) => {
                let until = lost_until(&effect, &spec.function).max(self.at);
                CallPhase::Settling { timer: self.set_timer(until) }
            }
        };
        let frame = Frame {
            task,
            parent: None,
            branch: 0,
            raw: undoable.unwrap_or_default(),
            input: None,
            started_at: self.at,
            timeout: None,
            late: None,
            lock: None,
            extended: Vec::new(),
            activity: Activity::Call { effect, phase },
        };
        self.instance.frames.insert(id, frame);
        if let Some(Outcome::Done { output }) = &outcome {
            self.drained_done(id, output);
        }
    }

    /// Whether a frame is one of those.
    pub(super) fn drains(&self, id: FrameId) -> bool {
        self.instance.cancelling.is_some()
            && self.instance.frames.get(&id).is_some_and(|frame| {
                frame.parent.is_none() && matches!(frame.activity, Activity::Call { .. })
            })
    }

    fn is_draining(&self) -> bool {
        self.instance.frames.keys().any(|id| self.drains(*id))
    }

    /// What an outcome means for an effect whose instance is being cancelled.
    pub(super) fn drain_decided(
        &mut self,
        id: FrameId,
        outcome: &Outcome,
        until: Option<Timestamp>,
    ) {
        match outcome {
            Outcome::Done { output } => {
                self.drained_done(id, output);
                self.drained();
            }
            Outcome::Unknown { detail } => self.settle(id, detail, until),
            Outcome::Declined { detail, .. }
            | Outcome::Rejected { detail, .. }
            | Outcome::NotSent { detail } => self.drained_not_done(id, detail),
            Outcome::Failed { error } => {
                let detail = error.detail.as_deref().unwrap_or(&error.title);
                self.drained_not_done(id, detail);
            }
        }
    }

    /// This attempt did nothing. An earlier one may have: then only the vendor's books can say.
    fn drained_not_done(&mut self, id: FrameId, detail: &str) {
        let in_doubt = match &self.frame(id).activity {
            Activity::Call { effect, .. } => effect.unknowns > 0,
            Activity::Do
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
            | Activity::Human { .. } => false,
        };
        if in_doubt {
            self.settle(id, detail, None);
        } else {
            self.drained_absent(id);
        }
    }

    /// It is proved that it did not happen: nothing is to be undone.
    pub(super) fn drained_absent(&mut self, id: FrameId) {
        self.drop_frame(id);
        self.drained();
    }

    /// The settle time of an effect that is only waited for is over.
    pub(super) fn drain_settled(&mut self, id: FrameId, class: EffectClass) {
        match class {
            EffectClass::Keyed { .. } | EffectClass::Lookup => self.look_up(id),
            EffectClass::Natural => self.send(id),
            EffectClass::AtMostOnce | EffectClass::AtLeastOnce => {
                let words = "it may have happened, and must be undone then";
                self.stick(id, "unknown", words);
            }
        }
    }

    /// It happened: it is undone with all the rest, as the last thing that was done.
    fn drained_done(&mut self, id: FrameId, raw: &Value) {
        // Variables of loops around the task are gone; an output that needs them is taken as it came.
        let raw = Json::from(raw.clone());
        let output = match self.task_output(id, raw.clone()) {
            Ok((output, _)) => output,
            Err(_) => raw,
        };
        let frame = self.drop_frame(id);
        let Activity::Call { effect, .. } = frame.activity else { return };
        let number = self.number();
        self.instance.compensations.push(Compensation {
            task: frame.task,
            position: effect.position,
            tries: Vec::new(),
            input: frame.raw,
            output,
            number,
            resume: None,
            visits: std::collections::BTreeMap::new(),
        });
        self.note(Some(frame.task), crate::Fact::CompensationRegistered);
    }

    /// One less to wait for; after the last one the undoing begins.
    fn drained(&mut self) {
        if !self.is_draining() {
            self.begin_undoing();
        }
    }
}
