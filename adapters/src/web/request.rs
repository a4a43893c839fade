//! From the input of `http` to a request: every unusable part is named before anything is sent.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Map, Value};
use tenure_adapter::Outcome;
use uuid::Uuid;

use super::answer::is_json;
use super::auth::Auth;
use super::input::{Form, HttpInput};
use super::mask::{Mask, is_credential};
use super::proof::{Promise, configuration};
use super::send::Outgoing;
use crate::http::{BODY_MAX_BYTES, Body};

/// Largest body that is sent, in bytes.
pub(crate) const REQUEST_MAX_BYTES: usize = 1024 * 1024;
/// Most headers of a request.
pub(crate) const HEADERS_MAX: usize = 64;
/// Largest headers of a request, names and values together, in bytes.
pub(crate) const HEADERS_MAX_BYTES: usize = 16 * 1024;
/// Longest URI with its query, in bytes: what usual servers accept.
pub(crate) const URI_MAX_BYTES: usize = 16 * 1024;
/// A shorter value of a header or parameter is not hidden in texts: it would blot out half of them.
const HIDDEN_MIN: usize = 4;
/// Headers that belong to the connection and not to the definition.
const OURS: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl Outgoing {
    /// Reads the input of `http`.
    pub(crate) fn of_http(input: HttpInput, key: Uuid) -> Result<Self, Outcome> {
        let method = method(&input.method)?;
        let mut url = absolute(&input.endpoint.uri)?;
        let query = query(&input.query)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(&query);
        }
        let mut headers = headers(&input.headers)?;
        let body = body(input.body, &mut headers)?;
        let auth = input.endpoint.authentication.as_ref().map(Auth::read).transpose()?;
        Self::new(method, url, headers, body, auth)?.protected(&input.form, key)
    }

    /// Checks the parts together.
    pub(crate) fn new(
        method: Method,
        url: Url,
        headers: Vec<(String, String)>,
        body: Body,
        auth: Option<Auth>,
    ) -> Result<Self, Outcome> {
        if url.as_str().len() > URI_MAX_BYTES {
            return Err(configuration(format!("the URI exceeds {URI_MAX_BYTES} bytes")));
        }
        check_headers(&headers)?;
        let given = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
        if auth.is_some() && given("authorization") {
            return Err(configuration(
                "there is an `authentication` and an Authorization header: give one of them",
            ));
        }
        let bytes = match &body {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len(),
            Body::Json(value) => value.to_string().len(),
            Body::Form(pairs) | Body::Multipart(pairs) => {
                pairs.iter().map(|(name, value)| name.len() + value.len()).sum()
            }
        };
        if bytes > REQUEST_MAX_BYTES {
            return Err(configuration(format!("the body exceeds {REQUEST_MAX_BYTES} bytes")));
        }
        let promise = Promise::of(&method, &Form::default());
        let answer_max = BODY_MAX_BYTES;
        Ok(Self { method, url, headers, body, auth, key_header: None, promise, answer_max })
    }

    /// Adds what the compiler knows of the author's declaration.
    pub(crate) fn protected(mut self, form: &Form, key: Uuid) -> Result<Self, Outcome> {
        self.promise = Promise::of(&self.method, form);
        if let Some(name) = &form.idempotency_header {
            let name = header_name(name)?;
            if self.headers.iter().any(|(given, _)| *given == name) {
                return Err(configuration(format!(
                    "the header `{name}` carries the effect key and is set by the engine"
                )));
            }
            self.key_header = Some((name, key.to_string()));
        }
        Ok(self)
    }

    /// Everything in it that must not be seen.
    pub(crate) fn mask(&self) -> Mask {
        let mut mask = Mask::default();
        if let Some(auth) = &self.auth {
            auth.hide(&mut mask);
        }
        for (name, value) in &self.headers {
            if is_credential(name) && value.len() >= HIDDEN_MIN {
                mask.hide(value);
            }
        }
        for (name, value) in self.url.query_pairs() {
            if is_credential(&name) && value.len() >= HIDDEN_MIN {
                mask.hide(&value);
            }
        }
        mask
    }

    /// Whether it carries a credential: a policy, or a header or parameter that is one by name.
    pub(crate) fn has_credentials(&self) -> bool {
        self.auth.is_some()
            || self.headers.iter().any(|(name, _)| is_credential(name))
            || self.url.query_pairs().any(|(name, _)| is_credential(&name))
    }
}

