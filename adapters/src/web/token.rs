//! OAuth 2 tokens: fetched, kept until shortly before they expire, renewed once when refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tenure_adapter::{Outcome, Problem};

use super::answer::retry_after_ms;
use super::auth::{ClientAuthentication, OAuth};
use super::discovery;
use super::proof::{authentication, authorization, communication, configuration};
use crate::http::{Answer, Body, Budget, Call, Client, Cut, Failure};
use crate::session::{EARLY, LIFE_DEFAULT_S};

/// Most tokens that are kept; the one that was used longest ago goes first.
pub(crate) const TOKENS_MAX: usize = 256;
/// Largest answer of an authority.
pub(crate) const ANSWER_MAX_BYTES: usize = 128 * 1024;
/// Longest life that is believed, in seconds.
const LIFE_MAX_S: u64 = 24 * 60 * 60;
/// Longest error code of an authority that is shown.
const CODE_MAX: usize = 64;

/// The kept tokens, by a digest of everything that they were asked for with.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<BTreeMap<[u8; 32], Place>>);

struct Place {
    used_at: Instant,
    /// Held while a token is fetched: one fetch serves all who wait.
    token: Arc<tokio::sync::Mutex<Option<Token>>>,
}

#[derive(Clone)]
struct Token {
    text: String,
    renew_at: Instant,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// A token for this policy that is not the stale one.
    ///
    /// # Errors
    /// Never `Unknown`: without a token the request itself was not sent.
    pub(crate) async fn get(
        &self,
        policy: &OAuth,
        stale: Option<&str>,
        client: &Client,
        budget: &Budget,
    ) -> Result<String, Outcome> {
        let place = self.place(digest(policy));
        let Ok(mut kept) = tokio::time::timeout(budget.left(), place.lock()).await else {
            let detail = format!("no time was left to wait for a token of {}", policy.authority);
            return Err(Outcome::NotSent { detail });
        };
        if let Some(token) = kept.as_ref()
            && stale != Some(token.text.as_str())
            && Instant::now() < token.renew_at
        {
            return Ok(token.text.clone());
        }
        *kept = None;
        let token = fetch(policy, client, budget).await?;
        *kept = Some(token.clone());
        Ok(token.text)
    }

    fn place(&self, digest: [u8; 32]) -> Arc<tokio::sync::Mutex<Option<Token>>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= TOKENS_MAX && !places.contains_key(&digest) {
            let oldest = places.iter().min_by_key(|(_, place)| place.used_at);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                places.remove(&oldest);
            }
        }
        let now = Instant::now();
        let place =
            places.entry(digest).or_insert_with(|| Place { used_at: now, token: Arc::default() });
        place.used_at = now;
        Arc::clone(&place.token)
    }
}

/// A changed secret is another token, and the map holds no secret.
fn digest(policy: &OAuth) -> [u8; 32] {
    let client = &policy.client;
    let parts = json!([
        policy.authority,
        policy.discover,
        policy.endpoints.token,
        policy.grant,
        client.id,
        client.secret,
        client.assertion,
        format!("{:?}", client.authentication),
        policy.scopes,
        policy.audiences,
        policy.issuers,
        policy.username,
        policy.password,
    ]);
    Sha256::digest(parts.to_string()).into()
}

async fn fetch(policy: &OAuth, client: &Client, budget: &Budget) -> Result<Token, Outcome> {
    let request = TokenForm::of(policy)?;
    let authority = policy.authority.trim_end_matches('/');
    let path = policy.endpoints.token.as_str();
    let url = if policy.discover {
        discovery::token_endpoint(policy, client, budget).await?
    } else if path.starts_with("https://") || path.starts_with("http://") {
        path.to_owned()
    } else {
        format!("{authority}/{}", path.trim_start_matches('/'))
    };
    let call = request.call(url);
    let answer = client.send(call, budget).await.map_err(|failure| before(authority, failure))?;
    if !(200..300).contains(&answer.status) {
        return Err(refused(authority, &answer));
    }
    read(policy, &answer)
}

