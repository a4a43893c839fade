//! `/v1/events`: CloudEvents 1.0 over HTTP, structured and binary mode.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value};
use tenure_machine::CloudEvent;
use tenure_runtime::engine::{self, Handling};

use super::{App, read};
use crate::limit;
use crate::problem::Refusal;
use crate::projection;

/// Structured mode. Plain `application/json` without `ce-` headers is taken as the same thing:
/// that is what people type into curl.
const STRUCTURED: &str = "application/cloudevents+json";

/// Several events at once are not taken: each needs an answer of its own.
const BATCH: &str = "application/cloudevents-batch+json";

/// Prefix of an attribute in binary mode.
const ATTRIBUTE_PREFIX: &str = "ce-";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    source: String,
    id: String,
}

/// `POST /v1/events`: 202 once it is kept, with the place of its fate. With
/// `Prefer: handling=strict`, 404 when nobody waits for it.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let handling = match read::preference(&headers, "handling").as_deref() {
        None | Some("lenient") => Handling::Lenient,
        Some("strict") => Handling::Strict,
        Some(other) => {
            return Err(Refusal::bad_request(
                "invalid-preference",
                "Invalid Preference",
                format!("Prefer: handling={other} is neither strict nor lenient"),
            ));
        }
    };
    let event = event(&headers, body).await?;
    let answer = app.engine.receive(event, handling).await?;
    let location = projection::event_href(&answer.event);
    let shown = Json(projection::event(&answer));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], shown).into_response())
}

/// `GET /v1/events?source=&id=`.
pub(super) async fn fate(
    State(app): State<Arc<App>>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let which = read::query(query)?;
    match app.engine.fate(&which.source, &which.id).await? {
        Some(answer) => Ok(Json(projection::event(&answer))),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "unknown-event",
            "Unknown Event",
            format!("no event {} of source {} was received", which.id, which.source),
        )),
    }
}

async fn event(headers: &HeaderMap, body: Body) -> Result<CloudEvent, Refusal> {
    let media_type = read::media_type(headers);
    let is_binary = headers.contains_key("ce-specversion") || headers.contains_key("ce-id");
    let found = media_type.as_deref();
    let event = match found {
        Some(BATCH) => {
            return Err(Refusal::unsupported_media_type(found, &[STRUCTURED]));
        }
        Some(_) | None if is_binary => binary(headers, found, body).await?,
        Some(STRUCTURED | "application/json") => {
            let bytes = read::body(headers, body).await?;
            structured(read::json(&bytes)?)?
        }
        Some(_) | None => {
            let expected = [STRUCTURED, "any type with ce- headers"];
            return Err(Refusal::unsupported_media_type(found, &expected));
        }
    };
    event.check().map_err(malformed)?;
    check_sizes(&event)?;
    Ok(event)
}

fn malformed(detail: impl Into<String>) -> Refusal {
    engine::Error::Malformed(detail.into()).into()
}

fn structured(value: Value) -> Result<CloudEvent, Refusal> {
    serde_json::from_value(value)
        .map_err(|error| malformed(format!("not a CloudEvent in its JSON form: {error}")))
}

/// Attributes are `ce-` headers (percent-encoded), the body is the data.
async fn binary(
    headers: &HeaderMap,
    media_type: Option<&str>,
    body: Body,
) -> Result<CloudEvent, Refusal> {
    let mut map = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(ATTRIBUTE_PREFIX) else { continue };
        let text = value
            .to_str()
            .map_err(|_error| malformed(format!("header {name} is not printable ASCII")))?;
        let text = percent_decode_str(text)
            .decode_utf8()
            .map_err(|_error| malformed(format!("header {name} is not percent-encoded UTF-8")))?;
        map.insert(attribute.to_owned(), Value::String(text.into_owned()));
    }
    let bytes = read::body(headers, body).await?;
    if let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        map.insert("datacontenttype".to_owned(), Value::String(value.to_owned()));
    }
    if !bytes.is_empty() {
        match media_type {
            Some(found) if read::is_json(found) => {
                map.insert("data".to_owned(), read::json(&bytes)?);
            }
            Some(found) if found.starts_with("text/") => {
                let text = String::from_utf8(bytes.into())
                    .map_err(|_error| malformed("the body is text, but not UTF-8"))?;
                map.insert("data".to_owned(), Value::String(text));
            }
            Some(_) | None => {
                let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
                map.insert("data_base64".to_owned(), Value::String(text));
            }
        }
    }
    structured(Value::Object(map))
}

