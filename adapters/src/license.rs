//! Licenses: Ed25519-signed JWS, offline to verify with any JOSE library.
//!
//! A license is identified by (subscription, term, revision): the first emission writes it to one
//! file of its own, every further one reads that file back, so the same key always gives the same
//! bytes. The private key never leaves its file.

mod emit;
mod issued;
mod issuer;
pub(crate) mod secret;
mod verify;

pub(crate) use emit::Emitter;
pub use issued::{Issued, LicenseKey, issued};
pub use issuer::{Issuer, Jwk, Jwks};
pub use verify::{VerifyError, verify, verify_at};

/// Type of our licenses in the JWS header.
pub const TYPE: &str = "license+jwt";
/// Who issues: the `iss` claim.
pub const ISSUER: &str = "tenure";
