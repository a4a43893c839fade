//! Definitions and starts.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use tenure_machine::bucket::Bucket;
use tenure_machine::{Event, InstanceId};
use uuid::Uuid;

use super::{Postgres, corrupt, state};
use crate::port::{NewInstance, Registered, Result, Started, StoredDefinition};
use crate::sqlstate::with_retry;

/// Registers; see [`crate::Store::register`].
pub(super) async fn register(
    store: &Postgres,
    definition: &StoredDefinition,
    at: Timestamp,
) -> Result<Registered> {
    let StoredDefinition { namespace, name, version, digest, source, created_at: _ } = definition;
    with_retry("register", || async {
        let inserted = sqlx::query_file!(
            "queries/definition_insert.sql",
            namespace,
            name,
            version,
            digest,
            source,
            at.to_sqlx() as jiff_sqlx::Timestamp
        )
        .execute(&store.pool)
        .await?
        .rows_affected();
        if inserted > 0 {
            return Ok(Registered::New);
        }
        let stored =
            sqlx::query_file_scalar!("queries/definition_digest.sql", namespace, name, version)
                .fetch_one(&store.pool)
                .await?;
        if stored == *digest {
            Ok(Registered::Same)
        } else {
            Ok(Registered::Conflict { digest: stored })
        }
    })
    .await
}

/// All definitions; see [`crate::Store::definitions`].
pub(super) async fn definitions(store: &Postgres) -> Result<Vec<StoredDefinition>> {
    let rows = with_retry("definitions", || async {
        sqlx::query_file!("queries/definition_list.sql").fetch_all(&store.pool).await
    })
    .await?;
    let definitions = rows.into_iter().map(|row| StoredDefinition {
        namespace: row.namespace,
        name: row.name,
        version: row.version,
        digest: row.digest,
        source: row.source,
        created_at: row.created_at.to_jiff(),
    });
    Ok(definitions.collect())
}

/// The id of an instance's first mail: derived, so that a repeated start writes the same.
fn first_mail(id: InstanceId) -> Uuid {
    Uuid::new_v5(&id.0, b"started")
}

/// Starts; see [`crate::Store::start`].
pub(super) async fn start(store: &Postgres, new: &NewInstance, at: Timestamp) -> Result<Started> {
    const VERB: &str = "start";
    let identity = &new.instance.identity;
    let input = serde_json::to_string(&new.instance.input).map_err(|e| corrupt(VERB, e))?;
    let state = state::write(&new.instance).map_err(|e| corrupt(VERB, e))?;
    let body = serde_json::to_string(&Event::Started).map_err(|e| corrupt(VERB, e))?;
    let bucket = Bucket::of(&identity.namespace, &identity.start_key).as_i32();
    let won = with_retry(VERB, || async {
        sqlx::query_file!(
            "queries/start.sql",
            bucket,
            identity.namespace,
            identity.definition,
            identity.start_key,
            new.fingerprint,
            new.instance.id.0,
            at.to_sqlx() as jiff_sqlx::Timestamp,
            new.instance.id.bucket().as_i32(),
            identity.version,
            identity.digest,
            identity.business_key,
            identity.parent.map(|parent| parent.instance.0),
            identity.parent.map(|parent| parent.awaits),
            input,
            new.instance.started_at.to_sqlx() as jiff_sqlx::Timestamp,
            first_mail(new.instance.id),
            state,
            body,
        )
        .execute(&store.pool)
        .await
    })
    .await?
    .rows_affected();
    if won > 0 { Ok(Started::New) } else { existing(store, new, bucket).await }
}

/// Whose key it is. Our own instance that has not moved yet is the success of a start whose answer was
/// lost.
async fn existing(store: &Postgres, new: &NewInstance, bucket: i32) -> Result<Started> {
    let identity = &new.instance.identity;
    with_retry("start", || async {
        let row = sqlx::query_file!(
            "queries/start_existing.sql",
            bucket,
            identity.namespace,
            identity.definition,
            identity.start_key
        )
        .fetch_one(&store.pool)
        .await?;
        let id = InstanceId(row.instance_id);
        if row.fingerprint != new.fingerprint {
            return Ok(Started::KeyReused(id));
        }
        let unmoved =
            sqlx::query_file_scalar!("queries/start_unmoved.sql", id.bucket().as_i32(), id.0)
                .fetch_one(&store.pool)
                .await?;
        if id == new.instance.id && unmoved { Ok(Started::New) } else { Ok(Started::Existing(id)) }
    })
    .await
}
