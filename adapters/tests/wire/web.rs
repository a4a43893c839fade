//! `call: http` and `call: openapi` against real HTTP on loopback: a service that is scripted by a
//! function, and one that breaks its connections.

mod auth;
mod broken;
mod http;
mod openapi;
mod redirect;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::http::Response;
use serde_json::{Value, json};
use tenure_adapter::{Origin, Outcome, Problem, Registry, Request};
use tenure_adapters::{CallRecord, Settings};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A request as the service got it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body of a form.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        let url = reqwest::Url::parse(&format!("form:?{}", self.body)).unwrap();
        url.query_pairs().into_owned().collect()
    }
}

/// What the service answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::status(200).body("application/json", value.to_string())
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::status(status).header("location", to)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }
}

/// A scripted service.
pub(crate) struct Service {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (keep, script) = (Arc::clone(&seen), Arc::new(script));
        let router = axum::Router::new().fallback(move |incoming: Incoming| {
            let (keep, script) = (Arc::clone(&keep), Arc::clone(&script));
            async move {
                let (parts, body) = incoming.into_parts();
                let body = axum::body::to_bytes(body, 8 << 20).await.unwrap();
                let headers = parts.headers.iter().map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                });
                let one = Seen {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers: headers.collect(),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                keep.lock().unwrap().push(one.clone());
                let reply = script(&one);
                let mut response = Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(reply.body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, server }
    }

    /// Always the same answer.
    pub(crate) async fn answering(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().unwrap()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

/// The plugs, and a record of every exchange.
pub(crate) struct Desk {
    registry: Registry,
    recorder: Arc<Mutex<Vec<CallRecord>>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::of(Settings::default())
    }

    /// A desk for which a service is at `shop.example`, whatever the scheme.
    pub(crate) fn with_shop(service: &Service) -> Self {
        let address = service.url.strip_prefix("http://").unwrap().parse().unwrap();
        let resolve = BTreeMap::from([("shop.example".to_owned(), address)]);
        Self::of(Settings { resolve, ..Settings::default() })
    }

    fn of(settings: Settings) -> Self {
        let recorder = Arc::new(Mutex::new(Vec::new()));
        let settings = Settings { recorder: Some(Arc::clone(&recorder)), ..settings };
        Self { registry: tenure_adapters::registry(settings).unwrap(), recorder }
    }

    pub(crate) async fn call(&self, function: &str, input: Value) -> Outcome {
        self.call_within(function, input, 10_000).await
    }

    /// Calls with an input that must fit the manifest.
    pub(crate) async fn call_within(&self, function: &str, input: Value, ms: u64) -> Outcome {
        let manifest = self.registry.catalog().resolve(function).unwrap();
        let schema = jsonschema::validator_for(&manifest.input).unwrap();
        let errors: Vec<_> = schema.iter_errors(&input).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{function}: {errors:?} in {input}");
        let request = Request {
            function: function.to_owned(),
            key: Uuid::nil(),
            input,
            intent_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            deadline_ms: ms,
            origin: Origin {
                namespace: "test".to_owned(),
                definition: "test".to_owned(),
                business_key: "key".to_owned(),
                task: "/do/0".to_owned(),
            },
        };
        self.registry.adapter(function).unwrap().perform(&request).await
    }

    pub(crate) async fn http(&self, input: Value) -> Outcome {
        self.call("http", input).await
    }

    /// Everything that a log or a report could show of the exchanges.
    pub(crate) fn records(&self) -> String {
        format!("{:?}", self.recorder.lock().unwrap())
    }
}

/// An outcome in few words: what kind it is, and the status of an error.
pub(crate) fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { .. } => "done".to_owned(),
        Outcome::Failed { error } => {
            format!("{} {}", error.kind.rsplit('/').next().unwrap(), error.status)
        }
        Outcome::NotSent { .. } => "not sent".to_owned(),
        Outcome::Unknown { .. } => "unknown".to_owned(),
        Outcome::Rejected { reason, .. } => format!("rejected {reason:?}"),
        Outcome::Declined { .. } => "declined".to_owned(),
    }
}

pub(crate) fn output(outcome: Outcome) -> Value {
    let Outcome::Done { output } = outcome else { panic!("expected done, got {outcome:?}") };
    output
}

pub(crate) fn error(outcome: Outcome) -> Problem {
    let Outcome::Failed { error } = outcome else { panic!("expected an error, got {outcome:?}") };
    error
}

/// The outcome must be this error, in words that contain these.
pub(crate) fn fails(outcome: Outcome, expected: &str, words: &str) {
    assert_eq!(kind(&outcome), expected, "{outcome:?}");
    let detail = error(outcome).detail.unwrap();
    assert!(detail.contains(words), "{detail:?} does not say {words:?}");
}

pub(crate) fn get(url: &str) -> Value {
    json!({ "method": "get", "endpoint": { "uri": url } })
}

/// An object with further fields.
pub(crate) fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more} is no object") };
    base.as_object_mut().unwrap().extend(more);
    base
}
