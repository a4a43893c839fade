//! The way of one step, for all instances of this node.
//!
//! An event arrives for an instance. If the instance is not in memory, it is loaded; calls it had
//! out that this node does not have out are lost, and that is its first event. When it is idle, its
//! oldest event goes to a thread, where the machine steps. What the step gives goes to a committer,
//! which writes it together with everybody else's. Once it is committed, and not before, its
//! commands are released, and the next event has its turn.
//!
//! So an instance has one step and one checkpoint in flight at most, and whoever is not certain to
//! own it (fenced, poisoned, lease lost) drops it from memory and reads it again. Nothing here
//! waits for anything but the next message: every door is tried, and what does not fit through is
//! found again by a scan.

mod hot;
mod release;
pub(crate) mod trouble;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tenure_definition::Plan;
use tenure_machine::{Event, Instance, InstanceId, Stale, Step, step};
use tenure_store::port::Checkpoint;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::call::Calls;
use crate::committer::{Committers, Verdict};
use crate::ground::Ground;
use crate::lease::Hold;
use crate::loader::{Found, Loader};
use crate::parker::Parker;
use crate::refuser::Refuser;
use crate::stepper::Undone;
use hot::{Phase, Table};
use trouble::Trouble;

/// How often the spine looks who rested enough.
const TICK: Duration = Duration::from_secs(1);

/// Something that happened to an instance, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arrival {
    /// What.
    pub(crate) event: Event,
    /// The mail that brought it, consumed with the step.
    pub(crate) mail: Option<Uuid>,
    /// When it was due, for a timer.
    pub(crate) due: Option<Timestamp>,
}

impl Arrival {
    /// An event that is nowhere but in memory (the outcome of a call).
    pub(crate) fn bare(event: Event) -> Self {
        Self { event, mail: None, due: None }
    }
}

/// What the spine is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// An event for an instance.
    Arrived { instance: InstanceId, arrival: Arrival },
    /// Look at this instance: calls it has out may be lost.
    Look { instance: InstanceId },
    /// An instance was read.
    Loaded { instance: InstanceId, turn: u64, found: Found },
    /// A step was made.
    Stepped { instance: InstanceId, turn: u64, at: Timestamp, result: Result<Step, Undone> },
    /// A checkpoint came back.
    Committed { instance: InstanceId, turn: u64, checkpoint: Box<Checkpoint>, verdict: Verdict },
    /// Take nothing new; answer when nothing is in flight any more.
    Drain { done: oneshot::Sender<()> },
}

/// The spine of a node: one task.
#[derive(Debug)]
pub(crate) struct Spine {
    pub(crate) ground: Arc<Ground>,
    pub(crate) loader: Loader,
    pub(crate) committers: Committers,
    pub(crate) calls: Calls,
    pub(crate) refuser: Refuser,
    pub(crate) parker: Parker,
    table: Table,
    /// What this node owned at the last look.
    hold: Option<Hold>,
    drain: Option<oneshot::Sender<()>>,
}

impl Spine {
    pub(crate) fn new(
        ground: Arc<Ground>,
        loader: Loader,
        committers: Committers,
        calls: Calls,
        (refuser, parker): (Refuser, Parker),
    ) -> Self {
        let table = Table::default();
        Self { ground, loader, committers, calls, refuser, parker, table, hold: None, drain: None }
    }

