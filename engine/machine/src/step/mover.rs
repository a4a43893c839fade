//! The next state while it is being made, and the list of what still has to be done in this step.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use tenure_adapter::Problem;
use tenure_definition::plan::{Flow, Lifecycle};
use tenure_definition::{Plan, TaskId};

use super::human::Asked;
use crate::Json;
use crate::instance::{Activity, Frame, TryPhase};
use crate::lifecycle::{self, Signal};
use crate::limit::ATTRIBUTE_BYTES_MAX;
use crate::{
    CallId, ChildResult, Command, Entry, Fact, FrameId, Instance, Status, TimerId, Transition,
    WaitId,
};

/// A piece of work of this step. Worked off newest first, so a fork runs its branches one after
/// the other, in declared order, as far as each can go.
#[derive(Debug)]
pub(super) enum Work {
    /// Begin a task.
    Enter { task: TaskId, raw: Json, parent: Option<FrameId>, branch: u32 },
    /// A task has its raw output. `flow` replaces the task's own `then`.
    Finish { frame: FrameId, output: Json, flow: Option<Flow> },
    /// Go on after a task.
    Follow { task: TaskId, parent: Option<FrameId>, branch: u32, output: Json, flow: Flow },
    /// The block of a composite task (or of the workflow) came to its end.
    ScopeEnd { parent: Option<FrameId>, branch: u32, output: Json },
    /// A task failed; its own frame is gone already.
    Fail { parent: Option<FrameId>, branch: u32, error: Problem },
}

/// The next state in the making.
pub(super) struct Mover<'a> {
    pub(super) plan: &'a Plan,
    pub(super) at: Timestamp,
    pub(super) instance: Instance,
    pub(super) commands: Vec<Command>,
    pub(super) journal: Vec<Entry>,
    pub(super) work: Vec<Work>,
    pub(super) entered: u32,
    /// What the lifecycle events say beyond the journal, before its entry of this number.
    pub(super) signals: Vec<(usize, Signal)>,
    /// Whether `$context` may be another than before this step.
    pub(super) context_changed: bool,
    /// Whether more effects were abandoned than are kept.
    pub(super) overfull: bool,
}

impl<'a> Mover<'a> {
    pub(super) fn new(plan: &'a Plan, mut instance: Instance, at: Timestamp) -> Self {
        instance.revision += 1;
        Self {
            plan,
            at,
            instance,
            commands: Vec::new(),
            journal: Vec::new(),
            work: Vec::new(),
            entered: 0,
            signals: Vec::new(),
            context_changed: false,
            overfull: false,
        }
    }

    /// What was set and cleared within one step never reaches the store: a delete and an insert of
    /// one key in one statement do not see each other.
    pub(super) fn into_transition(mut self) -> Transition {
        self.index();
        let told =
            lifecycle::events(self.plan, &self.instance, &self.journal, &self.signals, self.at);
        self.commands.extend(told.into_iter().map(|event| Command::Emit { event }));
        let mut gone = BTreeSet::new();
        for command in &self.commands {
            match command {
                Command::ClearTimer { timer } => _ = gone.insert(timer.0),
                Command::CloseWait { wait } => _ = gone.insert(wait.0),
                Command::Call(_)
                | Command::LookUp(_)
                | Command::SetTimer { .. }
                | Command::OpenWait(_)
                | Command::StartChild(_)
                | Command::CancelChild { .. }
                | Command::TellParent { .. }
                | Command::Emit { .. }
                | Command::SetAttributes { .. }
                | Command::AcquireLock { .. }
                | Command::ReleaseLock { .. } => {}
            }
        }
        let born: BTreeSet<i64> = self
            .commands
            .iter()
            .filter_map(|command| match command {
                Command::SetTimer { timer, .. } => Some(timer.0),
                Command::OpenWait(wait) => Some(wait.wait.0),
                Command::Call(_)
                | Command::LookUp(_)
                | Command::ClearTimer { .. }
                | Command::CloseWait { .. }
                | Command::StartChild(_)
                | Command::CancelChild { .. }
                | Command::TellParent { .. }
                | Command::Emit { .. }
                | Command::SetAttributes { .. }
                | Command::AcquireLock { .. }
                | Command::ReleaseLock { .. } => None,
            })
            .collect();
        // Calls decided and given up within this step are not made: their frame is gone.
        let open: BTreeSet<CallId> = self.instance.open_calls().collect();
        self.commands.retain(|command| match command {
            Command::SetTimer { timer, .. } => !gone.contains(&timer.0),
            Command::OpenWait(wait) => !gone.contains(&wait.wait.0),
            Command::ClearTimer { timer } => !born.contains(&timer.0),
            Command::CloseWait { wait } => !born.contains(&wait.0),
            Command::Call(intent) | Command::LookUp(intent) => open.contains(&intent.call),
            Command::StartChild(_)
            | Command::CancelChild { .. }
            | Command::TellParent { .. }
            | Command::Emit { .. }
            | Command::SetAttributes { .. }
            | Command::AcquireLock { .. }
            | Command::ReleaseLock { .. } => true,
        });
        Transition { instance: self.instance, commands: self.commands, journal: self.journal }
    }

