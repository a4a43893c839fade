//! The plugs: one module per vendor, local functions, and the sandbox that plays the vendors.
//!
//! Only this room knows a vendor's field names. Each plug makes one attempt and classifies it;
//! retrying belongs to the machine.
//!
//! Where to go next: `http` (the one client, and what a lost exchange proves), `zuora` (the
//! richest classifier), `web` (`call: http` and `openapi`), `license` (keys and licenses),
//! `sandbox` (the fake vendors).

mod catalog;
mod classify;
pub mod country;
pub mod decline;
pub mod http;
mod input;
pub mod license;
pub mod mail;
mod manifest;
mod marketo;
pub mod money;
mod salesforce;
pub mod sandbox;
mod session;
mod token;
mod web;
mod zuora;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tenure_adapter::{Adapter, Registry};

pub use catalog::{Product, product, products};

/// A configured account at a vendor.
#[derive(Clone)]
pub struct Connection {
    /// Where the vendor's API is, without a trailing slash.
    pub base_url: String,
    /// Client id, user or account name, as the vendor calls it. For Mailgun: the sending domain.
    pub user: String,
    /// Client secret or API key. Never logged.
    pub secret: String,
    /// Replaces the manifests' total time of an attempt, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Replaces the manifests' settle time, in milliseconds (a sandbox settles sooner).
    pub settle_ms: Option<u64>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("base_url", &self.base_url)
            .field("user", &self.user)
            .field("deadline_ms", &self.deadline_ms)
            .field("settle_ms", &self.settle_ms)
            .finish_non_exhaustive()
    }
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

/// Builds all plugs. A function whose connection (or folder) is not configured still has its
/// manifest, so that definitions can be checked anywhere; calling it is rejected as `config`.
///
/// # Errors
/// When templates or the signing key cannot be read or made.
pub fn registry(settings: Settings) -> Result<Registry, std::io::Error> {
    let Settings { connections, resolve, templates, license_dir, recorder } = settings;
    let client = Arc::new(http::Client::new(resolve, recorder)?);
    let remote = |name: &'static str| {
        manifest::Remote::new(name, Arc::clone(&client), connections.get(name).cloned())
    };
    let plugs: Vec<Arc<dyn Adapter>> = vec![
        Arc::new(zuora::Zuora::new(remote("zuora"))),
        Arc::new(salesforce::Salesforce::new(remote("salesforce"))),
        Arc::new(marketo::Marketo::new(remote("marketo"))),
        Arc::new(mail::Mail::new(remote("mailgun"), templates.as_deref())?),
        Arc::new(catalog::Local),
        Arc::new(token::Tokens::open(license_dir.as_deref())?),
        Arc::new(license::Emitter::open(license_dir.as_deref())?),
        Arc::new(web::Web::new(client)),
    ];
    Ok(Registry::new(plugs, |catalog| {
        catalog
            .with_format("country", |text| country::normalize(text).is_some())
            .with_format("sku", |text| product(text).is_some())
    }))
}
