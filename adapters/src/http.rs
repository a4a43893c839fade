//! The one HTTP client of all plugs: no retry, no redirect, a total deadline per exchange, a cap
//! on answers, and an honest statement of what a failed exchange proves.
//!
//! Retries are off at every layer on purpose: only the machine may repeat an effect, because only
//! the machine has written down the intent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{HOST, HeaderMap};
use reqwest::{Method, Url};
use serde_json::Value;
use tenure_adapter::Outcome;

use crate::CallRecord;
use crate::input::config;

/// Largest answer that is read. Vendors' answers to our calls are a few kilobytes.
pub const BODY_MAX_BYTES: usize = 1024 * 1024;
/// Longest time to a connection, TLS included. Failing here proves that nothing was sent, so a
/// short limit turns "unknown" into "not sent".
pub const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Idle connections are dropped before usual load balancers drop them (60 s), so that a request
/// rarely meets a connection that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Filled with every exchange.
pub type Recorder = Arc<Mutex<Vec<CallRecord>>>;

/// What a request carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(Value),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// `multipart/form-data` with text parts.
    Multipart(Vec<(String, String)>),
    /// Exactly these bytes; their type is a header of the call.
    Bytes(Vec<u8>),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Full URL.
    pub url: String,
    /// Query parameters, encoded by the client.
    pub query: Vec<(String, String)>,
    /// Headers; values may be secret and are never logged.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// Body.
    pub body: Body,
    /// Whether the query holds a secret, and so must not be recorded.
    pub hide_query: bool,
    /// Largest answer that is read, in bytes; [`BODY_MAX_BYTES`] unless a call says otherwise.
    pub answer_max: usize,
}

impl Call {
    /// A request without headers, query and body.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            hide_query: false,
            answer_max: BODY_MAX_BYTES,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most [`Call::answer_max`].
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, if it is that.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The beginning of the body, for people.
    #[must_use]
    pub fn excerpt(&self) -> String {
        /// Enough to recognize an error page by.
        const EXCERPT_MAX_CHARS: usize = 300;
        String::from_utf8_lossy(&self.body).chars().take(EXCERPT_MAX_CHARS).collect()
    }
}

/// Why there is no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request could not even be built; repeating it cannot help.
    #[error("the request cannot be built: {0}")]
    Unbuildable(String),
    /// Failed before the first byte: name resolution, connect, TLS, or no time left.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Something may have been sent, and no complete answer came.
    #[error("no complete answer: {detail}")]
    Lost {
        /// Why the answer ended.
        cut: Cut,
        /// The status, when at least that was received.
        status: Option<u16>,
        /// What was seen.
        detail: String,
    },
}

/// How an answer that is not complete ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The connection broke.
    Broken,
    /// The time of the attempt was over.
    TimedOut,
    /// It is larger than what is read.
    TooLarge,
}

impl Failure {
    /// What it means for an effect that was being attempted.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Unbuildable(detail) => config(detail),
            Self::NotSent(detail) => Outcome::NotSent { detail },
            Self::Lost { detail, .. } => Outcome::Unknown { detail },
        }
    }
}

/// The time one attempt may still take, over all its exchanges.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    ends: Instant,
}

impl Budget {
    /// Starts now.
    #[must_use]
    pub fn of_ms(deadline_ms: u64) -> Self {
        Self::of(Duration::from_millis(deadline_ms))
    }

    /// Starts now.
    #[must_use]
    pub fn of(total: Duration) -> Self {
        Self { ends: Instant::now() + total }
    }

    /// What is left; zero when it is over.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }
}

/// The client.
#[derive(Debug)]
pub struct Client {
    outward: reqwest::Client,
    /// Loopback and resolved hosts never go through a proxy of the surroundings.
    direct: reqwest::Client,
    resolve: BTreeMap<String, SocketAddr>,
    recorder: Option<Recorder>,
}

