//! Lines before locks. Each side commits first and grants afterwards, in a statement of its own: a
//! crash in between is repaired by the repetition of the command.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use tenure_machine::bucket::Bucket;
use tenure_machine::{Event, InstanceId, LockId};
use uuid::Uuid;

use super::{Postgres, corrupt};
use crate::port::{LockPlace, Result, WaitingLock};
use crate::sqlstate::{is_unique_violation, with_retry};

/// Grants that meet another at the holder's index before this one leaves it to them.
const MEETINGS_MAX: usize = 8;

/// See [`crate::Store::acquire_lock`].
pub(super) async fn acquire(
    store: &Postgres,
    place: &LockPlace,
    ordinal: i64,
    at: Timestamp,
) -> Result<()> {
    const VERB: &str = "acquire_lock";
    let LockPlace { name, instance, lock } = place;
    let body = serde_json::to_string(&Event::LockGranted { lock: *lock, name: name.clone() })
        .map_err(|error| corrupt(VERB, error))?;
    let mail_id = Uuid::new_v5(&instance.0, format!("lock:{}", lock.0).as_bytes());
    with_retry(VERB, || async {
        sqlx::query_file!(
            "queries/lock_enter.sql",
            bucket(name),
            name,
            instance.bucket().as_i32(),
            instance.0,
            lock.0,
            mail_id,
            body,
            at.to_sqlx() as jiff_sqlx::Timestamp,
            ordinal,
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    grant(store, VERB, name, at).await
}

/// See [`crate::Store::release_lock`].
pub(super) async fn release(store: &Postgres, place: &LockPlace, at: Timestamp) -> Result<()> {
    const VERB: &str = "release_lock";
    let LockPlace { name, instance, lock } = place;
    with_retry(VERB, || async {
        sqlx::query_file!("queries/lock_leave.sql", bucket(name), name, instance.0, lock.0)
            .execute(&store.pool)
            .await
    })
    .await?;
    grant(store, VERB, name, at).await
}

/// See [`crate::Store::waiting_locks`].
pub(super) async fn waiting(store: &Postgres, limit: i64) -> Result<Vec<WaitingLock>> {
    let rows = with_retry("waiting_locks", || async {
        sqlx::query_file!("queries/lock_waiting.sql", limit).fetch_all(&store.pool).await
    })
    .await?;
    let places = rows.into_iter().map(|row| WaitingLock {
        name: row.name,
        instance: InstanceId(row.instance_id),
        lock: LockId(row.lock),
        holder: InstanceId(row.holder),
        holder_lock: LockId(row.holder_lock),
    });
    Ok(places.collect())
}

/// Gives a free lock to the first in line, after those were sent away who ended and will never let go. When
/// two grant at once, the other has done it.
async fn grant(store: &Postgres, verb: &'static str, name: &str, at: Timestamp) -> Result<()> {
    with_retry(verb, || async {
        sqlx::query_file!("queries/lock_void.sql", bucket(name), name).execute(&store.pool).await?;
        for _ in 0..MEETINGS_MAX {
            let granted = sqlx::query_file!(
                "queries/lock_grant.sql",
                bucket(name),
                name,
                at.to_sqlx() as jiff_sqlx::Timestamp
            )
            .execute(&store.pool)
            .await;
            match granted {
                // Look again: the other may have granted to one that left meanwhile.
                Err(error) if is_unique_violation(&error) => {}
                granted => return granted.map(|_| ()),
            }
        }
        Ok(())
    })
    .await
}

fn bucket(name: &str) -> i32 {
    Bucket::of("lock", name).as_i32()
}
