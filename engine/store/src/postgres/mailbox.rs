//! Mail, timers and outbox: what brings an instance back to life.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::de::DeserializeOwned;
use tenure_machine::bucket::Bucket;
use tenure_machine::{InstanceId, TimerId};
use uuid::Uuid;

use super::{Postgres, corrupt, numbers};
use crate::port::{DueTimer, Mail, OutboxRow, Result};
use crate::sqlstate::with_retry;

/// See [`crate::Store::post`].
pub(super) async fn post(store: &Postgres, mail: &[Mail], at: Timestamp) -> Result<()> {
    const VERB: &str = "post";
    let buckets: Vec<i32> = mail.iter().map(|m| m.instance.bucket().as_i32()).collect();
    let instances: Vec<Uuid> = mail.iter().map(|m| m.instance.0).collect();
    let ids: Vec<Uuid> = mail.iter().map(|m| m.id).collect();
    let bodies = mail
        .iter()
        .map(|m| serde_json::to_string(&m.event))
        .collect::<serde_json::Result<Vec<String>>>()
        .map_err(|e| corrupt(VERB, e))?;
    with_retry(VERB, || async {
        sqlx::query_file!(
            "queries/mail_post.sql",
            &buckets,
            &instances,
            &ids,
            &bodies,
            at.to_sqlx() as jiff_sqlx::Timestamp
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    Ok(())
}

/// See [`crate::Store::posted`].
pub(super) async fn posted(store: &Postgres, instance: InstanceId, mail: Uuid) -> Result<bool> {
    with_retry("posted", || async {
        let bucket = instance.bucket().as_i32();
        sqlx::query_file_scalar!("queries/mail_exists.sql", bucket, instance.0, mail)
            .fetch_one(&store.pool)
            .await
    })
    .await
}

/// See [`crate::Store::mail`].
pub(super) async fn mail(
    store: &Postgres,
    buckets: &[Bucket],
    known: &[Uuid],
    limit: i64,
) -> Result<Vec<Mail>> {
    const VERB: &str = "mail";
    let buckets = numbers(buckets);
    let rows = with_retry(VERB, || async {
        sqlx::query_file!("queries/mail_list.sql", &buckets, known, limit)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    let readable = rows.into_iter().filter_map(|row| {
        let instance = InstanceId(row.instance_id);
        let event = readable(VERB, instance, &row.body)?;
        Some(Mail { id: row.id, instance, event })
    });
    Ok(readable.collect())
}

/// See [`crate::Store::timers`].
pub(super) async fn timers(
    store: &Postgres,
    buckets: &[Bucket],
    until: Timestamp,
    limit: i64,
) -> Result<Vec<DueTimer>> {
    let buckets = numbers(buckets);
    let rows = with_retry("timers", || async {
        sqlx::query_file!(
            "queries/timer_list.sql",
            &buckets,
            until.to_sqlx() as jiff_sqlx::Timestamp,
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    let timers = rows.into_iter().map(|row| DueTimer {
        instance: InstanceId(row.instance_id),
        timer: TimerId(row.timer),
        due: row.due.to_jiff(),
    });
    Ok(timers.collect())
}

/// See [`crate::Store::outbox`].
pub(super) async fn outbox(
    store: &Postgres,
    buckets: &[Bucket],
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    const VERB: &str = "outbox";
    let buckets = numbers(buckets);
    let rows = with_retry(VERB, || async {
        sqlx::query_file!("queries/outbox_list.sql", &buckets, limit).fetch_all(&store.pool).await
    })
    .await?;
    let readable = rows.into_iter().filter_map(|row| {
        let instance = InstanceId(row.instance_id);
        let command = readable(VERB, instance, &row.command)?;
        Some(OutboxRow { instance, ordinal: row.ordinal, command })
    });
    Ok(readable.collect())
}

/// One row that cannot be read must not hold up all the others: it is left where it is, and told.
fn readable<T: DeserializeOwned>(verb: &str, instance: InstanceId, text: &str) -> Option<T> {
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::error!(verb, %instance, %error, "a row cannot be read and is passed over");
            None
        }
    }
}

/// See [`crate::Store::settle_outbox`].
pub(super) async fn settle_outbox(store: &Postgres, rows: &[(InstanceId, i64)]) -> Result<()> {
    let buckets: Vec<i32> = rows.iter().map(|(id, _)| id.bucket().as_i32()).collect();
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| id.0).collect();
    let ordinals: Vec<i64> = rows.iter().map(|(_, ordinal)| *ordinal).collect();
    with_retry("settle_outbox", || async {
        sqlx::query_file!("queries/outbox_settle.sql", &buckets, &ids, &ordinals)
            .execute(&store.pool)
            .await
    })
    .await?;
    Ok(())
}
