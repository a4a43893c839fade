//! `/v1/instances`, and the start below a definition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_machine::InstanceId;
use tenure_runtime::engine;
use tenure_store::port::Stored;
use uuid::Uuid;

use super::{App, read};
use crate::limit;
use crate::problem::Refusal;
use crate::projection::{self, Surroundings};
use crate::redaction::Hidden;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<i64>,
    cursor: Option<Uuid>,
    attribute: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalPage {
    limit: Option<i64>,
    after: Option<i64>,
}

/// `POST /v1/definitions/{name}/instances`: 201 created (202 when `Prefer: wait` ran out before
/// the end), 200 when the same key came with the same request before.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let which = read::query(query)?;
    let key = read::idempotency_key(&headers)?;
    let wait = wait(&headers)?;
    let media_type = read::media_type(&headers);
    if !media_type.as_deref().is_some_and(read::is_json) {
        return Err(Refusal::unsupported_media_type(media_type.as_deref(), &["application/json"]));
    }
    let bytes = read::body(&headers, body).await?;
    let input = read::json(&bytes)?;
    let version = which.version.as_deref();
    let answer = app.engine.start_instance(&name, version, key.as_deref(), input).await?;
    let stored = match wait {
        Some(seconds) => app.engine.wait_for_end(answer.id, Duration::from_secs(seconds)).await?,
        None => app.engine.instance(answer.id).await?,
    };
    let stored = stored.ok_or_else(|| Refusal::unknown_instance(&answer.id.to_string()))?;
    let status = match (answer.created, wait.is_some() && !stored.instance.is_terminal()) {
        (true, false) => StatusCode::CREATED,
        (true, true) => StatusCode::ACCEPTED,
        (false, _) => StatusCode::OK,
    };
    let mut response = shown(&app, &stored, status).await?;
    let location = format!("/v1/instances/{}", answer.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if let Some(seconds) = wait
        && let Ok(applied) = HeaderValue::from_str(&format!("wait={seconds}"))
    {
        response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
    }
    Ok(response)
}

/// `Prefer: wait=SECONDS`, cut to [`limit::PREFER_WAIT_SECONDS_MAX`].
fn wait(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(text) = read::preference(headers, "wait") else { return Ok(None) };
    let seconds: u64 = text.parse().map_err(|_error| {
        Refusal::bad_request(
            "invalid-preference",
            "Invalid Preference",
            format!("Prefer: wait={text} is not a number of seconds"),
        )
    })?;
    Ok(Some(seconds.min(limit::PREFER_WAIT_SECONDS_MAX)))
}

/// `GET /v1/instances`: newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let page = read::query(query)?;
    let size = read::page_size(page.limit)?;
    let attribute = page.attribute.as_deref().map(read::attribute).transpose()?;
    let cursor = page.cursor.map(InstanceId);
    let mut items = match attribute {
        Some(attribute) => app.engine.find(attribute, cursor, size + 1).await?,
        None => app.engine.instances(cursor, size + 1).await?,
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|stored| stored.instance.id);
    let mut hidden = BTreeMap::new();
    let mut shown = Vec::with_capacity(items.len());
    for stored in &items {
        let digest = &stored.instance.identity.digest;
        if !hidden.contains_key(digest) {
            let plan = app.engine.pinned(digest).await?;
            hidden.insert(digest.clone(), Hidden::of(plan.as_deref()));
        }
        let mut item = projection::summary(stored);
        hidden.get(digest).unwrap_or(&Hidden::Everything).instance(&mut item);
        shown.push(item);
    }
    Ok(Json(json!({ "items": shown, "next_cursor": next })))
}

/// `GET /v1/instances/{id}`, 304 while the revision is the one the client knows.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let stored = find(&app, &id).await?;
    let tag = tag(&stored);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    shown(&app, &stored, StatusCode::OK).await
}

/// `GET /v1/instances/{id}/journal`: oldest first, from `after` on.
pub(super) async fn journal(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<JournalPage>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let page = read::query(query)?;
    let size = read::page_size(page.limit)?;
    let stored = find(&app, &id).await?;
    let after = page.after.unwrap_or(0).max(0);
    let rows = app.engine.journal(stored.instance.id, after, size).await?;
    let last = rows.last().map_or(after, |row| row.seq);
    let next = (last < stored.instance.revision && !rows.is_empty()).then_some(last);
    let plan = app.engine.pinned(&stored.instance.identity.digest).await?;
    let hidden = Hidden::of(plan.as_deref());
    let row = |row| {
        let mut shown = projection::journal_row(row);
        hidden.journal_row(&mut shown);
        shown
    };
    let items: Vec<Value> = rows.iter().map(row).collect();
    Ok(Json(json!({ "items": items, "next_after": next })))
}

async fn find(app: &App, id: &str) -> Result<Stored, Refusal> {
    let unknown = || Refusal::unknown_instance(id);
    let uuid: Uuid = id.parse().map_err(|_error| unknown())?;
    app.engine.instance(InstanceId(uuid)).await?.ok_or_else(unknown)
}

/// An instance that is parked has not moved, but there is something new to see.
fn tag(stored: &Stored) -> String {
    let parked = if stored.parked.is_some() { "-parked" } else { "" };
    format!("\"{}{parked}\"", stored.instance.revision)
}

async fn shown(app: &App, stored: &Stored, status: StatusCode) -> Result<Response, Refusal> {
    let instance = &stored.instance;
    let children = app.engine.store().children(instance.id).await.map_err(engine::Error::from)?;
    let plan = app.engine.pinned(&instance.identity.digest).await?;
    let journal = if instance.is_terminal() {
        Vec::new()
    } else {
        let after = instance.revision.saturating_sub(limit::JOURNAL_TAIL).max(0);
        app.engine.journal(instance.id, after, limit::JOURNAL_TAIL).await?
    };
    let around = Surroundings { plan: plan.as_deref(), journal: &journal, children: &children };
    let mut shown = projection::instance(stored, &around);
    Hidden::of(plan.as_deref()).instance(&mut shown);
    Ok((status, [(header::ETAG, tag(stored))], Json(shown)).into_response())
}
