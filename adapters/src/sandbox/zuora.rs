//! Zuora as the sandbox plays it: accounts, orders that bill and collect, subscriptions.

mod order;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post, put};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::desk::{Ask, Desk, Documents, Worked, answer};
use super::ledger::{Action, Effect};
use super::{FaultKind, form};

/// Life of a session, in seconds.
const TOKEN_LIFE_S: u64 = 3599;
/// Longest idempotency key.
const KEY_MAX: usize = 255;

/// Codes of refusals; the last two digits are the kind.
mod code {
    pub(super) const INVALID: u64 = 53_100_020;
    pub(super) const MISSING: u64 = 53_100_022;
    pub(super) const RULE: u64 = 53_100_030;
    pub(super) const ABSENT: u64 = 53_100_040;
    pub(super) const PAYMENT: u64 = 53_100_099;
}

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/v1/accounts", post(create_account))
        .route("/v1/accounts/{number}", get(get_account))
        .route("/v1/orders", post(order::create))
        .route("/v1/orders/preview", post(order::preview))
        .route("/v1/orders/{number}", get(order::read))
        .route("/v1/orders/{number}/cancel", put(order::cancel))
        .route("/v1/subscriptions/{number}", get(get_subscription))
        .route("/v1/subscriptions/{number}/cancel", put(cancel_subscription))
        .route("/v1/invoices/{id}", get(get_invoice))
        .route("/object-query/payments", get(order::payments))
        .route("/object-query/payment-applications", get(order::payment_applications))
        .with_state(desk)
}

/// A refusal as Zuora writes it: HTTP 200.
pub(super) fn refusal(code: &str, message: &str) -> (u16, Value) {
    let code = code.parse::<u64>().map_or_else(|_text| json!(code), |number| json!(number));
    (200, refused(&code, message))
}

fn refused(code: &Value, message: &str) -> Value {
    json!({
        "success": false,
        "processId": "SANDBOX00000001",
        "reasons": [{ "code": code, "message": message }],
    })
}

fn no(code: u64, message: impl AsRef<str>) -> Worked {
    Worked::only(200, refused(&json!(code), message.as_ref()))
}

fn unauthorized() -> Response {
    answer(401, &refused(&json!(90_000_011), "Authentication error"))
}

async fn token(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    let fields = form::urlencoded(&String::from_utf8_lossy(&body));
    let ask = Ask::new("token", "/oauth/token", &HeaderMap::new(), b"");
    let seat = Arc::clone(&desk);
    let session = session(&desk, &fields);
    seat.serve(ask, move |_, _| session).await
}

fn session(desk: &Desk, fields: &[(String, String)]) -> Worked {
    let field = |name: &str| {
        fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    };
    if field("grant_type") != "client_credentials" {
        return Worked::only(400, json!({ "error": "unsupported_grant_type" }));
    }
    match desk.open_session(field("client_id"), field("client_secret")) {
        Some(token) => Worked::only(
            200,
            json!({
                "access_token": token,
                "token_type": "bearer",
                "expires_in": TOKEN_LIFE_S,
                "scope": "entity.00000000-0000-0000-0000-000000000000",
                "jti": "sandbox",
            }),
        ),
        None => Worked::only(401, json!({ "error": "invalid_client" })),
    }
}

/// A decline of the fault plan.
struct Decline {
    code: String,
    /// Whether the order stands although it should have been rolled back.
    kept: bool,
}

/// Serves a request of a session. PUT must not carry a key.
async fn serve(
    desk: &Arc<Desk>,
    operation: &'static str,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    work: impl FnOnce(&Documents, &Value, Option<Decline>) -> Worked + Send + 'static,
) -> Response {
    if !desk.knows(headers) {
        return unauthorized();
    }
    let ask = Ask::new(operation, uri.path(), headers, body);
    if ask.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_MAX) {
        return answer(400, &json!({ "message": "the idempotency key is empty or too long" }));
    }
    if ask.key.is_some() && operation.starts_with("cancel") {
        return answer(400, &json!({ "message": "an idempotency key is not allowed on PUT" }));
    }
    let request = ask.request.clone();
    desk.serve(ask, move |documents, planned| {
        let decline = match planned {
            Some(FaultKind::Decline { code }) => Some(Decline { code: code.clone(), kept: false }),
            Some(FaultKind::DeclineKept { code }) => {
                Some(Decline { code: code.clone(), kept: true })
            }
            Some(_) | None => None,
        };
        work(documents, &request, decline)
    })
    .await
}

fn word<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

async fn create_account(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&desk, "createAccount", &uri, &headers, &body, |documents, request, _| {
        account(documents, request)
    })
    .await
}

