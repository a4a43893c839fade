//! What follows a commit, and what happens to events and instances that leave memory.

use std::collections::BTreeSet;

use tenure_machine::{Command, Event, Instance, InstanceId};

use super::hot::Hot;
use super::trouble::Trouble;
use super::{Arrival, Spine};
use crate::attempt::Errand;
use crate::lease::Hold;

impl Spine {
    /// Releases the commands of a committed transition. Rows (timers, waits, outbox) were written
    /// with it; here they only get their wake-up. Gives the events of calls that found no place.
    pub(super) fn release(&self, instance: &Instance, commands: Vec<Command>) -> Vec<Event> {
        let id = instance.id;
        let mut not_sent = Vec::new();
        let open: BTreeSet<_> = instance.open_calls().collect();
        for command in commands {
            if let Some(errand) = Errand::of(&command) {
                // A call given up within the same step is not made.
                if open.contains(&errand.intent().call) {
                    not_sent.extend(self.calls.release(id, errand));
                }
                continue;
            }
            match command {
                Command::SetTimer { timer, due } => self.ground.timers.note(id, timer, due),
                Command::ClearTimer { timer } => self.ground.timers.forget(id, timer),
                Command::OpenWait(wait) => {
                    if self.ground.opened.try_send((id, wait.wait)).is_err() {
                        self.ground.bells.sweep.notify_one();
                    }
                }
                Command::StartChild(_)
                | Command::CancelChild { .. }
                | Command::TellParent { .. }
                | Command::Emit { .. }
                | Command::AcquireLock { .. }
                | Command::ReleaseLock { .. } => self.ground.bells.outbox.notify_one(),
                Command::Call(_)
                | Command::LookUp(_)
                | Command::SetAttributes { .. }
                | Command::CloseWait { .. } => {}
            }
        }
        if instance.is_terminal() {
            tracing::info!(instance = %id, status = status_name(instance), "the instance has ended");
            // Nobody may be waiting for it.
            self.ground.ended.send(id).ok();
        }
        not_sent
    }

    /// The hold on the bucket of an instance, while it is trusted.
    pub(super) fn owned(&self, id: InstanceId) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| hold.trusted() && hold.owns(id))
    }

    /// Sees whether ownership changed: what is no longer owned, or was owned in an earlier term,
    /// leaves memory at once.
    pub(super) fn look_at_hold(&mut self) {
        let now = self.ground.holding.borrow().clone();
        let gone = match (&self.hold, &now) {
            (Some(old), Some(new)) if old.term == new.term && old.fence == new.fence => {
                if old.buckets == new.buckets {
                    Vec::new()
                } else {
                    self.table.drain_where(|id| !new.owns(id))
                }
            }
            (None, None) => Vec::new(),
            (Some(_), Some(_) | None) | (None, Some(_)) => self.table.drain_where(|_| true),
        };
        if !gone.is_empty() {
            tracing::warn!(instances = gone.len(), "ownership changed; instances leave memory");
        }
        self.hold = now;
        for hot in gone {
            self.let_go(hot);
        }
    }

    /// An event cannot be taken now: its mail or timer is found again by a scan.
    pub(super) fn put_back(&self, arrival: &Arrival) {
        if let Some(mail) = arrival.mail {
            self.ground.known.let_go(mail);
        }
    }

    fn let_go(&self, hot: Hot) {
        for arrival in hot.into_arrivals() {
            self.put_back(&arrival);
        }
    }

    /// Mail of instances that rested enough may be read again.
    pub(super) fn end_rests(&mut self) {
        for mail in self.table.rested() {
            self.ground.known.let_go(mail);
        }
        for id in self.table.answered() {
            if self.owned(id).is_some() {
                self.heat(id);
            }
        }
    }

    /// The instance cannot move: it rests, and says why where people look.
    pub(super) fn park(&mut self, id: InstanceId, trouble: &Trouble) {
        if let Some(fence) = self.owned(id).map(|hold| hold.fence) {
            let incident = trouble.incident(self.ground.clock.now());
            self.parker.park(fence, id, incident);
        }
        self.rest(id);
    }

    /// The instance leaves memory; scans bring back what waited for it.
    pub(super) fn forget(&mut self, id: InstanceId) {
        if let Some(hot) = self.table.remove(id) {
            self.let_go(hot);
        }
    }

    /// The instance leaves memory for a while. Its mail is not read again meanwhile, so that it
    /// does not stand in the way of others.
    pub(super) fn rest(&mut self, id: InstanceId) {
        for mail in self.table.rest(id) {
            self.ground.known.let_go(mail);
        }
    }

    /// The instance does not exist: neither does its mail.
    pub(super) fn throw_away(&mut self, id: InstanceId) {
        let Some(hot) = self.table.remove(id) else { return };
        for arrival in hot.into_arrivals() {
            if let Some(mail) = arrival.mail {
                self.refuse(mail);
            }
        }
    }

    /// A mail moved nothing: the store hears of it.
    pub(super) fn refuse(&self, mail: uuid::Uuid) {
        if !self.refuser.refuse(mail) {
            self.ground.known.let_go(mail);
        }
    }

    /// What is in memory may not be what is stored: read it again, keeping what waits for it.
    pub(super) fn reload(&mut self, id: InstanceId) {
        match self.table.start_over(id) {
            Some(turn) if self.loader.ask(id, turn) => {}
            Some(_) => self.forget(id),
            None => {
                tracing::error!(instance = %id, "the instance is refused again and again; it rests");
                self.rest(id);
            }
        }
    }

    /// Answers a drain once nothing is in flight.
    pub(super) fn answer_drain(&mut self) {
        if self.drain.is_some()
            && self.table.is_still()
            && self.ground.flying.is_empty()
            && let Some(done) = self.drain.take()
        {
            // Whoever asked may have stopped waiting.
            done.send(()).ok();
        }
    }
}

fn status_name(instance: &Instance) -> &'static str {
    match instance.status {
        tenure_machine::Status::Pending => "pending",
        tenure_machine::Status::Live => "live",
        tenure_machine::Status::Completed { .. } => "completed",
        tenure_machine::Status::Faulted { .. } => "faulted",
        tenure_machine::Status::Cancelled { .. } => "cancelled",
    }
}
