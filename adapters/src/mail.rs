//! Mails through Mailgun.
//!
//! Mailgun has no idempotency key. Each mail therefore carries a `Message-Id` derived from the
//! effect key, and a lost answer is resolved by asking the event log for that id, after the
//! settle time the log needs to be complete.
//!
//! # What a template gets
//! Every field of the call's `data` as a variable of its own, the same once more as `data`, and
//! `to` and `to_name`. The filter `money(currency)` writes minor units as an amount. A variable
//! that is not given is an error, but may be asked for with `if`. `NAME.html` is escaped;
//! `NAME.txt` is not, and its first line is `Subject: ...`.

mod template;

use std::path::Path;

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tenure_adapter::{Adapter, EffectClass, Lookup, Manifest, Outcome, Request};
use uuid::Uuid;

use crate::classify::{by_status, unreadable};
use crate::http::{Answer, Body, Budget, Call, Failure};
use crate::input::{decode, invalid, unknown_function};
use crate::manifest::{Remote, email, gives, object, text};

pub use template::{Rendered, TemplateError, Templates};

const VENDOR: &str = "Mailgun";
/// Mailgun's event log lags behind; it is complete after this.
const SETTLE_MS: u64 = 120_000;
/// Local part of the sender's address unless the definition names one.
const SENDER: &str = "no-reply";
/// Events read for one message: accepted, a few temporary failures, delivered or failed.
const EVENTS_MAX: u32 = 50;

/// The plug.
#[derive(Debug)]
pub(crate) struct Mail {
    remote: Remote,
    templates: Templates,
}

#[derive(Deserialize)]
struct Send {
    template: String,
    to: String,
    to_name: Option<String>,
    profile: Option<String>,
    #[serde(default)]
    data: Map<String, Value>,
    language: Option<String>,
    from: Option<String>,
}

#[derive(Deserialize)]
struct ByMessage {
    message_id: String,
}

impl Mail {
    pub(crate) fn new(remote: Remote, overrides: Option<&Path>) -> Result<Self, std::io::Error> {
        Ok(Self { remote, templates: Templates::open(overrides)? })
    }

    fn message_id(&self, key: Uuid) -> Result<String, Outcome> {
        Ok(format!("{key}@{}", self.remote.connection()?.user))
    }

    async fn send(&self, request: &Request, budget: &Budget) -> Result<Value, Outcome> {
        let input: Send = decode(request)?;
        if matches!(input.profile.as_deref(), Some("Silent" | "Silent Profile")) {
            return Ok(json!({ "message_id": null, "suppressed": true }));
        }
        let message_id = self.message_id(request.key)?;
        let call = self.message(&input, &message_id, request)?;
        let answer = self.remote.client.send(call, budget).await.map_err(Failure::outcome)?;
        if let Some(outcome) = by_status(VENDOR, &answer) {
            return Err(refused(&answer, outcome));
        }
        match answer.json().as_ref().and_then(|body| body.get("id")) {
            Some(Value::String(_)) => Ok(json!({ "message_id": message_id, "suppressed": false })),
            Some(_) | None => Err(unreadable(VENDOR, &answer)),
        }
    }

    /// The request that sends a mail.
    fn message(&self, input: &Send, id: &str, request: &Request) -> Result<Call, Outcome> {
        let connection = self.remote.connection()?;
        let to = address(&input.to, input.to_name.as_deref())?;
        let mut variables = input.data.clone();
        variables.insert("data".to_owned(), Value::Object(input.data.clone()));
        variables.insert("to".to_owned(), json!(input.to));
        variables.insert("to_name".to_owned(), json!(input.to_name));
        let language = input.language.as_deref();
        let mail = self
            .templates
            .render(&input.template, language, &Value::Object(variables))
            .map_err(|error| invalid(error.to_string()))?;
        let sender = input.from.as_deref().unwrap_or(SENDER);
        let parts = [
            ("from", format!("{sender}@{}", connection.user)),
            ("to", to),
            ("subject", mail.subject),
            ("text", mail.text),
            ("html", mail.html),
            ("h:Message-Id", format!("<{id}>")),
            ("v:wf_step", request.key.to_string()),
            ("o:tag", input.template.clone()),
        ];
        let parts = parts.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let url = self.remote.url(&format!("/v3/{}/messages", connection.user))?;
        Ok(self.authorized(Call::new(Method::POST, url))?.body(Body::Multipart(parts)))
    }

    fn authorized(&self, call: Call) -> Result<Call, Outcome> {
        use base64::Engine as _;
        let pair = format!("api:{}", self.remote.connection()?.secret);
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        Ok(call.header("authorization", format!("Basic {basic}")))
    }

    /// The event log of one message, oldest first.
    async fn events(&self, message_id: &str, budget: &Budget) -> Result<Vec<Value>, Outcome> {
        let domain = &self.remote.connection()?.user;
        let url = self.remote.url(&format!("/v3/{domain}/events"))?;
        let call = self
            .authorized(Call::new(Method::GET, url))?
            .query("message-id", message_id)
            .query("ascending", "yes")
            .query("limit", EVENTS_MAX.to_string());
        let answer = self.remote.client.send(call, budget).await.map_err(Failure::outcome)?;
        if let Some(outcome) = by_status(VENDOR, &answer) {
            return Err(refused(&answer, outcome));
        }
        let body = answer.json().unwrap_or_default();
        let items = body.get("items").and_then(Value::as_array);
        Ok(items.ok_or_else(|| unreadable(VENDOR, &answer))?.clone())
    }

