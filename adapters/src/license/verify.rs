//! Offline verification of a license against public keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use serde_json::Value;

use crate::license::{ISSUER, Jwks, TYPE};

/// Largest license that is looked at.
const LICENSE_MAX_BYTES: usize = 64 * 1024;

/// Why a license does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a license at all.
    #[error("the text is not a license: {0}")]
    Malformed(String),
    /// The header names an algorithm or type that licenses never have.
    #[error("the license says `{0}`, expected EdDSA and license+jwt")]
    WrongAlgorithm(String),
    /// None of the given keys has this name.
    #[error("the license was signed with the key `{0}`, which is not among the given keys")]
    UnknownKey(String),
    /// Changed after it was signed, or signed by somebody else.
    #[error("the signature does not fit: the license was changed, or another key signed it")]
    BadSignature,
    /// Issued by somebody else.
    #[error("the license was issued by `{0}`, expected `{ISSUER}`")]
    WrongIssuer(String),
    /// Its hard end is over.
    #[error("the license expired at {0}")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("the license is valid only from {0}")]
    NotYetValid(Timestamp),
}

/// Verifies a license now and gives its claims.
///
/// # Errors
/// Says why it does not hold.
pub fn verify(text: &str, jwks: &Jwks) -> Result<Value, VerifyError> {
    verify_at(text, jwks, Timestamp::now())
}

/// Verifies a license at a time and gives its claims.
///
/// # Errors
/// Says why it does not hold.
pub fn verify_at(text: &str, jwks: &Jwks, now: Timestamp) -> Result<Value, VerifyError> {
    let malformed = |detail: &str| VerifyError::Malformed(detail.to_owned());
    if text.len() > LICENSE_MAX_BYTES {
        return Err(malformed("it is too long"));
    }
    let text = text.trim();
    let parts: Vec<&str> = text.split('.').collect();
    let [header_text, claims_text, signature_text] = parts.as_slice() else {
        return Err(malformed("it needs three parts separated by dots"));
    };
    let header = decode(header_text).ok_or_else(|| malformed("its header is not JSON"))?;
    let word = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default();
    if word("alg") != "EdDSA" || word("typ") != TYPE {
        return Err(VerifyError::WrongAlgorithm(format!("{} {}", word("alg"), word("typ"))));
    }
    let key = jwks
        .keys
        .iter()
        .find(|key| key.kid == word("kid"))
        .ok_or_else(|| VerifyError::UnknownKey(word("kid").to_owned()))?;
    let key = public_key(&key.x).ok_or_else(|| malformed("the given key is no Ed25519 key"))?;
    let signature: [u8; 64] = bytes(signature_text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| malformed("its signature is not 64 bytes of base64url"))?;
    let signed = format!("{header_text}.{claims_text}");
    key.verify_strict(signed.as_bytes(), &Signature::from_bytes(&signature))
        .map_err(|_signature| VerifyError::BadSignature)?;
    let claims = decode(claims_text).ok_or_else(|| malformed("its claims are not JSON"))?;
    holds(&claims, now)?;
    Ok(claims)
}

/// The signed claims fit the time.
fn holds(claims: &Value, now: Timestamp) -> Result<(), VerifyError> {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    if issuer != ISSUER {
        return Err(VerifyError::WrongIssuer(issuer.to_owned()));
    }
    let time = |name: &str| {
        let second = claims.get(name).and_then(Value::as_i64);
        second
            .and_then(|second| Timestamp::from_second(second).ok())
            .ok_or_else(|| VerifyError::Malformed(format!("its claim `{name}` is no time")))
    };
    let (from, until) = (time("nbf")?, time("exp")?);
    if now >= until {
        return Err(VerifyError::Expired(until));
    }
    if now < from { Err(VerifyError::NotYetValid(from)) } else { Ok(()) }
}

fn bytes(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&bytes(part)?).ok()
}

fn public_key(x: &str) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&bytes(x)?.try_into().ok()?).ok()
}
