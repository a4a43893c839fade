//! From an OpenAPI document, an operation and parameters to a request.
//!
//! Swagger 2.0 and OpenAPI 3.0 and 3.1, as far as a request needs them: what a document says of
//! schemas is for the service to check, and what it says of security is for the definition's own
//! `authentication` to satisfy.

mod body;
mod document;
mod operation;
mod parameter;

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Map, Value};
use tenure_adapter::Outcome;
use uuid::Uuid;

use super::auth::Auth;
use super::input::OpenApiInput;
use super::proof::configuration;
use super::request::absolute;
use super::send::Outgoing;
pub(crate) use document::{Document, Documents};
use operation::Operation;
use parameter::Placed;

/// The request that calls an operation.
pub(crate) fn outgoing(
    document: &Document,
    input: OpenApiInput,
    key: Uuid,
) -> Result<Outgoing, Outcome> {
    let OpenApiInput { operation: id, parameters, authentication, form, .. } = input;
    let operation = Operation::find(document, &id)?;
    let mut given: BTreeMap<String, Value> =
        parameters.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let Placed { path, query, mut headers, cookies } = parameter::place(&operation, &mut given)?;
    let rest: Map<String, Value> = given.into_iter().collect();
    let body = body::build(&operation, rest, &mut headers)?;
    if !cookies.is_empty() {
        headers.push(("cookie".to_owned(), cookies.join("; ")));
    }
    if let Some(accept) = operation.accept() {
        headers.push(("accept".to_owned(), accept));
    }
    let auth = authentication.as_ref().map(Auth::read).transpose()?;
    let mut url = absolute(&format!("{}{path}", operation.server()?))
        .map_err(|_| configuration(format!("the server of the operation `{id}` is no http URI")))?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(&query);
    }
    let outgoing = Outgoing::new(operation.method.clone(), url, headers, body, auth)?;
    let is_plain = |url: &Url| url.scheme() == "http";
    if is_plain(&outgoing.url) && !is_plain(&document.url) && outgoing.has_credentials() {
        return Err(configuration(format!(
            "the OpenAPI document was read over https, but the server of the operation `{id}` is http: credentials are not sent there in clear; name an https server in the document"
        )));
    }
    outgoing.protected(&form, key)
}
