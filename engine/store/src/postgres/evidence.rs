//! What nobody has settled, and what cannot move.

use jiff_sqlx::ToSqlx;
use tenure_machine::InstanceId;
use tenure_machine::instance::Incident;
use uuid::Uuid;

use super::Postgres;
use crate::port::{Fence, PARKED_WORDS_MAX, Result, Unsettled};
use crate::sqlstate::with_retry;

/// See [`crate::Store::park`].
pub(super) async fn park(
    store: &Postgres,
    fence: Fence,
    instance: InstanceId,
    incident: &Incident,
) -> Result<bool> {
    let (fingerprint, detail) = (safe(&incident.fingerprint), safe(&incident.detail));
    let written = with_retry("park", || async {
        sqlx::query_file!(
            "queries/park.sql",
            fence.node,
            fence.epoch,
            instance.bucket().as_i32(),
            instance.0,
            fingerprint,
            detail,
            incident.since.to_sqlx() as jiff_sqlx::Timestamp,
        )
        .execute(&store.pool)
        .await
    })
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Words that every database takes: the row that tells of a poisoned one must not be poisoned itself.
fn safe(words: &str) -> String {
    let mut text: String = words
        .chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect();
    text.truncate(text.floor_char_boundary(PARKED_WORDS_MAX));
    text
}

/// See [`crate::Store::unsettled`].
pub(super) async fn unsettled(
    store: &Postgres,
    namespace: &str,
    before: Option<(InstanceId, Uuid)>,
    limit: i64,
) -> Result<Vec<Unsettled>> {
    let rows = with_retry("unsettled", || async {
        sqlx::query_file!(
            "queries/unsettled_list.sql",
            namespace,
            before.map(|(instance, _)| instance.0),
            before.map(|(_, key)| key),
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    let effects = rows.into_iter().map(|row| Unsettled {
        instance: InstanceId(row.instance_id),
        definition: row.definition,
        business_key: row.business_key,
        instance_status: row.status,
        key: row.key,
        position: row.position,
        phase: row.phase,
        intent_at: row.intent_at.to_jiff(),
        updated_at: row.updated_at.to_jiff(),
    });
    Ok(effects.collect())
}

/// See [`crate::Store::unsettled_counts`].
pub(super) async fn unsettled_counts(store: &Postgres) -> Result<Vec<(String, i64)>> {
    let rows = with_retry("unsettled_counts", || async {
        sqlx::query_file!("queries/unsettled_count.sql").fetch_all(&store.pool).await
    })
    .await?;
    Ok(rows.into_iter().map(|row| (row.phase, row.count)).collect())
}
