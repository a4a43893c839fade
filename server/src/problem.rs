//! The one place where failures become HTTP answers: RFC 9457 `application/problem+json`.
//!
//! `type` is `urn:tenure:problem:NAME` and never changes its meaning; `detail` is for people and
//! says what to do; `errors[]` names each finding with a JSON pointer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tenure_definition::Diagnostics;
use tenure_runtime::engine;

use crate::limit;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Prefix of every `type`.
const TYPE_PREFIX: &str = "urn:tenure:problem:";

/// A refused request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// URI of the kind of failure.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short and constant for the kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// Each finding, with `pointer` and `detail` at least.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Value>,
    /// Further facts, each a member of its own.
    #[serde(flatten)]
    pub facts: serde_json::Map<String, Value>,
    /// `Retry-After`, in seconds.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal of the kind `name`.
    #[must_use]
    pub fn new(
        status: StatusCode,
        name: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            facts: serde_json::Map::new(),
            retry_after: None,
        }
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with_fact(mut self, name: &str, value: Value) -> Self {
        self.facts.insert(name.to_owned(), value);
        self
    }

    /// Adds findings, at most [`limit::PROBLEM_ERRORS_MAX`].
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Value>) -> Self {
        self.errors = errors;
        self.errors.truncate(limit::PROBLEM_ERRORS_MAX);
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A request that cannot be read.
    #[must_use]
    pub fn bad_request(name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, name, title, detail)
    }

    /// A body that is not JSON, with the place of the first mistake.
    #[must_use]
    pub fn malformed_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::bad_request(
            "malformed-json",
            "Malformed JSON",
            format!("the body is not valid JSON: {error}"),
        )
        .with_errors(vec![json!({
            "pointer": "", "detail": error.to_string(), "line": line, "column": column,
        })])
    }

    /// A body longer than [`limit::BODY_BYTES_MAX`].
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "Body Too Large",
            format!("the body is longer than {} bytes", limit::BODY_BYTES_MAX),
        )
        .with_fact("limit_bytes", json!(limit::BODY_BYTES_MAX))
    }

    /// A body of a media type this route does not take.
    #[must_use]
    pub fn unsupported_media_type(found: Option<&str>, expected: &[&str]) -> Self {
        let expected_text = expected.join(" or ");
        let detail = match found {
            Some(found) => format!("content-type {found} is not taken here; send {expected_text}"),
            None => format!("content-type is missing; send {expected_text}"),
        };
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported Media Type",
            detail,
        )
        .with_fact("expected", json!(expected))
    }

    /// No instance of this id.
    #[must_use]
    pub fn unknown_instance(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-instance",
            "Unknown Instance",
            format!("there is no instance {id}; GET /v1/instances lists them"),
        )
    }

    /// No such path.
    #[must_use]
    pub fn no_route(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-route",
            "Not Found",
            format!("nothing is served at {path}"),
        )
    }

    /// The server is full.
    #[must_use]
    pub fn busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail)
            .with_retry_after(limit::RETRY_AFTER_BUSY)
    }

    /// Definition text with errors.
    #[must_use]
    pub fn invalid_definition(diagnostics: &Diagnostics) -> Self {
        let findings: Vec<Value> = diagnostics.items.iter().map(finding).collect();
        let count = findings.len();
        let detail = match diagnostics.items.first() {
            Some(first) => format!(
                "{count} finding(s), the first at line {}, column {}: {}",
                first.span.line, first.span.column, first.message
            ),
            None => "the definition has errors".to_owned(),
        };
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-definition",
            "Invalid Definition",
            detail,
        )
        .with_errors(findings)
    }

    /// That version exists with another text.
    #[must_use]
    pub fn version_taken(name: &str, version: &str, digest: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "version-taken",
            "Version Taken",
            format!(
                "version {version} of {name} is registered with another text; versions never \
                 change, so raise document.version and register again"
            ),
        )
        .with_fact("registered_digest", json!(digest))
    }

    fn from_store(error: &tenure_store::Error) -> Self {
        match error {
            tenure_store::Error::Retry { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database-unavailable",
                "Database Unavailable",
                "the database did not answer; repeat the request, with the same Idempotency-Key \
                 if it is a start",
            )
            .with_retry_after(limit::RETRY_AFTER_BUSY),
            tenure_store::Error::Refused { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database-refuses",
                "Database Refuses",
                "the database refuses to go on (disk full, read-only or schema too new); the \
                 server's log has the reason, and an operator must act",
            )
            .with_retry_after(limit::RETRY_AFTER_REFUSED),
            tenure_store::Error::Corrupt { .. } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unreadable-row",
                "Unreadable Row",
                "a stored value cannot be read; the server's log names it",
            ),
        }
    }

    fn from_input(problem: &tenure_adapter::Problem) -> Self {
        let errors = problem
            .data
            .as_ref()
            .and_then(|data| data.get("errors"))
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let detail = problem.detail.clone().unwrap_or_else(|| problem.title.clone());
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input", "Invalid Input", detail)
            .with_errors(errors)
            .with_fact("error", json!({ "type": problem.kind, "title": problem.title }))
    }
}

