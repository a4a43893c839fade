//! Where events and waits meet. Each side commits first and looks for the other in a later
//! statement, so none of them can be missed; a delivery is unique by (event, wait).

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use tenure_machine::bucket::Bucket;
use tenure_machine::{CloudEvent, Event, InstanceId, WaitId};
use uuid::Uuid;

use super::{Postgres, corrupt};
use crate::port::{Incoming, Receipt, Result, Route};
use crate::sqlstate::with_retry;

/// Name space of event ids.
const EVENT_SPACE: Uuid = Uuid::from_u128(0x0f6f_5d5b_2c4e_5b0a_8f0e_3d9a_61c7_42b5);

/// Most waits one event goes to.
const FANOUT_MAX: i64 = 100_000;

/// Most kept events handed to newly opened waits at once. When there are more, the sweep goes on.
const KEPT_MAX: i64 = 1_000;

/// Deliveries written by one statement.
const DELIVERIES_MAX: usize = 1_000;

/// The key of an event: derived from what duplicates are known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventKey {
    bucket: i32,
    pub(super) id: Uuid,
}

impl EventKey {
    pub(super) fn of(namespace: &str, source: &str, id: &str) -> Self {
        let name = serde_json::json!([namespace, source, id]).to_string();
        Self {
            bucket: Bucket::of(namespace, &name).as_i32(),
            id: Uuid::new_v5(&EVENT_SPACE, name.as_bytes()),
        }
    }
}

/// An event that fits a wait.
struct Match {
    event_bucket: i32,
    event_id: Uuid,
    body: String,
    received_at: jiff_sqlx::Timestamp,
    bucket: i32,
    instance_id: Uuid,
    wait: i64,
}

impl Match {
    /// The mail's id: the same for the same event and wait, however often they meet.
    fn mail_id(&self) -> Uuid {
        let mut name = Vec::with_capacity(24);
        name.extend_from_slice(self.instance_id.as_bytes());
        name.extend_from_slice(&self.wait.to_be_bytes());
        Uuid::new_v5(&self.event_id, &name)
    }

    /// The mail's body.
    fn mail_body(&self) -> serde_json::Result<String> {
        let event: CloudEvent = serde_json::from_str(&self.body)?;
        serde_json::to_string(&Event::EventArrived { wait: WaitId(self.wait), event })
    }
}

/// Keeps and delivers; see [`crate::Store::receive`].
pub(super) async fn receive(
    store: &Postgres,
    incoming: &Incoming,
    at: Timestamp,
) -> Result<Receipt> {
    const VERB: &str = "receive";
    let Incoming { namespace, event, routes } = incoming;
    let key = EventKey::of(namespace, &event.source, &event.id);
    let body = serde_json::to_string(event).map_err(|e| corrupt(VERB, e))?;
    let shapes: Vec<String> = routes.iter().map(|route| route.shape.clone()).collect();
    let values: Vec<String> = routes.iter().map(|route| route.value.clone()).collect();
    let kept = with_retry(VERB, || async {
        sqlx::query_file_scalar!(
            "queries/event_keep.sql",
            key.bucket,
            key.id,
            namespace,
            event.source,
            event.id,
            event.kind,
            body,
            at.to_sqlx() as jiff_sqlx::Timestamp,
            &shapes,
            &values,
        )
        .fetch_optional(&store.pool)
        .await
    })
    .await?;
    look_for_waits(store, VERB, &[key], at).await?;
    let (_, receipt) = read(store, VERB, key)
        .await?
        .ok_or_else(|| corrupt(VERB, std::io::Error::other("a kept event is gone")))?;
    Ok(Receipt { duplicate: kept.is_none(), ..receipt })
}

/// See [`crate::Store::fate`].
pub(super) async fn fate(
    store: &Postgres,
    namespace: &str,
    source: &str,
    id: &str,
) -> Result<Option<(CloudEvent, Receipt)>> {
    read(store, "fate", EventKey::of(namespace, source, id)).await
}

/// See [`crate::Store::awaited`].
pub(super) async fn awaited(
    store: &Postgres,
    namespace: &str,
    event_type: &str,
    routes: &[Route],
) -> Result<bool> {
    let shapes: Vec<String> = routes.iter().map(|route| route.shape.clone()).collect();
    let values: Vec<String> = routes.iter().map(|route| route.value.clone()).collect();
    with_retry("awaited", || async {
        sqlx::query_file_scalar!("queries/wait_exists.sql", namespace, event_type, &shapes, &values)
            .fetch_one(&store.pool)
            .await
    })
    .await
}

/// See [`crate::Store::consumed_by_route`].
pub(super) async fn consumed_by_route(
    store: &Postgres,
    namespace: &str,
    event_type: &str,
    route: &Route,
) -> Result<Option<(CloudEvent, Receipt)>> {
    const VERB: &str = "consumed_by_route";
    let found = with_retry(VERB, || async {
        sqlx::query_file!(
            "queries/event_consumed_by_route.sql",
            namespace,
            event_type,
            route.shape,
            route.value
        )
        .fetch_optional(&store.pool)
        .await
    })
    .await?;
    match found {
        Some(row) => read(store, VERB, EventKey { bucket: row.bucket, id: row.event_id }).await,
        None => Ok(None),
    }
}

/// An event with its receipt.
async fn read(
    store: &Postgres,
    verb: &'static str,
    key: EventKey,
) -> Result<Option<(CloudEvent, Receipt)>> {
    let row = with_retry(verb, || async {
        sqlx::query_file!("queries/event_read.sql", key.bucket, key.id)
            .fetch_optional(&store.pool)
            .await
    })
    .await?;
    let Some(row) = row else { return Ok(None) };
    let event = serde_json::from_str(&row.body).map_err(|e| corrupt(verb, e))?;
    let receipt = Receipt {
        duplicate: false,
        received_at: row.received_at.to_jiff(),
        delivered_to: row.delivered_to.into_iter().map(InstanceId).collect(),
    };
    Ok(Some((event, receipt)))
}

