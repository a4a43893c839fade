//! `/v1/effects`: what nobody has settled.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_machine::InstanceId;
use tenure_store::port::Unsettled;
use uuid::Uuid;

use super::{App, read};
use crate::problem::Refusal;
use crate::projection;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /v1/effects`: effects whose outcome is not known, or that happened when nobody waited any more.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let page = read::query(query)?;
    let size = read::page_size(page.limit)?;
    let before = page.cursor.as_deref().map(cursor).transpose()?;
    let mut effects = app.engine.unsettled(before, size + 1).await?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = effects.len() > size;
    effects.truncate(size);
    let next = effects
        .last()
        .filter(|_| more)
        .map(|Unsettled { instance, key, .. }| format!("{instance}.{key}"));
    let items: Vec<Value> = effects.iter().map(projection::effect).collect();
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

/// `INSTANCE.KEY` of the last effect of a page.
fn cursor(text: &str) -> Result<(InstanceId, Uuid), Refusal> {
    let read = || {
        let (instance, key) = text.split_once('.')?;
        Some((InstanceId(instance.parse().ok()?), key.parse().ok()?))
    };
    read().ok_or_else(|| {
        let detail = format!("cursor={text} is none: take `next_cursor` of the page before");
        Refusal::bad_request("invalid-query", "Invalid Query", detail)
    })
}
