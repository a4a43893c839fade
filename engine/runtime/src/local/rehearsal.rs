//! A schedule on a virtual clock: what it would start between two instants, by the same decisions as
//! on a server, without a database.
//!
//! Every instance is run to its end by itself, so that it is known how long it takes; what one
//! does to another is only what the policy says.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tenure_adapter::Registry;
use tenure_definition::Plan;
use tenure_definition::plan::Schedule;
use tenure_definition::schedule::{Nominal, Overlap};

use super::{Options, run};
use crate::schedule::{InForce, Meeting, Turn, meet, turn};

/// Firings of one rehearsal: a schedule of seconds over a year must not fill the memory.
pub const FIRINGS_MAX: usize = 10_000;

/// What is to be rehearsed.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The definition; without a schedule nothing fires.
    pub plan: Arc<Plan>,
    /// When it is registered.
    pub since: Timestamp,
    /// Until when it is looked at.
    pub until: Timestamp,
    /// Instances that are started by hand: what `after` follows.
    pub starts: Vec<Timestamp>,
    /// Times in which no server runs, in order, from and to.
    pub outages: Vec<(Timestamp, Timestamp)>,
}

/// What came of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It started an instance, which was not disturbed.
    Started,
    /// It started an instance, which a later firing cancelled.
    Cancelled,
    /// The one before still ran.
    Skipped,
    /// It waited for the end of the one before, and a newer one took its place.
    Replaced,
    /// Nobody made up for it.
    Missed,
}

/// One firing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Firing {
    /// The instant the schedule names; of missed ones the last.
    pub nominal: Timestamp,
    /// When it was seen to.
    pub at: Timestamp,
    /// What came of it.
    pub fate: Fate,
    /// When its instance ended or was cancelled.
    pub ended: Option<Timestamp>,
}

/// Plays a schedule.
pub async fn rehearse(trial: Trial, registry: &Registry) -> Vec<Firing> {
    let Some(schedule) = trial.plan.schedule.as_ref() else { return Vec::new() };
    let in_force =
        InForce { plan: Arc::clone(&trial.plan), since: trial.since, every_since: trial.since };
    let mut stage = Rehearsal {
        in_force: &in_force,
        schedule,
        trial: &trial,
        registry,
        handled: trial.since,
        last: None,
        buffered: None,
        ends: VecDeque::new(),
        fired: Vec::new(),
    };
    for start in &trial.starts {
        let ended = stage.played(*start).await;
        stage.ends.extend(ended);
    }
    stage.play().await;
    stage.fired
}

struct Rehearsal<'a> {
    in_force: &'a InForce,
    schedule: &'a Schedule,
    trial: &'a Trial,
    registry: &'a Registry,
    handled: Timestamp,
    /// The number of the last firing that started an instance.
    last: Option<usize>,
    /// The firing that waits for the end of the last one, by its number.
    buffered: Option<usize>,
    /// Ends of instances that nothing has followed yet.
    ends: VecDeque<Timestamp>,
    fired: Vec<Firing>,
}

