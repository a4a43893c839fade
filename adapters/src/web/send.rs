//! One request over as many hops as it takes, and what is given back of its answer.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use tenure_adapter::{Outcome, Problem};

use super::answer;
use super::auth::Auth;
use super::input::{Form, Output};
use super::mask::{self, Mask, is_credential};
use super::proof::{Promise, configuration};
use super::token::Tokens;
use crate::http::{Answer, Body, Budget, Call, Client, Failure};

/// Most redirects that are followed.
pub(crate) const REDIRECTS_MAX: usize = 10;
/// What may travel to another origin. Everything else that the author wrote was meant for the
/// first one, and nobody knows which header is a key.
const NEUTRAL: [&str; 4] = ["accept", "accept-language", "content-language", "content-type"];
/// Longest words of an outcome, in characters. They may quote a stranger: a document, a header, the
/// target of a redirect.
const WORDS_MAX_CHARS: usize = 2_000;

/// A request that is ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    pub(crate) auth: Option<Auth>,
    /// The header that carries the effect key.
    pub(crate) key_header: Option<(String, String)>,
    pub(crate) promise: Promise,
    /// Largest answer that is read, in bytes.
    pub(crate) answer_max: usize,
}

/// The last answer, and the request it answers.
pub(crate) struct Received {
    pub(crate) answer: Answer,
    pub(crate) url: Url,
    method: Method,
    headers: Vec<(String, String)>,
    promise: Promise,
}

/// Sends requests; knows tokens.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Arc<Client>,
    tokens: Tokens,
}

impl Sender {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client, tokens: Tokens::default() }
    }

    /// Sends a request and reads its answer in the form that the definition wants.
    pub(crate) async fn call(&self, outgoing: Outgoing, form: Form, budget: &Budget) -> Outcome {
        let mut mask = outgoing.mask();
        let result = match self.exchange(outgoing, form.redirect, budget, &mut mask).await {
            Ok(received) => received.read(&form, &mask),
            Err(stopped) => Err(stopped),
        };
        match result {
            Ok(output) => Outcome::Done { output },
            Err(stopped) => masked(stopped, &mask),
        }
    }

    /// Sends a request and follows its redirects. Whatever its status, the last answer is given.
    pub(crate) async fn exchange(
        &self,
        mut hop: Outgoing,
        follow: bool,
        budget: &Budget,
        mask: &mut Mask,
    ) -> Result<Received, Outcome> {
        let mut hops = 0;
        loop {
            let answer =
                self.one(&hop, follow, budget, mask).await.map_err(|o| hop.promise.doubt(o))?;
            let target = answer.header("location").filter(|_| follow && redirects(answer.status));
            let Some(target) = target else {
                let Outgoing { method, url, headers, promise, .. } = hop;
                return Ok(Received { answer, url, method, headers, promise });
            };
            let target = if hops < REDIRECTS_MAX {
                next(&hop.url, target)
            } else {
                Err(format!("these are more than {REDIRECTS_MAX} redirects"))
            };
            let target = target.map_err(|why| {
                let detail = format!("{} answered {}: {why}", hop.name(), answer.status);
                hop.promise_after(answer.status, follow).status(answer.status, detail, None)
            })?;
            hop.turn(answer.status, target);
            hops += 1;
        }
    }

    /// One exchange; a refused token is renewed once: a 401 proves that nothing happened.
    async fn one(
        &self,
        hop: &Outgoing,
        follow: bool,
        budget: &Budget,
        mask: &mut Mask,
    ) -> Result<Answer, Outcome> {
        let (authorization, policy) = match &hop.auth {
            None => (None, None),
            Some(Auth::Basic { username, password }) => {
                let pair = STANDARD.encode(format!("{username}:{password}"));
                (Some(format!("Basic {pair}")), None)
            }
            Some(Auth::Bearer { token }) => (Some(format!("Bearer {token}")), None),
            Some(Auth::Token(policy)) => {
                let token = self.tokens.get(policy, None, &self.client, budget).await?;
                mask.hide(&token);
                (Some(format!("Bearer {token}")), Some((policy, token)))
            }
        };
        let answer = self.send(hop, follow, authorization, budget).await?;
        let Some((policy, stale)) = policy.filter(|_| answer.status == 401) else {
            return Ok(answer);
        };
        let token = self.tokens.get(policy, Some(&stale), &self.client, budget).await?;
        mask.hide(&token);
        self.send(hop, follow, Some(format!("Bearer {token}")), budget).await
    }

    async fn send(
        &self,
        hop: &Outgoing,
        follow: bool,
        authorization: Option<String>,
        budget: &Budget,
    ) -> Result<Answer, Outcome> {
        let mut call = Call {
            // Nobody knows which parameter is a key, so no query is recorded.
            hide_query: true,
            answer_max: hop.answer_max,
            ..Call::new(hop.method.clone(), hop.url.as_str())
        };
        for (name, value) in hop.headers.iter().chain(&hop.key_header) {
            call = call.header(name.clone(), value.clone());
        }
        if let Some(value) = authorization {
            if reqwest::header::HeaderValue::from_str(&value).is_err() {
                return Err(configuration(
                    "the credentials have characters that no header can carry",
                ));
            }
            call = call.header("authorization", value);
        }
        let answer =
            self.client.send(call.body(hop.body.clone()), budget).await.map_err(|failure| {
                let promise = match &failure {
                    Failure::Lost { status: Some(status), .. } => {
                        hop.promise_after(*status, follow)
                    }
                    Failure::Lost { status: None, .. }
                    | Failure::NotSent(_)
                    | Failure::Unbuildable(_) => hop.promise,
                };
                promise.failure(failure, &hop.name())
            })?;
        let bytes = answer::headers_bytes(&answer.headers);
        if bytes > answer::HEADERS_MAX_BYTES {
            let limit = answer::HEADERS_MAX_BYTES;
            let detail = format!("{}: the answer's headers exceed {limit} bytes", hop.name());
            return Err(if (200..300).contains(&answer.status) {
                hop.promise.unreadable(detail)
            } else {
                hop.promise_after(answer.status, follow).status(answer.status, detail, None)
            });
        }
        Ok(answer)
    }
}

