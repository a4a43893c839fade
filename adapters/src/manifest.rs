//! Building blocks of manifests, and what every vendor plug holds.

use std::sync::Arc;

use serde_json::{Value, json};
use tenure_adapter::{EffectClass, Manifest, Outcome, RaisedError, RetryDefault};

use crate::Connection;
use crate::http::Client;
use crate::input::config;

/// Total time of an attempt at a vendor unless its manifest says otherwise.
const REMOTE_DEADLINE_MS: u64 = 30_000;
/// Total time of a local function.
const LOCAL_DEADLINE_MS: u64 = 5_000;
/// Retries of proven rejections that are worth it.
const RETRY: RetryDefault = RetryDefault { retries_max: 5, delay_ms: 1_000 };

/// A vendor as a plug sees it.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// Name of the connection.
    pub(crate) name: &'static str,
    /// The shared client.
    pub(crate) client: Arc<Client>,
    connection: Option<Connection>,
}

impl Remote {
    pub(crate) fn new(
        name: &'static str,
        client: Arc<Client>,
        connection: Option<Connection>,
    ) -> Self {
        Self { name, client, connection }
    }

    /// The configured account, or the outcome of calling without one.
    pub(crate) fn connection(&self) -> Result<&Connection, Outcome> {
        self.connection.as_ref().ok_or_else(|| {
            config(format!(
                "no connection `{}` is configured: set its base URL, user and secret",
                self.name
            ))
        })
    }

    /// A full URL at the vendor.
    pub(crate) fn url(&self, path: &str) -> Result<String, Outcome> {
        Ok(format!("{}{path}", self.connection()?.base_url))
    }

    /// A manifest of this vendor, with the connection's own times.
    pub(crate) fn manifest(
        &self,
        name: &str,
        summary: &str,
        class: EffectClass,
        settle_ms: u64,
        schemas: (Value, Value),
    ) -> Manifest {
        let times = self.connection.as_ref();
        Manifest {
            connection: Some(self.name.to_owned()),
            class,
            deadline_ms: times.and_then(|c| c.deadline_ms).unwrap_or(REMOTE_DEADLINE_MS),
            settle_ms: times.and_then(|c| c.settle_ms).unwrap_or(settle_ms),
            ..local(name, summary, schemas)
        }
    }

    /// The same with a longer time of its own, unless the connection says otherwise.
    pub(crate) fn with_deadline(&self, manifest: Manifest, deadline_ms: u64) -> Manifest {
        let own = self.connection.as_ref().and_then(|c| c.deadline_ms);
        Manifest { deadline_ms: own.unwrap_or(deadline_ms), ..manifest }
    }
}

/// A manifest of a local function: natural, free, quick.
pub(crate) fn local(name: &str, summary: &str, (input, output): (Value, Value)) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: summary.to_owned(),
        connection: None,
        input,
        output,
        errors: vec![RaisedError::rejected()],
        class: EffectClass::Natural,
        money: false,
        deadline_ms: LOCAL_DEADLINE_MS,
        settle_ms: 0,
        retry: RETRY,
    }
}

/// A closed object: a misspelt field is refused when the definition runs, not ignored.
pub(crate) fn object(required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// An object that only gives: readers must live with more fields.
pub(crate) fn gives(properties: &Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

/// Non-empty text of at most this many characters.
pub(crate) fn text(max: u32) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max })
}

/// A calendar date.
pub(crate) fn date() -> Value {
    json!({ "type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$" })
}

/// An amount in minor units.
pub(crate) fn amount() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A country code as CRM and marketing accept it.
pub(crate) fn country_code() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z]{2}$", "format": "country" })
}

/// A currency code.
pub(crate) fn currency() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z]{3}$" })
}

/// An e-mail address, roughly; the plugs check more.
pub(crate) fn email() -> Value {
    json!({ "type": "string", "minLength": 3, "maxLength": 254, "pattern": "^[^\\s@,;<>\"]+@[^\\s@,;<>\"]+$" })
}