impl Rehearsal<'_> {
    async fn play(&mut self) {
        while let Some(now) = self.next() {
            if now > self.trial.until || self.fired.len() >= FIRINGS_MAX {
                return;
            }
            self.release(now).await;
            self.by_time(now).await;
            self.after_ends(now).await;
        }
    }

    /// When something happens next, while a server runs.
    fn next(&self) -> Option<Timestamp> {
        let zone = &self.in_force.plan.extensions.zone;
        let time = self.schedule.next_after(zone, self.handled, self.in_force.every_since);
        let after = self.ends.iter().filter_map(|ended| self.schedule.after_end(zone, *ended));
        let firings = time.into_iter().chain(after).map(|firing| self.due(&firing));
        let freed = self.buffered.and(self.last).and_then(|last| self.fired.get(last)?.ended);
        let next = firings.chain(freed).min()?;
        let outage = self.trial.outages.iter().find(|(from, to)| (*from..*to).contains(&next));
        Some(outage.map_or(next, |(_, to)| *to))
    }

    fn due(&self, firing: &Nominal) -> Timestamp {
        let name = self.in_force.name();
        firing.due(&name.namespace, &name.definition, &self.schedule.policy)
    }

    /// Starts what has waited for the end of the last one.
    async fn release(&mut self, now: Timestamp) {
        if self.lives(now) {
            return;
        }
        let Some(number) = self.buffered.take() else { return };
        let ended = self.played(now).await;
        if let Some(firing) = self.fired.get_mut(number) {
            *firing = Firing { at: now, fate: Fate::Started, ended, ..*firing };
        }
        self.last = Some(number);
        self.ends.extend(ended);
    }

    async fn by_time(&mut self, now: Timestamp) {
        while self.fired.len() < FIRINGS_MAX {
            match turn(self.in_force, self.handled, now) {
                Turn::Rest => return,
                Turn::Drop { until } => {
                    self.note(until, now, Fate::Missed);
                    self.handled = until;
                }
                Turn::Fire(nominal) => {
                    self.fire(nominal, now).await;
                    self.handled = nominal.at;
                }
            }
        }
    }

    async fn fire(&mut self, nominal: Nominal, now: Timestamp) {
        let overlap: Overlap = self.schedule.policy.overlap;
        match meet(overlap, self.lives(now)) {
            Meeting::Start => self.start(nominal.at, now).await,
            Meeting::Skip => _ = self.note(nominal.at, now, Fate::Skipped),
            Meeting::Buffer => {
                if let Some(older) = self.buffered.and_then(|at| self.fired.get_mut(at)) {
                    older.fate = Fate::Replaced;
                }
                self.buffered = Some(self.note(nominal.at, now, Fate::Skipped));
            }
            Meeting::CancelPrevious => {
                if let Some(last) = self.last.and_then(|last| self.fired.get_mut(last)) {
                    let was = last.ended.replace(now);
                    last.fate = Fate::Cancelled;
                    self.ends.retain(|end| Some(*end) != was);
                    self.ends.push_back(now);
                }
                self.start(nominal.at, now).await;
            }
        }
    }

    /// `after`: what ended long enough ago is followed by the next.
    async fn after_ends(&mut self, now: Timestamp) {
        let zone = &self.in_force.plan.extensions.zone;
        let ends = std::mem::take(&mut self.ends);
        for ended in ends {
            match self.schedule.after_end(zone, ended) {
                Some(next) if self.due(&next) <= now => {
                    let started = self.played(now).await;
                    self.fired.push(Firing {
                        nominal: next.at,
                        at: now,
                        fate: Fate::Started,
                        ended: started,
                    });
                    self.ends.extend(started);
                }
                Some(_) => self.ends.push_back(ended),
                None => {}
            }
        }
    }

    async fn start(&mut self, nominal: Timestamp, now: Timestamp) {
        let ended = self.played(now).await;
        let number = self.note(nominal, now, Fate::Started);
        if let Some(firing) = self.fired.get_mut(number) {
            firing.ended = ended;
        }
        self.last = Some(number);
        self.ends.extend(ended);
    }

    fn note(&mut self, nominal: Timestamp, at: Timestamp, fate: Fate) -> usize {
        self.fired.push(Firing { nominal, at, fate, ended: None });
        self.fired.len() - 1
    }

    /// Whether the last instance that was started by the time still runs.
    fn lives(&self, now: Timestamp) -> bool {
        let last = self.last.and_then(|last| self.fired.get(last));
        last.is_some_and(|last| last.ended.is_none_or(|ended| ended > now))
    }

    /// When an instance ends that begins now; `None` when it waits for ever.
    async fn played(&self, now: Timestamp) -> Option<Timestamp> {
        let options = Options {
            plan: Arc::clone(&self.in_force.plan),
            others: Vec::new(),
            input: Value::Null,
            events: Vec::new(),
            triggers: Vec::new(),
            secrets: std::collections::BTreeMap::new(),
            virtual_clock: true,
            start_at: Some(now),
        };
        let report = run(options, self.registry).await;
        match report.status {
            super::Status::Completed
            | super::Status::Faulted
            | super::Status::Cancelled
            | super::Status::Rejected => Some(report.finished_at),
            super::Status::Waiting | super::Status::Incident => None,
        }
    }
}
