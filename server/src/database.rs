//! The database of a command: found by the ladder, given back at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tenure_store::ladder::{self, Ladder};
use tenure_store::migrate::{self, Locking};
use tenure_store::{Options, Postgres, Store};

/// Folder of the private server in a data directory.
const PRIVATE: &str = "postgres";

/// An open database.
#[derive(Debug)]
pub struct Database {
    found: ladder::Database,
    provider: String,
}

/// The data directory: as asked for, else the usual one. It holds the private server in a folder of
/// its own, so that the other things of `tenure dev` lie beside it.
#[must_use]
pub fn data_dir(wish: Option<&Path>) -> PathBuf {
    wish.map_or_else(ladder::default_data_dir, Path::to_path_buf)
}

impl Database {
    /// Finds it, and starts it when it is a private one.
    ///
    /// # Errors
    /// When there is none; the error names the remedies.
    pub async fn open(data_dir: &Path) -> Result<Self, ladder::Error> {
        let found = Ladder { database_url: None, data_dir: data_dir.join(PRIVATE) }.open().await?;
        let provider = found.provider.to_string();
        Ok(Self { found, provider })
    }

    /// Stops a private server that a killed process left running.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop_left_over(data_dir: &Path) -> anyhow::Result<()> {
        let home = data_dir.join(PRIVATE);
        if !home.join("pg/postmaster.pid").exists() {
            return Ok(());
        }
        // An empty address is none: the private server is meant, whatever DATABASE_URL says.
        let ladder = Ladder { database_url: Some(String::new()), data_dir: home };
        let found = ladder.open().await.context("the private server cannot be stopped")?;
        found.stop().await.context("the private server does not stop")
    }

    /// Where it comes from, for people.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Brings the schema to this binary's version, and says which that is.
    ///
    /// # Errors
    /// When the schema is newer, or a migration fails.
    pub async fn migrate(&self, locking: Locking) -> anyhow::Result<i64> {
        let url = self.found.url.clone();
        // On a thread of its own: sqlx's migrator is not `Send` in the compiler's eyes, and who embeds
        // this server wants to spawn it.
        let handle = tokio::runtime::Handle::current();
        let migrated =
            tokio::task::spawn_blocking(move || handle.block_on(migrate::migrate(&url, locking)));
        migrated.await.context("the migration broke off")??;
        Ok(migrate::newest())
    }

    /// Checks that the schema is this binary's, and says which that is.
    ///
    /// # Errors
    /// When it is older or newer.
    pub async fn check_schema(&self) -> Result<i64, migrate::Error> {
        migrate::check(&self.found.url).await?;
        Ok(migrate::newest())
    }

    /// The store on it. The schema must be in place.
    ///
    /// # Errors
    /// When the database does not answer, or refuses.
    pub async fn connect(&self) -> Result<Arc<dyn Store>, tenure_store::Error> {
        let store = Postgres::connect(&self.found.url, Options::default()).await?;
        Ok(Arc::new(store))
    }

    /// Stops it when we started it. All handles of the store should be gone by then.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn close(self) -> Result<(), ladder::Error> {
        self.found.stop().await
    }
}
