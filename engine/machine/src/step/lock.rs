//! `metadata.exclusive`: locks by name, of the whole instance or of one `do`.
//!
//! A lock is asked for by a command and granted by an event. Who stands in line, and who is next,
//! is kept by the store: it is about more than one instance.

use serde_json::Value;
use tenure_adapter::Problem;
use tenure_definition::plan::{KeyPolicy, TaskKind};
use tenure_definition::template::Template;
use tenure_definition::{Plan, Task};

use super::mover::Mover;
use crate::instance::{Activity, Frame, HeldLock, Lock};
use crate::limit::LOCK_NAME_BYTES_MAX;
use crate::{Command, Fact, FrameId, Instance, LockId, Stale};

impl Mover<'_> {
    /// Asks for the lock of the whole instance, if it has one; says whether it must wait.
    pub(super) fn lock_instance(&mut self) -> Result<bool, Problem> {
        let extensions = &self.plan.extensions;
        let name = match (&extensions.exclusive, extensions.business_key_policy) {
            (Some(name), _) => {
                let input = &self.instance.input;
                lock_name(name.eval(input, &self.vars(None, 0).input(input)))?
            }
            (None, KeyPolicy::Queue) => {
                let identity = &self.instance.identity;
                format!("business-key:{}:{}", identity.definition, identity.business_key)
            }
            (None, KeyPolicy::Allow | KeyPolicy::Reject | KeyPolicy::ReturnExisting) => {
                return Ok(false);
            }
        };
        self.check_above(&name)?;
        let lock = self.request(name);
        self.note(None, Fact::LockRequested { name: lock.name.clone() });
        self.instance.lock = Some(lock);
        Ok(true)
    }

    /// Asks for the lock of a task and begins it once it is held.
    pub(super) fn lock_or_act(&mut self, frame: FrameId, task: &Task) -> Result<(), Problem> {
        let Some(template) = &task.exclusive else { return self.act(frame, task) };
        let name = self.task_lock(frame, template)?;
        if self.holds(frame, &name) {
            // A second lock of this name would wait for the first for ever.
            return self.act(frame, task);
        }
        self.check_above(&name)?;
        let lock = self.request(name);
        self.note(Some(task.id), Fact::LockRequested { name: lock.name.clone() });
        let at = self.frame_mut(frame);
        at.lock = Some(lock);
        at.activity = Activity::Locking;
        Ok(())
    }

    fn task_lock(&self, frame: FrameId, template: &Template) -> Result<String, Problem> {
        let input = self.frame(frame).input();
        lock_name(template.eval(input, &self.frame_vars(frame)))
    }

    /// Whether the instance, or a task around this one, has the lock already.
    fn holds(&self, frame: FrameId, name: &str) -> bool {
        let is_it = |lock: &Option<Lock>| lock.as_ref().is_some_and(|lock| lock.name == name);
        let mut next = self.frame(frame).parent;
        while let Some(id) = next {
            let around = self.frame(id);
            if is_it(&around.lock) {
                return true;
            }
            next = around.parent;
        }
        is_it(&self.instance.lock)
    }

    /// Refuses a lock that is held above this instance until it ends: it would wait for itself.
    fn check_above(&self, name: &str) -> Result<(), Problem> {
        let full = self.full_name(name);
        let Some(held) = self.instance.held_above.iter().find(|held| held.name == full) else {
            return Ok(());
        };
        let (own, holder) = (self.instance.id, held.instance);
        Err(Problem::deadlock(format!(
            "the lock {full} is held by instance {holder}, which awaits the end of {own}: each would wait \
             for the other. Take it in one of them only, or start the child with `await: false`"
        )))
    }

    /// The locks that cannot be let go before a task in this frame is over: those around it, up to a
    /// fork that another branch may decide, and those held above.
    pub(super) fn held_around(&self, parent: Option<FrameId>) -> Vec<HeldLock> {
        let plan = self.plan;
        held_around(&self.instance, parent, |frame| competes(plan, frame))
    }

    /// Somebody found that it would wait for ever.
    pub(super) fn lock_refused(&mut self, refused: LockId, detail: &str) -> Result<(), Stale> {
        let waits = |lock: &Option<Lock>| {
            lock.as_ref().is_some_and(|lock| lock.id == refused && !lock.held)
        };
        let problem = Problem::deadlock(detail);
        if waits(&self.instance.lock) {
            self.end_faulted(problem);
            return Ok(());
        }
        let found = self.instance.frames.iter().find(|(_, frame)| waits(&frame.lock));
        let id = found.map(|(id, _)| *id).ok_or(Stale::Closed)?;
        self.fail_frame(id, problem);
        Ok(())
    }

    fn request(&mut self, name: String) -> Lock {
        let id = LockId(self.number());
        let full = self.full_name(&name);
        self.commands.push(Command::AcquireLock { lock: id, name: full });
        Lock { id, name, held: false }
    }

    /// It is this instance's turn. A lock that it does not know (any more) is given back at once:
    /// kept, it would shut everybody out for ever.
    pub(super) fn lock_granted(&mut self, granted: LockId, name: &str) -> Result<(), Stale> {
        let is_it = |lock: &&mut Lock| lock.id == granted;
        if let Some(lock) = self.instance.lock.as_mut().filter(is_it) {
            if lock.held {
                return Err(Stale::Closed);
            }
            lock.held = true;
            let name = lock.name.clone();
            self.note(None, Fact::LockGranted { name });
            self.begin_body();
            return Ok(());
        }
        let found = self.instance.frames.iter_mut().find_map(|(id, frame)| {
            let lock = frame.lock.as_mut().filter(is_it)?;
            Some((*id, frame.task, lock))
        });
        let Some((id, task, lock)) = found else {
            self.note(None, Fact::LockReleased { name: name.to_owned() });
            self.commands.push(Command::ReleaseLock { lock: granted, name: name.to_owned() });
            return Ok(());
        };
        if lock.held {
            return Err(Stale::Closed);
        }
        lock.held = true;
        let name = lock.name.clone();
        let task = self.plan.task(task);
        self.frame_mut(id).activity = Activity::Do;
        self.note(Some(task.id), Fact::LockGranted { name });
        if let Err(problem) = self.act(id, task) {
            self.fail_frame(id, problem);
        }
        Ok(())
    }

    /// Lets a lock go, or leaves the line.
    pub(super) fn release_lock(&mut self, lock: Lock) {
        let Lock { id, name, held } = lock;
        if held {
            self.note(None, Fact::LockReleased { name: name.clone() });
        }
        let full = self.full_name(&name);
        self.commands.push(Command::ReleaseLock { lock: id, name: full });
    }

    /// The name as others see it: namespaces do not share locks.
    fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.instance.identity.namespace)
    }
}