fn method(name: &str) -> Result<Method, Outcome> {
    match name.to_ascii_uppercase().as_str() {
        "GET" => Ok(Method::GET),
        "HEAD" => Ok(Method::HEAD),
        "OPTIONS" => Ok(Method::OPTIONS),
        "PUT" => Ok(Method::PUT),
        "DELETE" => Ok(Method::DELETE),
        "POST" => Ok(Method::POST),
        "PATCH" => Ok(Method::PATCH),
        _ => Err(configuration(
            "the method is not supported: use get, head, options, put, delete, post or patch",
        )),
    }
}

/// An absolute `http` or `https` URI without credentials.
pub(crate) fn absolute(text: &str) -> Result<Url, Outcome> {
    // The text may hold a secret: it is not quoted.
    let mut url = Url::parse(text).map_err(|error| {
        configuration(format!("the endpoint is no absolute URI (https://…): {error}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(configuration(format!(
            "the endpoint has the scheme `{}`: use https or http",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(configuration(
            "the endpoint's URI holds credentials: use `authentication: {basic: …}`",
        ));
    }
    url.set_fragment(None);
    Ok(url)
}

/// A name and its texts; `null` is a parameter that is not given.
fn query(parameters: &Map<String, Value>) -> Result<Vec<(String, String)>, Outcome> {
    let mut pairs = Vec::new();
    for (name, value) in parameters {
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            let text = scalar(item).ok_or_else(|| {
                configuration(format!(
                    "the query parameter `{name}` is neither a text, number or boolean nor a list of them"
                ))
            })?;
            pairs.extend(text.map(|text| (name.clone(), text)));
        }
    }
    Ok(pairs)
}

/// The text of a scalar: `Some(None)` for `null`, `None` for an array or object.
#[expect(clippy::option_option, reason = "three cases: a text, nothing, and no scalar")]
pub(crate) fn scalar(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        Value::Bool(flag) => Some(Some(flag.to_string())),
        Value::Number(number) => Some(Some(number.to_string())),
        Value::String(text) => Some(Some(text.clone())),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn headers(given: &BTreeMap<String, Value>) -> Result<Vec<(String, String)>, Outcome> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let name = header_name(name)?;
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            let text = scalar(item).ok_or_else(|| {
                configuration(format!(
                    "the header `{name}` is neither a text, number or boolean nor a list of them"
                ))
            })?;
            headers.extend(text.map(|text| (name.clone(), text)));
        }
    }
    Ok(headers)
}

/// A name in lower case, as it is compared and sent.
fn header_name(name: &str) -> Result<String, Outcome> {
    HeaderName::from_bytes(name.as_bytes())
        .map(|name| name.as_str().to_owned())
        .map_err(|_| configuration(format!("`{}` is no header name", name.escape_default())))
}

fn check_headers(headers: &[(String, String)]) -> Result<(), Outcome> {
    if headers.len() > HEADERS_MAX {
        return Err(configuration(format!("there are more than {HEADERS_MAX} headers")));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > HEADERS_MAX_BYTES {
        return Err(configuration(format!("the headers exceed {HEADERS_MAX_BYTES} bytes")));
    }
    for (name, value) in headers {
        if OURS.contains(&name.as_str()) {
            return Err(configuration(format!("the header `{name}` is set by the engine")));
        }
        if HeaderValue::from_str(value).is_err() {
            return Err(configuration(format!(
                "the header `{name}` has characters that no header can carry: encode it (RFC 8187)"
            )));
        }
    }
    Ok(())
}

/// The body in the form that the Content-Type header names; JSON without one.
fn body(value: Value, headers: &mut Vec<(String, String)>) -> Result<Body, Outcome> {
    if value.is_null() {
        return Ok(Body::Empty);
    }
    let kind = headers.iter().find(|(name, _)| name == "content-type");
    let Some((_, kind)) = kind else {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        return Ok(Body::Bytes(value.to_string().into_bytes()));
    };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if is_json(&essence) {
        return Ok(Body::Bytes(value.to_string().into_bytes()));
    }
    match value {
        Value::String(text) => Ok(Body::Bytes(text.into_bytes())),
        Value::Object(fields) if essence == "application/x-www-form-urlencoded" => {
            Ok(Body::Bytes(form(&fields)?.into_bytes()))
        }
        Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
            Err(configuration(format!(
                "a body of the type `{essence}` must be a text: only JSON and forms are made of other values"
            )))
        }
    }
}

