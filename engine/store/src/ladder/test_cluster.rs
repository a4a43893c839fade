//! Test kit: one private server for all test processes of a user, one fresh database for each test.
//!
//! The first process starts the server, the others find it running; it stays until
//! [`TestCluster::stop`] (`cargo run -p tenure-store --example testdb stop`). Nothing is flushed to
//! disk there: it is for tests and for nothing else.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::server::{self, Lock, Purpose, Server};
use super::{Error, account, binaries};
use crate::migrate::{self, Locking};
use crate::{Options, Postgres};

/// Databases older than this belong to tests that were killed.
const LEFTOVER_AGE: Duration = Duration::from_secs(3_600);

/// Databases a test may leave behind are named by this and the time of their making.
const PREFIX: &str = "tenure_test_";

/// The server all tests of a user share.
#[derive(Debug, Clone)]
pub struct TestCluster {
    /// Address of any of its databases, up to the slash before the database's name.
    base: String,
    template: String,
}

/// A database of one test, with the schema in place. Dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: TestCluster,
    name: String,
}

impl TestCluster {
    /// Finds the server running or starts it. `TENURE_TEST_DATABASE_URL` names another one to make
    /// the databases in.
    ///
    /// # Errors
    /// As the ladder; [`Error::Test`] when the template cannot be made.
    pub async fn shared() -> Result<Self, Error> {
        if let Ok(url) = std::env::var("TENURE_TEST_DATABASE_URL") {
            let base = url.rsplit_once('/').map_or(url.as_str(), |(base, _)| base).to_owned();
            return Self::with_template(base).await;
        }
        let found = binaries::find();
        if found.is_empty() {
            return Err(Error::NoServer);
        }
        let account = account::unprivileged()?;
        let home = home();
        server::prepare_home(&home, account)?;
        let _lock = wait_for_lock(home.clone()).await?;
        let server = Server::open(&home, &found, account, Purpose::Test).await?;
        let base = server.url("");
        let base = base.trim_end_matches('/').to_owned();
        server.let_go();
        Self::with_template(base).await
    }

    /// A fresh database.
    ///
    /// # Errors
    /// [`Error::Test`].
    pub async fn database(&self) -> Result<TestDatabase, Error> {
        let name = format!("{PREFIX}{}_{}", now_ms(), Uuid::now_v7().simple());
        let create = format!("create database {name} template {}", self.template);
        self.run(&create).await?;
        Ok(TestDatabase { cluster: self.clone(), name })
    }

    /// Stops the server, if it runs, and removes its data.
    ///
    /// # Errors
    /// When it would not stop.
    pub async fn stop() -> Result<(), Error> {
        let home = home();
        if !home.join("lock").exists() {
            return Ok(());
        }
        let account = account::unprivileged()?;
        let lock = wait_for_lock(home.clone()).await?;
        if home.join("pg/postmaster.pid").exists() {
            let mut server = Server::open(&home, &binaries::find(), account, Purpose::Test).await?;
            let stopped = tokio::task::spawn_blocking(move || server.stop()).await;
            stopped.map_err(test)??;
        }
        std::fs::remove_dir_all(&home).map_err(|e| super::file("remove", &home, e))?;
        drop(lock);
        Ok(())
    }

    /// Makes the template under the caller's lock, and clears away what killed tests left.
    async fn with_template(base: String) -> Result<Self, Error> {
        let mut hash = Sha256::new();
        for checksum in migrate::checksums() {
            hash.update(checksum);
        }
        let digest: String =
            hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let cluster = Self { base, template: format!("tenure_template_{digest}") };
        let names = cluster.database_names().await?;
        for leftover in names.iter().filter(|name| is_leftover(name, now_ms())) {
            cluster.run(&format!("drop database if exists {leftover} with (force)")).await?;
        }
        if !names.contains(&cluster.template) {
            let unfinished = format!("{}_{}", cluster.template, Uuid::now_v7().simple());
            cluster.run(&format!("create database {unfinished}")).await?;
            migrate::migrate(&cluster.url(&unfinished), Locking::Advisory).await.map_err(test)?;
            let rename = format!("alter database {unfinished} rename to {}", cluster.template);
            if let Err(error) = cluster.run(&rename).await {
                // On a server that was named there is no lock: another process may have been faster.
                cluster.run(&format!("drop database {unfinished} with (force)")).await?;
                if !cluster.database_names().await?.contains(&cluster.template) {
                    return Err(error);
                }
            }
        }
        Ok(cluster)
    }