    /// Takes messages for as long as somebody sends them.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut holding = self.ground.holding.clone();
        let mut tick = tokio::time::interval(TICK);
        loop {
            self.look_at_hold();
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                changed = holding.changed() => if changed.is_err() { return },
                _ = tick.tick() => self.end_rests(),
            }
            self.answer_drain();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Arrived { instance, arrival } => self.arrived(instance, arrival),
            Message::Look { instance } => {
                if self.owned(instance).is_some() && !self.table.contains(instance) {
                    self.heat(instance);
                }
            }
            Message::Loaded { instance, turn, found } => self.loaded(instance, turn, found),
            Message::Stepped { instance, turn, at, result } => {
                self.stepped(instance, turn, at, result);
            }
            Message::Committed { instance, turn, checkpoint, verdict } => {
                self.committed(instance, turn, *checkpoint, verdict);
            }
            Message::Drain { done } => self.drain = Some(done),
        }
    }

    /// An event arrives: it waits for its turn at the instance.
    fn arrived(&mut self, id: InstanceId, arrival: Arrival) {
        self.ground.flying.landed(id, &arrival.event);
        let from_memory = arrival.mail.is_none() && arrival.due.is_none();
        if self.owned(id).is_none() || (self.drain.is_some() && !from_memory) {
            return self.put_back(&arrival);
        }
        self.table.wake(id, &arrival);
        if !self.table.contains(id) && !self.heat(id) {
            if !self.table.keep_for_rested(id, &arrival) {
                self.put_back(&arrival);
            }
            return;
        }
        match self.table.queue(id, arrival, from_memory) {
            Ok(()) => self.advance(id),
            Err(refused) => self.put_back(&refused),
        }
    }

    /// An instance comes into memory. `false` when there is no room or it rests.
    fn heat(&mut self, id: InstanceId) -> bool {
        let Some(turn) = self.table.insert(id) else { return false };
        if self.loader.ask(id, turn) {
            return true;
        }
        // Not forgotten but at rest: answers that were kept for it are nowhere else.
        self.rest(id);
        false
    }

    /// The instance was read: it is idle, and the calls that nobody will answer are lost.
    fn loaded(&mut self, id: InstanceId, turn: u64, found: Found) {
        let Some(hot) = self.table.at_turn(id, turn) else { return };
        match found {
            Found::Ready { instance, plan } => {
                for call in instance.open_calls().chain(instance.abandoned_calls()) {
                    if !self.ground.flying.contains(id, call) && !hot.has_answer(call) {
                        tracing::info!(instance = %id, %call, "a call was lost with its node");
                        hot.queue.push_front(Arrival::bare(Event::CallLost { call }));
                    }
                }
                hot.phase = Phase::Idle { instance, plan };
                self.advance(id);
            }
            Found::Missing => {
                tracing::warn!(instance = %id, "there is no such instance; its mail is thrown away");
                self.throw_away(id);
            }
            Found::Unusable(trouble) => {
                tracing::error!(instance = %id, trouble = %trouble.detail(), "the instance cannot move");
                self.park(id, &trouble);
            }
            Found::Later(reason) => {
                tracing::warn!(instance = %id, reason, "the instance is read again later");
                self.rest(id);
            }
        }
    }

    /// The next event of an idle instance goes to a thread.
    fn advance(&mut self, id: InstanceId) {
        let Some(hot) = self.table.get(id) else { return };
        let Phase::Idle { instance, plan } = &hot.phase else { return };
        if !self.hold.as_ref().is_some_and(Hold::trusted) {
            return;
        }
        let (instance, plan) = (Arc::clone(instance), Arc::clone(plan));
        let Some(arrival) = hot.queue.pop_front() else { return };
        let event = arrival.event.clone();
        let turn = hot.turn;
        hot.phase =
            Phase::Stepping { arrival, instance: Arc::clone(&instance), plan: Arc::clone(&plan) };
        if self.send_to_step(id, turn, plan, instance, event).is_err() {
            tracing::warn!(instance = %id, "no thread takes the step; the instance is read again");
            self.forget(id);
        }
    }

    fn send_to_step(
        &self,
        id: InstanceId,
        turn: u64,
        plan: Arc<Plan>,
        instance: Arc<Instance>,
        event: Event,
    ) -> Result<(), Undone> {
        let at = self.ground.clock.now();
        let spine = self.ground.spine.clone();
        self.ground.steppers.hand(
            move || step(&plan, &instance, &event, at),
            move |result| {
                // The engine is gone when this fails; so is the need for the answer.
                spine.blocking_send(Message::Stepped { instance: id, turn, at, result }).ok();
            },
        )
    }

    /// The machine has stepped: what moved goes to a committer, what did not is put away.
    fn stepped(&mut self, id: InstanceId, turn: u64, at: Timestamp, result: Result<Step, Undone>) {
        let Some(fence) = self.owned(id).map(|hold| hold.fence) else { return self.forget(id) };
        let Some(hot) = self.table.at_turn(id, turn) else { return };
        let Phase::Stepping { arrival, instance, plan } = &hot.phase else { return };
        let (arrival, instance, plan) = (arrival.clone(), Arc::clone(instance), Arc::clone(plan));
        match result {
            Ok(Step::Moved(transition)) => {
                let consumed = arrival.mail.into_iter().collect();
                let checkpoint = Checkpoint { transition: *transition, consumed, at };
                hot.phase = Phase::Committing { arrival, plan };
                if !self.committers.submit(fence, id, turn, checkpoint) {
                    self.reload(id);
                }
            }
            Ok(Step::Stale(stale)) => {
                let ended = instance.is_terminal();
                hot.phase = Phase::Idle { instance, plan };
                self.put_away(id, &arrival, stale);
                if ended {
                    self.table.cool(id);
                }
                self.advance(id);
            }
            Err(Undone::Panicked) => {
                let trouble = Trouble::panicked(&instance, &arrival.event);
                tracing::error!(
                    instance = %id,
                    trouble = %trouble.detail(),
                    "the step of this instance panicked; it rests and is tried again"
                );
                self.park(id, &trouble);
            }
            Err(Undone::Full) => self.rest(id),
        }
    }

    /// The event did not concern the instance: a late answer, a wait that is closed or does not
    /// fit, a timer that came early.
    fn put_away(&self, id: InstanceId, arrival: &Arrival, stale: Stale) {
        tracing::debug!(instance = %id, ?stale, "an event moved nothing");
        match (stale, arrival.mail, &arrival.event, arrival.due) {
            (Stale::Early, _, Event::TimerDue { timer }, Some(due)) => {
                self.ground.timers.put_back(id, *timer, due);
            }
            (Stale::Ended | Stale::Closed | Stale::Mismatch | Stale::Early, Some(mail), _, _) => {
                self.refuse(mail);
            }
            (Stale::Ended | Stale::Closed | Stale::Mismatch | Stale::Early, None, _, _) => {}
        }
    }

    /// The checkpoint is back. Only what is certainly durable releases its commands.
    fn committed(&mut self, id: InstanceId, turn: u64, checkpoint: Checkpoint, verdict: Verdict) {
        let Some(hot) = self.table.at_turn(id, turn) else { return };
        let Phase::Committing { plan, .. } = &hot.phase else { return };
        let plan = Arc::clone(plan);
        match verdict {
            Verdict::Durable => {
                for mail in checkpoint.consumed {
                    self.ground.known.let_go(mail);
                }
                let transition = checkpoint.transition;
                let instance = Arc::new(transition.instance);
                hot.troubles = 0;
                hot.phase = Phase::Idle { instance: Arc::clone(&instance), plan };
                let not_sent = self.release(&instance, transition.commands);
                for event in not_sent {
                    // From memory: always taken.
                    self.table.queue(id, Arrival::bare(event), true).ok();
                }
                self.table.recovered(id);
                if instance.is_terminal() {
                    self.table.cool(id);
                }
                self.advance(id);
            }
            Verdict::Fenced => {
                tracing::warn!(instance = %id, "a checkpoint was fenced; the instance is read again");
                self.reload(id);
            }
            Verdict::InDoubt => self.reload(id),
            Verdict::Poisoned => {
                let trouble = Trouble::poisoned(&checkpoint);
                tracing::error!(
                    instance = %id,
                    trouble = %trouble.detail(),
                    "the next state of this instance cannot be written; it rests and is tried again"
                );
                self.park(id, &trouble);
            }
        }
    }
}