/// A diagnostic as a member of `errors[]`.
#[must_use]
pub fn finding(item: &tenure_definition::Diagnostic) -> Value {
    json!({
        "pointer": item.pointer,
        "detail": item.message,
        "code": item.code,
        "severity": item.severity,
        "line": item.span.line,
        "column": item.span.column,
        "label": item.label,
        "help": item.help,
    })
}

impl From<engine::Error> for Refusal {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Store(source) => {
                tracing::error!(error = %chain(&source), "the store failed under a request");
                Self::from_store(&source)
            }
            engine::Error::UnknownDefinition { name } => Self::new(
                StatusCode::NOT_FOUND,
                "unknown-definition",
                "Unknown Definition",
                format!("no definition {name} is registered; GET /v1/definitions lists them"),
            ),
            engine::Error::Invalid(diagnostics) => Self::invalid_definition(&diagnostics),
            engine::Error::Refused(problem) => Self::from_input(&problem),
            engine::Error::KeyReused(id) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "Idempotency-Key Reused",
                format!(
                    "this Idempotency-Key started instance {id} with another request; use a new \
                     key for a new request"
                ),
            )
            .with_fact("started", json!(format!("/v1/instances/{id}"))),
            engine::Error::BusinessKeyTaken(id) => Self::new(
                StatusCode::CONFLICT,
                "business-key-taken",
                "Business Key Taken",
                format!(
                    "instance {id} runs for this business key, and this definition allows one at a \
                     time; wait for its end or cancel it"
                ),
            )
            .with_fact("running", json!(format!("/v1/instances/{id}"))),
            engine::Error::Malformed(detail) => {
                Self::bad_request("malformed-event", "Malformed Event", detail)
            }
            engine::Error::NobodyWaits => Self::new(
                StatusCode::NOT_FOUND,
                "nobody-waits",
                "Nobody Waits",
                "no instance waits for this event, and handling=strict was asked for; nothing \
                 was kept",
            ),
            engine::Error::Busy => Self::busy("the engine takes no more work now; try again"),
        }
    }
}

/// An error with its causes, on one line, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))], body)
                .into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use tenure_machine::InstanceId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_engine_error_has_its_status_and_type() {
        let check = |error: engine::Error, status: u16, kind: &str, retry_after: Option<u64>| {
            let refusal = Refusal::from(error);
            assert_eq!(refusal.kind, format!("urn:tenure:problem:{kind}"));
            assert_eq!((refusal.status, refusal.retry_after), (status, retry_after), "{kind}");
            assert!(!refusal.detail.is_empty());
        };
        let source = || Box::new(std::io::Error::other("gone"));
        let problem = tenure_adapter::Problem::validation("sku is not known");
        check(
            engine::Error::UnknownDefinition { name: "x".into() },
            404,
            "unknown-definition",
            None,
        );
        check(engine::Error::Refused(Box::new(problem)), 422, "invalid-input", None);
        check(engine::Error::KeyReused(InstanceId(Uuid::nil())), 422, "key-reused", None);
        let taken = engine::Error::BusinessKeyTaken(InstanceId(Uuid::nil()));
        check(taken, 409, "business-key-taken", None);
        check(engine::Error::Malformed("id".into()), 400, "malformed-event", None);
        check(engine::Error::NobodyWaits, 404, "nobody-waits", None);
        check(engine::Error::Busy, 503, "busy", Some(1));
        let retry = tenure_store::Error::Retry { verb: "start", source: source() };
        check(retry.into(), 503, "database-unavailable", Some(1));
        let refused = tenure_store::Error::Refused { verb: "start", source: source() };
        check(refused.into(), 503, "database-refuses", Some(30));
        let corrupt = tenure_store::Error::Corrupt { verb: "load", source: source() };
        check(corrupt.into(), 500, "unreadable-row", None);
    }

    #[test]
    fn the_pointers_of_a_refused_input_are_listed() {
        let mut problem = tenure_adapter::Problem::validation("2 violations");
        problem.data = Some(json!({ "errors": [{ "pointer": "/country", "detail": "unknown" }] }));
        let refusal = Refusal::from(engine::Error::Refused(Box::new(problem)));
        assert_eq!(refusal.errors, vec![json!({ "pointer": "/country", "detail": "unknown" })]);
    }

    #[test]
    fn malformed_json_says_where() {
        let error = serde_json::from_str::<Value>("{\n  \"a\": }").unwrap_err();
        let refusal = Refusal::malformed_json(&error);
        assert_eq!(refusal.status, 400);
        assert_eq!(refusal.errors[0]["line"], json!(2));
        assert_eq!(refusal.errors[0]["column"], json!(8));
    }

    #[test]
    fn a_problem_is_problem_json_with_its_own_status() {
        let response = Refusal::too_large().into_response();
        assert_eq!(response.status(), 413);
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
    }
}
