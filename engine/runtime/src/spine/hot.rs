//! The instances in memory: where each one is on its way, and what waits for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tenure_definition::Plan;
use tenure_machine::{CallId, Event, Instance, InstanceId};
use uuid::Uuid;

use super::Arrival;
use crate::clock::{backoff, boot};

/// Instances in memory. Beyond, idle ones make room, and what finds none is found again later.
pub(crate) const HOT_MAX: usize = 16_384;
/// Idle instances that leave at once when room is needed.
const COOLED_AT_ONCE: usize = 1_024;
/// Events that wait for one instance. Answers of calls are taken beyond that: they are bounded by
/// the calls, and are nowhere else.
const QUEUE_MAX: usize = 1_024;
/// Times in a row an instance is read again before it rests.
const TROUBLES_MAX: u32 = 3;
/// Resting instances on record; the one that is over first goes first.
const RESTING_MAX: usize = 4_096;
/// First rest of an instance whose step cannot be made or written.
const REST_FIRST: Duration = Duration::from_secs(1);
/// Longest rest.
const REST_LONGEST: Duration = Duration::from_secs(300);

/// Where an instance is on its way.
#[derive(Debug)]
pub(super) enum Phase {
    /// Being read.
    Loading,
    /// Ready for its next event.
    Idle { instance: Arc<Instance>, plan: Arc<Plan> },
    /// On a thread, with this event.
    Stepping { arrival: Arrival, instance: Arc<Instance>, plan: Arc<Plan> },
    /// With a committer; the event is kept until it is certain.
    Committing { arrival: Arrival, plan: Arc<Plan> },
}

/// One instance in memory.
#[derive(Debug)]
pub(super) struct Hot {
    /// Answers to older turns are not for this one.
    pub(super) turn: u64,
    pub(super) phase: Phase,
    pub(super) queue: VecDeque<Arrival>,
    /// Reads again in a row.
    pub(super) troubles: u32,
}

impl Hot {
    /// Whether nothing is on its way and nothing waits.
    fn is_still(&self) -> bool {
        self.queue.is_empty() && matches!(self.phase, Phase::Idle { .. })
    }

    /// Whether the answer of a call waits here already.
    pub(super) fn has_answer(&self, wanted: CallId) -> bool {
        self.queue.iter().any(|arrival| match &arrival.event {
            Event::CallEnded { call, .. }
            | Event::LookupEnded { call, .. }
            | Event::CallLost { call } => *call == wanted,
            Event::Started
            | Event::TimerDue { .. }
            | Event::EventArrived { .. }
            | Event::ChildEnded { .. }
            | Event::LockGranted { .. }
            | Event::LockRefused { .. }
            | Event::CancelRequested { .. } => false,
        })
    }

    /// Whether this timer waits here already (a scan finds it until its step is committed).
    fn has_timer(&self, event: &Event) -> bool {
        if !matches!(event, Event::TimerDue { .. }) {
            return false;
        }
        let working = match &self.phase {
            Phase::Stepping { arrival, .. } | Phase::Committing { arrival, .. } => {
                arrival.event == *event
            }
            Phase::Loading | Phase::Idle { .. } => false,
        };
        working || self.queue.iter().any(|arrival| arrival.event == *event)
    }

    /// Everything that still has to happen to it, the event in work first.
    pub(super) fn into_arrivals(self) -> impl Iterator<Item = Arrival> {
        let working = match self.phase {
            Phase::Stepping { arrival, .. } | Phase::Committing { arrival, .. } => Some(arrival),
            Phase::Loading | Phase::Idle { .. } => None,
        };
        working.into_iter().chain(self.queue)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    hot: HashMap<InstanceId, Hot>,
    resting: HashMap<InstanceId, Rest>,
    turns: u64,
}

/// Whether somebody says: stop.
fn is_cancel(arrival: &Arrival) -> bool {
    matches!(arrival.event, Event::CancelRequested { .. })
}

#[derive(Debug)]
struct Rest {
    until: Duration,
    times: u32,
    /// Its mail, known and not to be read before the rest is over.
    mail: Vec<Uuid>,
    /// Answers of calls, in order: they are nowhere else.
    answers: VecDeque<Arrival>,
}

impl Table {
    pub(super) fn contains(&self, id: InstanceId) -> bool {
        self.hot.contains_key(&id)
    }