    /// `metadata.searchable`. What does not evaluate keeps its old value: being found is no reason
    /// to fail.
    fn index(&mut self) {
        let searchable = &self.plan.extensions.searchable;
        if searchable.is_empty() || !self.context_changed {
            return;
        }
        let mut attributes = self.instance.attributes.clone();
        for (name, expression) in searchable {
            match expression.eval(&self.instance.input, &self.vars(None, 0)) {
                Ok(value) if is_attribute(&value) => {
                    attributes.insert(name.clone(), value);
                }
                // Nothing to be found by, and a text that no index takes must not stop the instance.
                Ok(_) => _ = attributes.remove(name),
                Err(_) => {}
            }
        }
        if attributes != self.instance.attributes {
            self.instance.attributes.clone_from(&attributes);
            self.commands.push(Command::SetAttributes { attributes });
        }
    }

    pub(super) fn push(&mut self, work: Work) {
        self.work.push(work);
    }

    pub(super) fn note(&mut self, task: Option<TaskId>, fact: Fact) {
        let pointer = task.map(|task| self.plan.task(task).pointer.clone());
        self.journal.push(Entry { task: pointer, place: task, fact });
    }

    /// A fresh number for a frame, timer, wait or call: never reused, so a late answer finds
    /// nothing.
    pub(super) fn number(&mut self) -> i64 {
        let number = self.instance.next_id;
        self.instance.next_id += 1;
        number
    }

    pub(super) fn frame(&self, id: FrameId) -> &Frame {
        self.instance.frames.get(&id).expect("callers look the frame up first")
    }

    pub(super) fn frame_mut(&mut self, id: FrameId) -> &mut Frame {
        self.instance.frames.get_mut(&id).expect("callers look the frame up first")
    }

    pub(super) fn has(&self, parent: Option<FrameId>) -> bool {
        parent.is_none_or(|id| self.instance.frames.contains_key(&id))
    }

    pub(super) fn set_timer(&mut self, due: Timestamp) -> TimerId {
        let timer = TimerId(self.number());
        self.instance.timers.insert(timer, due);
        self.commands.push(Command::SetTimer { timer, due });
        timer
    }

    pub(super) fn forget_timer(&mut self, timer: TimerId) {
        if self.instance.timers.remove(&timer).is_some() {
            self.commands.push(Command::ClearTimer { timer });
        }
    }

    pub(super) fn signal_correlation_started(&mut self) {
        self.signals.push((self.journal.len(), Signal::CorrelationStarted));
    }

    pub(super) fn signal_correlation_completed(&mut self, frame: FrameId) {
        // The keys cost an evaluation that only the lifecycle events need.
        if self.plan.extensions.lifecycle != Lifecycle::Off {
            let keys = self.correlation_keys(frame);
            self.signals.push((self.journal.len(), Signal::CorrelationCompleted { keys }));
        }
    }

    pub(super) fn close_wait(&mut self, wait: WaitId) {
        self.commands.push(Command::CloseWait { wait });
    }

    /// Removes a frame whose activity is over, with its time-out.
    pub(super) fn drop_frame(&mut self, id: FrameId) -> Frame {
        let frame = self.instance.frames.remove(&id).expect("callers look the frame up first");
        for timer in [frame.timeout, frame.late].into_iter().flatten() {
            self.forget_timer(timer);
        }
        let mut frame = frame;
        if let Some(lock) = frame.lock.take() {
            self.release_lock(lock);
        }
        frame
    }

