//! What schedules remember.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use tenure_definition::schedule::{Nominal, Way};
use tenure_machine::{CloudEvent, InstanceId};
use uuid::Uuid;

use super::event::EventKey;
use super::{Postgres, corrupt};
use crate::port::{Firings, Result, Scheduled};
use crate::sqlstate::with_retry;

/// How long a noted instance may be missing before it counts as never born: longer than any start
/// takes.
const UNBORN_SECONDS: i64 = 3_600;

/// See [`crate::Store::firings`].
pub(super) async fn firings(store: &Postgres) -> Result<Vec<Firings>> {
    const VERB: &str = "firings";
    let rows = with_retry(VERB, || async {
        sqlx::query_file!("queries/schedule_list.sql").fetch_all(&store.pool).await
    })
    .await?;
    let firings = rows.into_iter().map(|row| {
        let buffered = row.buffered_at.zip(row.buffered_way).map(|(at, word)| {
            let ways = [Way::Every, Way::Cron, Way::After];
            let way = ways.into_iter().find(|way| way.word() == word).unwrap_or(Way::Cron);
            Nominal { at: at.to_jiff(), way }
        });
        Firings {
            schedule: Scheduled { namespace: row.namespace, definition: row.definition },
            handled: row.handled.to_jiff(),
            instance: row.instance_id.map(InstanceId),
            buffered,
        }
    });
    Ok(firings.collect())
}

/// See [`crate::Store::advance`].
pub(super) async fn advance(store: &Postgres, firings: &Firings) -> Result<bool> {
    let Firings { schedule, handled, instance, buffered } = firings;
    let changed = with_retry("advance", || async {
        sqlx::query_file!(
            "queries/schedule_advance.sql",
            schedule.namespace,
            schedule.definition,
            handled.to_sqlx() as jiff_sqlx::Timestamp,
            instance.map(|id| id.0),
            buffered.map(|nominal| nominal.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
            buffered.map(|nominal| nominal.way.word()),
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// See [`crate::Store::follow`].
pub(super) async fn follow(
    store: &Postgres,
    schedule: &Scheduled,
    instance: InstanceId,
    at: Timestamp,
) -> Result<()> {
    with_retry("follow", || async {
        sqlx::query_file!(
            "queries/schedule_follow.sql",
            schedule.namespace,
            schedule.definition,
            instance.0,
            instance.bucket().as_i32(),
            at.to_sqlx() as jiff_sqlx::Timestamp,
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    Ok(())
}

/// See [`crate::Store::followed`].
pub(super) async fn followed(
    store: &Postgres,
    schedule: &Scheduled,
    instance: InstanceId,
    at: Timestamp,
) -> Result<()> {
    let unborn = at
        .checked_sub(jiff::SignedDuration::from_secs(UNBORN_SECONDS))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    with_retry("followed", || async {
        sqlx::query_file!(
            "queries/schedule_followed.sql",
            schedule.namespace,
            schedule.definition,
            instance.0,
            unborn.to_sqlx() as jiff_sqlx::Timestamp,
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    Ok(())
}

/// See [`crate::Store::ended`].
pub(super) async fn ended(
    store: &Postgres,
    schedule: &Scheduled,
    limit: i64,
) -> Result<Vec<(InstanceId, Timestamp)>> {
    let rows = with_retry("ended", || async {
        sqlx::query_file!(
            "queries/schedule_ended.sql",
            schedule.namespace,
            schedule.definition,
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    let ended = rows.into_iter().map(|row| (InstanceId(row.instance_id), row.updated_at.to_jiff()));
    Ok(ended.collect())
}

/// See [`crate::Store::gather`].
pub(super) async fn gather(
    store: &Postgres,
    schedule: &Scheduled,
    event: &CloudEvent,
    at: Timestamp,
) -> Result<()> {
    const VERB: &str = "gather";
    let body = serde_json::to_string(event).map_err(|e| corrupt(VERB, e))?;
    with_retry(VERB, || async {
        sqlx::query_file!(
            "queries/schedule_gather.sql",
            schedule.namespace,
            schedule.definition,
            id(schedule, event),
            body,
            at.to_sqlx() as jiff_sqlx::Timestamp,
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    Ok(())
}

/// See [`crate::Store::gathered`].
pub(super) async fn gathered(
    store: &Postgres,
    schedule: &Scheduled,
    limit: i64,
) -> Result<Vec<CloudEvent>> {
    const VERB: &str = "gathered";
    let bodies = with_retry(VERB, || async {
        sqlx::query_file_scalar!(
            "queries/schedule_gathered.sql",
            schedule.namespace,
            schedule.definition,
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    bodies
        .iter()
        .map(|body| serde_json::from_str(body).map_err(|error| corrupt(VERB, error)))
        .collect()
}

/// See [`crate::Store::use_up`].
pub(super) async fn use_up(
    store: &Postgres,
    schedule: &Scheduled,
    events: &[CloudEvent],
) -> Result<()> {
    let ids: Vec<Uuid> = events.iter().map(|event| id(schedule, event)).collect();
    with_retry("use_up", || async {
        sqlx::query_file!("queries/schedule_use.sql", schedule.namespace, schedule.definition, &ids)
            .execute(&store.pool)
            .await
    })
    .await?;
    Ok(())
}

fn id(schedule: &Scheduled, event: &CloudEvent) -> Uuid {
    EventKey::of(&schedule.namespace, &event.source, &event.id).id
}
