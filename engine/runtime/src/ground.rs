//! What all tasks of an engine stand on.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenure_machine::{CallId, Event, InstanceId, WaitId};
use tenure_store::Store;
use tokio::sync::{Notify, broadcast, mpsc};
use uuid::Uuid;

use crate::clock::{Clock, backoff};
use crate::engine::{Config, Error};
use crate::lease::{self, Hold, Holding};
use crate::plans::Plans;
use crate::spine::Message;
use crate::stepper::Steppers;
use crate::timer::Timers;

/// Messages to the spine that wait; senders wait beyond that.
pub(crate) const SPINE_QUEUE_MAX: usize = 8_192;
/// Ends of instances not yet seen by those who wait for them; they look at the store then.
pub(crate) const ENDED_QUEUE_MAX: usize = 1_024;
/// Tries of one verb for a caller, before the error is his.
const PATIENCE_TRIES_MAX: u32 = 4;
/// First wait between such tries.
const PATIENCE_FIRST: Duration = Duration::from_millis(20);
/// Longest wait between such tries.
const PATIENCE_LONGEST: Duration = Duration::from_millis(500);

/// Shared by all tasks of one engine.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: Config,
    pub(crate) clock: Arc<Clock>,
    pub(crate) holding: Holding,
    pub(crate) plans: Plans,
    pub(crate) steppers: Steppers,
    pub(crate) spine: mpsc::Sender<Message>,
    pub(crate) timers: Timers,
    pub(crate) known: KnownMail,
    pub(crate) flying: Flying,
    pub(crate) bells: Bells,
    pub(crate) opened: mpsc::Sender<(InstanceId, WaitId)>,
    pub(crate) ended: broadcast::Sender<InstanceId>,
    /// Nothing new is taken any more.
    pub(crate) stopping: AtomicBool,
}

impl Ground {
    /// The hold for taking new work: none while the engine stops.
    pub(crate) fn hold(&self) -> Option<Hold> {
        if self.stopping.load(Ordering::Acquire) {
            return None;
        }
        lease::current(&self.holding)
    }
}

/// In-process wake-ups: what a pump would find by its next scan, it finds now.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    /// There may be new mail.
    pub(crate) mail: Notify,
    /// There may be new outbox rows.
    pub(crate) outbox: Notify,
    /// There may be something new to start by a schedule.
    pub(crate) schedule: Notify,
    /// Kept events and open waits may have missed each other.
    pub(crate) sweep: Notify,
}

/// Waits until the bell rings, at most `every`.
pub(crate) async fn rung(bell: &Notify, every: Duration) {
    // Time over and bell rung mean the same: look again.
    tokio::time::timeout(every, bell.notified()).await.ok();
}

/// Repeats a verb of the store a few times for a caller who waits. Every verb is safe to repeat.
pub(crate) async fn patiently<T, F>(mut verb: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = tenure_store::port::Result<T>>,
{
    let mut tries = 0;
    loop {
        match verb().await {
            Ok(value) => return Ok(value),
            Err(tenure_store::Error::Retry { .. }) if tries < PATIENCE_TRIES_MAX => {
                tokio::time::sleep(backoff(tries, PATIENCE_FIRST, PATIENCE_LONGEST)).await;
                tries += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Mail that is in memory: not to be read again while it is worked on.
#[derive(Debug, Default)]
pub(crate) struct KnownMail(Mutex<Letters>);

#[derive(Debug, Default)]
struct Letters {
    here: HashSet<Uuid>,
    /// Left memory since the last reading began: a reading begun before may still show them.
    left: HashSet<Uuid>,
}

impl KnownMail {
    fn lock(&self) -> std::sync::MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().here.len()
    }

    /// The ids a reading leaves out; a reading begins here.
    pub(crate) fn begin_reading(&self) -> Vec<Uuid> {
        let mut letters = self.lock();
        letters.left.clear();
        letters.here.iter().copied().collect()
    }

    /// Takes a mail into memory, unless it is or was there since the reading began.
    pub(crate) fn take(&self, mail: Uuid) -> bool {
        let mut letters = self.lock();
        !letters.left.contains(&mail) && letters.here.insert(mail)
    }

    /// Lets a mail go: consumed, refused, or to be read again later.
    pub(crate) fn let_go(&self, mail: Uuid) {
        let mut letters = self.lock();
        if letters.here.remove(&mail) {
            letters.left.insert(mail);
        }
    }
}

/// Calls of this node that are out: only these may still come back by themselves.
#[derive(Debug, Default)]
pub(crate) struct Flying(Mutex<HashSet<(InstanceId, CallId)>>);

impl Flying {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<(InstanceId, CallId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn leave(&self, instance: InstanceId, call: CallId) {
        self.lock().insert((instance, call));
    }

    pub(crate) fn contains(&self, instance: InstanceId, call: CallId) -> bool {
        self.lock().contains(&(instance, call))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The spine has the answer in hand. Not earlier: between the answer being sent and taken, the
    /// call must not look lost.
    pub(crate) fn landed(&self, instance: InstanceId, event: &Event) {
        match event {
            Event::CallEnded { call, .. } | Event::LookupEnded { call, .. } => {
                self.lock().remove(&(instance, *call));
            }
            Event::Started
            | Event::CallLost { .. }
            | Event::TimerDue { .. }
            | Event::EventArrived { .. }
            | Event::ChildEnded { .. }
            | Event::LockGranted { .. }
            | Event::LockRefused { .. }
            | Event::CancelRequested { .. } => {}
        }
    }
}
