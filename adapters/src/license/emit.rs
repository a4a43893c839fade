//! `license.emit`: signs a license, or gives the one that was signed for the same key.

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_adapter::{Adapter, Manifest, Outcome, Reason, Request};
use uuid::Uuid;

use crate::input::{config, decode, invalid, rejected, unknown_function};
use crate::license::issued::{self, Issued, LicenseKey};
use crate::license::{ISSUER, Issuer};
use crate::manifest::{date, email, gives, local, object, text};

/// Name space of license ids (UUID v5 of the URL name space and `tenure.license`).
const LICENSE_SPACE: Uuid = Uuid::from_u128(0xdebf_26f3_4efa_5ac1_a5ad_3d77_4c75_26ba);

/// The plug.
#[derive(Debug)]
pub(crate) struct Emitter {
    issuer: Option<Issuer>,
}

impl Emitter {
    /// Reads or makes the signing key.
    pub(crate) fn open(dir: Option<&Path>) -> Result<Self, std::io::Error> {
        Ok(Self { issuer: dir.map(Issuer::open).transpose()? })
    }

    fn emit(&self, request: &Request) -> Result<Value, Outcome> {
        let input: Input = decode(request)?;
        let issuer = self.issuer.as_ref().ok_or_else(|| {
            config("no license folder is configured, and the signing key lives there")
        })?;
        let kept = |error: std::io::Error| {
            rejected(Reason::Transient, format!("the license could not be kept: {error}"))
        };
        let key = input.key();
        let claims = input.claims(&key, request.intent_at)?;
        let license = match issued::find(issuer.dir(), &key).map_err(kept)? {
            Some(license) => license,
            None => {
                let license = Issued {
                    license_id: license_id(&key).to_string(),
                    key,
                    kid: issuer.kid().to_owned(),
                    kind: input.kind.clone(),
                    expires_on: input.expires_on.to_string(),
                    issued_at: request.intent_at,
                    jws: issuer.sign(&claims),
                };
                issued::keep(issuer.dir(), license).map_err(kept)?
            }
        };
        same_content(&license, &claims)?;
        Ok(json!({
            "license_id": license.license_id,
            "kid": license.kid,
            "jws": license.jws,
            "kind": license.kind,
            "expires_on": license.expires_on,
        }))
    }
}

#[derive(Deserialize)]
struct Input {
    subscription: String,
    term: Number,
    revision: Number,
    purpose: String,
    licensee: Value,
    plan: String,
    users: u64,
    previous_users: Option<u64>,
    trueup: Option<u64>,
    starts_on: Date,
    expires_on: Date,
    block_on: Option<Date>,
    kind: String,
}

/// A term or revision, which definitions may count or name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Count(u64),
    Name(String),
}

impl Number {
    fn text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl Input {
    fn key(&self) -> LicenseKey {
        LicenseKey {
            subscription: self.subscription.clone(),
            term: self.term.text(),
            revision: self.revision.text(),
        }
    }

    fn claims(&self, key: &LicenseKey, intent_at: Timestamp) -> Result<Value, Outcome> {
        let end = self.block_on.unwrap_or(self.expires_on);
        if self.expires_on <= self.starts_on || end < self.expires_on {
            return Err(invalid(format!(
                "the dates are out of order: starts {}, expires {}, blocks {end}",
                self.starts_on, self.expires_on
            )));
        }
        Ok(json!({
            "iss": ISSUER,
            "sub": self.subscription,
            "jti": license_id(key),
            "iat": intent_at.as_second(),
            "nbf": midnight(self.starts_on)?,
            "exp": midnight(end)?,
            "lic": {
                "subscription": self.subscription,
                "term": key.term,
                "revision": key.revision,
                "purpose": self.purpose,
                "kind": self.kind,
                "licensee": self.licensee,
                "plan": self.plan,
                "users": self.users,
                "previous_users": self.previous_users,
                "trueup": self.trueup,
                "starts_on": self.starts_on,
                "expires_on": self.expires_on,
                "block_on": end,
            },
        }))
    }
}

fn license_id(key: &LicenseKey) -> Uuid {
    let name = json!([key.subscription, key.term, key.revision]).to_string();
    Uuid::new_v5(&LICENSE_SPACE, name.as_bytes())
}

/// Start of a day. License days are counted in UTC, so that every verifier counts the same.
fn midnight(day: Date) -> Result<i64, Outcome> {
    let zoned = day.to_zoned(TimeZone::UTC).map_err(|error| invalid(format!("{day}: {error}")))?;
    Ok(zoned.timestamp().as_second())
}

/// A license that was issued for this key says what is asked for now, but for its time of issue.
fn same_content(license: &Issued, claims: &Value) -> Result<(), Outcome> {
    let signed = license.jws.split('.').nth(1).and_then(claims_of).unwrap_or_default();
    let same = ["sub", "nbf", "exp", "lic"].iter().all(|name| signed.get(name) == claims.get(name));
    if same {
        return Ok(());
    }
    let LicenseKey { subscription, term, revision } = &license.key;
    Err(invalid(format!(
        "a license with other content was issued for subscription {subscription}, term {term}, \
         revision {revision}: a changed license needs the next revision"
    )))
}

fn claims_of(part: &str) -> Option<Value> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[async_trait]
impl Adapter for Emitter {
    fn manifests(&self) -> Vec<Manifest> {
        let count_or_name = json!({ "type": ["integer", "string"] });
        let users = json!({ "type": ["integer", "null"], "minimum": 0 });
        let input = object(
            &[
                "subscription",
                "term",
                "revision",
                "purpose",
                "licensee",
                "plan",
                "users",
                "starts_on",
                "expires_on",
                "kind",
            ],
            &json!({
                "subscription": text(100),
                "term": count_or_name,
                "revision": count_or_name,
                "purpose": text(100),
                "licensee": object(&["name", "company", "email"], &json!({
                    "name": text(200), "company": text(200), "email": email(),
                })),
                "plan": text(100),
                "users": { "type": "integer", "minimum": 1 },
                "previous_users": users,
                "trueup": users,
                "starts_on": date(),
                "expires_on": date(),
                "block_on": { "anyOf": [date(), { "type": "null" }] },
                "kind": text(40),
            }),
        );
        let output = gives(&json!({
            "license_id": { "type": "string" },
            "kid": { "type": "string" },
            "jws": { "type": "string" },
            "kind": { "type": "string" },
            "expires_on": { "type": "string" },
        }));
        vec![local(
            "license.emit",
            "Signs a license; the same subscription, term and revision give the same bytes.",
            (input, output),
        )]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        if request.function != "license.emit" {
            return unknown_function(request);
        }
        match self.emit(request) {
            Ok(output) => Outcome::Done { output },
            Err(outcome) => outcome,
        }
    }
}