/// What is asked of the token endpoint.
struct TokenForm {
    pairs: Vec<(&'static str, String)>,
    basic: Option<String>,
    json: bool,
}

impl TokenForm {
    fn of(policy: &OAuth) -> Result<Self, Outcome> {
        let mut form = Self { pairs: Vec::new(), basic: None, json: is_json(policy)? };
        form.pairs.push(("grant_type", policy.grant.clone()));
        match policy.grant.as_str() {
            "client_credentials" => {}
            "password" => {
                let (Some(username), Some(password)) = (&policy.username, &policy.password) else {
                    return Err(configuration(
                        "the grant `password` needs the fields username and password",
                    ));
                };
                form.pairs.push(("username", username.clone()));
                form.pairs.push(("password", password.clone()));
            }
            other => {
                return Err(configuration(format!(
                    "the grant `{other}` is not supported: use client_credentials or password"
                )));
            }
        }
        if !policy.scopes.is_empty() {
            form.pairs.push(("scope", policy.scopes.join(" ")));
        }
        for audience in &policy.audiences {
            form.pairs.push(("audience", audience.clone()));
        }
        form.identify(policy)?;
        Ok(form)
    }

    /// Adds who asks, in the way the policy says.
    fn identify(&mut self, policy: &OAuth) -> Result<(), Outcome> {
        let client = &policy.client;
        let needs = |field: &str| {
            configuration(format!(
                "the OAuth client of {} needs the field `client.{field}`",
                policy.authority
            ))
        };
        let id = client.id.clone();
        match client.authentication {
            ClientAuthentication::ClientSecretBasic => {
                let id = id.ok_or_else(|| needs("id"))?;
                let secret = client.secret.as_ref().ok_or_else(|| needs("secret"))?;
                // RFC 6749, 2.3.1: both are form-encoded before they are joined.
                let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let pair = format!("{}:{}", part(&id), part(secret));
                self.basic = Some(format!("Basic {}", STANDARD.encode(pair)));
            }
            ClientAuthentication::ClientSecretPost => {
                self.pairs.push(("client_id", id.ok_or_else(|| needs("id"))?));
                let secret = client.secret.clone().ok_or_else(|| needs("secret"))?;
                self.pairs.push(("client_secret", secret));
            }
            ClientAuthentication::ClientSecretJwt | ClientAuthentication::PrivateKeyJwt => {
                let assertion = client.assertion.clone().ok_or_else(|| needs("assertion"))?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
                self.pairs.extend(id.map(|id| ("client_id", id)));
                self.pairs.push(("client_assertion_type", kind));
                self.pairs.push(("client_assertion", assertion));
            }
            ClientAuthentication::None => {
                self.pairs.push(("client_id", id.ok_or_else(|| needs("id"))?));
            }
        }
        Ok(())
    }

