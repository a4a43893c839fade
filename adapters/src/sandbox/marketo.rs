//! Marketo as the sandbox plays it: leads by e-mail address, always HTTP 200.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::desk::{Ask, Desk, Documents, Worked, answer};
use super::ledger::{Action, Effect};
use crate::country;

/// Most records of one call.
const RECORDS_MAX: usize = 300;
/// Life of a session, in seconds.
const TOKEN_LIFE_S: u64 = 3599;

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/identity/oauth/token", get(token))
        .route("/rest/v1/leads.json", post(leads))
        .route("/rest/v1/leads/push.json", post(leads))
        .with_state(desk)
}

/// A refusal as Marketo writes it. Codes of 1000 and more are about one record, which is skipped
/// in a call that succeeds.
pub(super) fn refusal(code: &str, message: &str) -> (u16, Value) {
    let reason = json!([{ "code": code, "message": message }]);
    let reply = if code.len() >= 4 {
        json!({
            "requestId": "sandbox", "success": true,
            "result": [{ "status": "skipped", "reasons": reason }],
        })
    } else {
        json!({ "requestId": "sandbox", "success": false, "errors": reason })
    };
    (200, reply)
}

async fn token(
    State(desk): State<Arc<Desk>>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Response {
    let field = |name: &str| {
        fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let worked = match desk.open_session(&field("client_id"), &field("client_secret")) {
        Some(token) => Worked::only(
            200,
            json!({ "access_token": token, "token_type": "bearer", "expires_in": TOKEN_LIFE_S }),
        ),
        None => Worked::only(401, json!({ "error": "invalid_client" })),
    };
    let ask = Ask::new("token", "/identity/oauth/token", &HeaderMap::new(), b"");
    desk.serve(ask, move |_, _| worked).await
}

async fn leads(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !desk.knows(&headers) {
        return answer(200, &refusal("601", "Access token invalid").1);
    }
    let ask = Ask { key: None, ..Ask::new("upsertLead", uri.path(), &headers, &body) };
    let request = ask.request.clone();
    desk.serve(ask, move |documents, _| upserted(documents, &request)).await
}

fn upserted(documents: &Documents, request: &Value) -> Worked {
    let records = request.get("input").and_then(Value::as_array);
    let Some(records) = records.filter(|list| (1..=RECORDS_MAX).contains(&list.len())) else {
        return Worked::only(200, refusal("609", "Invalid JSON").1);
    };
    let known_action = request
        .get("action")
        .and_then(Value::as_str)
        .is_none_or(|action| ["createOnly", "updateOnly", "createOrUpdate"].contains(&action));
    if !known_action || request.get("lookupField") != Some(&json!("email")) {
        return Worked::only(200, refusal("701", "action or lookupField is wrong").1);
    }
    let (mut result, mut effects) = (Vec::new(), Vec::new());
    for (index, record) in records.iter().enumerate() {
        let word = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let skipped = |code: &str, message: &str| json!({ "status": "skipped", "reasons": [{ "code": code, "message": message }] });
        if word("email").is_empty() {
            result.push(skipped("1006", "Field 'email' not found"));
            continue;
        }
        if !country::is_alpha2(word("country")) {
            result.push(skipped("1003", "Field 'country' must be ISO 3166-1 alpha-2"));
            continue;
        }
        let email = word("email").to_lowercase();
        let known = documents.get("lead", &email);
        let id = known.and_then(|lead| lead.get("id")).and_then(Value::as_u64);
        let new = u64::try_from(documents.next("lead") + index).unwrap_or_default();
        let (id, action, status) = match id {
            Some(id) => (id, Action::Updated, "updated"),
            None => (new, Action::Created, "created"),
        };
        let mut document = record.clone();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("id".to_owned(), json!(id));
            fields.insert("program".to_owned(), json!(request.get("programName")));
        }
        result.push(json!({ "id": id, "status": status }));
        effects.push(Effect { action, kind: "lead".to_owned(), id: email, document });
    }
    let reply = json!({ "requestId": "sandbox", "success": true, "result": result });
    Worked { status: 200, reply, effects }
}
