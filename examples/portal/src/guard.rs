//! What every request passes: is it meant for this portal, and may the page it comes from send it?
//!
//! The portal has no session, so no request carries a power of its own; still nobody else's page
//! shall buy or accept with a customer's browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::page::Failure;

/// Nothing but our own style sheet is loaded, nothing runs, nobody frames us. Forms go to us only.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Refuses a foreign `Host` (DNS rebinding) and a form sent by another site.
pub(crate) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    if app.is_local && !host.is_some_and(is_local_host) {
        return Failure::foreign_host().into_response();
    }
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_safe && !is_own_form(headers, host) {
        return Failure::foreign_form().into_response();
    }
    next.run(request).await
}

fn is_local_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Browsers name the origin of every POST. What names none is no browser, and has no customer's
/// browser to abuse.
fn is_own_form(headers: &HeaderMap, host: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    match text("origin") {
        None => true,
        Some(origin) => host.is_some_and(|host| {
            let named = origin.split_once("://").map_or("", |(_, rest)| rest);
            named.eq_ignore_ascii_case(host)
        }),
    }
}

/// Sets the headers every answer carries.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: browsers would then name the origin of our own forms `null`.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:80", true),
            ("127.0.0.1:8081", true),
            ("[::1]:8081", true),
            ("localhost.example.com", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_local_host(host), expected, "{host}");
        }
    }

    #[test]
    fn a_form_is_ours_only_when_nothing_says_otherwise() {
        let check = |origin: Option<&str>, site: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert("origin", origin.parse().unwrap());
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            let found = is_own_form(&headers, Some("127.0.0.1:8081"));
            assert_eq!(found, expected, "{origin:?} {site:?}");
        };
        check(None, None, true);
        check(Some("http://127.0.0.1:8081"), Some("same-origin"), true);
        check(Some("http://127.0.0.1:8080"), None, false);
        check(Some("null"), None, false);
        check(Some("http://evil.example"), None, false);
        check(None, Some("cross-site"), false);
        check(None, Some("same-site"), false);
    }
}
