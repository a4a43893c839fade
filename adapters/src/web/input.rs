//! The evaluated `with` of both calls.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tenure_adapter::{Outcome, Request};

use super::proof::configuration;

/// What the definition wants to have of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Output {
    /// The body's bytes in base64.
    Raw,
    /// The body, read by its content type.
    #[default]
    Content,
    /// Request, status, headers and content.
    Response,
}

/// The fields that both calls share.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Form {
    /// What is given back.
    #[serde(default)]
    pub(crate) output: Output,
    /// Whether redirects are followed and statuses up to 399 are no errors.
    #[serde(default)]
    pub(crate) redirect: bool,
    /// Whether twice is the same or acceptable, where the author declared the effect.
    pub(crate) repeatable: Option<bool>,
    /// The header that carries the effect key, where the service honors one.
    pub(crate) idempotency_header: Option<String>,
}

/// Where a request goes and with which credentials. No `Debug`: it holds them.
#[derive(Clone, Deserialize)]
pub(crate) struct Endpoint {
    /// Absolute URI.
    pub(crate) uri: String,
    /// An authentication policy, see [`super::auth::Auth::read`].
    pub(crate) authentication: Option<Value>,
}

/// `call: http`.
#[derive(Deserialize)]
pub(crate) struct HttpInput {
    pub(crate) method: String,
    pub(crate) endpoint: Endpoint,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) query: Map<String, Value>,
    #[serde(default)]
    pub(crate) body: Value,
    #[serde(flatten)]
    pub(crate) form: Form,
}

/// `call: openapi`.
#[derive(Deserialize)]
pub(crate) struct OpenApiInput {
    pub(crate) document: Document,
    #[serde(rename = "operationId")]
    pub(crate) operation: String,
    #[serde(default)]
    pub(crate) parameters: Map<String, Value>,
    pub(crate) authentication: Option<Value>,
    #[serde(flatten)]
    pub(crate) form: Form,
}

/// An external resource.
#[derive(Deserialize)]
pub(crate) struct Document {
    pub(crate) endpoint: Endpoint,
}

impl HttpInput {
    pub(crate) fn read(request: &Request) -> Result<Self, Outcome> {
        read(request)
    }
}

impl OpenApiInput {
    pub(crate) fn read(request: &Request) -> Result<Self, Outcome> {
        read(request)
    }
}

/// The machine held the input against the manifest before secrets were filled in, and a secret
/// replaces text by text: a failure means that a caller went around the machine.
fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Outcome> {
    serde_json::from_value(request.input.clone()).map_err(|error| {
        configuration(format!("the arguments of {}: {}", request.function, plain(&error)))
    })
}

/// The words of an error of the decoder, unless they could quote a value (which may be secret).
pub(crate) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") { text } else { "a field has the wrong type".to_owned() }
}
