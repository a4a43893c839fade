//! Salesforce: accounts, contacts and opportunities, upserted by an external id of ours.

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_adapter::{Adapter, EffectClass, Manifest, Outcome, Reason, Request};

use crate::classify::{by_status, retry_after_ms, unreadable};
use crate::country;
use crate::http::{Answer, Body, Budget, Call, segment};
use crate::input::{decode, invalid, unknown_function};
use crate::manifest::{Remote, amount, country_code, currency, date, email, gives, object, text};
use crate::money;
use crate::session::{Session, Style};

const VENDOR: &str = "Salesforce";
/// API version this plug was written against.
const API: &str = "/services/data/v61.0/sobjects";
/// Our external-id field; it must exist, be unique, and be marked as an external id.
const EXTERNAL_ID: &str = "Tenure_External_Id__c";

/// The plug.
#[derive(Debug)]
pub(crate) struct Salesforce {
    remote: Remote,
    session: Session,
}

#[derive(Deserialize)]
struct Account {
    external_id: String,
    name: String,
    country: String,
    website: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    external_id: String,
    account_external_id: String,
    email: String,
    first_name: String,
    last_name: String,
    role: Option<String>,
}

#[derive(Deserialize)]
struct Opportunity {
    external_id: String,
    account_external_id: String,
    name: String,
    stage: String,
    amount: i64,
    currency: String,
    close_date: String,
}

/// What is written where.
struct Upsert {
    kind: &'static str,
    external_id: String,
    fields: Value,
}

impl Salesforce {
    pub(crate) fn new(remote: Remote) -> Self {
        Self { remote, session: Session::new("/services/oauth2/token", Style::Form) }
    }

    async fn upsert(&self, upsert: Upsert, budget: &Budget) -> Result<Value, Outcome> {
        let Upsert { kind, external_id, fields } = upsert;
        let path = format!("{API}/{kind}/{EXTERNAL_ID}/{}", segment(&external_id));
        let url = self.remote.url(&path)?;
        let call = Call::new(Method::PATCH, url.clone()).body(Body::Json(fields));
        let answer = self.session.send(&self.remote, &call, budget, expired).await?;
        match answer.status {
            // An update may answer without a body; the id is then read.
            204 => {
                let call = Call::new(Method::GET, url).query("fields", "Id");
                let answer = self.session.send(&self.remote, &call, budget, expired).await?;
                read(kind, &external_id, &answer, "Id")
            }
            _ => read(kind, &external_id, &answer, "id"),
        }
    }
}

impl Account {
    fn upsert(self) -> Result<Upsert, Outcome> {
        if !country::is_alpha2(&self.country) {
            return Err(invalid(format!("`{}` is no ISO 3166-1 alpha-2 code", self.country)));
        }
        let mut fields = json!({ "Name": self.name, "BillingCountryCode": self.country });
        if let Some(fields) = fields.as_object_mut() {
            let optional = [("Website", self.website), ("Phone", self.phone)];
            for (name, value) in optional {
                if let Some(value) = value {
                    fields.insert(name.to_owned(), json!(value));
                }
            }
        }
        Ok(Upsert { kind: "Account", external_id: self.external_id, fields })
    }
}

impl Contact {
    fn upsert(self) -> Upsert {
        let fields = json!({
            "FirstName": self.first_name,
            "LastName": self.last_name,
            "Email": self.email,
            "Tenure_Role__c": self.role,
            "Account": { EXTERNAL_ID: self.account_external_id },
        });
        Upsert { kind: "Contact", external_id: self.external_id, fields }
    }
}

impl Opportunity {
    fn upsert(self) -> Upsert {
        let fields = json!({
            "Name": self.name,
            "StageName": self.stage,
            "Amount": money::number(self.amount, &self.currency),
            "CurrencyIsoCode": self.currency,
            "CloseDate": self.close_date,
            "Account": { EXTERNAL_ID: self.account_external_id },
        });
        Upsert { kind: "Opportunity", external_id: self.external_id, fields }
    }
}

fn expired(answer: &Answer) -> bool {
    answer.status == 401
}

