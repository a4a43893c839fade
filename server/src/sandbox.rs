//! The sandbox vendors of `tenure dev` and `tenure run --sandbox`.

use std::collections::BTreeMap;
use std::path::Path;

use tenure_adapters::Connection;
use tokio::net::TcpListener;

/// Running vendors.
#[derive(Debug)]
pub struct Vendors;

/// Opens the vendors on `listener` (or a free port), with their ledgers in `directory`.
///
/// # Errors
/// When the directory or the port refuses.
#[expect(clippy::unused_async, reason = "waits for the sandbox")]
pub async fn open(listener: Option<TcpListener>, directory: &Path) -> anyhow::Result<Vendors> {
    let _ = (listener, directory);
    anyhow::bail!("the sandbox is not there yet")
}

impl Vendors {
    /// How to reach them.
    #[must_use]
    pub fn connections(&self) -> BTreeMap<String, Connection> {
        BTreeMap::new()
    }

    /// The text bodies of all mails to an address, oldest first.
    ///
    /// # Errors
    /// When the inbox does not answer.
    #[expect(clippy::unused_async, reason = "waits for the sandbox")]
    pub async fn mails_to(&self, address: &str) -> anyhow::Result<Vec<String>> {
        let _ = address;
        Ok(Vec::new())
    }

    /// Closes them.
    #[expect(clippy::unused_async, reason = "waits for the sandbox")]
    pub async fn close(self) {}
}
