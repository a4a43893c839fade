//! The client of Tenure's API: its few verbs and what their answers say.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The definition a purchase is an instance of.
pub(crate) const PURCHASE: &str = "purchase-direct";
/// The definition that asks for the terms.
pub(crate) const EULA: &str = "eula";

/// Longest time for one request.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows of a journal that are read; an acceptance has far fewer.
const JOURNAL_ROWS_MAX: u32 = 500;

/// Why the API gave no answer to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It said no.
    #[error("the API refused with {} {}", .0.status, .0.kind)]
    Refused(Box<Refusal>),
    /// It cannot be reached, or did not answer in time.
    #[error("the API cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// Its answer is not what this client understands.
    #[error("the answer of the API with status {status} cannot be read")]
    Unreadable {
        /// The status.
        status: u16,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// Its answer is too long.
    #[error("the answer of the API is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

/// A problem (RFC 9457).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    /// URI of the kind.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// HTTP status.
    pub(crate) status: u16,
    /// For people.
    pub(crate) title: String,
    /// For people.
    pub(crate) detail: String,
    /// Each finding.
    pub(crate) errors: Vec<Finding>,
    /// With a reused key: the instance it started.
    pub(crate) started: Option<String>,
}

/// One finding of a problem.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Finding {
    /// JSON pointer into the input.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) detail: String,
}

/// An instance, as far as the portal looks at it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) definition: Definition,
    #[serde(default)]
    pub(crate) input: Value,
    #[serde(default)]
    pub(crate) output: Value,
    #[serde(default)]
    pub(crate) error: Option<Problem>,
    #[serde(default)]
    pub(crate) context: Value,
    #[serde(default)]
    pub(crate) waiting_for: Vec<Waiting>,
    #[serde(default)]
    pub(crate) children: Vec<Reference>,
    #[serde(default)]
    pub(crate) started_at: String,
}

/// Whose run an instance is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Definition {
    pub(crate) name: String,
}

/// The error an instance ended with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) detail: Option<String>,
}

/// What a live instance waits for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Waiting {
    #[serde(default)]
    pub(crate) kind: String,
}

/// Another instance.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reference {
    pub(crate) id: String,
}

/// The fate of an event.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Receipt {
    /// The event that counts: with a second acceptance, the first one.
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) delivered_to: Vec<Reference>,
}

#[derive(Deserialize)]
struct Journal {
    items: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    fact: String,
    #[serde(default)]
    event: Value,
}

/// The API.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    root: String,
    token: Option<String>,
}

impl Api {
    pub(crate) fn new(root: &str, token: Option<String>) -> Result<Self, Error> {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::trace!("the TLS provider was installed before");
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            // The API never redirects; following one would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, root: root.trim_end_matches('/').to_owned(), token })
    }

    /// Starts a purchase. The same key with the same input gives the same instance.
    pub(crate) async fn start(&self, key: &str, input: &Value) -> Result<Instance, Error> {
        let path = format!("/v1/definitions/{PURCHASE}/instances");
        let request = self.request(Method::POST, &path).header("Idempotency-Key", key).json(input);
        self.answer(request).await
    }

    /// Reads an instance; `None` when there is none.
    pub(crate) async fn instance(&self, id: &str) -> Result<Option<Instance>, Error> {
        let path = format!("/v1/instances/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
        match self.answer(self.request(Method::GET, &path)).await {
            Ok(instance) => Ok(Some(instance)),
            // A malformed id is an id of nothing.
            Err(Error::Refused(refusal)) if matches!(refusal.status, 400 | 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Events an instance emitted, oldest first.
    pub(crate) async fn emitted(&self, id: &str) -> Result<Vec<Value>, Error> {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        let path = format!("/v1/instances/{id}/journal?limit={JOURNAL_ROWS_MAX}");
        let journal: Journal = self.answer(self.request(Method::GET, &path)).await?;
        let entries = journal.items.into_iter().flat_map(|row| row.entries);
        Ok(entries.filter(|e| e.fact == "event_emitted").map(|e| e.event).collect())
    }

    /// Sends an event somebody must be waiting for; `None` when nobody is.
    pub(crate) async fn send_strictly(&self, event: &Value) -> Result<Option<Receipt>, Error> {
        let request = self
            .request(Method::POST, "/v1/events")
            .header("Prefer", "handling=strict")
            .header(header::CONTENT_TYPE, "application/cloudevents+json")
            .body(event.to_string());
        match self.answer(request).await {
            Ok(receipt) => Ok(Some(receipt)),
            Err(Error::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What became of an event; `None` when it never came.
    pub(crate) async fn fate(&self, source: &str, id: &str) -> Result<Option<Receipt>, Error> {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let path = format!("/v1/events?source={}&id={}", encode(source), encode(id));
        match self.answer(self.request(Method::GET, &path)).await {
            Ok(receipt) => Ok(Some(receipt)),
            Err(Error::Refused(refusal)) if matches!(refusal.status, 400 | 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.root));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let mut response = request.send().await?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|source| Error::Unreadable { status: status.as_u16(), source });
        }
        Err(Error::Refused(Box::new(refusal(status, &bytes))))
    }
}

/// A refusal is one whatever its body says: a proxy in between may answer with HTML.
fn refusal(status: StatusCode, bytes: &[u8]) -> Refusal {
    let mut refusal: Refusal = serde_json::from_slice(bytes).unwrap_or_default();
    refusal.status = status.as_u16();
    refusal
}
