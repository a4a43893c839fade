//! Definitions and starts.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use tenure_machine::bucket::Bucket;
use tenure_machine::{Event, InstanceId};
use uuid::Uuid;

use super::{Postgres, corrupt, state};
use crate::port::{Error, NewInstance, Registered, Result, Started, StoredDefinition};
use crate::sqlstate::with_retry;

const VERB: &str = "start";

/// Void claims of a business key that one start removes before it gives up.
const VOID_CLAIMS_MAX: usize = 8;

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
    for _ in 0..VOID_CLAIMS_MAX {
        if insert(store, new, at).await? {
            return Ok(Started::New);
        }
        if let Some(started) = existing(store, new).await? {
            return Ok(started);
        }
        // The start key is free, so the business key is not.
        if let Some(taken) = claimant(store, new).await? {
            return Ok(Started::BusinessKeyTaken(taken));
        }
    }
    let source = Box::new(std::io::Error::other("the business key is fought over"));
    Err(Error::Retry { verb: VERB, source })
}

/// The statement; whether it created the instance.
async fn insert(store: &Postgres, new: &NewInstance, at: Timestamp) -> Result<bool> {
    let identity = &new.instance.identity;
    let input = serde_json::to_string(&new.instance.input).map_err(|e| corrupt(VERB, e))?;
    let state = state::write(&new.instance).map_err(|e| corrupt(VERB, e))?;
    let body = serde_json::to_string(&Event::Started).map_err(|e| corrupt(VERB, e))?;
    let won = with_retry(VERB, || async {
        sqlx::query_file!(
            "queries/start.sql",
            key_bucket(new),
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
            new.claims_key,
            claim_bucket(new),
        )
        .execute(&store.pool)
        .await
    })
    .await?
    .rows_affected();
    Ok(won > 0)
}

/// Whose start key it is, if anybody's. Our own instance that has not moved yet is the success of a
/// start whose answer was lost.
async fn existing(store: &Postgres, new: &NewInstance) -> Result<Option<Started>> {
    let identity = &new.instance.identity;
    with_retry(VERB, || async {
        let row = sqlx::query_file!(
            "queries/start_existing.sql",
            key_bucket(new),
            identity.namespace,
            identity.definition,
            identity.start_key
        )
        .fetch_optional(&store.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id = InstanceId(row.instance_id);
        if row.fingerprint != new.fingerprint {
            return Ok(Some(Started::KeyReused(id)));
        }
        let unmoved =
            sqlx::query_file_scalar!("queries/start_unmoved.sql", id.bucket().as_i32(), id.0)
                .fetch_one(&store.pool)
                .await?;
        let ours = id == new.instance.id && unmoved;
        Ok(Some(if ours { Started::New } else { Started::Existing(id) }))
    })
    .await
}

/// The live instance that has the business key. A void claim is removed on the way.
async fn claimant(store: &Postgres, new: &NewInstance) -> Result<Option<InstanceId>> {
    let identity = &new.instance.identity;
    let bucket = claim_bucket(new);
    with_retry(VERB, || async {
        let row = sqlx::query_file!(
            "queries/claim_read.sql",
            bucket,
            identity.namespace,
            identity.definition,
            identity.business_key
        )
        .fetch_optional(&store.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        if row.lives {
            return Ok(Some(InstanceId(row.instance_id)));
        }
        sqlx::query_file!(
            "queries/claim_void.sql",
            bucket,
            identity.namespace,
            identity.definition,
            identity.business_key,
            row.instance_id
        )
        .execute(&store.pool)
        .await?;
        Ok(None)
    })
    .await
}

/// The bucket of the business key's claim. Not that of the instance: a child lives where its parent does,
/// and a start from outside looks for the same claim.
fn claim_bucket(new: &NewInstance) -> i32 {
    let identity = &new.instance.identity;
    Bucket::of(&identity.namespace, &identity.business_key).as_i32()
}

/// The bucket of the start key, which need not be that of the instance.
fn key_bucket(new: &NewInstance) -> i32 {
    let identity = &new.instance.identity;
    Bucket::of(&identity.namespace, &identity.start_key).as_i32()
}
