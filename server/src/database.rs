//! The database of a command: found by the ladder, given back at the end.

use std::path::Path;
use std::sync::Arc;

use tenure_store::Store;

/// An open database.
#[derive(Debug)]
pub struct Database {
    store: Arc<dyn Store>,
    provider: String,
}

impl Database {
    /// Finds and opens it.
    ///
    /// # Errors
    /// When there is none; the error names the remedies.
    #[expect(clippy::unused_async, reason = "waits for the ladder")]
    pub async fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let _ = data_dir;
        anyhow::bail!("the ladder is not there yet")
    }

    /// Stops a database that a killed process left running in this directory.
    ///
    /// # Errors
    /// When it does not stop.
    #[expect(clippy::unused_async, reason = "waits for the ladder")]
    pub async fn stop_left_over(data_dir: &Path) -> anyhow::Result<()> {
        let _ = data_dir;
        Ok(())
    }

    /// The store on it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Where it comes from, for people.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Brings the schema to this binary's version, and says which that is.
    ///
    /// # Errors
    /// When the schema is newer.
    #[expect(clippy::unused_async, reason = "waits for the ladder")]
    pub async fn migrate(&self, locked: bool) -> anyhow::Result<i64> {
        let _ = locked;
        anyhow::bail!("the ladder is not there yet")
    }

    /// Checks that the schema is this binary's.
    ///
    /// # Errors
    /// When it is older or newer.
    #[expect(clippy::unused_async, reason = "waits for the ladder")]
    pub async fn check_schema(&self) -> anyhow::Result<i64> {
        anyhow::bail!("the ladder is not there yet")
    }

    /// Closes it, and stops it when we started it.
    ///
    /// # Errors
    /// When it does not stop.
    #[expect(clippy::unused_async, reason = "waits for the ladder")]
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(())
    }
}
