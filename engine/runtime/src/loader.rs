//! Reads instances into memory, many at once, each with the plan it is pinned to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tenure_definition::Plan;
use tenure_machine::{Instance, InstanceId};
use tenure_store::port::Stored;
use tokio::sync::mpsc;

use crate::clock::backoff;
use crate::ground::Ground;
use crate::spine::Message;
use crate::spine::trouble::Trouble;

/// Instances of one reading.
const BATCH_MAX: usize = 256;
/// Instances that wait to be read; there is one request per hot instance at most.
const QUEUE_MAX: usize = 32_768;
/// First wait after a failed reading.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failed readings.
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// What a reading found.
#[derive(Debug)]
pub(crate) enum Found {
    /// The instance and its plan.
    Ready {
        /// As last committed.
        instance: Arc<Instance>,
        /// The plan of its digest.
        plan: Arc<Plan>,
    },
    /// No such instance.
    Missing,
    /// It is there, but cannot be moved on this node.
    Unusable(Trouble),
    /// For a passing reason.
    Later(String),
}

/// The way to the reader.
#[derive(Debug)]
pub(crate) struct Loader {
    queue: mpsc::Sender<(InstanceId, u64)>,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Requests(mpsc::Receiver<(InstanceId, u64)>);

impl Loader {
    pub(crate) fn new() -> (Self, Requests) {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        (Self { queue }, Requests(requests))
    }

    /// Asks for an instance; `false` when the queue is full.
    pub(crate) fn ask(&self, instance: InstanceId, turn: u64) -> bool {
        self.queue.try_send((instance, turn)).is_ok()
    }
}

/// Answers requests for as long as there are any. While the database does not answer, the
/// instances stay where they are.
pub(crate) async fn load(ground: Arc<Ground>, mut requests: Requests) {
    let mut wanted = Vec::with_capacity(BATCH_MAX);
    while requests.0.recv_many(&mut wanted, BATCH_MAX).await > 0 {
        let ids: Vec<_> = wanted.iter().map(|(id, _)| *id).collect();
        let stored = read(&ground, &ids).await;
        for (instance, turn) in wanted.drain(..) {
            let found = match row_of(&stored, instance) {
                Some(Ok(read)) => with_plan(&ground, read).await,
                Some(Err(unreadable)) => Found::Unusable(unreadable),
                None => Found::Missing,
            };
            if ground.spine.send(Message::Loaded { instance, turn, found }).await.is_err() {
                return;
            }
        }
    }
}

/// What was read of each instance; an instance that does not exist is not among them.
type Rows = HashMap<InstanceId, Result<Arc<Instance>, Trouble>>;

/// What was read of one instance. It stays for others who ask: an instance that left memory and came back is
/// asked for twice in one reading.
fn row_of(rows: &Rows, instance: InstanceId) -> Option<Result<Arc<Instance>, Trouble>> {
    rows.get(&instance).cloned()
}

async fn read(ground: &Ground, ids: &[InstanceId]) -> Rows {
    let mut tries = 0;
    loop {
        match ground.store.load(ids).await {
            Ok(rows) => {
                let row = |row: Stored| (row.instance.id, Ok(Arc::new(row.instance)));
                return rows.into_iter().map(row).collect();
            }
            // One unreadable row must not keep the others of its batch from moving.
            Err(error @ tenure_store::Error::Corrupt { .. }) => match ids {
                [only] => return Rows::from([(*only, Err(Trouble::unreadable(&error)))]),
                several => {
                    let mut rows = Rows::new();
                    for id in several {
                        rows.extend(Box::pin(read(ground, &[*id])).await);
                    }
                    return rows;
                }
            },
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    instances = ids.len(),
                    "instances could not be read; trying again"
                );
                tokio::time::sleep(backoff(tries, RETRY_FIRST, RETRY_LONGEST)).await;
                tries = tries.saturating_add(1);
            }
        }
    }
}

async fn with_plan(ground: &Ground, instance: Arc<Instance>) -> Found {
    let identity = &instance.identity;
    match ground.plans.pinned(&identity.digest).await {
        Ok(Some(plan)) => Found::Ready { instance, plan },
        Ok(None) => Found::Unusable(Trouble::not_compiled(identity)),
        Err(error) => Found::Later(format!("its definition could not be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_asked_for_twice_was_taken_for_missing_and_its_mail_thrown_away() {
        let id = InstanceId(uuid::Uuid::from_u128(1));
        let source = Box::new(std::io::Error::other("on purpose"));
        let error = tenure_store::Error::Corrupt { verb: "load", source };
        let rows = Rows::from([(id, Err(Trouble::unreadable(&error)))]);
        for _turn in 0..2 {
            assert!(row_of(&rows, id).is_some());
        }
        assert!(row_of(&rows, InstanceId(uuid::Uuid::from_u128(2))).is_none());
    }
}