/// The event's half of a meeting.
async fn look_for_waits(
    store: &Postgres,
    verb: &'static str,
    keys: &[EventKey],
    at: Timestamp,
) -> Result<u64> {
    let buckets: Vec<i32> = keys.iter().map(|key| key.bucket).collect();
    let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
    let matches = with_retry(verb, || async {
        sqlx::query_file_as!(Match, "queries/match_event.sql", &buckets, &ids, FANOUT_MAX)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    let cut = i64::try_from(matches.len()).unwrap_or(i64::MAX) >= FANOUT_MAX;
    if cut {
        tracing::error!(limit = FANOUT_MAX, "an event fits more waits than it may go to");
    }
    let delivered = deliver(store, verb, &matches, at).await?;
    with_retry(verb, || async {
        sqlx::query_file!("queries/matched_events.sql", &buckets, &ids).execute(&store.pool).await
    })
    .await?;
    Ok(delivered)
}

/// The wait's half of a meeting; see [`crate::Store::match_waits`].
pub(super) async fn match_waits(
    store: &Postgres,
    opened: &[(InstanceId, WaitId)],
    at: Timestamp,
) -> Result<u64> {
    const VERB: &str = "match_waits";
    if opened.is_empty() {
        return Ok(0);
    }
    let buckets: Vec<i32> = opened.iter().map(|(id, _)| id.bucket().as_i32()).collect();
    let ids: Vec<Uuid> = opened.iter().map(|(id, _)| id.0).collect();
    let waits: Vec<i64> = opened.iter().map(|(_, wait)| wait.0).collect();
    let matches = with_retry(VERB, || async {
        sqlx::query_file_as!(Match, "queries/match_wait.sql", &buckets, &ids, &waits, KEPT_MAX)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    let all = i64::try_from(matches.len()).unwrap_or(i64::MAX) < KEPT_MAX;
    let delivered = deliver(store, VERB, &matches, at).await?;
    if all {
        with_retry(VERB, || async {
            sqlx::query_file!("queries/matched_waits.sql", &buckets, &ids, &waits)
                .execute(&store.pool)
                .await
        })
        .await?;
    }
    Ok(delivered)
}

/// Writes deliveries and their mail. Mail is as old as its event, so that an instance meets kept
/// events in the order of their arrival.
async fn deliver(
    store: &Postgres,
    verb: &'static str,
    matches: &[Match],
    at: Timestamp,
) -> Result<u64> {
    let mut delivered = 0;
    for part in matches.chunks(DELIVERIES_MAX) {
        let event_buckets: Vec<i32> = part.iter().map(|m| m.event_bucket).collect();
        let event_ids: Vec<Uuid> = part.iter().map(|m| m.event_id).collect();
        let buckets: Vec<i32> = part.iter().map(|m| m.bucket).collect();
        let ids: Vec<Uuid> = part.iter().map(|m| m.instance_id).collect();
        let waits: Vec<i64> = part.iter().map(|m| m.wait).collect();
        let mails: Vec<Uuid> = part.iter().map(Match::mail_id).collect();
        let bodies = part
            .iter()
            .map(Match::mail_body)
            .collect::<serde_json::Result<Vec<String>>>()
            .map_err(|e| corrupt(verb, e))?;
        let received: Vec<jiff_sqlx::Timestamp> = part.iter().map(|m| m.received_at).collect();
        delivered += with_retry(verb, || async {
            sqlx::query_file!(
                "queries/deliver.sql",
                &event_buckets,
                &event_ids,
                &buckets,
                &ids,
                &waits,
                &mails,
                &bodies,
                &received as _,
                at.to_sqlx() as jiff_sqlx::Timestamp,
            )
            .execute(&store.pool)
            .await
        })
        .await?
        .rows_affected();
    }
    Ok(delivered)
}

/// See [`crate::Store::refuse_mail`].
pub(super) async fn refuse_mail(store: &Postgres, mail: &[Uuid]) -> Result<()> {
    const VERB: &str = "refuse_mail";
    if mail.is_empty() {
        return Ok(());
    }
    let at = super::clock(store).await?;
    let freed = with_retry(VERB, || async {
        sqlx::query_file_as!(
            EventKey,
            "queries/mail_refuse.sql",
            mail,
            at.to_sqlx() as jiff_sqlx::Timestamp
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    if !freed.is_empty() {
        look_for_waits(store, VERB, &freed, at).await?;
    }
    Ok(())
}

/// See [`crate::Store::sweep`].
pub(super) async fn sweep(
    store: &Postgres,
    buckets: &[Bucket],
    at: Timestamp,
    limit: i64,
) -> Result<u64> {
    const VERB: &str = "sweep";
    let buckets = super::numbers(buckets);
    let events = with_retry(VERB, || async {
        sqlx::query_file_as!(EventKey, "queries/unmatched_events.sql", &buckets, limit)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    let waits = with_retry(VERB, || async {
        sqlx::query_file!("queries/unmatched_waits.sql", &buckets, limit)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    let mut delivered = 0;
    if !events.is_empty() {
        delivered += look_for_waits(store, VERB, &events, at).await?;
    }
    let waits: Vec<(InstanceId, WaitId)> =
        waits.into_iter().map(|row| (InstanceId(row.instance_id), WaitId(row.wait))).collect();
    delivered += match_waits(store, &waits, at).await?;
    Ok(delivered)
}