/// See [`Mover::held_around`]; also for who looks at an instance from outside.
fn held_around(
    instance: &Instance,
    parent: Option<FrameId>,
    competes: impl Fn(&Frame) -> bool,
) -> Vec<HeldLock> {
    let own = |lock: &Lock| HeldLock {
        name: format!("{}/{}", instance.identity.namespace, lock.name),
        instance: instance.id,
        lock: lock.id,
    };
    let mut held = Vec::new();
    let mut next = parent;
    while let Some(id) = next {
        let Some(frame) = instance.frames.get(&id) else { break };
        if competes(frame) {
            return held;
        }
        held.extend(frame.lock.as_ref().filter(|lock| lock.held).map(own));
        next = frame.parent;
    }
    held.extend(instance.lock.as_ref().filter(|lock| lock.held).map(own));
    held.extend(instance.held_above.iter().cloned());
    held
}

/// Whether another branch of this fork may end it.
fn competes(plan: &Plan, frame: &Frame) -> bool {
    matches!(&plan.task(frame.task).kind, TaskKind::Fork(fork) if fork.compete)
}

/// A lock an instance waits for, and what it holds meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedLock {
    /// Its number within the instance.
    pub lock: LockId,
    /// Its full name: namespace and name.
    pub name: String,
    /// What cannot be let go before it is granted.
    pub held: Vec<HeldLock>,
}

/// The locks an instance waits for: what a finder of deadlocks reads.
#[must_use]
pub fn awaited_locks(plan: &Plan, instance: &Instance) -> Vec<AwaitedLock> {
    let waiting = |lock: &Lock, held: Vec<HeldLock>| AwaitedLock {
        lock: lock.id,
        name: format!("{}/{}", instance.identity.namespace, lock.name),
        held,
    };
    let whole = instance.lock.as_ref().filter(|lock| !lock.held);
    let whole = whole.map(|lock| waiting(lock, instance.held_above.clone()));
    let of_frames = instance.frames.values().filter_map(|frame| {
        let lock = frame.lock.as_ref().filter(|lock| !lock.held)?;
        Some(waiting(lock, held_around(instance, frame.parent, |frame| competes(plan, frame))))
    });
    whole.into_iter().chain(of_frames).collect()
}

fn lock_name(value: Result<Value, String>) -> Result<String, Problem> {
    match value.map_err(|detail| Problem::expression(format!("exclusive: {detail}")))? {
        Value::String(name)
            if !name.is_empty()
                && name.len() <= LOCK_NAME_BYTES_MAX
                && !name.chars().any(char::is_control) =>
        {
            Ok(name)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Err(Problem::expression(format!(
            "exclusive must give a text of 1 to {LOCK_NAME_BYTES_MAX} bytes without control \
             characters: the name of the lock"
        ))),
    }
}
