//! The front desk of a played vendor: sessions, idempotency keys, faults, effects.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fault::{self, FAULTS_MAX, Fault, FaultKind};
use super::ledger::{self, Action, ENTRIES_MAX, Effect, LedgerEntry};
use super::{Vendor, marketo, salesforce, zuora};

/// How long an answer that never comes is withheld: longer than any client's deadline.
const SILENCE: Duration = Duration::from_secs(180);
/// Longest planned delay.
const DELAY_MAX_MS: u64 = 180_000;
/// Most sessions that are remembered.
const TOKENS_MAX: usize = 10_000;

/// One vendor's state.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) vendor: Vendor,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    documents: Documents,
    entries: Vec<LedgerEntry>,
    /// Index of the remembered answer by idempotency key.
    answered: HashMap<String, usize>,
    /// Keys whose first request is still at work.
    busy: HashSet<String>,
    faults: Vec<Fault>,
    tokens: HashSet<String>,
    file: Option<File>,
}

/// The things a vendor has, by kind and number.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<(String, String), Value>);

impl Documents {
    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        self.0.get(&(kind.to_owned(), id.to_owned()))
    }

    pub(super) fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter(move |((k, _), _)| k == kind).map(|((_, id), v)| (id.as_str(), v))
    }

    /// The next running number of a kind.
    pub(super) fn next(&self, kind: &str) -> usize {
        self.all(kind).count() + 1
    }
}

/// A request as the desk sees it.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) operation: &'static str,
    pub(super) key: Option<String>,
    pub(super) fingerprint: String,
    pub(super) request: Value,
}

/// What the vendor's own rules made of a request.
#[derive(Debug)]
pub(super) struct Worked {
    pub(super) status: u16,
    pub(super) reply: Value,
    pub(super) effects: Vec<Effect>,
}

impl Worked {
    /// An answer without effect.
    pub(super) fn only(status: u16, reply: Value) -> Self {
        Self { status, reply, effects: Vec::new() }
    }
}

impl Ask {
    pub(super) fn new(
        operation: &'static str,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let mut digest = Sha256::new();
        digest.update(operation.as_bytes());
        digest.update(path.as_bytes());
        digest.update([0]);
        digest.update(body);
        let fingerprint = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
        let request = serde_json::from_slice(body).unwrap_or(Value::Null);
        Self { operation, key: key.map(str::to_owned), fingerprint, request }
    }
}

/// What is done about a request before the vendor's rules see it.
enum Entry {
    /// Answered already.
    Answer(Response),
    /// To be worked on, with this fault.
    Work(Option<FaultKind>),
}

impl Desk {
    /// Opens a vendor with the ledger of a folder, or with an empty one in memory.
    pub(super) fn open(vendor: Vendor, dir: Option<&Path>) -> Result<Self, Error> {
        let mut books = Books::default();
        if let Some(dir) = dir {
            std::fs::create_dir_all(dir)?;
            let (file, entries) = ledger::open(&dir.join(format!("{vendor}.jsonl")))?;
            for entry in entries {
                books.remember(entry);
            }
            books.file = Some(file);
        }
        Ok(Self { vendor, books: Mutex::new(books) })
    }

