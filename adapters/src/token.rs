//! `token.issue`: unguessable tokens for links in mails.
//!
//! A token is an HMAC over the effect key with a secret of this installation: a repetition of the
//! effect gives the same token, and nobody without the secret can derive it from business keys.

use std::path::Path;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use tenure_adapter::{Adapter, Manifest, Outcome, Request};

use crate::input::{config, decode, unknown_function};
use crate::license::secret;
use crate::manifest::{gives, local, object, text};

/// 128 bits: what a link needs to be unguessable.
const TOKEN_BYTES: usize = 16;

/// The issuer of tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    secret: Option<secret::Secret>,
}

#[derive(Deserialize)]
struct Input {
    purpose: String,
    subject: String,
}

impl Tokens {
    /// Reads or makes the secret.
    pub(crate) fn open(dir: Option<&Path>) -> Result<Self, std::io::Error> {
        let secret = dir.map(|dir| secret::open(dir, "token.key")).transpose()?;
        Ok(Self { secret })
    }

    fn issue(&self, request: &Request) -> Result<String, Outcome> {
        let Input { purpose, subject } = decode(request)?;
        let secret = self.secret.as_ref().ok_or_else(|| {
            config("no license folder is configured, and the token secret lives there")
        })?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes())
            .map_err(|error| config(format!("the token secret cannot be used: {error}")))?;
        // A JSON array keeps the parts apart whatever they contain.
        mac.update(json!(["token", purpose, subject, request.key]).to_string().as_bytes());
        let digest = mac.finalize().into_bytes();
        Ok(URL_SAFE_NO_PAD.encode(digest.get(..TOKEN_BYTES).unwrap_or(&digest)))
    }
}

#[async_trait]
impl Adapter for Tokens {
    fn manifests(&self) -> Vec<Manifest> {
        vec![local(
            "token.issue",
            "Issues a 128-bit token; the same effect always gets the same one.",
            (
                object(
                    &["purpose", "subject"],
                    &json!({ "purpose": text(100), "subject": text(300) }),
                ),
                gives(&json!({ "token": { "type": "string" } })),
            ),
        )]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        if request.function != "token.issue" {
            return unknown_function(request);
        }
        match self.issue(request) {
            Ok(token) => Outcome::Done { output: json!({ "token": token }) },
            Err(outcome) => outcome,
        }
    }
}