    fn call(self, url: String) -> Call {
        let body = if self.json {
            // Several audiences are the only name that may repeat.
            let mut object = Map::new();
            for (name, value) in self.pairs {
                match object.get_mut(name) {
                    None => {
                        object.insert(name.to_owned(), value.into());
                    }
                    Some(Value::Array(values)) => values.push(value.into()),
                    Some(first) => *first = json!([first.take(), value]),
                }
            }
            Body::Json(object.into())
        } else {
            let pairs = self.pairs.into_iter();
            Body::Form(pairs.map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let call = Call { hide_query: true, ..Call::new(Method::POST, url) }
            .header("accept", "application/json")
            .body(body);
        let call = Call { answer_max: ANSWER_MAX_BYTES, ..call };
        match self.basic {
            Some(basic) => call.header("authorization", basic),
            None => call,
        }
    }
}

fn is_json(policy: &OAuth) -> Result<bool, Outcome> {
    let Some(encoding) = &policy.request.encoding else { return Ok(false) };
    match encoding.split(';').next().unwrap_or_default().trim() {
        "application/x-www-form-urlencoded" => Ok(false),
        "application/json" => Ok(true),
        other => Err(configuration(format!(
            "a token cannot be asked for as `{other}`: use application/x-www-form-urlencoded or application/json"
        ))),
    }
}

/// Without a token the request itself was never sent, so nothing here is ever `Unknown`.
pub(crate) fn before(authority: &str, failure: Failure) -> Outcome {
    let no_token = |detail: String| format!("no token of {authority}: {detail}");
    match failure {
        Failure::Unbuildable(detail) => configuration(no_token(detail)),
        Failure::NotSent(detail) => Outcome::NotSent { detail: no_token(detail) },
        Failure::Lost { cut: Cut::TimedOut, detail, .. } => {
            Outcome::Failed { error: Problem::timeout(no_token(detail)) }
        }
        Failure::Lost { cut: Cut::Broken | Cut::TooLarge, detail, .. } => {
            communication(500, no_token(detail), None)
        }
    }
}

/// The authority says no. Its words may echo credentials: only status and error code are told.
pub(crate) fn refused(authority: &str, answer: &Answer) -> Outcome {
    let code = answer
        .json()
        .and_then(|body| body.get("error").and_then(Value::as_str).map(str::to_owned))
        .filter(|code| {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            code.len() <= CODE_MAX && code.bytes().all(is_plain)
        })
        .map(|code| format!(" ({code})"))
        .unwrap_or_default();
    let detail = format!("no token of {authority}: it answered {}{code}", answer.status);
    match answer.status {
        403 => authorization(detail),
        429 | 500.. => {
            communication(answer.status, detail, retry_after_ms(answer, Timestamp::now()))
        }
        _ => authentication(detail),
    }
}

fn read(policy: &OAuth, answer: &Answer) -> Result<Token, Outcome> {
    let body = answer.json().unwrap_or(Value::Null);
    let authority = &policy.authority;
    let Some(text) = body.get("access_token").and_then(Value::as_str) else {
        return Err(authentication(format!("{authority} answered without an `access_token`")));
    };
    let kind = body.get("token_type").and_then(Value::as_str).unwrap_or("bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(authentication(format!(
            "{authority} gave a token that is no bearer token, which is the only kind supported"
        )));
    }
    if !policy.issuers.is_empty() {
        let issuer = issuer(text);
        if !issuer.as_ref().is_some_and(|issuer| policy.issuers.contains(issuer)) {
            return Err(authentication(format!(
                "the token of {authority} does not name one of the `issuers` as its issuer"
            )));
        }
    }
    let life = body.get("expires_in");
    let life_s = life
        .and_then(Value::as_u64)
        .or_else(|| life.and_then(Value::as_str).and_then(|text| text.parse().ok()))
        .unwrap_or(LIFE_DEFAULT_S);
    let life = Duration::from_secs(life_s.min(LIFE_MAX_S));
    let renew_at = Instant::now() + life.saturating_sub(EARLY.min(life / 2));
    Ok(Token { text: text.to_owned(), renew_at })
}

/// The issuer that a JWT names. Its signature is not checked: the token came straight from the
/// authority, and the service it is for will check it.
fn issuer(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&bytes).ok()?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(fields: Value) -> OAuth {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn tokens_are_kept_apart_by_all_they_depend_on_and_only_so_many() {
        let base = json!({
            "authority": "https://a", "grant": "client_credentials",
            "client": { "id": "i", "secret": "s" },
        });
        let first = digest(&policy(base.clone()));
        assert_eq!(digest(&policy(base.clone())), first);
        for (pointer, value) in [
            ("/authority", json!("https://b")),
            ("/client/id", json!("j")),
            ("/client/secret", json!("t")),
            ("/scopes", json!(["x"])),
            ("/audiences", json!(["x"])),
        ] {
            let mut other = base.clone();
            match other.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => other[pointer.trim_start_matches('/')] = value,
            }
            assert_ne!(digest(&policy(other)), first, "{pointer}");
        }
        let tokens = Tokens::default();
        for n in 0..TOKENS_MAX + 10 {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            tokens.place(digest);
        }
        assert_eq!(tokens.0.lock().unwrap().len(), TOKENS_MAX);
    }

    #[test]
    fn the_issuer_of_a_token_is_read() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://a"}"#);
        assert_eq!(issuer(&format!("e30.{payload}.sig")), Some("https://a".to_owned()));
        assert_eq!(issuer("opaque"), None);
    }
}
