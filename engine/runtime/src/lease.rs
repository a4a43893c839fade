//! The hold on buckets: taken, renewed, and no longer believed in when its window of trust ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tenure_machine::InstanceId;
use tenure_machine::bucket::Bucket;
use tenure_store::Store;
use tenure_store::port::Fence;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{backoff, boot};

/// Renewals per life of a lease: two may fail before the third is late.
const RENEWALS_PER_TTL: u32 = 3;
/// First wait after a failed renewal.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failed renewals.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// What this node may act on, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// What checkpoints carry.
    pub(crate) fence: Fence,
    /// The buckets held.
    pub(crate) buckets: Arc<BTreeSet<Bucket>>,
    /// End of the window of trust, on the boot clock: counted from the *start* of the request that
    /// granted it, so it ends before the database gives the buckets to somebody else.
    until: Duration,
    /// Grows whenever ownership was interrupted: what was in memory before is not to be believed.
    pub(crate) term: u64,
}

impl Hold {
    /// Whether the window of trust is open.
    pub(crate) fn trusted(&self) -> bool {
        boot() < self.until
    }

    /// Whether this node is the single writer of an instance.
    pub(crate) fn owns(&self, instance: InstanceId) -> bool {
        self.buckets.contains(&instance.bucket())
    }

    /// The buckets as the store's verbs take them.
    pub(crate) fn list(&self) -> Vec<Bucket> {
        self.buckets.iter().copied().collect()
    }
}

/// The hold as everybody sees it; `None` while there is none.
pub(crate) type Holding = watch::Receiver<Option<Hold>>;

/// The hold to act on now: present, trusted, not empty.
pub(crate) fn current(holding: &Holding) -> Option<Hold> {
    holding.borrow().clone().filter(|hold| hold.trusted() && !hold.buckets.is_empty())
}

/// Asks for the lease once.
pub(crate) async fn take(
    store: &dyn Store,
    node: Uuid,
    ttl: Duration,
    fresh: bool,
) -> tenure_store::port::Result<Hold> {
    let asked = boot();
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    let lease = store.lease(node, ttl_ms, fresh).await?;
    let buckets = Arc::new(lease.buckets.into_iter().collect());
    Ok(Hold { fence: lease.fence, buckets, until: asked + ttl, term: 0 })
}

/// Renews the lease under our own epoch, or begins an epoch of our own. Another process under this
/// node's id moves the epoch too: the two then fence each other, visibly, instead of sharing one.
async fn renew(
    store: &dyn Store,
    node: Uuid,
    ttl: Duration,
    own: Option<Fence>,
) -> tenure_store::port::Result<Hold> {
    let hold = take(store, node, ttl, false).await?;
    if own == Some(hold.fence) {
        return Ok(hold);
    }
    tracing::error!(
        epoch = hold.fence.epoch,
        "the epoch moved without us: taken over, or another process runs under this node's id"
    );
    take(store, node, ttl, true).await
}

/// Keeps the lease for as long as it is polled.
pub(crate) async fn keep(
    store: Arc<dyn Store>,
    node: Uuid,
    ttl: Duration,
    publish: watch::Sender<Option<Hold>>,
) {
    let mut failures = 0;
    let mut term = 0;
    // Only an epoch this process made is its own: under another one somebody else writes too.
    let mut own = publish.borrow().as_ref().map(|hold| hold.fence);
    let mut next = ttl / RENEWALS_PER_TTL;
    loop {
        tokio::time::sleep(next).await;
        let before = publish.borrow().clone();
        let window = before.as_ref().map_or(ttl, |hold| hold.until.saturating_sub(boot()));
        let renewal = renew(&*store, node, ttl, own);
        let asked = boot();
        match tokio::time::timeout(window, renewal).await {
            Ok(Ok(mut hold)) => {
                failures = 0;
                let unbroken =
                    before.as_ref().is_some_and(|old| old.fence == hold.fence && old.trusted());
                if !unbroken {
                    term += 1;
                    tracing::warn!(
                        epoch = hold.fence.epoch,
                        "ownership was interrupted and is back"
                    );
                }
                hold.term = term;
                own = Some(hold.fence);
                publish.send_replace(Some(hold));
                next = (ttl / RENEWALS_PER_TTL).saturating_sub(boot().saturating_sub(asked));
                continue;
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the lease was not renewed"
                );
            }
            Err(_) => tracing::warn!("the lease was not renewed in time"),
        }
        if before.is_some_and(|hold| !hold.trusted()) {
            tracing::error!("the window of trust is over: nothing moves until the lease is back");
            publish.send_replace(None);
        }
        next = backoff(failures, RETRY_FIRST, RETRY_LONGEST);
        failures += 1;
        if let Some(hold) = publish.borrow().as_ref() {
            next = next.min(hold.until.saturating_sub(boot()));
        }
    }
}
