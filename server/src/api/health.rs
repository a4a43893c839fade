//! Probes and the public key.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use crate::problem;

/// How long a probe waits for the database.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /livez`: the process answers.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /readyz`: 200 when a start would be taken, else 503; in both cases with every check.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let store = app.engine.store();
    let database = match tokio::time::timeout(PROBE_TIMEOUT, store.clock()).await {
        Ok(Ok(now)) => json!({ "ok": true, "clock": now }),
        Ok(Err(error)) => json!({ "ok": false, "detail": problem::chain(&error) }),
        Err(_elapsed) => json!({ "ok": false, "detail": "no answer in time" }),
    };
    let durability = match tokio::time::timeout(PROBE_TIMEOUT, store.durability()).await {
        Ok(Ok(found)) => {
            json!({ "ok": true, "grade": found.grade, "settings": found.settings })
        }
        Ok(Err(error)) => json!({ "ok": false, "detail": problem::chain(&error) }),
        Err(_elapsed) => json!({ "ok": false, "detail": "no answer in time" }),
    };
    let lease = app.engine.holds_lease();
    let checks = json!({
        "database": database,
        "schema": { "ok": true, "version": app.schema_version },
        "lease": { "ok": lease },
        "durability": durability,
    });
    let all = ["database", "schema", "lease", "durability"];
    let ready = all.iter().all(|name| {
        checks.get(name).and_then(|check| check.get("ok")).and_then(Value::as_bool) == Some(true)
    });
    let (status, word) = if ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let body = Json(json!({ "status": word, "checks": checks }));
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /.well-known/jwks.json`.
pub(super) async fn jwks(State(app): State<Arc<App>>) -> Response {
    let media_type = [(header::CONTENT_TYPE, "application/jwk-set+json")];
    (media_type, app.jwks.to_string()).into_response()
}