    pub(super) fn get(&mut self, id: InstanceId) -> Option<&mut Hot> {
        self.hot.get_mut(&id)
    }

    /// The instance, if it is still the one the answer is for.
    pub(super) fn at_turn(&mut self, id: InstanceId, turn: u64) -> Option<&mut Hot> {
        self.hot.get_mut(&id).filter(|hot| hot.turn == turn)
    }

    /// Makes a place for an instance and gives its turn; `None` when there is none, or it rests.
    pub(super) fn insert(&mut self, id: InstanceId) -> Option<u64> {
        if self.resting.get(&id).is_some_and(|rest| boot() < rest.until) {
            return None;
        }
        if self.hot.len() >= HOT_MAX {
            self.make_room();
        }
        if self.hot.len() >= HOT_MAX {
            return None;
        }
        self.turns += 1;
        let turn = self.turns;
        let kept = self.resting.get_mut(&id).map(|rest| std::mem::take(&mut rest.answers));
        let queue = kept.unwrap_or_default();
        let hot = Hot { turn, phase: Phase::Loading, queue, troubles: 0 };
        self.hot.insert(id, hot);
        Some(turn)
    }

    /// Puts the event in work back to the front and gives a fresh turn, so that the instance is
    /// read again. `None` when that happened too often.
    pub(super) fn start_over(&mut self, id: InstanceId) -> Option<u64> {
        let hot = self.hot.get_mut(&id)?;
        hot.troubles += 1;
        if hot.troubles > TROUBLES_MAX {
            return None;
        }
        self.turns += 1;
        hot.turn = self.turns;
        match std::mem::replace(&mut hot.phase, Phase::Loading) {
            Phase::Stepping { arrival, .. } | Phase::Committing { arrival, .. } => {
                hot.queue.push_front(arrival);
            }
            Phase::Loading | Phase::Idle { .. } => {}
        }
        Some(hot.turn)
    }

    /// Lets an event wait. Gives it back when there is no room; one that waits already is dropped.
    pub(super) fn queue(
        &mut self,
        id: InstanceId,
        arrival: Arrival,
        from_memory: bool,
    ) -> Result<(), Arrival> {
        let Some(hot) = self.hot.get_mut(&id) else { return Err(arrival) };
        if hot.has_timer(&arrival.event) {
            return Ok(());
        }
        if hot.queue.len() >= QUEUE_MAX && !from_memory {
            return Err(arrival);
        }
        // A cancellation must not stand in line behind what the instance cannot do.
        if self.resting.contains_key(&id) && is_cancel(&arrival) {
            hot.queue.push_front(arrival);
        } else {
            hot.queue.push_back(arrival);
        }
        Ok(())
    }

    /// Ends the rest of an instance for a cancellation.
    pub(super) fn wake(&mut self, id: InstanceId, arrival: &Arrival) {
        if let Some(rest) = self.resting.get_mut(&id)
            && is_cancel(arrival)
        {
            rest.until = boot();
        }
    }

    pub(super) fn remove(&mut self, id: InstanceId) -> Option<Hot> {
        self.hot.remove(&id)
    }

    /// Lets an ended instance go, unless something still waits for it.
    pub(super) fn cool(&mut self, id: InstanceId) {
        if self.hot.get(&id).is_some_and(Hot::is_still) {
            self.hot.remove(&id);
        }
    }

    /// The instance moved: whatever was wrong with it is over.
    pub(super) fn recovered(&mut self, id: InstanceId) {
        let is_empty = |rest: &Rest| rest.mail.is_empty() && rest.answers.is_empty();
        if self.resting.get(&id).is_some_and(is_empty) {
            self.resting.remove(&id);
        }
    }

    fn make_room(&mut self) {
        let still: Vec<_> = self
            .hot
            .iter()
            .filter(|(_, hot)| hot.is_still())
            .map(|(id, _)| *id)
            .take(COOLED_AT_ONCE)
            .collect();
        for id in still {
            self.hot.remove(&id);
        }
    }