fn account(documents: &Documents, request: &Value) -> Worked {
    for field in ["/name", "/currency", "/billToContact/firstName", "/billToContact/lastName"] {
        if word(request, field).is_none() {
            return no(code::MISSING, format!("'{}' is required", field.trim_start_matches('/')));
        }
    }
    let profile = word(request, "/communicationProfileName").unwrap_or("Default Profile");
    if !["Default Profile", "Silent Profile"].contains(&profile) {
        return no(code::INVALID, format!("communication profile '{profile}' does not exist"));
    }
    for contact in ["/billToContact/country", "/soldToContact/country"] {
        if word(request, contact).is_some_and(|text| crate::country::normalize(text).is_none()) {
            return no(code::INVALID, format!("{contact} is not a country"));
        }
    }
    let next = documents.next("account");
    let number =
        word(request, "/accountNumber").map_or_else(|| format!("A{next:08}"), str::to_owned);
    if documents.get("account", &number).is_some() {
        return no(code::RULE, format!("The account number {number} already exists."));
    }
    let id = format!("acc{next:029}");
    let sold_to = request.get("soldToContact").or_else(|| request.get("billToContact"));
    let document = json!({
        "basicInfo": {
            "id": id,
            "name": request.get("name"),
            "accountNumber": number,
            "status": "Active",
            "communicationProfileName": profile,
        },
        "billingAndPayment": {
            "currency": request.get("currency"),
            "billCycleDay": request.get("billCycleDay"),
            "autoPay": request.get("autoPay"),
        },
        "billToContact": request.get("billToContact"),
        "soldToContact": sold_to,
    });
    let effect = Effect {
        action: Action::Created,
        kind: "account".to_owned(),
        id: number.clone(),
        document,
    };
    Worked {
        status: 200,
        reply: json!({ "success": true, "accountId": id, "accountNumber": number }),
        effects: vec![effect],
    }
}

/// A document with `success`, or the refusal.
fn found(document: Option<&Value>, what: &str) -> Worked {
    match document.cloned() {
        Some(mut document) => {
            if let Some(fields) = document.as_object_mut() {
                fields.insert("success".to_owned(), json!(true));
            }
            Worked::only(200, document)
        }
        None => no(code::ABSENT, format!("Cannot find {what}.")),
    }
}

async fn get_account(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "getAccount", &uri, &headers, b"", move |documents, _, _| {
        found(documents.get("account", &number), &format!("account {number}"))
    })
    .await
}

async fn get_subscription(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "getSubscription", &uri, &headers, b"", move |documents, _, _| {
        found(documents.get("subscription", &number), &format!("subscription {number}"))
    })
    .await
}

async fn get_invoice(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "getInvoice", &uri, &headers, b"", move |documents, _, _| {
        let invoice = documents.all("invoice").map(|(_, invoice)| invoice);
        let mut invoice = invoice.filter(|invoice| word(invoice, "/id") == Some(&id));
        found(invoice.next(), &format!("invoice {id}"))
    })
    .await
}

async fn cancel_subscription(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&desk, "cancelSubscription", &uri, &headers, &body, move |documents, request, _| {
        cancel(documents, &number, request)
    })
    .await
}

fn cancel(documents: &Documents, number: &str, request: &Value) -> Worked {
    let Some(mut document) = documents.get("subscription", number).cloned() else {
        return no(code::ABSENT, format!("Cannot find subscription {number}."));
    };
    if word(&document, "/status") != Some("Active") {
        return no(code::RULE, "Only an active subscription can be cancelled.");
    }
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let on = match word(request, "/cancellationPolicy") {
        Some("SpecificDate") => word(request, "/cancellationEffectiveDate"),
        Some("EndOfCurrentTerm" | "EndOfLastInvoicePeriod") => word(&document, "/termEndDate"),
        Some(_) | None => return no(code::INVALID, "cancellationPolicy is missing or unknown"),
    };
    let Some(on) = on.and_then(|on| on.parse::<Date>().ok()) else {
        return no(code::MISSING, "cancellationEffectiveDate is required for SpecificDate");
    };
    // What ends before it begins never was.
    let begins = word(&document, "/termStartDate").and_then(|date| date.parse::<Date>().ok());
    let over = on <= today || begins.is_some_and(|begins| on <= begins);
    let status = if over { "Cancelled" } else { "Active" };
    let id = document.get("id").cloned();
    if let Some(fields) = document.as_object_mut() {
        fields.insert("status".to_owned(), json!(status));
        fields.insert("scheduledCancelDate".to_owned(), json!(on));
        fields.insert("subscriptionEndDate".to_owned(), json!(on));
    }
    let kind = "subscription".to_owned();
    let effect = Effect { action: Action::Cancelled, kind, id: number.to_owned(), document };
    Worked {
        status: 200,
        reply: json!({ "success": true, "subscriptionId": id, "cancelledDate": on }),
        effects: vec![effect],
    }
}