fn read(kind: &str, external_id: &str, answer: &Answer, id: &str) -> Result<Value, Outcome> {
    if answer.status == 300 {
        return Err(invalid(format!(
            "Salesforce has several {kind} records with the external id {external_id}: merge them \
             there, or correct {EXTERNAL_ID} on all but one, then resume"
        )));
    }
    if let Some(outcome) = by_status(VENDOR, answer) {
        return Err(by_code(answer).unwrap_or(outcome));
    }
    let body = answer.json().unwrap_or_default();
    if body.get("success") == Some(&Value::Bool(false)) {
        return Err(by_code(answer).unwrap_or_else(|| unreadable(VENDOR, answer)));
    }
    match body.get(id).and_then(Value::as_str) {
        Some(id) => Ok(json!({ "id": id })),
        None => Err(unreadable(VENDOR, answer)),
    }
}

/// Errors are an array of `{errorCode, message, fields}`; the code says more than the status.
fn by_code(answer: &Answer) -> Option<Outcome> {
    if answer.status >= 500 {
        return None;
    }
    let body = answer.json()?;
    let error = body.get(0).or_else(|| body.pointer("/errors/0"))?;
    let code = error.get("errorCode").or_else(|| error.get("statusCode"))?.as_str()?;
    let reason = match code {
        "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE" | "QUERY_TIMEOUT" => Reason::Transient,
        "REQUEST_LIMIT_EXCEEDED" => Reason::Throttled,
        "INVALID_SESSION_ID" => Reason::Auth,
        "INSUFFICIENT_ACCESS" | "API_DISABLED_FOR_ORG" | "INVALID_LOGIN" => Reason::Config,
        // Two upserts at once: the other one made it, and the next try will update it.
        "DUPLICATE_VALUE" | "ENTITY_IS_LOCKED" => Reason::Conflict,
        _ if answer.status == 401 => Reason::Auth,
        _ => Reason::Invalid,
    };
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let fields = error.get("fields").map(Value::to_string).unwrap_or_default();
    let detail = format!("Salesforce refused: {code}: {message} {fields}");
    Some(Outcome::Rejected { reason, detail, retry_after_ms: retry_after_ms(answer) })
}

#[async_trait]
impl Adapter for Salesforce {
    fn manifests(&self) -> Vec<Manifest> {
        let natural = |name: &str, summary: &str, input: Value| {
            let output = gives(&json!({ "id": { "type": "string" } }));
            self.remote.manifest(name, summary, EffectClass::Natural, 0, (input, output))
        };
        let id = text(255);
        vec![
            natural(
                "salesforce.upsertAccount",
                "Makes or updates an account by external id.",
                object(
                    &["external_id", "name", "country"],
                    &json!({
                        "external_id": id,
                        "name": text(255),
                        "country": country_code(),
                        "website": text(255),
                        "phone": text(40),
                    }),
                ),
            ),
            natural(
                "salesforce.upsertContact",
                "Makes or updates a contact by external id.",
                object(
                    &["external_id", "account_external_id", "email", "first_name", "last_name"],
                    &json!({
                        "external_id": id,
                        "account_external_id": id,
                        "email": email(),
                        "first_name": text(40),
                        "last_name": text(80),
                        "role": { "anyOf": [text(40), { "type": "null" }] },
                    }),
                ),
            ),
            natural(
                "salesforce.upsertOpportunity",
                "Makes or updates an opportunity by external id (stage `Closed Won` when paid).",
                object(
                    &[
                        "external_id",
                        "account_external_id",
                        "name",
                        "stage",
                        "amount",
                        "currency",
                        "close_date",
                    ],
                    &json!({
                        "external_id": id,
                        "account_external_id": id,
                        "name": text(120),
                        "stage": text(40),
                        "amount": amount(),
                        "currency": currency(),
                        "close_date": date(),
                    }),
                ),
            ),
        ]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        let budget = Budget::of_ms(request.deadline_ms);
        let upsert = match request.function.as_str() {
            "salesforce.upsertAccount" => decode(request).and_then(Account::upsert),
            "salesforce.upsertContact" => decode(request).map(Contact::upsert),
            "salesforce.upsertOpportunity" => decode(request).map(Opportunity::upsert),
            _ => Err(unknown_function(request)),
        };
        let result = match upsert {
            Ok(upsert) => self.upsert(upsert, &budget).await,
            Err(outcome) => Err(outcome),
        };
        result.map_or_else(|outcome| outcome, |output| Outcome::Done { output })
    }
}
