//! The HTTP door: routes, and what every request passes before it reaches one.
//!
//! A handler reads the request, asks the engine one thing and projects the answer; it decides
//! nothing. Every failure is a [`crate::problem::Refusal`].

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tenure_runtime::Engine;
use tokio::sync::Semaphore;

use crate::bind::Token;
use crate::limit;
use crate::problem::Refusal;

mod definition;
mod effect;
mod event;
mod guard;
mod health;
mod instance;
mod read;

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    /// The engine.
    pub engine: Engine,
    /// Who may use `/v1`; without it the door is on loopback, and `Host` is checked instead.
    pub token: Option<Token>,
    /// The public half of the license key, as JWKS.
    pub jwks: Value,
    /// Version of the schema found (and checked) at start.
    pub schema_version: i64,
}

/// The whole API.
pub fn router(app: Arc<App>) -> Router {
    let requests = Arc::new(Semaphore::new(limit::REQUESTS_MAX));
    Router::new()
        .route("/v1/definitions", post(definition::register).get(definition::list))
        .route("/v1/definitions/{name}", get(definition::show))
        .route("/v1/definitions/{name}/instances", post(instance::start))
        .route("/v1/instances", get(instance::list))
        .route("/v1/instances/{id}", get(instance::show))
        .route("/v1/instances/{id}/journal", get(instance::journal))
        .route("/v1/effects", get(effect::list))
        .route("/v1/events", post(event::receive).get(event::fate))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/.well-known/jwks.json", get(health::jwks))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::clone(&app), guard::knock))
        .layer(from_fn_with_state(requests, guard::limits))
        .layer(from_fn(guard::trace))
        .with_state(app)
}

async fn no_route(request: Request) -> Response {
    Refusal::no_route(request.uri().path()).into_response()
}

async fn no_method(request: Request) -> Response {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "no-method", "Method Not Allowed", detail)
        .into_response()
}

#[cfg(test)]
mod tests;
