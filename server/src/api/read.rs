//! Reading requests: bodies, media types, preferences, keys, pages.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, header};
use serde_json::Value;

use crate::limit;
use crate::problem::Refusal;

/// Reads a body of at most [`limit::BODY_BYTES_MAX`].
pub(super) async fn body(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit::BODY_BYTES_MAX) {
        return Err(Refusal::too_large());
    }
    to_bytes(body, limit::BODY_BYTES_MAX).await.map_err(|error| {
        let too_long = std::error::Error::source(&error)
            .is_some_and(|source| source.to_string().contains("length limit"));
        if too_long {
            Refusal::too_large()
        } else {
            Refusal::bad_request("broken-body", "Broken Body", "the body ended too early")
        }
    })
}

/// The media type of the body, lowercase, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value);
    Some(essence.trim().to_ascii_lowercase())
}

/// Whether a media type is JSON (`application/json`, `application/*+json`, `text/json`).
pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || media_type == "text/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Parses JSON, with the place of the first mistake.
pub(super) fn json(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::malformed_json(&error))
}

/// The query string.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    match query {
        Ok(Query(value)) => Ok(value),
        Err(rejection) => {
            Err(Refusal::bad_request("invalid-query", "Invalid Query", rejection.body_text()))
        }
    }
}

/// A preference of `Prefer` (RFC 7240): `Some("")` when named without a value.
pub(super) fn preference(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::HeaderName::from_static("prefer"))
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|preference| {
            let token = preference.split(';').next().unwrap_or(preference);
            let (found, value) = token.split_once('=').unwrap_or((token, ""));
            let value = value.trim().trim_matches('"');
            found.trim().eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
}

/// The Idempotency-Key, quoted (RFC 8941 string) or bare.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let refuse = |detail: &str| Refusal::bad_request("invalid-key", "Invalid Key", detail);
    let text =
        value.to_str().map_err(|_error| refuse("Idempotency-Key must be printable ASCII"))?.trim();
    let key = match text.strip_prefix('"') {
        None => text.to_owned(),
        Some(rest) => {
            let inner = rest
                .strip_suffix('"')
                .ok_or_else(|| refuse("Idempotency-Key begins with a quote and does not end"))?;
            inner.replace("\\\"", "\"").replace("\\\\", "\\")
        }
    };
    if key.is_empty() {
        return Err(refuse("Idempotency-Key is empty"));
    }
    if key.len() > limit::KEY_BYTES_MAX {
        return Err(refuse(&format!(
            "Idempotency-Key is longer than {} characters",
            limit::KEY_BYTES_MAX
        )));
    }
    Ok(Some(key))
}

/// How many items a page shall have.
pub(super) fn page_size(limit: Option<i64>) -> Result<i64, Refusal> {
    let size = limit.unwrap_or(limit::PAGE_DEFAULT);
    if (1..=limit::PAGE_MAX).contains(&size) {
        return Ok(size);
    }
    Err(Refusal::bad_request(
        "invalid-query",
        "Invalid Query",
        format!("limit must be between 1 and {}", limit::PAGE_MAX),
    ))
}

/// `NAME:VALUE` of an attribute.
pub(super) fn attribute(text: &str) -> Result<(&str, &str), Refusal> {
    text.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Refusal::bad_request(
            "invalid-query",
            "Invalid Query",
            format!("attribute={text} is not NAME:VALUE"),
        )
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn keys_are_read_quoted_and_bare() {
        let check = |value: &str, expected: Option<&str>| {
            let found = idempotency_key(&headers("idempotency-key", value));
            assert_eq!(found.ok().flatten().as_deref(), expected, "{value}");
        };
        check("abc", Some("abc"));
        check("\"abc\"", Some("abc"));
        check("\"a\\\"b\"", Some("a\"b"));
        check("\"abc", None);
        check("\"\"", None);
        check(&"k".repeat(256), None);
        check(&"k".repeat(255), Some(&"k".repeat(255)));
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn preferences_are_found_in_any_form() {
        let check = |value: &str, name: &str, expected: Option<&str>| {
            assert_eq!(preference(&headers("prefer", value), name).as_deref(), expected, "{value}");
        };
        check("wait=10", "wait", Some("10"));
        check("handling=strict, wait=\"5\"", "wait", Some("5"));
        check("Handling=strict; x=1", "handling", Some("strict"));
        check("respond-async", "respond-async", Some(""));
        check("waiting=1", "wait", None);
    }

    #[test]
    fn media_types_are_compared_without_parameters() {
        let found = media_type(&headers("content-type", "Application/JSON; charset=utf-8"));
        assert_eq!(found.as_deref(), Some("application/json"));
        assert!(is_json("application/cloudevents+json"));
        assert!(!is_json("text/plain"));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_413_announced_or_not() {
        let long = || Body::from(vec![b'x'; limit::BODY_BYTES_MAX + 1]);
        let refused = body(&HeaderMap::new(), long()).await.unwrap_err();
        assert_eq!(refused.status, 413);
        let announced = headers("content-length", "1048577");
        assert_eq!(body(&announced, Body::empty()).await.unwrap_err().status, 413);
        let fits = body(&HeaderMap::new(), Body::from(vec![b'x'; limit::BODY_BYTES_MAX])).await;
        assert_eq!(fits.unwrap().len(), limit::BODY_BYTES_MAX);
    }

    #[test]
    fn attributes_have_a_name() {
        assert_eq!(attribute("plan:pro:2").unwrap(), ("plan", "pro:2"));
        assert_eq!(attribute("plan:").unwrap(), ("plan", ""));
        for wrong in ["plan", ":pro", ""] {
            assert_eq!(attribute(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn pages_have_a_size_within_the_limit() {
        assert_eq!(page_size(None).unwrap(), limit::PAGE_DEFAULT);
        assert_eq!(page_size(Some(500)).unwrap(), 500);
        for wrong in [0, -1, 501] {
            assert_eq!(page_size(Some(wrong)).unwrap_err().status, 400, "{wrong}");
        }
    }
}
