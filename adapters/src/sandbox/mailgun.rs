//! Mailgun as the sandbox plays it: sending, the event log, and an inbox.
//!
//! A recipient whose local part contains `bounce` fails for good; everybody else gets the mail.
//! Mailgun does not compare message ids, so two requests are two mails here too.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{Ask, Desk, Documents, Worked, answer};
use super::ledger::{Action, Effect};
use super::{form, inbox};

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v3/{domain}/messages", post(send))
        .route("/v3/{domain}/events", get(events))
        .with_state(Arc::clone(&desk))
        .merge(inbox::routes(desk))
}

fn knows(desk: &Desk, headers: &HeaderMap) -> bool {
    let (_, key) = desk.vendor.credentials();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("api:{key}"));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given == Some(format!("Basic {basic}").as_str())
}

async fn send(
    State(desk): State<Arc<Desk>>,
    Path(domain): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !knows(&desk, &headers) {
        return answer(401, &json!({ "message": "Invalid private key" }));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let fields = form::fields(content_type.unwrap_or_default(), &body);
    let Some(fields) = fields else {
        return answer(400, &json!({ "message": "the form cannot be read" }));
    };
    let request: Value = fields.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
    // A multipart boundary differs each time: the fields are the request.
    let ask = Ask::new("messages", uri.path(), &HeaderMap::new(), request.to_string().as_bytes());
    desk.serve(ask, move |documents, _| sent(documents, &domain, &request)).await
}

fn sent(documents: &Documents, domain: &str, request: &Value) -> Worked {
    let word = |name: &str| request.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    for name in ["from", "to", "subject"] {
        if word(name).is_none() {
            return Worked::only(400, json!({ "message": format!("{name} parameter is missing") }));
        }
    }
    if word("text").is_none() && word("html").is_none() {
        return Worked::only(400, json!({ "message": "Need at least one of text or html" }));
    }
    if !word("to").is_some_and(|to| to.contains('@')) {
        return Worked::only(400, json!({ "message": "to parameter is not a valid address" }));
    }
    let number = documents.next("message");
    let id = word("h:Message-Id")
        .map_or_else(|| format!("{number}@{domain}"), |id| id.trim_matches(['<', '>']).to_owned());
    let to = word("to").unwrap_or_default();
    let address = to.rsplit('<').next().unwrap_or(to).trim_end_matches('>');
    let local = address.split('@').next().unwrap_or_default();
    let variables: Value = request
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.strip_prefix("v:")?.to_owned(), value.clone())))
        .collect();
    let document = json!({
        "number": number,
        "message_id": id,
        "at": Timestamp::now(),
        "from": word("from"),
        "to": to,
        "recipient": address,
        "subject": word("subject"),
        "text": word("text").unwrap_or_default(),
        "html": word("html").unwrap_or_default(),
        "variables": variables,
        "delivered": !local.contains("bounce"),
    });
    let kind = "message".to_owned();
    let effect = Effect { action: Action::Created, kind, id: format!("{number:08}"), document };
    Worked {
        status: 200,
        reply: json!({ "id": format!("<{id}>"), "message": "Queued. Thank you." }),
        effects: vec![effect],
    }
}

async fn events(
    State(desk): State<Arc<Desk>>,
    Query(filter): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !knows(&desk, &headers) {
        return answer(401, &json!({ "message": "Invalid private key" }));
    }
    let wanted = filter.into_iter().find(|(name, _)| name == "message-id").map(|(_, id)| id);
    let ask = Ask::new("events", uri.path(), &HeaderMap::new(), b"");
    desk.serve(ask, move |documents, _| {
        let fits = |message: &&Value| {
            wanted.as_deref().is_none_or(|id| message.get("message_id") == Some(&json!(id)))
        };
        let messages = documents.all("message").map(|(_, message)| message).filter(fits);
        let items: Vec<_> = messages.flat_map(log).collect();
        Worked::only(200, json!({ "items": items, "paging": {} }))
    })
    .await
}

/// What the event log says about a message, oldest first.
fn log(message: &Value) -> [Value; 2] {
    let at = message.get("at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
    let event = |name: &str, offset: i64| {
        json!({
            "id": format!("{}-{name}", message.get("number").unwrap_or(&Value::Null)),
            "event": name,
            "timestamp": at.map(|at| at.as_second() + offset),
            "recipient": message.get("recipient"),
            "message": { "headers": {
                "message-id": message.get("message_id"),
                "to": message.get("to"),
                "from": message.get("from"),
                "subject": message.get("subject"),
            } },
            "user-variables": message.get("variables"),
        })
    };
    let mut last = event("delivered", 1);
    if message.get("delivered") == Some(&json!(false)) {
        last = event("failed", 1);
        if let Some(fields) = last.as_object_mut() {
            fields.insert("severity".to_owned(), json!("permanent"));
            fields.insert("reason".to_owned(), json!("bounce"));
            let status = json!({ "code": 550, "message": "5.1.1 mailbox does not exist" });
            fields.insert("delivery-status".to_owned(), status);
        }
    }
    [event("accepted", 0), last]
}
