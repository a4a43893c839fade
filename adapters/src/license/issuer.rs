//! The signing key, its public half, and signing.

use std::io::Error;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::license::{TYPE, secret};

/// Name of the private key's file.
const KEY_FILE: &str = "signing-key.pem";

/// Signs licenses with the key of one folder.
pub struct Issuer {
    dir: PathBuf,
    key: SigningKey,
    kid: String,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A public key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type, `OKP`.
    pub kty: String,
    /// Curve, `Ed25519`.
    pub crv: String,
    /// The public key, base64url.
    pub x: String,
    /// Name of the key.
    pub kid: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// A set of public keys, as `/.well-known/jwks.json` serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl Issuer {
    /// Reads the signing key of a folder, or makes folder and key (mode 0600).
    ///
    /// # Errors
    /// When the key cannot be read or made, or when others may read it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let bytes = secret::open_or_make(dir, KEY_FILE, || {
            let key = SigningKey::from_bytes(&secret::random()?);
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| Error::other(e.to_string()))?;
            Ok(pem.as_bytes().to_vec())
        })?;
        let broken =
            || Error::other(format!("{}: not a private key", dir.join(KEY_FILE).display()));
        let pem = std::str::from_utf8(&bytes).map_err(|_utf8| broken())?;
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|_pem| broken())?;
        let kid = thumbprint(&public_text(&key));
        Ok(Self { dir: dir.to_owned(), key, kid })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Name of the key: its RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        let key = Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: public_text(&self.key),
            kid: self.kid.clone(),
            alg: "EdDSA".to_owned(),
            usage: "sig".to_owned(),
        };
        Jwks { keys: vec![key] }
    }

    /// Signs claims as a compact JWS. Ed25519 is deterministic: the same claims give the same
    /// bytes.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": TYPE, "kid": self.kid });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

fn public_text(key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(key.verifying_key().to_bytes())
}

fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes()))
}
