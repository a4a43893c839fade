//! What a function of the catalog declares about itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error_type;

/// How an effect is protected against happening twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum EffectClass {
    /// The vendor honors our key: the same key never acts twice while it lives.
    Keyed {
        /// How long the vendor remembers a key, in milliseconds.
        key_life_ms: u64,
    },
    /// Repeating the request leads to the same state (an upsert, a read, a pure function).
    Natural,
    /// No key, but the effect can be found again; looked up before any second try.
    Lookup,
    /// Never sent a second time: an unknown outcome needs a person.
    AtMostOnce,
    /// May be sent twice; the author must declare that this is acceptable.
    AtLeastOnce,
}

/// What the names of functions that only ask begin with.
const QUESTIONS: [&str; 9] =
    ["get", "find", "list", "search", "preview", "read", "query", "look", "delivery"];

/// How often and how slowly a *rejected* call is tried again before the definition hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryDefault {
    /// Tries after the first one.
    pub retries_max: u32,
    /// Delay before the first retry, in milliseconds; doubles with each further one.
    pub delay_ms: u64,
}

/// An error of the language that a function may end with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedError {
    /// Type URI, as `catch.errors.with.type` names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Status, where it is always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When, in words for authors.
    pub when: String,
}

impl RaisedError {
    /// The vendor refused for good, or the retries are used up.
    #[must_use]
    pub fn rejected() -> Self {
        Self {
            kind: error_type::REJECTED.to_owned(),
            status: None,
            when: "refused, with `data.reason`; passing reasons were retried before".to_owned(),
        }
    }

    /// The business said no.
    #[must_use]
    pub fn declined() -> Self {
        Self {
            kind: error_type::DECLINED.to_owned(),
            status: Some(402),
            when: "the payment was declined, with `data.class` and `data.code`".to_owned(),
        }
    }

    /// One of the standard types.
    #[must_use]
    pub fn standard(name: &str, status: Option<u16>, when: &str) -> Self {
        Self { kind: format!("{}{name}", error_type::STANDARD), status, when: when.to_owned() }
    }
}

/// A function of the default catalog: its contract, its effect class and its times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `vendor.operation`, as written in `call:`.
    pub name: String,
    /// Semantic version, `major.minor.patch`.
    pub version: String,
    /// One sentence for authors.
    pub summary: String,
    /// The connection it uses (a configured account at a vendor), or `None` for local functions.
    pub connection: Option<String>,
    /// JSON Schema of `with`.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// Errors it may end with, besides `validation` of its arguments. An outcome that nobody can tell
    /// is no error: it is settled, or an incident.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<RaisedError>,
    /// Protection against doubling.
    #[serde(flatten)]
    pub class: EffectClass,
    /// Whether the call moves money; such calls refuse to register as `at-least-once`.
    pub money: bool,
    /// Total time of one attempt, in milliseconds, from the first byte to the last.
    pub deadline_ms: u64,
    /// How long the vendor may still be acting after we stopped listening, in milliseconds.
    /// A look-up before that time proves nothing.
    pub settle_ms: u64,
    /// Retries of proven rejections.
    pub retry: RetryDefault,
}

impl Manifest {
    /// Whether a `natural` function changes nothing outside, so that nobody has to know whether it was
    /// called: it has no vendor, or its name is that of a question.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        let verb = self.name.rsplit('.').next().unwrap_or_default();
        let asks = QUESTIONS.iter().any(|question| {
            verb.strip_prefix(question)
                .is_some_and(|rest| rest.chars().next().is_none_or(|next| !next.is_lowercase()))
        });
        let is_web = matches!(self.name.as_str(), "http" | "openapi");
        self.class == EffectClass::Natural
            && !self.money
            && !is_web
            && (asks || self.connection.is_none())
    }

    /// The full name a definition pins, `name:version@default`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}@default", self.name, self.version)
    }
}