impl Outgoing {
    /// The request in words, without its query.
    fn name(&self) -> String {
        format!("{} {}", self.method, mask::place(&self.url))
    }

    /// Whether a redirect answers the request and asks to read its result elsewhere, as browsers
    /// see it: 303 always, and 301 and 302 after a POST.
    fn is_answered_by(&self, status: u16) -> bool {
        match status {
            303 => self.method != Method::GET && self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        }
    }

    /// What is promised once this status was seen. Who follows redirects takes one for the answer
    /// of the request, whether or not it can be followed.
    fn promise_after(&self, status: u16, follow: bool) -> Promise {
        if follow && self.is_answered_by(status) { self.promise.acted() } else { self.promise }
    }

    /// Becomes the request that a redirect asks for: GET when it was answered, else itself.
    fn turn(&mut self, status: u16, target: Url) {
        if self.is_answered_by(status) {
            self.promise = self.promise.acted();
            self.method = Method::GET;
            self.body = Body::Empty;
            self.headers.retain(|(name, _)| !name.starts_with("content-"));
        }
        if target.origin() != self.url.origin() {
            self.auth = None;
            self.headers.retain(|(name, _)| NEUTRAL.contains(&name.as_str()));
        }
        self.url = target;
    }
}

fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, or why nobody should go there.
fn next(from: &Url, target: &str) -> Result<Url, String> {
    let url = from.join(target).map_err(|error| format!("it redirects to no URI: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("it redirects to the scheme `{}`", url.scheme()));
    }
    if from.scheme() == "https" && url.scheme() == "http" {
        return Err("it redirects from https to http".to_owned());
    }
    super::request::absolute(url.as_str())
        .map_err(|_| "it redirects to a URI with credentials".to_owned())
}

impl Received {
    /// The output, or the outcome of a status that is no success.
    fn read(self, form: &Form, mask: &Mask) -> Result<Value, Outcome> {
        let Self { answer, url, method, headers, promise } = self;
        let name = format!("{method} {}", mask::place(&url));
        let status = answer.status;
        let fine = (200..300).contains(&status) || (form.redirect && (300..400).contains(&status));
        if !fine {
            let excerpt = answer::excerpt(&answer, mask);
            let words = if excerpt.is_empty() { excerpt } else { format!(": {excerpt}") };
            let wish = answer::retry_after_ms(&answer, Timestamp::now());
            return Err(promise.status(status, format!("{name} answered {status}{words}"), wish));
        }
        let content = || {
            answer::content(&answer)
                .map_err(|why| promise.unreadable(format!("{name} answered {status}, and {why}")))
        };
        match form.output {
            Output::Raw => Ok(answer::raw(&answer)),
            Output::Content => content(),
            Output::Response => Ok(json!({
                "request": {
                    "method": method.as_str(),
                    "uri": mask.apply(&mask::uri(&url)),
                    "headers": shown(&headers, mask),
                },
                "statusCode": status,
                "headers": answer::headers(&answer.headers),
                "content": content()?,
            })),
        }
    }
}

/// The headers of a request without credentials.
fn shown(headers: &[(String, String)], mask: &Mask) -> Value {
    let mut object = Map::new();
    for (name, value) in headers.iter().filter(|(name, _)| !is_credential(name)) {
        let value = mask.apply(value);
        let joined = match object.get(name).and_then(Value::as_str) {
            Some(first) => format!("{first}, {value}"),
            None => value,
        };
        object.insert(name.clone(), joined.into());
    }
    object.into()
}

/// An outcome whose words show no secret.
pub(crate) fn masked(outcome: Outcome, mask: &Mask) -> Outcome {
    reworded(outcome, |words| mask.apply(words))
}

/// An outcome whose words are one line of a bounded length.
pub(crate) fn bounded(outcome: Outcome) -> Outcome {
    reworded(outcome, |words| answer::line(words, WORDS_MAX_CHARS))
}

fn reworded(outcome: Outcome, change: impl Fn(&str) -> String) -> Outcome {
    match outcome {
        Outcome::Failed { error } => {
            let detail = error.detail.as_deref().map(change);
            Outcome::Failed { error: Problem { detail, ..error } }
        }
        Outcome::NotSent { detail } => Outcome::NotSent { detail: change(&detail) },
        Outcome::Unknown { detail } => Outcome::Unknown { detail: change(&detail) },
        Outcome::Rejected { reason, detail, retry_after_ms } => {
            Outcome::Rejected { reason, detail: change(&detail), retry_after_ms }
        }
        Outcome::Declined { .. } | Outcome::Done { .. } => outcome,
    }
}
