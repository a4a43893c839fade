//! Tells the store about mail that moved nothing, so that an event may find another wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::clock::backoff;
use crate::ground::Ground;

/// Mails of one statement.
const BATCH_MAX: usize = 256;
/// Mails that wait; beyond, they leave memory and are found again.
const QUEUE_MAX: usize = 4_096;
/// Tries before they leave memory and are found again.
const TRIES_MAX: u32 = 4;
/// First wait after a failure.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failures.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// The way to the task.
#[derive(Debug)]
pub(crate) struct Refuser {
    queue: mpsc::Sender<Uuid>,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Refusals(mpsc::Receiver<Uuid>);

impl Refuser {
    pub(crate) fn new() -> (Self, Refusals) {
        let (queue, refusals) = mpsc::channel(QUEUE_MAX);
        (Self { queue }, Refusals(refusals))
    }

    /// Hands a mail over; `false` when the queue is full.
    pub(crate) fn refuse(&self, mail: Uuid) -> bool {
        self.queue.try_send(mail).is_ok()
    }
}

/// Refuses mail for as long as there is any.
pub(crate) async fn refuse(ground: Arc<Ground>, mut refusals: Refusals) {
    let mut mails = Vec::with_capacity(BATCH_MAX);
    while refusals.0.recv_many(&mut mails, BATCH_MAX).await > 0 {
        let mut tries = 0;
        while let Err(error) = ground.store.refuse_mail(&mails).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                mails = mails.len(),
                "mail could not be refused"
            );
            if tries >= TRIES_MAX {
                break;
            }
            tokio::time::sleep(backoff(tries, RETRY_FIRST, RETRY_LONGEST)).await;
            tries += 1;
        }
        for mail in mails.drain(..) {
            ground.known.let_go(mail);
        }
    }
}
