//! What every request passes first: the limits, the name it came by, the token.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::App;
use crate::bind;
use crate::limit;
use crate::problem::Refusal;

/// Paths that are open without the token: probes and the public key tell no secret.
const OPEN_PATHS: [&str; 3] = ["/livez", "/readyz", "/.well-known/jwks.json"];

/// One line per request. Neither headers nor bodies are logged: they hold tokens and addresses.
pub(super) async fn trace(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, path, status, elapsed_us, "request");
    response
}

/// At most [`limit::REQUESTS_MAX`] requests in work, each at most [`limit::REQUEST_TIMEOUT`].
pub(super) async fn limits(
    State(requests): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = requests.try_acquire() else {
        return Refusal::busy("too many requests are in work; try again").into_response();
    };
    match tokio::time::timeout(limit::REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "request-timeout",
            "Request Timeout",
            format!(
                "no answer within {} s; whether it happened is not known, so repeat it with the \
                 same Idempotency-Key or event id",
                limit::REQUEST_TIMEOUT.as_secs()
            ),
        )
        .with_retry_after(limit::RETRY_AFTER_BUSY)
        .into_response(),
    }
}

/// With a token: the token. Without: only pages and clients of this machine.
pub(super) async fn knock(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let verdict = match &app.token {
        Some(token) => {
            let authorization = text(request.headers(), &header::AUTHORIZATION);
            let open = OPEN_PATHS.contains(&request.uri().path());
            if open || token.opens(authorization) { Ok(()) } else { Err(unauthorized()) }
        }
        None => local(&request),
    };
    match verdict {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unauthorized() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "Unauthorized",
        "send Authorization: Bearer TOKEN with the token this server was started with",
    )
}

/// Refuses a browser that was led here by another site: by a rebound DNS name (`Host`), or by a
/// page of another origin (`Origin`).
fn local(request: &Request) -> Result<(), Refusal> {
    let host = text(request.headers(), &header::HOST)
        .or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    if !host.is_some_and(bind::is_loopback_authority) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign-host",
            "Foreign Host",
            "this server answers to localhost, 127.0.0.1 and [::1] only; to serve other names, \
             start it with a token",
        ));
    }
    let origin = request.headers().get(header::ORIGIN);
    let foreign = origin.is_some_and(|origin| !origin.to_str().is_ok_and(bind::is_loopback_origin));
    if foreign {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            "Foreign Origin",
            "a page of another site may not use this server",
        ));
    }
    Ok(())
}
