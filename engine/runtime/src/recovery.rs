//! Recovery is a repeated scan: of buckets that were just taken, and of all of them now and then.
//! Mail, timers and outbox rows are found by the ordinary scans; here are calls that nobody will
//! answer, events and waits that missed each other in a crash, and instances that wait for each other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tenure_machine::InstanceId;
use tenure_machine::bucket::Bucket;

use crate::clock::backoff;
use crate::deadlock::{self, Suspects};
use crate::ground::{Ground, rung};
use crate::lease::Hold;
use crate::spine::Message;

/// Instances of one page.
const PAGE_MAX: i64 = 512;
/// Events or waits repaired by one statement.
const SWEEP_MAX: i64 = 512;
/// Full looks at all buckets: one in this many scans.
const SCANS_PER_LOOK: u32 = 30;
/// First wait after a failed look.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest wait after failed looks.
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// Looks at what was just taken, and now and then at everything.
pub(crate) async fn recover(ground: Arc<Ground>) {
    let mut holding = ground.holding.clone();
    let mut seen = None;
    let mut scans = 0;
    let mut failures = 0;
    let mut suspects = Suspects::default();
    loop {
        let now = ground.hold();
        let everything = scans % SCANS_PER_LOOK == 0;
        if let Some(hold) = now {
            let buckets = if everything { hold.list() } else { taken(seen.as_ref(), &hold) };
            if everything && let Err(error) = ground.plans.refresh().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "definitions were not read"
                );
            }
            match look(&ground, &buckets).await {
                Ok(()) => {
                    seen = Some(hold);
                    failures = 0;
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "recovery was interrupted; trying again"
                    );
                    tokio::time::sleep(backoff(failures, RETRY_FIRST, RETRY_LONGEST)).await;
                    failures = failures.saturating_add(1);
                    continue;
                }
            }
            sweep(&ground).await;
            if let Err(error) = deadlock::look(&ground, &mut suspects).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the look for deadlocks failed"
                );
            }
        } else {
            seen = None;
        }
        tokio::select! {
            () = rung(&ground.bells.sweep, ground.config.scan_every) => scans += 1,
            changed = holding.changed() => if changed.is_err() { return },
        }
    }
}

/// The buckets that were not held before, or were held in an earlier term.
fn taken(before: Option<&Hold>, now: &Hold) -> Vec<Bucket> {
    match before {
        Some(before) if before.term == now.term && before.fence == now.fence => {
            let old: &BTreeSet<Bucket> = &before.buckets;
            now.buckets.difference(old).copied().collect()
        }
        Some(_) | None => now.list(),
    }
}

/// Has the spine look at every instance with calls out; those that are in memory stay untouched.
async fn look(ground: &Ground, buckets: &[Bucket]) -> tenure_store::port::Result<()> {
    if buckets.is_empty() {
        return Ok(());
    }
    let mut after: Option<InstanceId> = None;
    loop {
        let page = ground.store.calling(buckets, after, PAGE_MAX).await?;
        let Some(last) = page.last().copied() else { break };
        tracing::debug!(instances = page.len(), "looking at instances with calls out");
        for instance in page {
            if ground.spine.send(Message::Look { instance }).await.is_err() {
                return Ok(());
            }
        }
        after = Some(last);
    }
    ground.bells.mail.notify_one();
    ground.bells.outbox.notify_one();
    Ok(())
}

/// Repairs meetings of events and waits that a crash cut in half.
async fn sweep(ground: &Ground) {
    let Some(hold) = ground.hold() else { return };
    match ground.store.sweep(&hold.list(), ground.clock.now(), SWEEP_MAX).await {
        Ok(0) => {}
        Ok(delivered) => {
            tracing::info!(delivered, "events and waits that had missed each other were matched");
            ground.bells.mail.notify_one();
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the sweep failed");
        }
    }
}
