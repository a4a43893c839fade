//! Timers of the near future, in memory; the others stay where they are until they are near.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tenure_machine::{Event, InstanceId, TimerId};
use tokio::sync::Notify;

use crate::ground::{Ground, rung};
use crate::spine::{Arrival, Message};

/// How far the near future reaches, in scans.
const HORIZON_SCANS: u32 = 10;
/// Timers in memory; what is set beyond that is found by a scan.
const NEAR_MAX: usize = 65_536;
/// Timers of one scan.
const SCAN_MAX: i64 = 4_096;
/// Timers fired before looking at the clock again.
const FIRED_AT_ONCE_MAX: usize = 1_024;
/// How long a timer rests that came too early.
const EARLY_REST: SignedDuration = SignedDuration::from_millis(5);

type Entry = (Timestamp, InstanceId, TimerId);

/// Those in memory.
#[derive(Debug)]
pub(crate) struct Timers {
    near: Mutex<BTreeSet<Entry>>,
    horizon: SignedDuration,
    clock: Arc<crate::clock::Clock>,
    bell: Notify,
}

impl Timers {
    pub(crate) fn new(clock: Arc<crate::clock::Clock>, scan_every: Duration) -> Self {
        let horizon = SignedDuration::try_from(scan_every.saturating_mul(HORIZON_SCANS))
            .unwrap_or(SignedDuration::MAX);
        Self { near: Mutex::default(), horizon, clock, bell: Notify::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Entry>> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when timers are near.
    fn reach(&self) -> Timestamp {
        self.clock.now().checked_add(self.horizon).unwrap_or(Timestamp::MAX)
    }

    /// A timer was set and committed.
    pub(crate) fn note(&self, instance: InstanceId, timer: TimerId, due: Timestamp) {
        if due > self.reach() {
            return;
        }
        let mut near = self.lock();
        if near.len() >= NEAR_MAX {
            return;
        }
        let is_next = near.first().is_none_or(|(first, _, _)| due < *first);
        near.insert((due, instance, timer));
        drop(near);
        if is_next {
            self.bell.notify_one();
        }
    }

    /// A timer was cleared. One that is left behind fires into nothing.
    pub(crate) fn forget(&self, instance: InstanceId, timer: TimerId) {
        /// Beyond this a search costs more than a stale firing.
        const SEARCHED_MAX: usize = 64;
        let mut near = self.lock();
        let found = near
            .iter()
            .take(SEARCHED_MAX)
            .find(|(_, of, which)| (*of, *which) == (instance, timer))
            .copied();
        if let Some(entry) = found {
            near.remove(&entry);
        }
    }

    /// A timer came before it was due: it comes again.
    pub(crate) fn put_back(&self, instance: InstanceId, timer: TimerId, due: Timestamp) {
        let rested = self.clock.now().checked_add(EARLY_REST).unwrap_or(due);
        self.lock().insert((due.max(rested), instance, timer));
        self.bell.notify_one();
    }

    fn take_due(&self, now: Timestamp) -> Vec<Entry> {
        let mut near = self.lock();
        let mut due = Vec::new();
        while due.len() < FIRED_AT_ONCE_MAX
            && near.first().is_some_and(|(at, _, _)| *at <= now)
            && let Some(entry) = near.pop_first()
        {
            due.push(entry);
        }
        due
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.lock().first().map(|(due, _, _)| *due)
    }
}

/// Fires what is due; reads the near future once per scan, and the database clock with it.
pub(crate) async fn tick(ground: Arc<Ground>) {
    let every = ground.config.scan_every;
    let mut next_scan = tokio::time::Instant::now();
    loop {
        if tokio::time::Instant::now() >= next_scan {
            scan(&ground).await;
            next_scan = tokio::time::Instant::now() + every;
        }
        let due = ground.timers.take_due(ground.clock.now());
        let fired = !due.is_empty();
        for (due, instance, timer) in due {
            let event = Event::TimerDue { timer };
            let arrival = Arrival { event, mail: None, due: Some(due) };
            if ground.spine.send(Message::Arrived { instance, arrival }).await.is_err() {
                return;
            }
        }
        if !fired {
            let left = next_scan.saturating_duration_since(tokio::time::Instant::now());
            let wait = ground.timers.next_due().map_or(left, |due| ground.clock.until(due));
            rung(&ground.timers.bell, wait.min(left)).await;
        }
    }
}

async fn scan(ground: &Ground) {
    if let Err(error) = ground.clock.refresh(&*ground.store).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the database clock is not read");
        return;
    }
    let Some(hold) = ground.hold() else { return };
    match ground.store.timers(&hold.list(), ground.timers.reach(), SCAN_MAX).await {
        Ok(rows) => {
            let mut near = ground.timers.lock();
            near.extend(rows.iter().map(|row| (row.due, row.instance, row.timer)));
            // The furthest are found again when they are nearer.
            while near.len() > NEAR_MAX {
                near.pop_last();
            }
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "timers were not read");
        }
    }
}