    async fn delivery(&self, request: &Request, budget: &Budget) -> Result<Value, Outcome> {
        let ByMessage { message_id } = decode(request)?;
        let events = self.events(message_id.trim_matches(['<', '>']), budget).await?;
        let (mut status, mut reason) = ("pending", Value::Null);
        for event in &events {
            let word = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
            match (word("event"), word("severity")) {
                ("delivered", _) => (status, reason) = ("delivered", Value::Null),
                ("failed", "permanent") => (status, reason) = ("failed", why(event)),
                ("rejected", _) => (status, reason) = ("failed", why(event)),
                ("failed", _) if status == "pending" => reason = why(event),
                _ => {}
            }
        }
        Ok(json!({ "status": status, "reason": reason }))
    }
}

/// Mailgun's 401 and 403 are about our API key, which no refresh cures; 404 may pass.
fn refused(answer: &Answer, outcome: Outcome) -> Outcome {
    use tenure_adapter::Reason;
    let reason = match answer.status {
        401 => Reason::Config,
        404 => Reason::Transient,
        _ => return outcome,
    };
    crate::input::rejected(
        reason,
        format!("Mailgun answered {}: {}", answer.status, answer.excerpt()),
    )
}

/// Why a message was not delivered.
fn why(event: &Value) -> Value {
    let texts = ["/delivery-status/message", "/delivery-status/description", "/reason"];
    let found = texts.iter().filter_map(|pointer| event.pointer(pointer)?.as_str());
    found.into_iter().find(|text| !text.is_empty()).map_or(Value::Null, |text| json!(text))
}

/// The recipient as a header value. Anything that could end the header or name a second
/// recipient is refused.
fn address(to: &str, name: Option<&str>) -> Result<String, Outcome> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "<>,;:\"\\()[]".contains(c);
    let parts: Vec<&str> = to.split('@').collect();
    let [local, domain] = parts.as_slice() else {
        return Err(invalid(format!("{to:?} is not one e-mail address")));
    };
    if local.is_empty() || domain.is_empty() || to.chars().any(bad) {
        return Err(invalid(format!("{to:?} is not one e-mail address")));
    }
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        None => Ok(to.to_owned()),
        Some(name) if name.chars().any(char::is_control) => {
            Err(invalid("the recipient's name contains control characters"))
        }
        Some(name) => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            Ok(format!("\"{quoted}\" <{to}>"))
        }
    }
}

#[async_trait]
impl Adapter for Mail {
    fn manifests(&self) -> Vec<Manifest> {
        let optional = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
        let input = object(
            &["template", "to", "data"],
            &json!({
                "template": { "type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 60 },
                "to": email(),
                "to_name": optional(text(200)),
                "profile": optional(json!({
                    "enum": ["Default", "Default Profile", "Silent", "Silent Profile"]
                })),
                "data": { "type": "object" },
                "language": optional(json!({ "type": "string", "pattern": "^[a-z]{2}$" })),
                "from": optional(json!({
                    "type": "string", "pattern": "^[a-z0-9][a-z0-9.-]*$", "maxLength": 60
                })),
            }),
        );
        let output = gives(&json!({
            "message_id": { "type": ["string", "null"] },
            "suppressed": { "type": "boolean" },
        }));
        let send = self.remote.manifest(
            "mail.send",
            "Sends a mail from a template, in HTML and text; nothing to a silent account.",
            EffectClass::Lookup,
            SETTLE_MS,
            (input, output),
        );
        let input = object(&["message_id"], &json!({ "message_id": text(300) }));
        let output = gives(&json!({
            "status": { "enum": ["pending", "delivered", "failed"] },
            "reason": { "type": ["string", "null"] },
        }));
        let delivery = self.remote.manifest(
            "mail.delivery",
            "Says whether a mail arrived.",
            EffectClass::Natural,
            0,
            (input, output),
        );
        vec![send, delivery]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        let budget = Budget::of_ms(request.deadline_ms);
        let result = match request.function.as_str() {
            "mail.send" => self.send(request, &budget).await,
            "mail.delivery" => self.delivery(request, &budget).await,
            _ => Err(unknown_function(request)),
        };
        result.map_or_else(|outcome| outcome, |output| Outcome::Done { output })
    }

    async fn look_up(&self, request: &Request) -> Lookup {
        if request.function != "mail.send" {
            return Lookup::Absent;
        }
        let budget = Budget::of_ms(request.deadline_ms);
        let found = match self.message_id(request.key) {
            Ok(id) => self.events(&id, &budget).await.map(|events| (id, events)),
            Err(outcome) => Err(outcome),
        };
        match found {
            Ok((_, events)) if events.is_empty() => Lookup::Absent,
            Ok((id, _)) => Lookup::Happened {
                outcome: Outcome::Done { output: json!({ "message_id": id, "suppressed": false }) },
            },
            Err(outcome) => Lookup::Unknown { detail: format!("Mailgun's event log: {outcome:?}") },
        }
    }
}
