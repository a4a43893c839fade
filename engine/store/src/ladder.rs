//! Where the database comes from: an address that was given, else the PostgreSQL that is installed
//! on this machine, run by us in a private directory, else an error that says what to do.
//!
//! Tests stand on the same ladder through [`TestCluster`].

mod account;
mod binaries;
mod server;
mod test_cluster;

use std::path::{Path, PathBuf};

use rustix::process::geteuid;

pub use self::test_cluster::{TestCluster, TestDatabase};

use self::server::{Lock, Purpose, Server};

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// An address that was given; when absent, `DATABASE_URL` counts. An empty one says that there is none,
    /// whatever the environment says.
    pub database_url: Option<String>,
    /// Home of the private server; see [`default_data_dir`].
    pub data_dir: PathBuf,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither an address nor server binaries.
    #[error(
        "no PostgreSQL found: run `make setup`, or install the server \
         (`apt-get install postgresql`, `dnf install postgresql-server`, `brew install postgresql`), \
         or name its binaries by TENURE_PG_BIN, or an existing database by DATABASE_URL"
    )]
    NoServer,
    /// Another process works with this data directory.
    #[error(
        "the data directory {dir} is in use by another tenure ({holder}): stop that one, or choose \
         another directory"
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// The directory holds something else.
    #[error("{dir} is not empty and was not made by tenure: choose another data directory")]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
    /// The data was written by a PostgreSQL that is not installed any more.
    #[error(
        "{dir} was made by PostgreSQL {data}, and only {found} is installed: install version \
         {data} beside it, or choose another data directory"
    )]
    Version {
        /// The directory.
        dir: PathBuf,
        /// The major version of the data.
        data: String,
        /// The major versions that are installed.
        found: String,
    },
    /// As root, there is nobody the server could run as.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as"
    )]
    NoAccount,
    /// A file of the data directory.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {said}")]
    Program {
        /// The program.
        program: String,
        /// The end of what it said.
        said: String,
    },
    /// The server runs but does not let us in.
    #[error("the private server on port {port} does not answer (its log is {log})")]
    Silent {
        /// Its port.
        port: u16,
        /// Its log.
        log: PathBuf,
        /// The cause.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// A statement of the test kit failed.
    #[error("the test database cannot be made")]
    Test(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Which rung the database stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// The address was given.
    Given,
    /// A private server of ours.
    Private {
        /// Its home.
        data_dir: PathBuf,
        /// The PostgreSQL it runs.
        version: String,
        /// Whether it was left running by a process that died.
        adopted: bool,
    },
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given => write!(f, "the given database"),
            Self::Private { data_dir, version, adopted } => {
                let how = if *adopted { "adopted" } else { "started" };
                write!(f, "private PostgreSQL {version} in {} ({how})", data_dir.display())
            }
        }
    }
}

/// A database to work with. The private server stops when this is dropped.
#[derive(Debug)]
pub struct Database {
    /// Its address, with the password.
    pub url: String,
    /// Where it comes from.
    pub provider: Provider,
    guard: Option<Guard>,
}

/// The private server and our hold on its home. Fields drop in order: the server stops first.
#[derive(Debug)]
struct Guard {
    server: Server,
    _lock: Lock,
}

impl Ladder {
    /// Finds or starts the database.
    ///
    /// # Errors
    /// See [`enum@Error`]; each says what to do.
    pub async fn open(&self) -> Result<Database, Error> {
        let given = self.database_url.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        if let Some(url) = given.filter(|url| !url.is_empty()) {
            return Ok(Database { url, provider: Provider::Given, guard: None });
        }
        let found = binaries::find();
        if found.is_empty() {
            return Err(Error::NoServer);
        }
        let account = account::unprivileged()?;
        server::prepare_home(&self.data_dir, account)?;
        let lock = Lock::try_take(&self.data_dir)?;
        let server = Server::open(&self.data_dir, &found, account, Purpose::Work).await?;
        let provider = Provider::Private {
            data_dir: self.data_dir.clone(),
            version: server.version().to_owned(),
            adopted: server.adopted(),
        };
        let url = server.url(server::DATABASE);
        Ok(Database { url, provider, guard: Some(Guard { server, _lock: lock }) })
    }
}

impl Database {
    /// Stops the private server, if there is one, and says how that went. Dropping does the same
    /// and only logs it.
    ///
    /// # Errors
    /// When the server would not stop.
    pub async fn stop(mut self) -> Result<(), Error> {
        let Some(mut guard) = self.guard.take() else { return Ok(()) };
        let stopped = tokio::task::spawn_blocking(move || guard.server.stop()).await;
        stopped.unwrap_or_else(|error| {
            Err(Error::Program { program: "pg_ctl stop".to_owned(), said: error.to_string() })
        })
    }
}

/// The data directory when nothing else is said: `/var/lib/tenure` for root (whose own home the server
/// could not enter), else `tenure` in the user's data directory.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/var/lib/tenure");
    }
    data_dir_of(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
}

fn data_dir_of(
    xdg_data_home: Option<std::ffi::OsString>,
    home: Option<std::ffi::OsString>,
) -> PathBuf {
    // The specification says that a relative path there is to be ignored.
    if let Some(data) = xdg_data_home.map(PathBuf::from).filter(|path| path.is_absolute()) {
        return data.join("tenure");
    }
    match home.map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(home) => home.join(".local/share/tenure"),
        None => std::env::temp_dir().join("tenure"),
    }
}

/// An error about a file.
fn file(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_follows_the_desktop_rules() {
        for (xdg, home, expected) in [
            (Some("/data"), Some("/home/a"), "/data/tenure"),
            (Some("relative"), Some("/home/a"), "/home/a/.local/share/tenure"),
            (None, Some("/home/a"), "/home/a/.local/share/tenure"),
        ] {
            assert_eq!(data_dir_of(xdg.map(Into::into), home.map(Into::into)), Path::new(expected));
        }
    }

    #[tokio::test]
    async fn a_given_address_is_taken_as_it_is() {
        let ladder = Ladder {
            database_url: Some("postgres://u@db/x".to_owned()),
            data_dir: PathBuf::from("/nowhere"),
        };
        let database = ladder.open().await.unwrap();
        assert_eq!(database.url, "postgres://u@db/x");
        assert_eq!(database.provider, Provider::Given);
        database.stop().await.unwrap();
    }
}
