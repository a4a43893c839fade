//! Marketo: leads, deduplicated by e-mail address. Always HTTP 200: `success`, `errors` and each
//! record's `status` say what happened.

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_adapter::{Adapter, EffectClass, Manifest, Outcome, Reason, Request};

use crate::classify::{by_status, unreadable};
use crate::country;
use crate::http::{Answer, Body, Budget, Call};
use crate::input::{decode, invalid, unknown_function};
use crate::manifest::{Remote, country_code, email, gives, object, text};
use crate::session::{Session, Style};

const VENDOR: &str = "Marketo";
/// The rate limit is 100 calls in 20 seconds.
const RATE_WINDOW_MS: u64 = 20_000;
/// The daily quota comes back at midnight in the account's zone; an hour is a fair next look.
const QUOTA_LOOK_MS: u64 = 60 * 60 * 1000;

/// The plug.
#[derive(Debug)]
pub(crate) struct Marketo {
    remote: Remote,
    session: Session,
}

#[derive(Deserialize)]
struct Lead {
    email: String,
    first_name: String,
    last_name: String,
    company: String,
    country: String,
    program: Option<String>,
}

impl Marketo {
    pub(crate) fn new(remote: Remote) -> Self {
        Self { remote, session: Session::new("/identity/oauth/token", Style::Query) }
    }

    async fn upsert(&self, request: &Request, budget: &Budget) -> Result<Value, Outcome> {
        let lead: Lead = decode(request)?;
        if !country::is_alpha2(&lead.country) {
            return Err(invalid(format!("`{}` is no ISO 3166-1 alpha-2 code", lead.country)));
        }
        let record = json!({
            "email": lead.email,
            "firstName": lead.first_name,
            "lastName": lead.last_name,
            "company": lead.company,
            "country": lead.country,
        });
        let (path, body) = match lead.program {
            Some(program) => (
                "/rest/v1/leads/push.json",
                json!({ "programName": program, "lookupField": "email", "input": [record] }),
            ),
            None => (
                "/rest/v1/leads.json",
                json!({ "action": "createOrUpdate", "lookupField": "email", "input": [record] }),
            ),
        };
        let call = Call::new(Method::POST, self.remote.url(path)?).body(Body::Json(body));
        let answer = self.session.send(&self.remote, &call, budget, expired).await?;
        read(&answer)
    }
}

/// The code of the first error of an answer with `success: false`.
fn error(answer: &Answer) -> Option<(u64, String)> {
    let body = answer.json()?;
    if body.get("success") != Some(&Value::Bool(false)) {
        return None;
    }
    let error = body.pointer("/errors/0")?;
    let code = error.get("code").and_then(code_of)?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    Some((code, message.to_owned()))
}

/// Codes are texts in the vendor's documents and numbers in some answers.
fn code_of(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// 600 missing, 601 invalid, 602 expired token.
fn expired(answer: &Answer) -> bool {
    answer.status == 401 || error(answer).is_some_and(|(code, _)| (600..=602).contains(&code))
}

fn read(answer: &Answer) -> Result<Value, Outcome> {
    if let Some(outcome) = by_status(VENDOR, answer) {
        return Err(outcome);
    }
    if let Some((code, message)) = error(answer) {
        return Err(refused(code, &message));
    }
    let body = answer.json().unwrap_or_default();
    let record = body.pointer("/result/0").filter(|_| body.get("success") == Some(&json!(true)));
    let Some(record) = record else { return Err(unreadable(VENDOR, answer)) };
    let status = record.get("status").and_then(Value::as_str).unwrap_or_default();
    match (status, record.get("id").and_then(Value::as_u64)) {
        ("created" | "updated", Some(id)) => Ok(json!({ "id": id, "status": status })),
        ("skipped", _) => Err(skipped(record)),
        _ => Err(unreadable(VENDOR, answer)),
    }
}

/// 6xx proves that the call was not executed; 7xx is about its content.
fn refused(code: u64, message: &str) -> Outcome {
    let (reason, retry_after_ms) = match code {
        600..=602 => (Reason::Auth, None),
        603 => (Reason::Config, None),
        606 | 615 => (Reason::Throttled, Some(RATE_WINDOW_MS)),
        607 => (Reason::Throttled, Some(QUOTA_LOOK_MS)),
        502 | 604 | 608 | 611 | 713 => (Reason::Transient, None),
        _ => (Reason::Invalid, None),
    };
    Outcome::Rejected {
        reason,
        detail: format!("Marketo refused: {code}: {message}"),
        retry_after_ms,
    }
}

/// `success: true` with a skipped record: nothing was written.
fn skipped(record: &Value) -> Outcome {
    let reason = record.pointer("/reasons/0").unwrap_or(&Value::Null);
    let code = reason.get("code").and_then(code_of).unwrap_or_default();
    let message = reason.get("message").and_then(Value::as_str).unwrap_or_default();
    let advice = match code {
        1007 => "; merge the leads with this address in Marketo, then resume",
        _ => "",
    };
    invalid(format!("Marketo skipped the lead: {code}: {message}{advice}"))
}

#[async_trait]
impl Adapter for Marketo {
    fn manifests(&self) -> Vec<Manifest> {
        let input = object(
            &["email", "first_name", "last_name", "company", "country"],
            &json!({
                "email": email(),
                "first_name": text(255),
                "last_name": text(255),
                "company": text(255),
                "country": country_code(),
                "program": { "anyOf": [text(255), { "type": "null" }] },
            }),
        );
        let output = gives(&json!({
            "id": { "type": "integer" },
            "status": { "enum": ["created", "updated"] },
        }));
        let summary = "Makes or updates a lead by e-mail address.";
        let class = EffectClass::Natural;
        vec![self.remote.manifest("marketo.upsertLead", summary, class, 0, (input, output))]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        if request.function != "marketo.upsertLead" {
            return unknown_function(request);
        }
        let budget = Budget::of_ms(request.deadline_ms);
        match self.upsert(request, &budget).await {
            Ok(output) => Outcome::Done { output },
            Err(outcome) => outcome,
        }
    }
}
