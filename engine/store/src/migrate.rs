//! The schema: migrations embedded in the binary, forward only.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection};

/// All migrations this binary knows.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Why the schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer, or refuses the credentials.
    #[error("cannot connect to migrate")]
    Connect(#[source] sqlx::Error),
    /// A newer binary has migrated this database: start that one, or a newer one.
    #[error(
        "the database has migration {version}, which is newer than this binary (it knows {known}): \
         start the newer tenure"
    )]
    TooNew {
        /// The migration this binary does not know.
        version: i64,
        /// The newest one it knows.
        known: i64,
    },
    /// Migrations are missing: run `tenure migrate`.
    #[error("the database lacks migration {version}: run `tenure migrate`")]
    TooOld {
        /// The first one that is missing.
        version: i64,
    },
    /// A migration that was applied reads differently in this binary: this is not the same product.
    #[error("migration {version} was applied with another text than this binary has")]
    Changed {
        /// The migration.
        version: i64,
    },
    /// A migration failed; its transaction was rolled back.
    #[error("cannot migrate")]
    Failed(#[source] MigrateError),
}

/// Whether two nodes that migrate at once are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locking {
    /// By an advisory lock of the session.
    #[default]
    Advisory,
    /// Not at all: for databases without advisory locks, where one node migrates before others start.
    None,
}

/// Applies what is missing. The address must be a direct one, not a pgbouncer's.
///
/// # Errors
/// See [`enum@Error`]. Nothing was changed when it is [`Error::TooNew`] or [`Error::Changed`].
pub async fn migrate(url: &str, locking: Locking) -> Result<(), Error> {
    let mut connection = PgConnection::connect(url).await.map_err(Error::Connect)?;
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrator.set_locking(match locking {
        Locking::Advisory => true,
        Locking::None => false,
    });
    let outcome = migrator.run(&mut connection).await.map_err(explain);
    // Whether it closes politely does not matter any more.
    connection.close().await.ok();
    outcome
}

/// Checks that the schema is exactly this binary's, without changing anything.
///
/// # Errors
/// [`Error::TooOld`], [`Error::TooNew`], or [`Error::Connect`].
pub async fn check(url: &str) -> Result<(), Error> {
    let mut connection = PgConnection::connect(url).await.map_err(Error::Connect)?;
    let applied =
        sqlx::query_file_scalar!("queries/schema_versions.sql").fetch_all(&mut connection).await;
    let applied = match applied {
        Ok(applied) => applied,
        // 42P01: no migration was ever applied.
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P01") => Vec::new(),
        Err(error) => return Err(Error::Connect(error)),
    };
    connection.close().await.ok();
    if let Some(version) = applied.iter().copied().find(|v| !MIGRATIONS.version_exists(*v)) {
        return Err(Error::TooNew { version, known: newest() });
    }
    let missing = MIGRATIONS.iter().map(|m| m.version).find(|v| !applied.contains(v));
    missing.map_or(Ok(()), |version| Err(Error::TooOld { version }))
}

/// The newest migration this binary knows.
#[must_use]
pub fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// What the schema is made of, for the name of a test template.
pub(crate) fn checksums() -> impl Iterator<Item = &'static [u8]> {
    MIGRATIONS.iter().map(|migration| migration.checksum.as_ref())
}

fn explain(error: MigrateError) -> Error {
    if let MigrateError::VersionMissing(version) = error {
        Error::TooNew { version, known: newest() }
    } else if let MigrateError::VersionMismatch(version) = error {
        Error::Changed { version }
    } else {
        Error::Failed(error)
    }
}
