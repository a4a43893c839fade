//! Tells the store why instances cannot move, so that people see it.

use std::sync::Arc;
use std::time::Duration;

use tenure_machine::InstanceId;
use tenure_machine::instance::Incident;
use tenure_store::port::Fence;
use tokio::sync::mpsc;

use crate::clock::backoff;
use crate::ground::Ground;

/// Instances that wait; beyond, one is told at its next trouble.
const QUEUE_MAX: usize = 1_024;
/// Tries of one; then it is told at its next trouble.
const TRIES_MAX: u32 = 4;
/// First wait after a failure.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failures.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

type Parking = (Fence, InstanceId, Incident);

/// The way to the task.
#[derive(Debug)]
pub(crate) struct Parker {
    queue: mpsc::Sender<Parking>,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Parkings(mpsc::Receiver<Parking>);

impl Parker {
    pub(crate) fn new() -> (Self, Parkings) {
        let (queue, parkings) = mpsc::channel(QUEUE_MAX);
        (Self { queue }, Parkings(parkings))
    }

    /// Hands an incident over.
    pub(crate) fn park(&self, fence: Fence, instance: InstanceId, incident: Incident) {
        if self.queue.try_send((fence, instance, incident)).is_err() {
            tracing::warn!(%instance, "too many instances cannot move; this one is told later");
        }
    }
}

/// Writes incidents for as long as there are any.
pub(crate) async fn park(ground: Arc<Ground>, mut parkings: Parkings) {
    while let Some((fence, instance, incident)) = parkings.0.recv().await {
        let mut tries = 0;
        while let Err(error) = ground.store.park(fence, instance, &incident).await {
            tracing::warn!(
                %instance,
                error = &error as &dyn std::error::Error,
                "an incident could not be written"
            );
            if tries >= TRIES_MAX {
                break;
            }
            tokio::time::sleep(backoff(tries, RETRY_FIRST, RETRY_LONGEST)).await;
            tries += 1;
        }
    }
}