fn form(fields: &Map<String, Value>) -> Result<String, Outcome> {
    Ok(encode(&query(fields)?))
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn encode(pairs: &[(String, String)]) -> String {
    // A query is encoded in just this way, and an empty one is none.
    let mut url = Url::parse("form:").ok();
    if let Some(url) = url.as_mut() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    url.as_ref().and_then(Url::query).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(input: &Value) -> Result<Outgoing, String> {
        let mut whole = json!({ "method": "post", "endpoint": { "uri": "https://a.example/p" } });
        whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let input: HttpInput = serde_json::from_value(whole).unwrap();
        Outgoing::of_http(input, Uuid::nil()).map_err(|outcome| {
            let Outcome::Failed { error } = outcome else { panic!("{outcome:?}") };
            assert!(error.kind.ends_with("/configuration"), "{error:?}");
            error.detail.unwrap()
        })
    }

    fn bytes(outgoing: &Outgoing) -> String {
        let Body::Bytes(bytes) = &outgoing.body else { panic!("{:?}", outgoing.body) };
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[test]
    fn bodies_take_the_form_of_their_type() {
        let typed = |kind: &str, body: Value| {
            of(&json!({ "headers": { "Content-Type": kind }, "body": body }))
        };
        assert_eq!(
            bytes(&of(&json!({ "body": { "b": 1, "a": [null] } })).unwrap()),
            r#"{"b":1,"a":[null]}"#
        );
        assert_eq!(bytes(&of(&json!({ "body": "text" })).unwrap()), "\"text\"");
        assert_eq!(of(&json!({ "body": null })).unwrap().body, Body::Empty);
        assert_eq!(bytes(&typed("application/merge-patch+json", json!([1])).unwrap()), "[1]");
        assert_eq!(bytes(&typed("text/plain", json!("a")).unwrap()), "a");
        assert_eq!(bytes(&typed("application/xml; charset=utf-8", json!("<a/>")).unwrap()), "<a/>");
        let form = json!({ "a": "1 2&", "b": [true, 3], "c": null });
        assert_eq!(
            bytes(&typed("application/x-www-form-urlencoded", form).unwrap()),
            "a=1+2%26&b=true&b=3"
        );
        assert!(typed("text/plain", json!({})).err().unwrap().contains("must be a text"));
        assert!(typed("application/x-www-form-urlencoded", json!({ "a": {} })).is_err());
    }

    #[test]
    fn the_query_is_added_to_that_of_the_uri() {
        let outgoing = of(&json!({
            "endpoint": { "uri": "https://a.example/p?x=1#part" },
            "query": { "y": [1, "ä&"], "z": null, "t": true },
        }))
        .unwrap();
        assert_eq!(outgoing.url.as_str(), "https://a.example/p?x=1&y=1&y=%C3%A4%26&t=true");
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let many: Map<String, Value> =
            (0..=HEADERS_MAX).map(|n| (format!("x-{n}"), json!("1"))).collect();
        for (input, words) in [
            (json!({ "method": "trace" }), "method is not supported"),
            (json!({ "endpoint": { "uri": "/relative" } }), "no absolute URI"),
            (json!({ "endpoint": { "uri": "ftp://a/" } }), "scheme `ftp`"),
            (json!({ "endpoint": { "uri": "https://u:s3cret@a/" } }), "holds credentials"),
            (json!({ "query": { "a": {} } }), "query parameter `a`"),
            (json!({ "query": { "a": "x".repeat(URI_MAX_BYTES) } }), "URI exceeds"),
            (json!({ "headers": { "a b": "1" } }), "no header name"),
            (json!({ "headers": { "a": { "b": 1 } } }), "header `a`"),
            (json!({ "headers": { "a": "x\r\nb: s3cret" } }), "header `a` has characters"),
            (json!({ "headers": { "Host": "b.example" } }), "`host` is set by the engine"),
            (json!({ "headers": many }), "more than 64 headers"),
            (json!({ "headers": { "a": "x".repeat(HEADERS_MAX_BYTES) } }), "headers exceed"),
            (json!({ "body": "x".repeat(REQUEST_MAX_BYTES) }), "body exceeds"),
            (
                json!({
                    "headers": { "authorization": "s3cret" },
                    "endpoint": {
                        "uri": "https://a/", "authentication": { "bearer": { "token": "s3cret" } },
                    },
                }),
                "give one of them",
            ),
            (
                json!({ "headers": { "Idem": "mine" }, "idempotency_header": "idem" }),
                "`idem` carries the effect key",
            ),
        ] {
            let Err(found) = of(&input) else { panic!("{words}: accepted") };
            assert!(found.contains(words), "{found:?} does not say {words:?}");
            assert!(!found.contains("s3cret"), "{found}");
        }
    }
}
