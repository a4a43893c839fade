//! The transition function: which event moves which active task.
//!
//! `mover` holds the next state while it is being made; `run` enters and leaves tasks; `call`
//! follows one effect through its phases; `listen` matches events; `human`
//! asks people; `fail` carries errors to the
//! `try` that catches them; `scope` gives expressions their variables.

mod call;
mod drain;
mod extend;
mod fail;
mod human;
mod late;
mod listen;
pub(crate) mod lock;
mod mover;
mod run;
pub(crate) mod scope;
mod undo;
mod visit;

use jiff::Timestamp;
use tenure_adapter::Problem;
use tenure_definition::Plan;

use crate::instance::{Activity, CallPhase, TryPhase};
use crate::limit::ABANDONED_MAX;
use crate::outside::harmless;
use crate::{
    ChildResult, Event, Fact, FrameId, Instance, InstanceId, Purpose, Stale, Status, Step, TimerId,
};
use mover::{Mover, Work};

/// Moves `instance` by one event at the time `at`.
///
/// Pure and total: equal arguments give an equal result, and no event makes it panic. An event
/// that does not concern the instance any more gives [`Step::Stale`].
#[must_use]
pub fn step(plan: &Plan, instance: &Instance, event: &Event, at: Timestamp) -> Step {
    if instance.is_terminal() {
        return late::after_the_end(plan, instance, event, at);
    }
    let mut mover = Mover::new(plan, instance.clone(), at);
    match mover.take(&harmless(event)) {
        Ok(()) => Step::Moved(Box::new(mover.into_transition())),
        Err(stale) => Step::Stale(stale),
    }
}

