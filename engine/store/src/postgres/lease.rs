//! Who may write: leases on buckets, and the fence that ends them.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use tenure_machine::bucket::Bucket;
use uuid::Uuid;

use super::Postgres;
use crate::port::{Fence, Lease, Result};
use crate::sqlstate::with_retry;

/// Takes or renews; see [`crate::Store::lease`].
pub(super) async fn lease(store: &Postgres, node: Uuid, ttl_ms: u64, fresh: bool) -> Result<Lease> {
    with_retry("lease", || async {
        let mut tx = store.pool.begin().await?;
        let lease = take(&mut tx, node, ttl_ms, fresh).await?;
        tx.commit().await?;
        Ok(lease)
    })
    .await
}

/// The transaction `lease`. The order matters: the expired nodes' heartbeats are locked first (their
/// renewals wait), then their fences are bumped (their checkpoints are over), and only then
/// their buckets change hands.
async fn take(tx: &mut PgConnection, node: Uuid, ttl_ms: u64, fresh: bool) -> sqlx::Result<Lease> {
    let now: Timestamp =
        sqlx::query_file_scalar!("queries/lease_clock.sql").fetch_one(&mut *tx).await?.to_jiff();
    let expired = sqlx::query_file_scalar!(
        "queries/lease_lock_expired.sql",
        now.to_sqlx() as jiff_sqlx::Timestamp,
        node
    )
    .fetch_all(&mut *tx)
    .await?;
    if !expired.is_empty() {
        tracing::warn!(?expired, "taking over the buckets of nodes whose lease has run out");
        sqlx::query_file!("queries/lease_bump_fence.sql", &expired).execute(&mut *tx).await?;
        sqlx::query_file!("queries/lease_forget_nodes.sql", &expired).execute(&mut *tx).await?;
    }
    let ttl = SignedDuration::from_millis(i64::try_from(ttl_ms).unwrap_or(i64::MAX));
    let until = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
    sqlx::query_file!(
        "queries/lease_renew.sql",
        node,
        until.to_sqlx() as jiff_sqlx::Timestamp,
        now.to_sqlx() as jiff_sqlx::Timestamp
    )
    .execute(&mut *tx)
    .await?;
    let epoch = epoch(tx, node, fresh).await?;
    sqlx::query_file!("queries/lease_take.sql", node, &expired).execute(&mut *tx).await?;
    let held = sqlx::query_file_scalar!("queries/lease_held.sql", node).fetch_all(&mut *tx).await?;
    let buckets = held.into_iter().filter_map(|b| u16::try_from(b).ok()).map(Bucket).collect();
    Ok(Lease { fence: Fence { node, epoch }, buckets })
}

/// The epoch in force, or the next one when fresh. Only a change locks the fence: a renewal must not
/// wait for checkpoints in flight.
async fn epoch(tx: &mut PgConnection, node: Uuid, fresh: bool) -> sqlx::Result<i64> {
    if !fresh {
        let known =
            sqlx::query_file_scalar!("queries/lease_epoch.sql", node).fetch_optional(&mut *tx);
        if let Some(epoch) = known.await? {
            return Ok(epoch);
        }
    }
    sqlx::query_file_scalar!("queries/lease_fence.sql", node, i64::from(fresh))
        .fetch_one(&mut *tx)
        .await
}

/// Hands back; see [`crate::Store::release`].
pub(super) async fn release(store: &Postgres, fence: Fence) -> Result<()> {
    with_retry("release", || async {
        let mut tx = store.pool.begin().await?;
        let ended = sqlx::query_file!("queries/release_fence.sql", fence.node, fence.epoch)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        // Not our epoch any more: a successor (or our own next life) holds the buckets.
        if ended > 0 {
            sqlx::query_file!("queries/release_buckets.sql", fence.node).execute(&mut *tx).await?;
            sqlx::query_file!("queries/lease_forget_nodes.sql", &[fence.node])
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    })
    .await
}