fn check_sizes(event: &CloudEvent) -> Result<(), Refusal> {
    if event.rest.len() > limit::ATTRIBUTES_MAX {
        return Err(malformed(format!("more than {} attributes", limit::ATTRIBUTES_MAX)));
    }
    let fixed = [("id", &event.id), ("source", &event.source), ("type", &event.kind)];
    for (name, text) in fixed {
        check_size(name, text)?;
    }
    for (name, value) in &event.rest {
        let is_data = name == "data" || name == "data_base64";
        match value {
            Value::String(text) if !is_data => check_size(name, text)?,
            Value::Object(_) | Value::Array(_) if !is_data => {
                return Err(malformed(format!("attribute {name} must be a simple value")));
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {}
        }
    }
    Ok(())
}

fn check_size(name: &str, text: &str) -> Result<(), Refusal> {
    if text.len() > limit::ATTRIBUTE_BYTES_MAX {
        return Err(malformed(format!(
            "attribute {name} is longer than {} bytes",
            limit::ATTRIBUTE_BYTES_MAX
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    async fn read(pairs: &[(&'static str, &str)], body: &str) -> Result<CloudEvent, u16> {
        event(&headers(pairs), Body::from(body.to_owned())).await.map_err(|error| error.status)
    }

    const FOUR: [(&str, &str); 4] =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/p"), ("ce-type", "t%20x")];

    #[tokio::test]
    async fn structured_and_binary_mode_give_the_same_event() {
        let body = json!({
            "specversion": "1.0", "id": "1", "source": "/p", "type": "t x", "data": { "a": 1 },
            "datacontenttype": "application/json",
        });
        let structured = read(&[("content-type", STRUCTURED)], &body.to_string()).await.unwrap();
        let plain = read(&[("content-type", "application/json")], &body.to_string()).await;
        let mut pairs = FOUR.to_vec();
        pairs.push(("content-type", "application/json"));
        let binary = read(&pairs, "{\"a\":1}").await.unwrap();
        assert_eq!(structured.envelope(), binary.envelope());
        assert_eq!(plain.unwrap(), structured);
    }

    #[tokio::test]
    async fn data_that_is_not_json_is_kept_as_text_or_base64() {
        let mut text = FOUR.to_vec();
        text.push(("content-type", "text/plain; charset=utf-8"));
        assert_eq!(read(&text, "hi").await.unwrap().data(), json!("hi"));
        let bytes = read(&FOUR, "hi").await.unwrap();
        assert_eq!(bytes.attribute("data_base64"), Some(json!("aGk=")));
    }

    #[tokio::test]
    async fn what_is_not_an_event_is_refused() {
        let structured = [("content-type", STRUCTURED)];
        for (pairs, body, status) in [
            (&structured[..], "{", 400),
            (&structured[..], "{}", 400),
            (&structured[..], "[]", 400),
            (&structured[..], r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#, 400),
            (&structured[..], r#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#, 400),
            (
                &structured[..],
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","x":{}}"#,
                400,
            ),
            (&[("content-type", "text/plain")][..], "x", 415),
            (&[("content-type", BATCH)][..], "[]", 415),
            (&[][..], "", 415),
            (&[("ce-id", "1")][..], "", 400),
        ] {
            assert_eq!(read(pairs, body).await, Err(status), "{pairs:?} {body}");
        }
        let long = "x".repeat(limit::ATTRIBUTE_BYTES_MAX + 1);
        let body = json!({ "specversion": "1.0", "id": long, "source": "s", "type": "t" });
        assert_eq!(read(&structured, &body.to_string()).await, Err(400));
    }
}
