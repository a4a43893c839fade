//! Calls that leave this node: a few at a time, and every one comes back as an event.

use std::sync::Arc;

use jiff::SignedDuration;
use tenure_adapter::Registry;
use tenure_machine::{Event, InstanceId};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::attempt::Errand;
use crate::ground::Ground;
use crate::lease;
use crate::secret::Secrets;
use crate::spine::{Arrival, Message};

/// Calls that wait for their turn. Beyond, a call is not sent and says so.
const QUEUE_MAX: usize = 16_384;

/// The way to the world.
#[derive(Debug)]
pub(crate) struct Calls {
    ground: Arc<Ground>,
    queue: mpsc::Sender<(InstanceId, Errand)>,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Errands(mpsc::Receiver<(InstanceId, Errand)>);

impl Calls {
    pub(crate) fn new(ground: Arc<Ground>) -> (Self, Errands) {
        let (queue, errands) = mpsc::channel(QUEUE_MAX);
        (Self { ground, queue }, Errands(errands))
    }

    /// Releases a call whose intent is committed. When the queue is full, gives the event that says
    /// it was not sent.
    pub(crate) fn release(&self, instance: InstanceId, mut errand: Errand) -> Option<Event> {
        if let Ok(window) = SignedDuration::try_from(self.ground.config.send_window)
            && let Ok(last) = self.ground.clock.now().checked_add(window)
        {
            errand.send_before(last);
        }
        let call = errand.intent().call;
        self.ground.flying.leave(instance, call);
        let (instance, errand) = self.queue.try_send((instance, errand)).err()?.into_inner();
        tracing::warn!(%instance, %call, "too many calls wait; this one is not sent");
        let event = errand.not_sent("too many calls wait on this node");
        self.ground.flying.landed(instance, &event);
        Some(event)
    }
}

/// Sends calls for as long as it is polled; those in flight end with it.
pub(crate) async fn send(ground: Arc<Ground>, registry: Registry, mut errands: Errands) {
    let registry = Arc::new(registry);
    let secrets = Arc::new(Secrets::new(ground.config.secrets.clone()));
    let places = Arc::new(Semaphore::new(ground.config.calls_max.max(1)));
    let mut out = JoinSet::new();
    loop {
        tokio::select! {
            next = errands.0.recv() => {
                let Some((instance, errand)) = next else { return };
                out.spawn(one(
                    Arc::clone(&ground),
                    Arc::clone(&registry),
                    Arc::clone(&secrets),
                    Arc::clone(&places),
                    instance,
                    errand,
                ));
            }
            Some(ended) = out.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(error = &error as &dyn std::error::Error, "a call broke");
                }
            }
        }
    }
}

async fn one(
    ground: Arc<Ground>,
    registry: Arc<Registry>,
    secrets: Arc<Secrets>,
    places: Arc<Semaphore>,
    instance: InstanceId,
    errand: Errand,
) {
    let event = {
        // The semaphore is never closed.
        let _place = places.acquire_owned().await.ok();
        if lease::current(&ground.holding).is_some_and(|hold| hold.owns(instance)) {
            let intent = errand.intent();
            tracing::debug!(
                %instance,
                call = %intent.call,
                function = intent.function,
                key = %intent.key,
                task = intent.origin.task,
                "calling"
            );
            errand.run(&registry, &secrets, || ground.clock.now()).await
        } else {
            errand.not_sent("this node no longer owns the instance")
        }
    };
    let arrival = Arrival::bare(event);
    // When the engine is gone, the next owner declares the call lost.
    ground.spine.send(Message::Arrived { instance, arrival }).await.ok();
}