    /// Cancels everything below a frame, youngest first, keeping the frame itself.
    pub(super) fn cancel_below(&mut self, id: FrameId) {
        while let Some(child) = self.youngest_child(id) {
            self.cancel_below(child);
            self.cancel_one(child);
        }
    }

    fn youngest_child(&self, id: FrameId) -> Option<FrameId> {
        self.instance
            .frames
            .iter()
            .rev()
            .find(|(_, frame)| frame.parent == Some(id))
            .map(|(child, _)| *child)
    }

    /// Cancels one frame that has no children (any more).
    pub(super) fn cancel_one(&mut self, id: FrameId) {
        let frame = self.drop_frame(id);
        let task = frame.task;
        self.release(frame);
        self.note(Some(task), Fact::TaskCancelled);
    }

    /// Cancels all frames, youngest first.
    pub(super) fn cancel_all(&mut self) {
        while let Some(id) = self.instance.frames.keys().next_back().copied() {
            self.cancel_one(id);
        }
    }

    /// Lets go of what an activity holds: timers, waits, children; an effect in doubt is kept.
    pub(super) fn release(&mut self, mut frame: Frame) {
        match std::mem::replace(&mut frame.activity, Activity::Do) {
            Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. } => {}
            Activity::Compensating { left, timer, .. } => {
                if let Some(timer) = timer {
                    self.forget_timer(timer);
                }
                // Still done, and still to be undone by somebody else.
                self.instance.compensations.extend(left);
                self.instance.compensations.sort_by_key(|compensation| compensation.number);
            }
            Activity::Human { wait, due, ticket, request } => {
                let at = due.and_then(|timer| self.instance.timers.get(&timer).copied());
                if let Some(timer) = due {
                    self.forget_timer(timer);
                }
                self.withdraw(frame.task, wait, Asked { ticket, request: &request, due: at });
            }
            Activity::Try { phase, .. } => match phase {
                TryPhase::Body { timer: Some(timer) } | TryPhase::Delay { timer, .. } => {
                    self.forget_timer(timer);
                }
                TryPhase::Body { timer: None } | TryPhase::Handler { .. } => {}
            },
            Activity::Call { effect, phase } => self.abandon(&frame, effect, &phase),
            Activity::Listen { waits, .. } => {
                for wait in waits.into_keys() {
                    self.close_wait(wait);
                }
            }
            Activity::Wait { timer } => self.forget_timer(timer),
            Activity::Child { child } => self.commands.push(Command::CancelChild {
                child,
                reason: "the parent's task was cancelled".to_owned(),
            }),
        }
    }

    pub(super) fn end_completed(&mut self, output: Json) {
        self.clear();
        self.note(None, Fact::InstanceCompleted { output: output.clone() });
        self.tell_parent(ChildResult::Completed { output: output.to_value() });
        self.instance.status = Status::Completed { output, at: self.at };
    }

    pub(super) fn end_faulted(&mut self, error: Problem) {
        self.clear();
        self.note(None, Fact::InstanceFaulted { error: error.clone() });
        self.tell_parent(ChildResult::Faulted { error: error.clone() });
        self.instance.status = Status::Faulted { error, at: self.at };
    }

    pub(super) fn end_cancelled(&mut self, reason: &str) {
        self.clear();
        self.note(None, Fact::InstanceCancelled { reason: reason.to_owned() });
        self.tell_parent(ChildResult::Cancelled);
        self.instance.status = Status::Cancelled { reason: reason.to_owned(), at: self.at };
    }

    /// A terminal instance owns nothing.
    fn clear(&mut self) {
        self.work.clear();
        self.cancel_all();
        self.forget_instance_timers();
        if let Some(lock) = self.instance.lock.take() {
            self.release_lock(lock);
        }
    }

    pub(super) fn forget_instance_timers(&mut self) {
        let timers = [self.instance.timeout.take(), self.instance.late.take()];
        for timer in timers.into_iter().flatten() {
            self.forget_timer(timer);
        }
    }

    fn tell_parent(&mut self, result: ChildResult) {
        if let Some(parent) = self.instance.identity.parent
            && parent.awaits
        {
            self.commands.push(Command::TellParent { parent: parent.instance, result });
        }
    }
}

/// Whether an instance can be found by this value.
fn is_attribute(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.len() <= ATTRIBUTE_BYTES_MAX && !text.chars().any(char::is_control)
        }
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}
