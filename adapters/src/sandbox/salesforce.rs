//! Salesforce as the sandbox plays it: upserts by external id.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use serde_json::{Value, json};

use super::desk::{Ask, Desk, Documents, Worked, answer};
use super::form;
use super::ledger::{Action, Effect};
use crate::country;

const EXTERNAL_ID: &str = "Tenure_External_Id__c";

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/services/oauth2/token", post(token))
        .route("/services/data/{version}/sobjects/{kind}/{field}/{id}", patch(upsert).get(read))
        .with_state(desk)
}

/// A refusal as Salesforce writes it: an array.
pub(super) fn refusal(code: &str, message: &str) -> (u16, Value) {
    let status = match code {
        "INVALID_SESSION_ID" => 401,
        "REQUEST_LIMIT_EXCEEDED" => 403,
        _ => 400,
    };
    (status, json!([{ "errorCode": code, "message": message, "fields": [] }]))
}

fn no(code: &str, message: &str) -> Worked {
    let (status, reply) = refusal(code, message);
    Worked::only(status, reply)
}

async fn token(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    let fields = form::urlencoded(&String::from_utf8_lossy(&body));
    let field = |name: &str| {
        fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let worked = match desk.open_session(&field("client_id"), &field("client_secret")) {
        Some(token) => Worked::only(200, json!({ "access_token": token, "token_type": "Bearer" })),
        None => Worked::only(400, json!({ "error": "invalid_client" })),
    };
    let ask = Ask::new("token", "/services/oauth2/token", &HeaderMap::new(), b"");
    desk.serve(ask, move |_, _| worked).await
}

type Place = Path<(String, String, String, String)>;

async fn upsert(
    State(desk): State<Arc<Desk>>,
    Path((_, kind, field, id)): Place,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !desk.knows(&headers) {
        let (status, reply) = refusal("INVALID_SESSION_ID", "Session expired or invalid");
        return answer(status, &reply);
    }
    let operation = match kind.as_str() {
        "Account" => "upsertAccount",
        "Contact" => "upsertContact",
        "Opportunity" => "upsertOpportunity",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if field != EXTERNAL_ID {
        let (_, reply) = refusal("NOT_FOUND", "Provided external ID field does not exist");
        return answer(404, &reply);
    }
    // Salesforce knows no idempotency keys: one that comes is ignored.
    let ask = Ask { key: None, ..Ask::new(operation, uri.path(), &headers, &body) };
    let request = ask.request.clone();
    desk.serve(ask, move |documents, _| {
        upserted(documents, &kind, &id, &request).unwrap_or_else(|refusal| refusal)
    })
    .await
}

fn upserted(
    documents: &Documents,
    kind: &str,
    id: &str,
    request: &Value,
) -> Result<Worked, Worked> {
    let fields = request.as_object().ok_or_else(|| no("JSON_PARSER_ERROR", "not an object"))?;
    let word = |name: &str| fields.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let known = documents.get(kind, id);
    let required: &[&str] = match kind {
        "Account" => &["Name"],
        "Contact" => &["LastName"],
        _ => &["Name", "StageName", "CloseDate"],
    };
    if known.is_none()
        && let Some(missing) = required.iter().find(|name| word(name).is_none())
    {
        return Err(no(
            "REQUIRED_FIELD_MISSING",
            &format!("Required fields are missing: [{missing}]"),
        ));
    }
    if word("BillingCountryCode").is_some_and(|code| !country::is_alpha2(code)) {
        let text = "There's a problem with this country, even though it may appear correct.";
        return Err(no("FIELD_INTEGRITY_EXCEPTION", text));
    }
    let account = request.pointer(&format!("/Account/{EXTERNAL_ID}")).and_then(Value::as_str);
    if account.is_some_and(|account| documents.get("Account", account).is_none()) {
        return Err(no("INVALID_FIELD", "Foreign key external ID not found for entity Account"));
    }
    let number = known.and_then(|known| known.get("Id")).and_then(Value::as_str);
    let number = number.map_or_else(|| numbered(documents, kind), str::to_owned);
    let mut document = known.cloned().unwrap_or_else(|| json!({ "Id": number, EXTERNAL_ID: id }));
    if let Some(old) = document.as_object_mut() {
        for (name, value) in fields {
            old.insert(name.clone(), value.clone());
        }
    }
    let (action, status) = match known {
        Some(_) => (Action::Updated, 200),
        None => (Action::Created, 201),
    };
    let reply = json!({
        "id": number, "success": true, "errors": [], "created": action == Action::Created,
    });
    let effect = Effect { action, kind: kind.to_owned(), id: id.to_owned(), document };
    Ok(Worked { status, reply, effects: vec![effect] })
}

/// An 18-character id with the type's usual prefix.
fn numbered(documents: &Documents, kind: &str) -> String {
    let prefix = match kind {
        "Account" => "001",
        "Contact" => "003",
        _ => "006",
    };
    format!("{prefix}{:015}", documents.next(kind))
}

async fn read(
    State(desk): State<Arc<Desk>>,
    Path((_, kind, _, id)): Place,
    headers: HeaderMap,
) -> Response {
    if !desk.knows(&headers) {
        let (status, reply) = refusal("INVALID_SESSION_ID", "Session expired or invalid");
        return answer(status, &reply);
    }
    match desk.read(|documents| documents.get(&kind, &id).cloned()) {
        Some(document) => answer(200, &document),
        None => answer(404, &refusal("NOT_FOUND", "The requested resource does not exist").1),
    }
}