impl Client {
    /// Builds the client and installs the TLS provider of the process once.
    ///
    /// # Errors
    /// When the system's root certificates cannot be used.
    pub fn new(
        resolve: BTreeMap<String, SocketAddr>,
        recorder: Option<Recorder>,
    ) -> Result<Self, std::io::Error> {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::trace!("the TLS provider was installed before");
        }
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_MAX)
                .pool_idle_timeout(IDLE_MAX)
                .user_agent(concat!("tenure/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            outward: builder().build().map_err(std::io::Error::other)?,
            direct: builder().no_proxy().build().map_err(std::io::Error::other)?,
            resolve,
            recorder,
        })
    }

    /// Makes one exchange within what is left of the budget.
    ///
    /// # Errors
    /// Says what the missing answer proves.
    pub async fn send(&self, call: Call, budget: &Budget) -> Result<Answer, Failure> {
        let left = budget.left();
        if left.is_zero() {
            return Err(Failure::NotSent("no time was left for the request".to_owned()));
        }
        let mut written = Url::parse(&call.url)
            .map_err(|error| Failure::Unbuildable(format!("{}: {error}", call.url)))?;
        if !call.query.is_empty() {
            written.query_pairs_mut().extend_pairs(&call.query);
        }
        let at = Timestamp::now();
        let result = self.exchange(&call, &written, left).await;
        let status = result.as_ref().ok().map(|answer| answer.status);
        if call.hide_query {
            written.set_query(None);
        }
        tracing::debug!(method = %call.method, url = %written, status, "exchange");
        if let Some(recorder) = &self.recorder
            && let Ok(mut records) = recorder.lock()
        {
            let method = call.method.to_string();
            records.push(CallRecord { method, url: written.to_string(), status, at });
        }
        result
    }

    async fn exchange(&self, call: &Call, url: &Url, left: Duration) -> Result<Answer, Failure> {
        let (client, target, host) = self.route(url)?;
        let mut request = client.request(call.method.clone(), target).timeout(left);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        for (name, value) in &call.headers {
            request = request.header(name.as_ref(), value);
        }
        request = match &call.body {
            Body::Empty => request,
            Body::Json(value) => request.json(value),
            Body::Form(pairs) => request.form(pairs),
            Body::Bytes(bytes) => request.body(bytes.clone()),
            Body::Multipart(pairs) => {
                let form = reqwest::multipart::Form::new();
                request.multipart(
                    pairs
                        .iter()
                        .fold(form, |form, (name, value)| form.text(name.clone(), value.clone())),
                )
            }
        };
        let mut response = request.send().await.map_err(|error| failure(error, None))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| failure(error, Some(status)))?
        {
            if body.len() + chunk.len() > call.answer_max {
                let detail =
                    format!("the answer (status {status}) exceeds {} bytes", call.answer_max);
                return Err(Failure::Lost { cut: Cut::TooLarge, status: Some(status), detail });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// Where a URL is really sent, and the `Host` it keeps when that is elsewhere.
    fn route(&self, url: &Url) -> Result<(&reqwest::Client, Url, Option<String>), Failure> {
        let host = url.host_str().unwrap_or_default();
        if let Some(address) = self.resolve.get(host) {
            let unbuildable = || Failure::Unbuildable(format!("{url} cannot be sent to {address}"));
            let mut target = url.clone();
            target.set_scheme("http").map_err(|()| unbuildable())?;
            target.set_ip_host(address.ip()).map_err(|()| unbuildable())?;
            target.set_port(Some(address.port())).map_err(|()| unbuildable())?;
            let name = match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            };
            return Ok((&self.direct, target, Some(name)));
        }
        let bare = host.trim_matches(['[', ']']);
        let loopback =
            bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        Ok((if loopback { &self.direct } else { &self.outward }, url.clone(), None))
    }
}

/// A text as one path segment. A dot is escaped too: an external id that ends in `.inc` is a known
/// trap at Salesforce.
pub(crate) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// What a transport error proves. Errors of the connector come before the first byte of the
/// request; everything else may have happened after it.
fn failure(error: reqwest::Error, status: Option<u16>) -> Failure {
    let error = error.without_url();
    let mut detail = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    if error.is_builder() {
        Failure::Unbuildable(detail)
    } else if error.is_connect() {
        Failure::NotSent(detail)
    } else {
        let cut = if error.is_timeout() { Cut::TimedOut } else { Cut::Broken };
        Failure::Lost { cut, status, detail }
    }
}