    /// Takes an instance out of memory for a while; longer each time.
    /// Gives mail that may be read again because somebody else's rest ended early for it.
    pub(super) fn rest(&mut self, id: InstanceId) -> Vec<Uuid> {
        let before = self.resting.remove(&id);
        let times = before.as_ref().map_or(0, |rest| rest.times.saturating_add(1));
        let (mut mail, mut answers) =
            before.map(|rest| (rest.mail, rest.answers)).unwrap_or_default();
        for arrival in self.remove(id).into_iter().flat_map(Hot::into_arrivals) {
            match arrival.mail {
                Some(letter) => mail.push(letter),
                None if arrival.due.is_none() => answers.push_back(arrival),
                // A timer is found again by a scan.
                None => {}
            }
        }
        let until = boot() + backoff(times, REST_FIRST, REST_LONGEST);
        let mut freed = Vec::new();
        if self.resting.len() >= RESTING_MAX
            && let Some(first) =
                self.resting.iter().min_by_key(|(_, rest)| rest.until).map(|(id, _)| *id)
        {
            freed.extend(self.resting.remove(&first).into_iter().flat_map(|rest| rest.mail));
        }
        self.resting.insert(id, Rest { until, times, mail, answers });
        freed
    }

    /// Keeps what arrives for an instance that rests; `false` when it does not, or the scans bring it again.
    /// Answers of calls are kept in any case: they are bounded by the calls, and are nowhere else.
    pub(super) fn keep_for_rested(&mut self, id: InstanceId, arrival: &Arrival) -> bool {
        let is_answer = arrival.mail.is_none() && arrival.due.is_none();
        if is_answer {
            let fresh = || Rest {
                until: boot() + REST_FIRST,
                times: 0,
                mail: Vec::new(),
                answers: VecDeque::new(),
            };
            let rest = self.resting.entry(id).or_insert_with(fresh);
            rest.answers.push_back(arrival.clone());
            return true;
        }
        match (self.resting.get_mut(&id), arrival.mail) {
            (Some(rest), Some(mail)) if boot() < rest.until && rest.mail.len() < QUEUE_MAX => {
                rest.mail.push(mail);
                true
            }
            (Some(_) | None, _) => false,
        }
    }

    /// Instances whose rest is over and that have answers to take: nothing else brings those back.
    pub(super) fn answered(&self) -> Vec<InstanceId> {
        let now = boot();
        self.resting
            .iter()
            .filter(|(id, rest)| {
                rest.until <= now && !rest.answers.is_empty() && !self.hot.contains_key(id)
            })
            .map(|(id, _)| *id)
            .collect()
    }

    /// Mail of instances whose rest is over.
    pub(super) fn rested(&mut self) -> Vec<Uuid> {
        let now = boot();
        self.resting
            .values_mut()
            .filter(|rest| rest.until <= now)
            .flat_map(|rest| std::mem::take(&mut rest.mail))
            .collect()
    }

    /// All instances for which `leaves` holds leave.
    pub(super) fn drain_where(&mut self, leaves: impl Fn(InstanceId) -> bool) -> Vec<Hot> {
        self.hot.extract_if(|id, _| leaves(*id)).map(|(_, hot)| hot).collect()
    }

    /// Whether no instance is on its way or has something to do.
    pub(super) fn is_still(&self) -> bool {
        self.hot.values().all(Hot::is_still)
    }
}

#[cfg(test)]
mod tests {
    use tenure_adapter::Outcome;

    use super::*;

    fn answer(call: i64) -> Arrival {
        let outcome = Outcome::NotSent { detail: "x".to_owned() };
        Arrival::bare(Event::CallEnded { call: CallId(call), outcome })
    }

    #[test]
    fn answers_that_came_while_an_instance_rested_were_dropped() {
        let mut table = Table::default();
        let id = InstanceId(Uuid::from_u128(7));
        table.insert(id).unwrap();
        table.queue(id, answer(1), true).unwrap();
        table.rest(id);
        assert_eq!(table.insert(id), None, "it rests");
        assert!(table.keep_for_rested(id, &answer(2)));
        let stop = Arrival::bare(Event::CancelRequested { reason: "stop".to_owned() });
        table.wake(id, &answer(2));
        assert_eq!(table.insert(id), None, "only a cancellation ends a rest");
        table.wake(id, &stop);
        assert_eq!(table.answered(), [id]);
        assert!(table.insert(id).is_some());
        table.queue(id, stop.clone(), false).unwrap();
        let queue: Vec<Arrival> = table.remove(id).unwrap().into_arrivals().collect();
        assert_eq!(queue, [stop, answer(1), answer(2)], "a cancellation goes before the rest");
    }
}
