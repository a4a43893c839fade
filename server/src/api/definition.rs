//! `/v1/definitions`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_definition::Source;
use tenure_runtime::engine;
use tenure_store::port::{Registered, StoredDefinition};

use super::{App, read};
use crate::problem::{self, Refusal};
use crate::projection;

/// What a definition may be sent as. `text/plain` is not among them: a page of another site could
/// send that without asking first.
const MEDIA_TYPES: [&str; 4] =
    ["application/yaml", "application/x-yaml", "text/yaml", "application/json"];

/// Name of a text that came by HTTP, in diagnostics.
const SOURCE_NAME: &str = "<request>";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    version: Option<String>,
}

/// `POST /v1/definitions`: 201 new, 200 known with the same text, 409 known with another.
pub(super) async fn register(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let media_type = read::media_type(&headers);
    if !media_type.as_deref().is_some_and(|found| MEDIA_TYPES.contains(&found)) {
        return Err(Refusal::unsupported_media_type(media_type.as_deref(), &MEDIA_TYPES));
    }
    let bytes = read::body(&headers, body).await?;
    let text = String::from_utf8(bytes.into()).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Refusal::bad_request(
            "malformed-text",
            "Malformed Text",
            format!("the body is not UTF-8 at byte {offset}"),
        )
    })?;
    let source = Source { name: SOURCE_NAME.to_owned(), text };
    let (stored, registered, diagnostics) = app.engine.register(source).await?;
    let status = match registered {
        Registered::New => StatusCode::CREATED,
        Registered::Same => StatusCode::OK,
        Registered::Conflict { digest } => {
            return Err(Refusal::version_taken(&stored.name, &stored.version, &digest));
        }
    };
    let mut shown = projection::definition(&stored);
    let location = shown.get("href").and_then(Value::as_str).unwrap_or_default().to_owned();
    let warnings: Vec<Value> = diagnostics.items.iter().map(problem::finding).collect();
    if let Some(map) = shown.as_object_mut() {
        map.insert("warnings".to_owned(), Value::Array(warnings));
    }
    Ok((status, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// `GET /v1/definitions`: every version, oldest first. The cursor is the last item's
/// `name:version`, which never moves: definitions are neither changed nor removed.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let page = read::query(query)?;
    let size = usize::try_from(read::page_size(page.limit)?).unwrap_or(usize::MAX);
    let all = app.engine.definitions().await?;
    let from = match &page.cursor {
        None => 0,
        Some(cursor) => {
            let place = all.iter().position(|item| cursor_of(item) == *cursor);
            place.map(|index| index.saturating_add(1)).ok_or_else(|| {
                Refusal::bad_request(
                    "invalid-query",
                    "Invalid Query",
                    "cursor is not one this server gave; start without it",
                )
            })?
        }
    };
    let items: Vec<&StoredDefinition> = all.iter().skip(from).take(size).collect();
    let more = all.len() > from.saturating_add(items.len());
    let next = items.last().filter(|_| more).map(|item| cursor_of(item));
    let items: Vec<Value> = items.into_iter().map(projection::definition).collect();
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

fn cursor_of(item: &StoredDefinition) -> String {
    format!("{}:{}", item.name, item.version)
}

/// `GET /v1/definitions/{name}`: the newest version or `?version=`, with its text; the text alone
/// when YAML is what the client accepts.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let which = read::query(query)?;
    let plan = app.engine.plan(&name, which.version.as_deref()).await?;
    let mut versions = Vec::new();
    let mut found = None;
    for item in app.engine.definitions().await? {
        if item.name == name {
            versions.push(item.version.clone());
            if item.digest == plan.digest {
                found = Some(item);
            }
        }
    }
    let stored = found.ok_or(engine::Error::UnknownDefinition { name })?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("yaml")) {
        let media_type = [(header::CONTENT_TYPE, "application/yaml")];
        return Ok((media_type, stored.source).into_response());
    }
    let mut shown = projection::definition(&stored);
    if let Some(map) = shown.as_object_mut() {
        map.insert("title".to_owned(), json!(plan.document.title));
        map.insert("summary".to_owned(), json!(plan.document.summary));
        map.insert("versions".to_owned(), json!(versions));
        map.insert("source".to_owned(), Value::String(stored.source));
    }
    Ok(Json(shown).into_response())
}
