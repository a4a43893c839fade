//! Zuora: accounts, orders with payment, subscriptions.
//!
//! Every POST carries the effect key as `Idempotency-Key` (remembered for 24 h) *and* a number
//! chosen by the definition, so an effect can still be found when the key has been forgotten.
//! PUT must not carry a key: those calls read first.

mod account;
mod manifest;
mod order;
mod reply;
mod subscription;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::Value;
use tenure_adapter::{Adapter, Lookup, Manifest, Outcome, Request};
use uuid::Uuid;

use crate::http::{Body, Budget, Call};
use crate::input::unknown_function;
use crate::manifest::Remote;
use crate::session::{Session, Style};

/// Minor version of the API this plug was written against.
const VERSION: &str = "2025-08-12";

/// The plug.
#[derive(Debug)]
pub(crate) struct Zuora {
    remote: Remote,
    session: Session,
}

impl Zuora {
    pub(crate) fn new(remote: Remote) -> Self {
        Self { remote, session: Session::new("/oauth/token", Style::Form) }
    }

    /// One exchange; gives the body of a success.
    async fn call(&self, call: Call, budget: &Budget) -> Result<Value, Outcome> {
        let call = call.header("zuora-version", VERSION);
        let refused = |answer: &crate::http::Answer| answer.status == 401;
        let answer = self.session.send(&self.remote, &call, budget, refused).await?;
        reply::read(&answer)
    }

    async fn get(&self, path: &str, budget: &Budget) -> Result<Value, Outcome> {
        self.call(Call::new(Method::GET, self.remote.url(path)?), budget).await
    }

    /// Reads what may not be there.
    async fn find(&self, path: &str, budget: &Budget) -> Result<Option<Value>, Outcome> {
        let call = Call::new(Method::GET, self.remote.url(path)?).header("zuora-version", VERSION);
        let refused = |answer: &crate::http::Answer| answer.status == 401;
        let answer = self.session.send(&self.remote, &call, budget, refused).await?;
        if reply::is_absent(&answer) {
            return Ok(None);
        }
        reply::read(&answer).map(Some)
    }

    async fn put(&self, path: &str, body: Value, budget: &Budget) -> Result<Value, Outcome> {
        let call = Call::new(Method::PUT, self.remote.url(path)?).body(Body::Json(body));
        self.call(call, budget).await
    }

    /// A keyed POST. The key also travels as `Zuora-Track-Id`, which the vendor's logs show.
    async fn post(
        &self,
        path: &str,
        key: Uuid,
        body: Value,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let call = Call::new(Method::POST, self.remote.url(path)?)
            .header("idempotency-key", key.to_string())
            .header("zuora-track-id", key.to_string())
            .body(Body::Json(body));
        self.call(call, budget).await
    }
}

/// Turns the look-up's own trouble into "cannot say".
fn unanswered(outcome: &Outcome) -> Lookup {
    let detail = match outcome {
        Outcome::Done { .. } => "an answer without meaning".to_owned(),
        Outcome::Rejected { detail, .. }
        | Outcome::Declined { detail, .. }
        | Outcome::NotSent { detail }
        | Outcome::Unknown { detail } => detail.clone(),
        Outcome::Failed { error } => error.detail.clone().unwrap_or_else(|| error.title.clone()),
    };
    Lookup::Unknown { detail }
}

/// A text field of an answer.
fn word(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[async_trait]
impl Adapter for Zuora {
    fn manifests(&self) -> Vec<Manifest> {
        manifest::all(&self.remote)
    }

    async fn perform(&self, request: &Request) -> Outcome {
        let budget = Budget::of_ms(request.deadline_ms);
        let result = match request.function.as_str() {
            "zuora.createAccount" => self.create_account(request, &budget).await,
            "zuora.getAccount" => self.get_account(request, &budget).await,
            "zuora.previewOrder" => self.preview_order(request, &budget).await,
            "zuora.createOrder" => self.create_order(request, &budget).await,
            "zuora.cancelOrder" => self.cancel_order(request, &budget).await,
            "zuora.getSubscription" => self.get_subscription(request, &budget).await,
            "zuora.cancelSubscription" => self.cancel_subscription(request, &budget).await,
            _ => Err(unknown_function(request)),
        };
        result.map_or_else(|outcome| outcome, |output| Outcome::Done { output })
    }

    async fn look_up(&self, request: &Request) -> Lookup {
        let budget = Budget::of_ms(request.deadline_ms);
        let result = match request.function.as_str() {
            "zuora.createAccount" => self.look_up_account(request, &budget).await,
            "zuora.createOrder" => self.look_up_order(request, &budget).await,
            // Reads, and writes that read first: repeating them is the look-up.
            _ => Ok(Lookup::Absent),
        };
        result.unwrap_or_else(|outcome| unanswered(&outcome))
    }
}
