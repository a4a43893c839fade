//! OAuth client-credentials sessions, cached and refreshed once.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tenure_adapter::{Outcome, Reason};
use tokio::sync::Mutex;

use crate::classify::retry_after_ms;
use crate::http::{Answer, Body, Budget, Call, Failure};
use crate::input::{config, rejected};
use crate::manifest::Remote;

/// Tokens are renewed this long before they expire, so that none expires under way.
pub(crate) const EARLY: Duration = Duration::from_secs(300);
/// Life of a token whose answer does not name one.
pub(crate) const LIFE_DEFAULT_S: u64 = 3600;

/// Where the credentials travel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// In a form body (Zuora, Salesforce).
    Form,
    /// In the query (Marketo).
    Query,
}

/// The cached token of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    path: &'static str,
    style: Style,
    /// Held while a token is fetched: one fetch serves all who wait.
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: String,
    renew_at: Instant,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(path: &'static str, style: Style) -> Self {
        Self { path, style, token: Mutex::new(None) }
    }

    /// Makes a call with the session's token; a refused session is renewed once and the call
    /// made once more: a 401 proves that the first one did nothing.
    pub(crate) async fn send(
        &self,
        remote: &Remote,
        call: &Call,
        budget: &Budget,
        refused: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, Outcome> {
        let token = self.token(remote, budget, None).await?;
        let answer = with_token(remote, call, &token, budget).await?;
        if !refused(&answer) {
            return Ok(answer);
        }
        let token = self.token(remote, budget, Some(&token)).await?;
        with_token(remote, call, &token, budget).await
    }

    /// A token that is not the stale one.
    async fn token(
        &self,
        remote: &Remote,
        budget: &Budget,
        stale: Option<&str>,
    ) -> Result<String, Outcome> {
        let mut cached = self.token.lock().await;
        if let Some(token) = cached.as_ref()
            && stale != Some(token.text.as_str())
            && Instant::now() < token.renew_at
        {
            return Ok(token.text.clone());
        }
        *cached = None;
        let token = self.fetch(remote, budget).await?;
        *cached = Some(token.clone());
        Ok(token.text)
    }

    async fn fetch(&self, remote: &Remote, budget: &Budget) -> Result<Token, Outcome> {
        let connection = remote.connection()?;
        let pairs = vec![
            ("grant_type".to_owned(), "client_credentials".to_owned()),
            ("client_id".to_owned(), connection.user.clone()),
            ("client_secret".to_owned(), connection.secret.clone()),
        ];
        let url = remote.url(self.path)?;
        let call = match self.style {
            Style::Form => Call::new(Method::POST, url).body(Body::Form(pairs)),
            Style::Query => Call { query: pairs, hide_query: true, ..Call::new(Method::GET, url) },
        };
        let answer =
            remote.client.send(call, budget).await.map_err(|failure| before(remote, failure))?;
        read(remote, &answer)
    }
}

/// Without a token the effect itself was never sent, so nothing here is ever `Unknown`.
fn before(remote: &Remote, failure: Failure) -> Outcome {
    match failure {
        Failure::Unbuildable(detail) => config(detail),
        Failure::NotSent(detail) => Outcome::NotSent { detail },
        Failure::Lost { detail, .. } => {
            rejected(Reason::Transient, format!("no session at {}: {detail}", remote.name))
        }
    }
}

fn read(remote: &Remote, answer: &Answer) -> Result<Token, Outcome> {
    // The body may hold a token or echo credentials: only the status is told.
    let refused = |reason| Outcome::Rejected {
        reason,
        detail: format!("no session at {}: it answered {}", remote.name, answer.status),
        retry_after_ms: retry_after_ms(answer),
    };
    match answer.status {
        200..=299 => {}
        429 => return Err(refused(Reason::Throttled)),
        400..=499 => return Err(refused(Reason::Config)),
        _ => return Err(refused(Reason::Transient)),
    }
    let body = answer.json().unwrap_or(Value::Null);
    let Some(text) = body.get("access_token").and_then(Value::as_str) else {
        return Err(refused(Reason::Transient));
    };
    let life_s = body.get("expires_in").and_then(Value::as_u64).unwrap_or(LIFE_DEFAULT_S);
    let life = Duration::from_secs(life_s);
    let renew_at = Instant::now() + life.saturating_sub(EARLY.min(life / 2));
    Ok(Token { text: text.to_owned(), renew_at })
}

async fn with_token(
    remote: &Remote,
    call: &Call,
    token: &str,
    budget: &Budget,
) -> Result<Answer, Outcome> {
    let call = call.clone().header("authorization", format!("Bearer {token}"));
    remote.client.send(call, budget).await.map_err(Failure::outcome)
}
