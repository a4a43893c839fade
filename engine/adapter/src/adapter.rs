//! The trait a plug implements, and the request it is given.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Lookup, Manifest, Outcome};

/// Who asks: enough for a vendor-side reference and a log line, nothing to decide by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Namespace of the definition.
    pub namespace: String,
    /// Name of the definition.
    pub definition: String,
    /// Business key of the instance.
    pub business_key: String,
    /// JSON pointer of the calling task.
    pub task: String,
}

/// One attempt of one effect, built from the committed intent and never from current state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Name of the function (`zuora.createOrder`).
    pub function: String,
    /// The effect key: equal for every repetition of the same effect.
    pub key: Uuid,
    /// The evaluated `with`, valid against the manifest's input schema.
    pub input: Value,
    /// When the intent was first recorded. The same for every repetition, so functions that need
    /// a time of issue take it from here.
    pub intent_at: Timestamp,
    /// Total time of this attempt, in milliseconds.
    pub deadline_ms: u64,
    /// Who asks.
    pub origin: Origin,
}

/// A plug for one vendor, or for a group of local functions.
///
/// Contract (checked by [`crate::contract`]): one call of [`Adapter::perform`] makes at most one
/// attempt, never retries by itself (a refreshed session excepted), ends within
/// `deadline_ms`, and classifies by what the vendor proves. Both methods may be called from any
/// node and at any time after the intent was committed, also twice.
#[async_trait]
pub trait Adapter: std::fmt::Debug + Send + Sync {
    /// The functions this plug offers.
    fn manifests(&self) -> Vec<Manifest>;

    /// Makes one attempt. Failures are outcomes, not errors.
    async fn perform(&self, request: &Request) -> Outcome;

    /// Says whether the effect with this key happened. Only called after the settle time.
    /// The default knows nothing, which sends `lookup` effects to an operator.
    async fn look_up(&self, request: &Request) -> Lookup {
        Lookup::Unknown { detail: format!("{} offers no look-up", request.function) }
    }
}
