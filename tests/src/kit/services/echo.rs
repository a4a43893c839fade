//! The part of httpbin that cases use: what reached the server comes back.

use std::collections::BTreeMap;

use axum::extract::{Form, Path, Query, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// Longest body that is told back.
const BODY_BYTES_MAX: usize = 1 << 20;

/// All of it.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/basic-auth/{user}/{password}", get(login))
        .route("/echo", any(echo))
        .route("/path/{*rest}", get(path))
        .route("/text", get(async || ([(header::CONTENT_TYPE, "text/plain")], "plain")))
        .route("/moved", get(async || (StatusCode::FOUND, [(header::LOCATION, "/text")])))
        .route("/token", post(token))
        .route("/.well-known/openid-configuration", get(discovery))
}

/// The address says who may come in.
async fn login(Path((user, password)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(expected.as_str()) {
        return Json(json!({ "authenticated": true, "user": user })).into_response();
    }
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"Fake Realm\"")];
    (StatusCode::UNAUTHORIZED, ask).into_response()
}

async fn echo(Query(query): Query<BTreeMap<String, String>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let text = |value: &header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: Map<String, Value> =
        parts.headers.iter().map(|(name, value)| (name.to_string(), json!(text(value)))).collect();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let method = parts.method.as_str();
    Json(json!({ "method": method, "headers": headers, "query": query, "body": body }))
        .into_response()
}

/// The path as it was sent, not as it was meant.
async fn path(uri: Uri) -> Json<Value> {
    Json(json!({ "path": uri.path() }))
}

/// A token for whoever has the secret `ours`, in the body or as a password.
async fn token(headers: HeaderMap, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let field = |name: &str| form.get(name).cloned();
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|code| String::from_utf8(BASE64_STANDARD.decode(code).ok()?).ok())
        .and_then(|pair| pair.split_once(':').map(|(id, key)| (id.to_owned(), key.to_owned())));
    let client = basic.or_else(|| field("client_id").zip(field("client_secret")));
    match (client, field("grant_type").as_deref()) {
        (Some((id, secret)), Some("client_credentials")) if secret == "ours" => {
            let token = format!("token-of-{id}");
            Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }))
                .into_response()
        }
        _ => (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response(),
    }
}

async fn discovery(headers: HeaderMap) -> Json<Value> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let issuer = format!("https://{host}");
    Json(json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/token") }))
}