    /// A handler that panicked leaves books that are whole: they change only in `record`.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ledger(&self) -> Vec<LedgerEntry> {
        self.books().entries.iter().filter(|entry| !entry.effects.is_empty()).cloned().collect()
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        self.books().faults.clone()
    }

    pub(super) fn set_faults(&self, mut faults: Vec<Fault>) {
        faults.truncate(FAULTS_MAX);
        self.books().faults = faults;
    }

    /// Reads the vendor's things.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Documents) -> T) -> T {
        read(&self.books().documents)
    }

    /// A new session, when the credentials fit.
    pub(super) fn open_session(&self, user: &str, secret: &str) -> Option<String> {
        if (user, secret) != self.vendor.credentials() {
            return None;
        }
        let mut books = self.books();
        if books.tokens.len() >= TOKENS_MAX {
            books.tokens.clear();
        }
        let token = uuid::Uuid::now_v7().to_string();
        books.tokens.insert(token.clone());
        Some(token)
    }

    /// Whether a request carries a session of ours.
    pub(super) fn knows(&self, headers: &HeaderMap) -> bool {
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| self.books().tokens.contains(token))
    }

    /// Serves one request: faults, keys, the vendor's rules, the ledger. The work goes on when
    /// the client leaves, as it does at a real vendor.
    pub(super) async fn serve(
        self: &Arc<Self>,
        ask: Ask,
        work: impl FnOnce(&Documents, Option<&FaultKind>) -> Worked + Send + 'static,
    ) -> Response {
        let desk = Arc::clone(self);
        let worker = tokio::spawn(async move { desk.work(ask, work).await });
        match worker.await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(%error, "the sandbox failed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    async fn work(
        &self,
        ask: Ask,
        work: impl FnOnce(&Documents, Option<&FaultKind>) -> Worked,
    ) -> Response {
        let planned = fault::take(&mut self.books().faults, ask.operation);
        if let Some(response) = self.before(planned.as_ref()).await {
            return response;
        }
        let planned = match self.enter(&ask, planned) {
            Entry::Answer(response) => return response,
            Entry::Work(planned) => planned,
        };
        if let Some(FaultKind::Delay { delay_ms }) = planned {
            tokio::time::sleep(Duration::from_millis(delay_ms.min(DELAY_MAX_MS))).await;
        }
        let response =
            self.books().record(self.vendor, ask, |documents| work(documents, planned.as_ref()));
        match planned {
            Some(FaultKind::EffectThenTimeout) => silence().await,
            Some(FaultKind::EffectThenDrop) => cut(),
            Some(FaultKind::EffectThenGarbage) => garbage(),
            Some(FaultKind::EffectThenStatus { status }) => failing(status, None),
            Some(
                FaultKind::Status { .. }
                | FaultKind::Refuse { .. }
                | FaultKind::Delay { .. }
                | FaultKind::Timeout
                | FaultKind::Drop
                | FaultKind::Garbage
                | FaultKind::Decline { .. }
                | FaultKind::DeclineKept { .. },
            )
            | None => response,
        }
    }

    /// Faults that keep the request from having any effect.
    async fn before(&self, planned: Option<&FaultKind>) -> Option<Response> {
        match planned? {
            FaultKind::Status { status, retry_after_s } => Some(failing(*status, *retry_after_s)),
            FaultKind::Refuse { code, message } => {
                let (status, reply) = match self.vendor {
                    Vendor::Zuora => zuora::refusal(code, message),
                    Vendor::Salesforce => salesforce::refusal(code, message),
                    Vendor::Marketo => marketo::refusal(code, message),
                    Vendor::Mailgun => (400, json!({ "message": message })),
                };
                Some(answer(status, &reply))
            }
            FaultKind::Timeout => Some(silence().await),
            FaultKind::Drop => Some(cut()),
            FaultKind::Garbage => Some(garbage()),
            FaultKind::Delay { .. }
            | FaultKind::EffectThenTimeout
            | FaultKind::EffectThenDrop
            | FaultKind::EffectThenGarbage
            | FaultKind::EffectThenStatus { .. }
            | FaultKind::Decline { .. }
            | FaultKind::DeclineKept { .. } => None,
        }
    }

    /// Idempotency: the same key and body give the stored answer, another body 422, a first
    /// request still at work 409.
    fn enter(&self, ask: &Ask, planned: Option<FaultKind>) -> Entry {
        let Some(key) = &ask.key else { return Entry::Work(planned) };
        let mut books = self.books();
        let stored = books.answered.get(key).and_then(|index| books.entries.get(*index));
        if let Some(entry) = stored {
            return Entry::Answer(if entry.fingerprint == ask.fingerprint {
                answer(entry.status, &entry.reply)
            } else {
                answer(
                    422,
                    &json!({ "message": "the idempotency key was used for another request" }),
                )
            });
        }
        if !books.busy.insert(key.clone()) {
            let text = "a request with this idempotency key is in progress";
            return Entry::Answer(answer(409, &json!({ "message": text })));
        }
        Entry::Work(planned)
    }
}

impl Books {
    /// Applies the vendor's rules and writes what they did, before anybody hears of it.
    fn record(
        &mut self,
        vendor: Vendor,
        ask: Ask,
        work: impl FnOnce(&Documents) -> Worked,
    ) -> Response {
        if let Some(key) = &ask.key {
            self.busy.remove(key);
        }
        if self.entries.len() >= ENTRIES_MAX {
            let text = format!("the sandbox's ledger is full ({ENTRIES_MAX} entries)");
            return answer(507, &json!({ "message": text }));
        }
        let Worked { status, reply, effects } = work(&self.documents);
        let response = answer(status, &reply);
        if effects.is_empty() && ask.key.is_none() {
            return response;
        }
        let seq = u64::try_from(self.entries.len()).unwrap_or(u64::MAX).saturating_add(1);
        let Ask { operation, key, fingerprint, request } = ask;
        let operation = operation.to_owned();
        let at = Timestamp::now();
        let entry = LedgerEntry {
            seq,
            at,
            vendor,
            operation,
            key,
            fingerprint,
            request,
            status,
            reply,
            effects,
        };
        if let Some(file) = &mut self.file
            && let Err(error) = ledger::append(file, &entry)
        {
            tracing::error!(%vendor, %error, "the sandbox's ledger cannot be written");
            return answer(500, &json!({ "message": "the sandbox's ledger cannot be written" }));
        }
        self.remember(entry);
        response
    }

    fn remember(&mut self, entry: LedgerEntry) {
        for effect in &entry.effects {
            if effect.action != Action::Declined {
                let place = (effect.kind.clone(), effect.id.clone());
                self.documents.0.insert(place, effect.document.clone());
            }
        }
        if let Some(key) = &entry.key {
            self.answered.insert(key.clone(), self.entries.len());
        }
        self.entries.push(entry);
    }
}

/// A JSON answer.
pub(super) fn answer(status: u16, reply: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(reply.clone())).into_response()
}

fn failing(status: u16, retry_after_s: Option<u64>) -> Response {
    let mut response = answer(status, &json!({ "message": "scripted fault" }));
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn silence() -> Response {
    tokio::time::sleep(SILENCE).await;
    StatusCode::GATEWAY_TIMEOUT.into_response()
}

/// The head of an answer, and then the connection breaks.
fn cut() -> Response {
    let broken =
        futures::stream::once(async { Err::<axum::body::Bytes, _>(Error::other("scripted cut")) });
    Response::new(Body::from_stream(broken))
}

fn garbage() -> Response {
    "<html><body>Welcome to the load balancer".into_response()
}
