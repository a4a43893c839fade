//! Reading: instances, journals, and what the doctor sees.

use serde_json::json;
use tenure_machine::InstanceId;
use tenure_machine::bucket::Bucket;
use uuid::Uuid;

use super::state::Row;
use super::{Postgres, corrupt, numbers};
use crate::port::{Durability, JournalRow, Orphan, Result, Stored};
use crate::sqlstate::with_retry;

/// Most orphans a doctor's visit lists.
const ORPHANS_MAX: i64 = 1_000;

/// See [`crate::Store::calling`].
pub(super) async fn calling(
    store: &Postgres,
    buckets: &[Bucket],
    after: Option<InstanceId>,
    limit: i64,
) -> Result<Vec<InstanceId>> {
    let buckets = numbers(buckets);
    let ids = with_retry("calling", || async {
        sqlx::query_file_scalar!(
            "queries/instance_calling.sql",
            &buckets,
            after.map(|id| id.0),
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    Ok(ids.into_iter().map(InstanceId).collect())
}

/// See [`crate::Store::load`].
pub(super) async fn load(
    store: &Postgres,
    verb: &'static str,
    ids: &[InstanceId],
) -> Result<Vec<Stored>> {
    let buckets: Vec<i32> = ids.iter().map(|id| id.bucket().as_i32()).collect();
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = with_retry(verb, || async {
        sqlx::query_file_as!(Row, "queries/instance_load.sql", &buckets, &ids)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    rows.into_iter().map(|row| row.read().map_err(|e| corrupt(verb, e))).collect()
}

/// See [`crate::Store::list`].
pub(super) async fn list(
    store: &Postgres,
    namespace: &str,
    before: Option<InstanceId>,
    limit: i64,
) -> Result<Vec<Stored>> {
    const VERB: &str = "list";
    let ids = with_retry(VERB, || async {
        sqlx::query_file_scalar!(
            "queries/instance_list.sql",
            namespace,
            before.map(|id| id.0),
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    let ids: Vec<InstanceId> = ids.into_iter().map(InstanceId).collect();
    let mut page = load(store, VERB, &ids).await?;
    page.sort_by_key(|stored| std::cmp::Reverse(stored.instance.id));
    Ok(page)
}

/// See [`crate::Store::find`].
pub(super) async fn find(
    store: &Postgres,
    namespace: &str,
    (name, value): (&str, &str),
    before: Option<InstanceId>,
    limit: i64,
) -> Result<Vec<Stored>> {
    const VERB: &str = "find";
    let ids = with_retry(VERB, || async {
        sqlx::query_file_scalar!(
            "queries/instance_find.sql",
            namespace,
            name,
            value,
            before.map(|id| id.0),
            limit
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    let ids: Vec<InstanceId> = ids.into_iter().map(InstanceId).collect();
    let mut page = load(store, VERB, &ids).await?;
    page.sort_by_key(|stored| std::cmp::Reverse(stored.instance.id));
    Ok(page)
}

/// See [`crate::Store::children`].
pub(super) async fn children(store: &Postgres, id: InstanceId) -> Result<Vec<InstanceId>> {
    let ids = with_retry("children", || async {
        sqlx::query_file_scalar!("queries/instance_children.sql", id.0).fetch_all(&store.pool).await
    })
    .await?;
    Ok(ids.into_iter().map(InstanceId).collect())
}

/// See [`crate::Store::journal`].
pub(super) async fn journal(
    store: &Postgres,
    id: InstanceId,
    after: i64,
    limit: i64,
) -> Result<Vec<JournalRow>> {
    const VERB: &str = "journal";
    let rows = with_retry(VERB, || async {
        sqlx::query_file!("queries/journal_page.sql", id.bucket().as_i32(), id.0, after, limit)
            .fetch_all(&store.pool)
            .await
    })
    .await?;
    rows.into_iter()
        .map(|row| {
            let entries = serde_json::from_str(&row.entries).map_err(|e| corrupt(VERB, e))?;
            Ok(JournalRow { seq: row.seq, at: row.at.to_jiff(), entries })
        })
        .collect()
}

/// See [`crate::Store::doctor`].
pub(super) async fn doctor(store: &Postgres) -> Result<Vec<Orphan>> {
    let rows = with_retry("doctor", || async {
        sqlx::query_file!("queries/doctor.sql", ORPHANS_MAX).fetch_all(&store.pool).await
    })
    .await?;
    let orphans = rows.into_iter().map(|row| Orphan {
        instance: InstanceId(row.id),
        definition: row.definition,
        updated_at: row.updated_at.to_jiff(),
    });
    Ok(orphans.collect())
}

/// See [`crate::Store::durability`].
pub(super) async fn durability(store: &Postgres) -> Result<Durability> {
    let row = with_retry("durability", || async {
        sqlx::query_file!("queries/durability.sql").fetch_one(&store.pool).await
    })
    .await?;
    let grade = grade(
        row.fsync == "on" && row.full_page_writes == "on",
        &row.synchronous_commit,
        !row.synchronous_standby_names.is_empty(),
    );
    let settings = json!({
        "fsync": row.fsync,
        "full_page_writes": row.full_page_writes,
        "synchronous_commit": row.synchronous_commit,
        "synchronous_standby_names": row.synchronous_standby_names,
        "server_version": row.server_version,
    });
    Ok(Durability { grade, settings })
}

/// What a commit is worth. A named standby counts even while it is away: commits then wait for it.
fn grade(crash_safe: bool, synchronous_commit: &str, standby: bool) -> char {
    match (crash_safe, synchronous_commit) {
        (true, "on" | "remote_apply" | "remote_write") if standby => 'A',
        (true, "on" | "remote_apply" | "remote_write" | "local") => 'B',
        (true | false, _) => 'C',
    }
}

#[cfg(test)]
mod tests {
    use super::grade;

    #[test]
    fn a_grade_is_what_the_weakest_setting_allows() {
        for (crash_safe, commit, standby, expected) in [
            (true, "on", true, 'A'),
            (true, "remote_apply", true, 'A'),
            (true, "local", true, 'B'),
            (true, "on", false, 'B'),
            (true, "off", true, 'C'),
            (false, "on", true, 'C'),
        ] {
            assert_eq!(grade(crash_safe, commit, standby), expected, "{crash_safe} {commit}");
        }
    }
}
