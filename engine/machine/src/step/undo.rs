//! Compensation: what completed tasks say about being undone, and the undoing.
//!
//! A task with `metadata.compensate` is registered when it completes. `engine.compensate` in the
//! `catch.do` of a `try` undoes what was registered inside that `try`; a cancellation with
//! `onCancel: compensate` undoes everything. Both go backward, one after another; what fails is
//! tried again, and at last becomes an incident: half of an undoing must not pass for the whole.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tenure_adapter::Problem;
use tenure_definition::TaskId;
use tenure_definition::plan::OnCancel;

use super::mover::{Mover, Work};
use crate::Json;
use crate::instance::{Activity, Compensation, Frame, Incident, TryPhase};
use crate::limit::{
    CALL_DELAY_MAX_MS, COMPENSATION_DELAY_MS, COMPENSATION_RETRIES_MAX, COMPENSATIONS_MAX,
};
use crate::{Entry, Fact, FrameId, Stale, Status};

impl Mover<'_> {
    /// A task with `metadata.compensate` has completed.
    pub(super) fn register(&mut self, id: FrameId, output: &Json) -> Result<(), Problem> {
        let frame = self.frame(id);
        let task = self.plan.task(frame.task);
        if task.compensate.is_none() {
            return Ok(());
        }
        if self.instance.compensations.len() >= COMPENSATIONS_MAX {
            return Err(Problem::runtime(format!(
                "more than {COMPENSATIONS_MAX} completed tasks could be undone: split the workflow"
            )));
        }
        let number = self.number();
        let frame = self.frame(id);
        let compensation = Compensation {
            task: task.id,
            position: self.position(task.id, frame.parent),
            tries: self.tries_around(frame.parent),
            input: frame.input().clone(),
            output: output.clone(),
            number,
            resume: None,
            visits: std::collections::BTreeMap::new(),
        };
        self.instance.compensations.push(compensation);
        self.note(Some(task.id), Fact::CompensationRegistered);
        Ok(())
    }

    fn tries_around(&self, parent: Option<FrameId>) -> Vec<FrameId> {
        let mut tries = Vec::new();
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if matches!(frame.activity, Activity::Try { .. }) {
                tries.push(id);
            }
            next = frame.parent;
        }
        tries
    }

    /// The `try` whose `catch.do` this place is in, and what it caught.
    fn handler_around(&self, id: FrameId) -> Option<(FrameId, &Problem)> {
        let mut next = self.frame(id).parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if let Activity::Try { phase: TryPhase::Handler { error }, .. } = &frame.activity {
                return Some((id, error));
            }
            next = frame.parent;
        }
        None
    }

    /// `engine.rethrow`: the caught error, with the place where it happened.
    pub(super) fn caught(&self, id: FrameId) -> Problem {
        match self.handler_around(id) {
            Some((_, error)) => error.clone(),
            None => Problem::configuration("engine.rethrow outside of a catch.do"),
        }
    }

    /// `engine.compensate`.
    pub(super) fn begin_compensation(&mut self, id: FrameId) -> Result<(), Problem> {
        let Some((tried, _)) = self.handler_around(id) else {
            return Err(Problem::configuration("engine.compensate outside of a catch.do"));
        };
        let (undone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.instance.compensations)
            .into_iter()
            .partition(|compensation| compensation.tries.contains(&tried));
        self.instance.compensations = kept;
        self.undo(id, undone);
        Ok(())
    }

    /// A cancellation from outside.
    pub(super) fn cancel_requested(&mut self, reason: &str) -> Result<(), Stale> {
        if self.instance.cancelling.is_some() {
            if self.instance.incidents().next().is_none() {
                return Err(Stale::Closed);
            }
            // The undoing is stuck, and somebody says again: stop. The journal keeps the incident.
            self.work.clear();
            self.end_cancelled(reason);
            return Ok(());
        }
        let undoes = self.plan.extensions.on_cancel == OnCancel::Compensate
            && self.instance.status == Status::Live;
        if !undoes {
            self.end_cancelled(reason);
            return Ok(());
        }
        self.work.clear();
        // First: a half-done undoing gives back what it has not undone yet.
        self.cancel_all();
        self.forget_instance_timers();
        self.instance.cancelling = Some(reason.to_owned());
        // Noted only when there is something to do before the end.
        let place = self.journal.len();
        let waits = self.begin_drain();
        if waits || !self.instance.compensations.is_empty() {
            let fact = Fact::InstanceCancelling { reason: reason.to_owned() };
            self.journal.insert(place, Entry { task: None, place: None, fact });
        }
        if !waits {
            self.begin_undoing();
        }
        Ok(())
    }

    /// A cancellation knows what was done: undoes it, or ends.
    pub(super) fn begin_undoing(&mut self) {
        let undone = std::mem::take(&mut self.instance.compensations);
        let Some(last) = undone.last() else {
            let reason = self.instance.cancelling.take().unwrap_or_default();
            return self.end_cancelled(&reason);
        };
        let id = FrameId(self.number());
        let frame = Frame {
            // It is about several tasks; the plan needs one.
            task: last.task,
            parent: None,
            branch: 0,
            raw: Json::default(),
            input: None,
            started_at: self.at,
            timeout: None,
            late: None,
            lock: None,
            extended: Vec::new(),
            activity: Activity::Do,
        };
        self.instance.frames.insert(id, frame);
        self.undo(id, undone);
    }

    /// Undoes these, given in the order they were done.
    fn undo(&mut self, id: FrameId, mut left: Vec<Compensation>) {
        left.reverse();
        self.frame_mut(id).activity =
            Activity::Compensating { left, failures: 0, timer: None, stuck: None };
        self.undo_next(id);
    }

    /// Begins (again) with the first of what is left.
    pub(super) fn undo_next(&mut self, id: FrameId) {
        let plan = self.plan;
        let Activity::Compensating { left, timer, .. } = &mut self.frame_mut(id).activity else {
            return;
        };
        *timer = None;
        let Some(first) = left.first() else { return self.all_undone(id) };
        let (task, output) = (plan.task(first.task), first.output.clone());
        let resume = first.resume.clone();
        self.note(Some(task.id), Fact::CompensationStarted);
        if let Some((task, raw)) = resume {
            return self.push(Work::Enter { task, raw, parent: Some(id), branch: 0 });
        }
        let block = task.compensate.as_deref().unwrap_or_default();
        self.enter_block(block, output, Some(id), 0);
    }

    /// One block has come to its end.
    pub(super) fn undone(&mut self, id: FrameId) {
        let Activity::Compensating { left, failures, .. } = &mut self.frame_mut(id).activity else {
            return;
        };
        *failures = 0;
        if !left.is_empty() {
            let done = left.remove(0);
            self.note(Some(done.task), Fact::CompensationCompleted);
        }
        self.undo_next(id);
    }

    fn all_undone(&mut self, id: FrameId) {
        // A task that compensates is inside a `catch`; only a cancellation undoes at the top.
        let is_top = self.frame(id).parent.is_none();
        match self.instance.cancelling.clone() {
            Some(reason) if is_top => {
                self.drop_frame(id);
                self.end_cancelled(&reason);
            }
            Some(_) | None => {
                let output = self.frame(id).input().clone();
                self.push(Work::Finish { frame: id, output, flow: None });
            }
        }
    }

    /// One block has failed.
    pub(super) fn not_undone(&mut self, id: FrameId, error: &Problem) {
        self.cancel_below(id);
        let at = self.at;
        let Activity::Compensating { left, failures, .. } = &mut self.frame_mut(id).activity else {
            return;
        };
        *failures += 1;
        let failures = *failures;
        let Some(task) = left.first().map(|first| first.task) else { return };
        if failures > COMPENSATION_RETRIES_MAX {
            let pointer = &self.plan.task(task).pointer;
            let incident = Incident {
                fingerprint: format!("compensation:{pointer}:{}", error.kind),
                detail: format!(
                    "what {pointer} did could not be undone: {}",
                    error.detail.as_deref().unwrap_or(&error.title)
                ),
                since: at,
            };
            let Incident { fingerprint, detail, .. } = incident.clone();
            self.note(Some(task), Fact::IncidentOpened { fingerprint, detail });
            if let Activity::Compensating { stuck, .. } = &mut self.frame_mut(id).activity {
                *stuck = Some(incident);
            }
            return;
        }
        let delay = COMPENSATION_DELAY_MS
            .saturating_mul(1 << (failures - 1).min(20))
            .min(CALL_DELAY_MAX_MS);
        let delay = SignedDuration::from_millis(i64::try_from(delay).unwrap_or(i64::MAX));
        let due = at.checked_add(delay).unwrap_or(at);
        let set = self.set_timer(due);
        self.note(Some(task), Fact::TaskRetried { retry: failures, at: due, error: error.clone() });
        if let Activity::Compensating { timer, .. } = &mut self.frame_mut(id).activity {
            *timer = Some(set);
        }
    }

    /// A task begins: the next try of the undoing it belongs to begins with it.
    pub(super) fn mark_resume(&mut self, parent: Option<FrameId>, task: TaskId, raw: &Json) {
        let Some(frame) = parent.and_then(|id| self.instance.frames.get_mut(&id)) else { return };
        if let Activity::Compensating { left, .. } = &mut frame.activity
            && let Some(first) = left.first_mut()
        {
            first.resume = Some((task, raw.clone()));
        }
    }

    /// The undoing a place is inside of, if any.
    pub(super) fn undoing_around(&self, parent: Option<FrameId>) -> Option<FrameId> {
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if matches!(frame.activity, Activity::Compensating { .. }) {
                return Some(id);
            }
            next = frame.parent;
        }
        None
    }
}

/// `$compensated`: what is being undone.
pub(super) fn compensated(plan: &tenure_definition::Plan, first: &Compensation) -> Value {
    json!({
        "reference": plan.task(first.task).pointer,
        "input": first.input,
        "output": first.output,
    })
}