    async fn database_names(&self) -> Result<Vec<String>, Error> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.map_err(test)?;
        let names = sqlx::query_file_scalar!("queries/test_databases.sql")
            .fetch_all(&mut connection)
            .await
            .map_err(test)?;
        connection.close().await.ok();
        Ok(names)
    }

    fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Statements about databases take no parameters; the names in them are made here, of letters, digits
    /// and underscores.
    async fn run(&self, statement: &str) -> Result<(), Error> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.map_err(test)?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(test)?;
        connection.close().await.ok();
        Ok(())
    }
}

impl TestDatabase {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Moves its clock, by so many milliseconds from where it is now.
    ///
    /// # Errors
    /// [`Error::Test`] when it does not answer.
    pub async fn move_clock(&self, by_ms: i64) -> Result<(), Error> {
        let mut connection = PgConnection::connect(&self.url()).await.map_err(test)?;
        sqlx::query_file!("queries/clock_move.sql", by_ms)
            .execute(&mut connection)
            .await
            .map_err(test)?;
        connection.close().await.ok();
        Ok(())
    }

    /// A store on it.
    ///
    /// # Errors
    /// [`Error::Test`] when it does not answer.
    pub async fn store(&self) -> Result<Postgres, Error> {
        let options = Options { connections_max: 4, ..Options::default() };
        Postgres::connect(&self.url(), options).await.map_err(test)
    }
}

impl Drop for TestDatabase {
    /// Drops the database from a thread of its own: a drop cannot wait on the test's runtime. What fails
    /// here is cleared away by a later run.
    fn drop(&mut self) {
        let cluster = self.cluster.clone();
        let statement = format!("drop database if exists {} with (force)", self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(test)?.block_on(cluster.run(&statement))
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, name = self.name, "a test database stays"),
            Err(_) => tracing::warn!(name = self.name, "a test database stays"),
        }
    }
}

fn test(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Test(Box::new(source))
}

/// The home of the shared server: `TENURE_TEST_HOME`, else a directory of this user among the
/// temporary files.
fn home() -> PathBuf {
    std::env::var_os("TENURE_TEST_HOME").filter(|path| !path.is_empty()).map_or_else(
        || std::env::temp_dir().join(format!("tenure-test-{}", geteuid().as_raw())),
        PathBuf::from,
    )
}

async fn wait_for_lock(home: PathBuf) -> Result<Lock, Error> {
    tokio::task::spawn_blocking(move || Lock::take(&home)).await.map_err(test)?
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_millis())
}

/// Whether a database was left by a test that was killed.
fn is_leftover(name: &str, now_ms: u128) -> bool {
    name.strip_prefix(PREFIX)
        .and_then(|rest| rest.split('_').next())
        .and_then(|made_ms| made_ms.parse::<u128>().ok())
        .is_some_and(|made_ms| now_ms.saturating_sub(made_ms) > LEFTOVER_AGE.as_millis())
}

#[cfg(test)]
mod tests {
    use super::is_leftover;

    #[test]
    fn only_old_test_databases_are_cleared_away() {
        for (name, expected) in [
            ("tenure_test_1000_abc", true),
            ("tenure_test_9000000_abc", false),
            ("tenure_template_1000", false),
            ("tenure", false),
            ("tenure_test_x_abc", false),
        ] {
            assert_eq!(is_leftover(name, 9_000_001), expected, "{name}");
        }
    }
}
