//! The one statement that moves instances, for a whole batch at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Postgres;
use super::rows::{Arrays, Prepared};
use crate::port::{Checkpoint, Committed, Fence, Result};
use crate::sqlstate::{self, Class};

const VERB: &str = "checkpoint";

/// Most instances in one statement: beyond about 200 only the latency grows.
const BATCH_MAX: usize = 256;

/// Commits a batch; see [`crate::Store::checkpoint`].
pub(super) async fn commit(
    store: &Postgres,
    fence: Fence,
    batch: &[Checkpoint],
) -> Result<Vec<Committed>> {
    let mut answers = vec![Committed::Poisoned; batch.len()];
    let mut groups = groups(fence, batch);
    while let Some(group) = groups.pop_front() {
        let arrays = Arrays::gather(&group);
        match sqlstate::retried(VERB, || write(store, fence, &arrays)).await {
            Ok(moved) => {
                let moved = with_lost_answers(store, fence, &group, moved).await?;
                for (idx, prepared) in (1_i64..).zip(&group) {
                    let answer =
                        if moved.contains(&idx) { Committed::Yes } else { Committed::Fenced };
                    if let Some(place) = answers.get_mut(prepared.place) {
                        *place = answer;
                    }
                }
            }
            Err(cause) => {
                if sqlstate::class(&cause) != Class::Poison {
                    return Err(sqlstate::error(VERB, cause));
                }
                split(group, &cause, &mut groups);
            }
        }
    }
    Ok(answers)
}

/// Batches of at most [`BATCH_MAX`], each sorted by key and without an instance twice: a second row
/// for an instance would silently be dropped by the update, so it goes into a later statement.
fn groups(fence: Fence, batch: &[Checkpoint]) -> VecDeque<Vec<Prepared<'_>>> {
    let mut waves: Vec<Vec<Prepared<'_>>> = Vec::new();
    let mut seen = BTreeMap::new();
    for (place, checkpoint) in batch.iter().enumerate() {
        let prepared = match Prepared::new(place, fence, checkpoint) {
            Ok(prepared) => prepared,
            Err(error) => {
                let instance = checkpoint.transition.instance.id;
                tracing::error!(%instance, %error, "a checkpoint cannot be written");
                continue;
            }
        };
        let wave = seen.entry(prepared.id).or_insert(0_usize);
        if waves.len() <= *wave {
            waves.push(Vec::new());
        }
        if let Some(members) = waves.get_mut(*wave) {
            members.push(prepared);
        }
        *wave += 1;
    }
    let mut groups = VecDeque::new();
    for mut wave in waves {
        wave.sort_by_key(|prepared| (prepared.id.bucket(), prepared.id));
        while !wave.is_empty() {
            let rest = wave.split_off(wave.len().min(BATCH_MAX));
            groups.push_back(wave);
            wave = rest;
        }
    }
    groups
}

/// Halves a group that the database could not store, until the poisoned row stands alone: that one
/// keeps the answer [`Committed::Poisoned`].
fn split<'a>(
    mut group: Vec<Prepared<'a>>,
    cause: &sqlx::Error,
    groups: &mut VecDeque<Vec<Prepared<'a>>>,
) {
    if group.len() > 1 {
        let second = group.split_off(group.len() / 2);
        groups.push_front(second);
        groups.push_front(group);
        return;
    }
    for prepared in group {
        tracing::error!(instance = %prepared.id, error = %cause, "a checkpoint cannot be stored");
    }
}

/// Adds the instances that stand as this group would have left them: their commit's answer was lost.
async fn with_lost_answers(
    store: &Postgres,
    fence: Fence,
    group: &[Prepared<'_>],
    mut moved: BTreeSet<i64>,
) -> Result<BTreeSet<i64>> {
    let missing: Vec<(i64, &Prepared<'_>)> =
        (1_i64..).zip(group).filter(|(idx, _)| !moved.contains(idx)).collect();
    if missing.is_empty() {
        return Ok(moved);
    }
    let idx: Vec<i64> = missing.iter().map(|(idx, _)| *idx).collect();
    let buckets: Vec<i32> = missing.iter().map(|(_, row)| row.id.bucket().as_i32()).collect();
    let ids: Vec<uuid::Uuid> = missing.iter().map(|(_, row)| row.id.0).collect();
    let revisions: Vec<i64> = missing.iter().map(|(_, row)| row.instance.revision).collect();
    let tokens: Vec<uuid::Uuid> = missing.iter().map(|(_, row)| row.token).collect();
    let ours = sqlstate::with_retry(VERB, || async {
        sqlx::query_file_scalar!(
            "queries/checkpoint_read_back.sql",
            fence.node,
            fence.epoch,
            &idx,
            &buckets,
            &ids,
            &revisions,
            &tokens,
        )
        .fetch_all(&store.pool)
        .await
    })
    .await?;
    moved.extend(ours);
    Ok(moved)
}

/// Runs the statement; gives the positions (from 1) of the instances it moved.
async fn write(store: &Postgres, fence: Fence, rows: &Arrays) -> sqlx::Result<BTreeSet<i64>> {
    let moved = sqlx::query_file_scalar!(
        "queries/checkpoint.sql",
        fence.node,
        fence.epoch,
        &rows.bucket,
        &rows.id,
        &rows.revision,
        &rows.status,
        &rows.open_calls,
        &rows.open_children,
        &rows.incidents,
        &rows.token,
        &rows.state,
        &rows.entries,
        &rows.at as _,
        &rows.timer_kept_idx,
        &rows.timer_kept,
        &rows.timer_set_idx,
        &rows.timer_set,
        &rows.timer_due as _,
        &rows.wait_kept_idx,
        &rows.wait_kept,
        &rows.wait_idx,
        &rows.wait,
        &rows.wait_namespace,
        &rows.wait_type,
        &rows.wait_shape,
        &rows.wait_value,
        &rows.outbox_idx,
        &rows.outbox_ordinal,
        &rows.outbox_command,
        &rows.effect_idx,
        &rows.effect_key,
        &rows.effect_position,
        &rows.effect_phase,
        &rows.effect_intent_at as _,
        &rows.effect_send_by as _,
        &rows.consumed_idx,
        &rows.consumed,
        &rows.attributes_idx,
        &rows.attribute_idx,
        &rows.attribute_name,
        &rows.attribute_value,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(moved.into_iter().collect())
}
