//! The ledger of issued licenses: one file each, never changed.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::license::secret;

/// Folder of the ledger inside the license folder.
const FOLDER: &str = "issued";

/// What identifies a license. A re-emission with other content takes the next revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LicenseKey {
    /// Number of the subscription.
    pub subscription: String,
    /// Term of the subscription.
    pub term: String,
    /// Revision within the term.
    pub revision: String,
}

/// An issued license.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// What it is identified by.
    pub key: LicenseKey,
    /// The `jti` claim.
    pub license_id: String,
    /// Key it was signed with.
    pub kid: String,
    /// Kind, as the definition asked for it.
    pub kind: String,
    /// Last day but one of its use: on this day it is expired.
    pub expires_on: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The license.
    pub jws: String,
}

/// All issued licenses of a license folder, oldest first; none when there is no such folder.
///
/// # Errors
/// When a file cannot be read.
pub fn issued(dir: &Path) -> Result<Vec<Issued>, Error> {
    let entries = match fs::read_dir(dir.join(FOLDER)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            all.push(parse(&path, &fs::read(&path)?)?);
        }
    }
    all.sort_by(|a, b| (a.issued_at, &a.key).cmp(&(b.issued_at, &b.key)));
    Ok(all)
}

/// The license of a key.
pub(crate) fn find(dir: &Path, key: &LicenseKey) -> Result<Option<Issued>, Error> {
    let path = dir.join(FOLDER).join(file_name(key));
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(bytes) => parse(&path, &bytes).map(Some),
    }
}

/// Keeps a license; when the key is taken, gives the one that is there.
pub(crate) fn keep(dir: &Path, license: Issued) -> Result<Issued, Error> {
    let folder = dir.join(FOLDER);
    secret::private_dir(&folder)?;
    let path = folder.join(file_name(&license.key));
    let mut bytes = serde_json::to_vec_pretty(&license).map_err(Error::other)?;
    bytes.push(b'\n');
    match secret::create(&path, &bytes) {
        Ok(()) => Ok(license),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => parse(&path, &fs::read(&path)?),
        Err(error) => Err(error),
    }
}

/// Readable, and unique whatever characters the key contains.
fn file_name(key: &LicenseKey) -> String {
    /// Readable characters taken from the subscription's number.
    const READABLE_MAX: usize = 40;
    let readable: String = key
        .subscription
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(READABLE_MAX)
        .collect();
    let text = serde_json::json!([key.subscription, key.term, key.revision]).to_string();
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{readable}.{hash}.json")
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Issued, Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::new(ErrorKind::InvalidData, format!("{}: {error}", path.display())))
}
