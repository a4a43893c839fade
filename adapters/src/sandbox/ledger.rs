//! The ledger of a vendor: one JSON line per request that had an effect or was remembered for its
//! key. The state of the vendor is nothing but the documents of this ledger, read again at start.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Vendor;

/// Most entries a ledger holds; a sandbox that reaches it refuses further effects.
pub(super) const ENTRIES_MAX: usize = 1_000_000;

/// A request that changed something, or whose answer is remembered for its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Number of the entry, from 1.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// At which vendor.
    pub vendor: Vendor,
    /// Which operation.
    pub operation: String,
    /// The idempotency key it came with.
    pub key: Option<String>,
    /// Digest of method, path and body, to recognize a key used for something else.
    pub fingerprint: String,
    /// The request's body.
    pub request: Value,
    /// Status of the answer.
    pub status: u16,
    /// Body of the answer.
    pub reply: Value,
    /// What it changed.
    pub effects: Vec<Effect>,
}

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// How.
    pub action: Action,
    /// What kind of thing (`order`, `payment`, `account`, `message`, ...).
    pub kind: String,
    /// Its number at the vendor.
    pub id: String,
    /// What it is from now on.
    pub document: Value,
}

/// How a thing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// New.
    Created,
    /// Changed.
    Updated,
    /// Ended.
    Cancelled,
    /// A payment that was tried and refused.
    Declined,
}

/// Opens the ledger's file and reads what it holds. A torn last line (the host was killed while
/// writing it) is cut off: its answer was never given.
pub(super) fn open(path: &Path) -> Result<(File, Vec<LedgerEntry>), Error> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut entries = Vec::new();
    for (number, line) in bytes.get(..whole).unwrap_or_default().split(|b| *b == b'\n').enumerate()
    {
        if line.is_empty() {
            continue;
        }
        let entry = serde_json::from_slice(line).map_err(|error| {
            let text = format!("{}, line {}: {error}", path.display(), number + 1);
            Error::new(ErrorKind::InvalidData, text)
        })?;
        entries.push(entry);
    }
    if whole < bytes.len() {
        tracing::warn!(path = %path.display(), "the last line was torn and is cut off");
        file.set_len(u64::try_from(whole).map_err(Error::other)?)?;
    }
    Ok((file, entries))
}

/// Appends an entry with one write, so that a kill tears at most the last line.
pub(super) fn append(file: &mut File, entry: &LedgerEntry) -> Result<(), Error> {
    let mut line = serde_json::to_vec(entry).map_err(Error::other)?;
    line.push(b'\n');
    file.write_all(&line)
}
