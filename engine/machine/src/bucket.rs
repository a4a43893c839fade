//! The unit of ownership: which bucket an instance belongs to.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Number of buckets; fixed for the life of a database.
pub const BUCKETS: u16 = 1024;

/// A number below [`BUCKETS`]: the first column of every key of instance data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket(pub u16);

impl Bucket {
    /// The bucket of a key within a namespace; stable for ever, on every machine.
    #[must_use]
    pub fn of(namespace: &str, key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(namespace.as_bytes());
        hash.update([0]);
        hash.update(key.as_bytes());
        let digest = hash.finalize();
        let first = u16::from_be_bytes([
            digest.first().copied().unwrap_or(0),
            digest.get(1).copied().unwrap_or(0),
        ]);
        Self(first % BUCKETS)
    }

    /// As the database stores it.
    #[must_use]
    pub fn as_i32(self) -> i32 {
        i32::from(self.0)
    }
}
