//! Group commit: while one batch is in flight, ready transitions gather; then all go as one.

use std::sync::Arc;
use std::time::Duration;

use tenure_machine::InstanceId;
use tenure_store::Store;
use tenure_store::port::{Checkpoint, Committed, Fence};
use tokio::sync::mpsc;

use crate::clock::backoff;
use crate::spine::Message;

/// Checkpoints of one batch; the measured knee is between 50 and 200.
pub(crate) const BATCH_MAX: usize = 256;
/// Committers. An instance is pinned to one of them, so its checkpoints stay in order.
pub(crate) const COMMITTERS: usize = 2;
/// Checkpoints that wait for one committer. There is one per hot instance at most.
const QUEUE_MAX: usize = 16_384;
/// Times a batch is repeated when the database does not answer.
const TRIES_MAX: u32 = 8;
/// First wait before such a repetition.
const RETRY_FIRST: Duration = Duration::from_millis(25);
/// Longest wait before such a repetition.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// What became of a checkpoint, as far as this node can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Durable: release its commands.
    Durable,
    /// Refused by epoch or revision.
    Fenced,
    /// It cannot be written.
    Poisoned,
    /// The database did not answer, or refused altogether: only reading tells.
    InDoubt,
}

#[derive(Debug)]
struct Item {
    fence: Fence,
    instance: InstanceId,
    turn: u64,
    checkpoint: Checkpoint,
}

/// The way to the committers.
#[derive(Debug)]
pub(crate) struct Committers {
    queues: Vec<mpsc::Sender<Item>>,
}

impl Committers {
    /// Makes the queues, and the tasks that have to be polled.
    pub(crate) fn new(
        store: &Arc<dyn Store>,
        spine: &mpsc::Sender<Message>,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + 'static>) {
        let (queues, tasks) = (0..COMMITTERS)
            .map(|_| {
                let (queue, items) = mpsc::channel(QUEUE_MAX);
                (queue, commit(Arc::clone(store), spine.clone(), items))
            })
            .unzip();
        (Self { queues }, tasks)
    }

    /// Hands a checkpoint over; `false` when the queue is full.
    pub(crate) fn submit(
        &self,
        fence: Fence,
        instance: InstanceId,
        turn: u64,
        checkpoint: Checkpoint,
    ) -> bool {
        let (_, low) = instance.0.as_u64_pair();
        let count = u64::try_from(self.queues.len()).unwrap_or(1).max(1);
        let index = usize::try_from(low % count).unwrap_or(0);
        self.queues
            .get(index)
            .is_some_and(|queue| queue.try_send(Item { fence, instance, turn, checkpoint }).is_ok())
    }
}

/// One committer: no artificial delay, the batch in flight is the gathering window.
async fn commit(
    store: Arc<dyn Store>,
    spine: mpsc::Sender<Message>,
    mut items: mpsc::Receiver<Item>,
) {
    let mut held_over = None;
    loop {
        let first = match held_over.take() {
            Some(item) => item,
            None => match items.recv().await {
                Some(item) => item,
                None => return,
            },
        };
        let fence = first.fence;
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(item) = items.try_recv()
        {
            // Another epoch means another batch: each statement carries one.
            if item.fence != fence {
                held_over = Some(item);
                break;
            }
            batch.push(item);
        }
        let (marks, checkpoints): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|item| ((item.instance, item.turn), item.checkpoint)).unzip();
        let verdicts = write(&*store, fence, &checkpoints).await;
        for (((instance, turn), checkpoint), verdict) in
            marks.into_iter().zip(checkpoints).zip(verdicts)
        {
            let checkpoint = Box::new(checkpoint);
            let message = Message::Committed { instance, turn, checkpoint, verdict };
            if spine.send(message).await.is_err() {
                return;
            }
        }
    }
}

/// Writes one batch, repeating it while the database does not answer. The store reads a lost
/// answer back, so a repetition of what was written is a success.
async fn write(store: &dyn Store, fence: Fence, batch: &[Checkpoint]) -> Vec<Verdict> {
    let mut tries = 0;
    loop {
        match store.checkpoint(fence, batch).await {
            Ok(answers) if answers.len() == batch.len() => {
                return answers
                    .into_iter()
                    .map(|answer| match answer {
                        Committed::Yes => Verdict::Durable,
                        Committed::Fenced => Verdict::Fenced,
                        Committed::Poisoned => Verdict::Poisoned,
                    })
                    .collect();
            }
            Ok(answers) => {
                tracing::error!(
                    checkpoints = batch.len(),
                    answers = answers.len(),
                    "the store answered for another batch"
                );
                return vec![Verdict::InDoubt; batch.len()];
            }
            Err(error @ tenure_store::Error::Retry { .. }) if tries < TRIES_MAX => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    checkpoints = batch.len(),
                    "a batch is repeated"
                );
                tokio::time::sleep(backoff(tries, RETRY_FIRST, RETRY_LONGEST)).await;
                tries += 1;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    checkpoints = batch.len(),
                    "a batch was given up; its instances are read again"
                );
                return vec![Verdict::InDoubt; batch.len()];
            }
        }
    }
}