impl Mover<'_> {
    /// Dispatches on state, then on event.
    fn take(&mut self, event: &Event) -> Result<(), Stale> {
        match (&self.instance.status, event) {
            (Status::Pending, Event::Started) => self.begin(),
            (Status::Live, Event::Started) => return Err(Stale::Closed),
            (Status::Pending | Status::Live, Event::CancelRequested { reason }) => {
                self.cancel_requested(reason)?;
            }
            (Status::Live, Event::CallEnded { call, outcome }) => {
                self.call_ended(*call, outcome)?;
            }
            (Status::Live, Event::LookupEnded { call, lookup }) => {
                self.lookup_ended(*call, lookup)?;
            }
            (Status::Live, Event::CallLost { call }) => self.call_lost(*call)?,
            (Status::Live, Event::TimerDue { timer }) => self.timer_due(*timer)?,
            (Status::Live, Event::EventArrived { wait, event }) => {
                self.event_arrived(*wait, event)?;
            }
            (Status::Live, Event::ChildEnded { child, result }) => {
                self.child_ended(*child, result)?;
            }
            (Status::Live, Event::LockGranted { lock, name }) => self.lock_granted(*lock, name)?,
            (Status::Live, Event::LockRefused { lock, detail }) => {
                self.lock_refused(*lock, detail)?;
            }
            (
                Status::Pending,
                Event::LockGranted { .. }
                | Event::LockRefused { .. }
                | Event::CallEnded { .. }
                | Event::LookupEnded { .. }
                | Event::CallLost { .. }
                | Event::TimerDue { .. }
                | Event::EventArrived { .. }
                | Event::ChildEnded { .. },
            ) => return Err(Stale::Closed),
            (
                Status::Completed { .. } | Status::Faulted { .. } | Status::Cancelled { .. },
                Event::Started
                | Event::LockGranted { .. }
                | Event::LockRefused { .. }
                | Event::CallEnded { .. }
                | Event::LookupEnded { .. }
                | Event::CallLost { .. }
                | Event::TimerDue { .. }
                | Event::EventArrived { .. }
                | Event::ChildEnded { .. }
                | Event::CancelRequested { .. },
            ) => return Err(Stale::Ended),
        }
        self.run();
        if self.overfull && !self.instance.is_terminal() {
            self.end_faulted(Problem::runtime(format!(
                "more than {ABANDONED_MAX} effects were given up in doubt or came back late: see what \
                 became of them (`tenure effects`), and let the tasks that call wait longer"
            )));
        }
        Ok(())
    }

    /// A timer: of the workflow, of a task's time-out, or of what a task is doing.
    fn timer_due(&mut self, timer: TimerId) -> Result<(), Stale> {
        let due = *self.instance.timers.get(&timer).ok_or(Stale::Closed)?;
        if self.at < due {
            return Err(Stale::Early);
        }
        let Some((frame, purpose)) = self.purpose(timer) else {
            if self.instance.timeout == Some(timer) {
                self.forget_timer(timer);
                self.note(None, Fact::TimerFired { purpose: Purpose::Timeout });
                let mut error = Problem::timeout("the workflow took longer than its timeout");
                error.instance = Some("/".to_owned());
                self.end_faulted(error);
                return Ok(());
            }
            if self.instance.late == Some(timer) {
                self.forget_timer(timer);
                self.instance.late = None;
                self.note(None, Fact::Late);
                return Ok(());
            }
            return Err(Stale::Closed);
        };
        self.forget_timer(timer);
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::TimerFired { purpose });
        match purpose {
            Purpose::Timeout => {
                let name = &self.plan.task(task).name;
                let error =
                    Problem::timeout(format!("the task {name} took longer than its timeout"));
                self.fail_frame(frame, error);
            }
            Purpose::Wait => {
                let output = self.frame(frame).input().clone();
                self.push(Work::Finish { frame, output, flow: None });
            }
            Purpose::Attempt => self.attempt_timed_out(frame),
            Purpose::Retry => self.retry_body(frame),
            Purpose::Resend => self.resend(frame),
            Purpose::Settled => self.settled(frame),
            Purpose::Overdue => self.overdue(frame, due),
            Purpose::Late => {
                self.frame_mut(frame).late = None;
                self.note(Some(task), Fact::Late);
            }
            Purpose::Undo => self.undo_next(frame),
        }
        Ok(())
    }

    /// Which frame a timer belongs to, and what for.
    fn purpose(&self, timer: TimerId) -> Option<(FrameId, Purpose)> {
        self.instance.frames.iter().find_map(|(id, frame)| {
            if frame.timeout == Some(timer) {
                return Some((*id, Purpose::Timeout));
            }
            if frame.late == Some(timer) {
                return Some((*id, Purpose::Late));
            }
            let purpose = match &frame.activity {
                Activity::Wait { timer: own } if *own == timer => Purpose::Wait,
                Activity::Try { phase: TryPhase::Body { timer: Some(own) }, .. }
                    if *own == timer =>
                {
                    Purpose::Attempt
                }
                Activity::Try { phase: TryPhase::Delay { timer: own, .. }, .. }
                    if *own == timer =>
                {
                    Purpose::Retry
                }
                Activity::Call { phase: CallPhase::Delay { timer: own }, .. } if *own == timer => {
                    Purpose::Resend
                }
                Activity::Call { phase: CallPhase::Settling { timer: own }, .. }
                    if *own == timer =>
                {
                    Purpose::Settled
                }
                Activity::Human { due: Some(own), .. } if *own == timer => Purpose::Overdue,
                Activity::Compensating { timer: Some(own), .. } if *own == timer => Purpose::Undo,
                Activity::Wait { .. }
                | Activity::Try { .. }
                | Activity::Call { .. }
                | Activity::Do
                | Activity::For { .. }
                | Activity::Fork { .. }
                | Activity::Listen { .. }
                | Activity::Child { .. }
                | Activity::Locking
                | Activity::Function { .. }
                | Activity::Extended { .. }
                | Activity::Compensating { .. }
                | Activity::Human { .. } => return None,
            };
            Some((*id, purpose))
        })
    }

    fn child_ended(&mut self, child: InstanceId, result: &ChildResult) -> Result<(), Stale> {
        let frame = self
            .instance
            .frames
            .iter()
            .find(|(_, frame)| frame.activity == Activity::Child { child })
            .map(|(id, _)| *id)
            .ok_or(Stale::Closed)?;
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::ChildEnded { child, result: result.clone() });
        match result {
            ChildResult::Completed { output } => {
                self.push(Work::Finish { frame, output: output.clone().into(), flow: None });
            }
            ChildResult::Faulted { error } => {
                // The child ended by itself: nothing is left to cancel there.
                self.frame_mut(frame).activity = Activity::Do;
                let error = Problem { instance: None, ..error.clone() };
                self.fail_frame(frame, error);
            }
            ChildResult::Cancelled => {
                self.frame_mut(frame).activity = Activity::Do;
                self.fail_frame(frame, Problem::runtime("the awaited child was cancelled"));
            }
        }
        Ok(())
    }
}
