//! The tasks of an engine: built together, watched together, stopped together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenure_adapter::Registry;
use tenure_store::Store;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::{Config, Error};
use crate::call::{self, Calls};
use crate::clock::Clock;
use crate::committer::Committers;
use crate::ground::{
    Bells, ENDED_QUEUE_MAX, Flying, Ground, KnownMail, SPINE_QUEUE_MAX, patiently,
};
use crate::lease::{self, Hold};
use crate::loader::{self, Loader};
use crate::parker::{self, Parker};
use crate::plans::Plans;
use crate::refuser::{self, Refuser};
use crate::spine::{Message, Spine};
use crate::stepper::Steppers;
use crate::timer::{self, Timers};
use crate::{mailbox, matcher, outbox, recovery, schedule};

/// How long calls and checkpoints in flight may take when the engine stops.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Everything that runs, and the ground it stands on.
#[derive(Debug)]
pub(super) struct House {
    pub(super) ground: Arc<Ground>,
    hold: watch::Sender<Option<Hold>>,
    broken: Arc<AtomicBool>,
    /// The watcher holds all tasks: ending it ends them.
    watcher: Mutex<Option<AbortHandle>>,
}

impl House {
    pub(super) async fn build(
        store: Arc<dyn Store>,
        registry: Registry,
        config: Config,
    ) -> Result<Self, Error> {
        let clock = Arc::new(Clock::new(patiently(|| store.clock()).await?));
        let (node, ttl) = (config.node, config.lease_ttl);
        let first = patiently(|| lease::take(&*store, node, ttl, true)).await?;
        tracing::info!(
            %node,
            epoch = first.fence.epoch,
            buckets = first.buckets.len(),
            "lease taken"
        );
        let (hold, holding) = watch::channel(Some(first));
        let steppers = Steppers::new().map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "no threads for the steps");
            Error::Busy
        })?;
        let plans = Plans::new(Arc::clone(&store), registry.catalog().clone(), steppers.clone());
        plans.refresh().await?;
        let (spine, inbox) = mpsc::channel(SPINE_QUEUE_MAX);
        let (opened, waits) = mpsc::channel(matcher::QUEUE_MAX);
        let ground = Arc::new(Ground {
            timers: Timers::new(Arc::clone(&clock), config.scan_every),
            store,
            config,
            clock,
            holding,
            plans,
            steppers,
            spine,
            known: KnownMail::default(),
            flying: Flying::default(),
            bells: Bells::default(),
            opened,
            ended: broadcast::channel(ENDED_QUEUE_MAX).0,
            stopping: AtomicBool::new(false),
        });
        let tasks = furnish(&ground, &hold, registry, inbox, waits);
        let broken = Arc::new(AtomicBool::new(false));
        let watcher = tokio::spawn(watch_over(tasks, Arc::clone(&broken))).abort_handle();
        Ok(Self { ground, hold, broken, watcher: Mutex::new(Some(watcher)) })
    }

    /// Whether all tasks run.
    pub(super) fn works(&self) -> bool {
        !self.broken.load(Ordering::Acquire)
    }

    /// Refuses work when this engine cannot do it.
    pub(super) fn takes_work(&self) -> Result<(), Error> {
        if self.ground.stopping.load(Ordering::Acquire) || !self.works() {
            return Err(Error::Busy);
        }
        Ok(())
    }

    /// Takes nothing new, waits for what is in flight, hands the buckets back.
    pub(super) async fn shut_down(&self) -> Result<(), Error> {
        if self.ground.stopping.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let (done, drained) = oneshot::channel();
        let asked = self.ground.spine.send(Message::Drain { done }).await;
        if asked.is_err() || tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::warn!("not everything in flight came back; the next owner finds it");
        }
        self.stop();
        let fence = self.hold.send_replace(None).map(|hold| hold.fence);
        match fence {
            Some(fence) => patiently(|| self.ground.store.release(fence)).await,
            None => Ok(()),
        }
    }

    fn stop(&self) {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(watcher) = watcher {
            watcher.abort();
        }
    }
}

impl Drop for House {
    /// As if killed: nothing is finished, nothing handed back.
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts all tasks.
fn furnish(
    ground: &Arc<Ground>,
    hold: &watch::Sender<Option<Hold>>,
    registry: Registry,
    inbox: mpsc::Receiver<Message>,
    waits: mpsc::Receiver<(tenure_machine::InstanceId, tenure_machine::WaitId)>,
) -> JoinSet<()> {
    let (loader, requests) = Loader::new();
    let (refuser, refusals) = Refuser::new();
    let (parker, parkings) = Parker::new();
    let (calls, errands) = Calls::new(Arc::clone(ground));
    let (committers, committing) = Committers::new(&ground.store, &ground.spine);
    let spine = Spine::new(Arc::clone(ground), loader, committers, calls, (refuser, parker));
    let (node, ttl) = (ground.config.node, ground.config.lease_ttl);

    let mut tasks = JoinSet::new();
    tasks.spawn(spine.run(inbox));
    for committer in committing {
        tasks.spawn(committer);
    }
    tasks.spawn(loader::load(Arc::clone(ground), requests));
    tasks.spawn(refuser::refuse(Arc::clone(ground), refusals));
    tasks.spawn(parker::park(Arc::clone(ground), parkings));
    tasks.spawn(call::send(Arc::clone(ground), registry, errands));
    tasks.spawn(matcher::match_opened(Arc::clone(ground), waits));
    tasks.spawn(timer::tick(Arc::clone(ground)));
    tasks.spawn(mailbox::read(Arc::clone(ground)));
    tasks.spawn(outbox::deliver(Arc::clone(ground)));
    tasks.spawn(recovery::recover(Arc::clone(ground)));
    tasks.spawn(schedule::keep(Arc::clone(ground)));
    tasks.spawn(lease::keep(Arc::clone(&ground.store), node, ttl, hold.clone()));
    tasks
}

/// No task ends by itself: one that does has broken, and half an engine is worse than none. The
/// others end with it, the lease runs out, and `/readyz` says so.
async fn watch_over(mut tasks: JoinSet<()>, broken: Arc<AtomicBool>) {
    if let Some(ended) = tasks.join_next().await {
        broken.store(true, Ordering::Release);
        match ended {
            Ok(()) => tracing::error!("a task of the engine ended; the engine stops"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "a task of the engine broke; the engine stops"
            ),
        }
    }
}
