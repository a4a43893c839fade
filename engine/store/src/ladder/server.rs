//! A PostgreSQL of our own in a private directory: made, started, adopted and stopped by us.
//!
//! The home holds `pg` (the data), `password` (0600), `port` (the last one), `log` and `lock`. The
//! server listens on loopback only and asks everybody for the password. It is not our child: a
//! kill -9 leaves it running, and the next process adopts it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};
use sqlx::{Connection as _, PgConnection};

use super::account::Account;
use super::binaries::Binaries;
use super::{Error, file};

/// The database of a private server.
pub(super) const DATABASE: &str = "tenure";

/// The only role of a private server.
const ROLE: &str = "tenure";

/// How long a server may take to start, and to stop.
const START_SECONDS: &str = "60";
const STOP_SECONDS: &str = "30";

/// How often a start is tried: after a kill -9 of the postmaster its children need a moment to go,
/// and a free port may be taken by somebody else first.
const STARTS_MAX: u32 = 5;

/// How often, and how far apart, a running server is asked before it counts as silent.
const KNOCKS_MAX: u32 = 100;
const KNOCK_PAUSE: Duration = Duration::from_millis(200);

/// How much of a program's last words goes into an error.
const SAID_MAX: usize = 2_000;

/// Bytes of randomness in the password.
const PASSWORD_BYTES: usize = 32;

/// What the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Work: what was acknowledged survives a crash of the machine.
    Work,
    /// Tests only: nothing is flushed (durability grade C).
    Test,
}

/// Our hold on a home; ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock or says who holds it.
    pub(super) fn try_take(home: &Path) -> Result<Self, Error> {
        let path = home.join("lock");
        let mut lock = open_lock(&path)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // The holder's note is a courtesy: without it the error is still true.
            lock.read_to_string(&mut holder).ok();
            return Err(Error::InUse { dir: home.to_owned(), holder: holder.trim().to_owned() });
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "process {}", std::process::id()))
            .map_err(|e| file("write", &path, e))?;
        Ok(Self { _file: lock })
    }

    /// Waits for the lock.
    pub(super) fn take(home: &Path) -> Result<Self, Error> {
        let path = home.join("lock");
        let lock = open_lock(&path)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| file("lock", &path, e.into()))?;
        Ok(Self { _file: lock })
    }
}

fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| file("open", path, e))
}

/// Makes the home, private to whom the server runs as.
pub(super) fn prepare_home(home: &Path, account: Option<Account>) -> Result<(), Error> {
    std::fs::create_dir_all(home).map_err(|e| file("create", home, e))?;
    let mut entries = std::fs::read_dir(home).map_err(|e| file("read", home, e))?;
    if entries.next().is_some() && !home.join("lock").exists() {
        return Err(Error::Foreign { dir: home.to_owned() });
    }
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o700))
        .map_err(|e| file("protect", home, e))?;
    hand_over(home, account)
}

fn hand_over(path: &Path, account: Option<Account>) -> Result<(), Error> {
    match account {
        Some(Account { uid, gid }) => {
            chown(path, Some(uid), Some(gid)).map_err(|e| file("hand over", path, e))
        }
        None => Ok(()),
    }
}

/// A running private server. Stops when dropped, unless it was let go.
#[derive(Debug)]
pub(super) struct Server {
    home: PathBuf,
    binaries: Binaries,
    account: Option<Account>,
    port: u16,
    password: String,
    adopted: bool,
    ours_to_stop: bool,
}

impl Server {
    /// Makes the data when there is none, then starts the server or adopts the one that runs. The caller
    /// holds the lock of the home.
    pub(super) async fn open(
        home: &Path,
        found: &[Binaries],
        account: Option<Account>,
        purpose: Purpose,
    ) -> Result<Self, Error> {
        // Programs run with the home as their directory, so every path must be absolute.
        let home = std::path::absolute(home).map_err(|e| file("resolve", home, e))?;
        let password = password(&home, account)?;
        let mut server = Self {
            binaries: choose(&home, found)?,
            home,
            account,
            port: 0,
            password,
            adopted: false,
            ours_to_stop: false,
        };
        if !server.data().join("PG_VERSION").exists() {
            server.init().await?;
        }
        if let Some(port) = server.running()? {
            server.port = port;
            server.adopted = true;
            tracing::info!(port, home = %server.home.display(), "adopted a running PostgreSQL");
        } else {
            server.start(purpose).await?;
            server.ours_to_stop = true;
        }
        let connection = server.knock().await?;
        // It let us in by our password, so it is ours also when it ran before.
        server.ours_to_stop = true;
        server.ensure_database(connection).await?;
        Ok(server)
    }

    /// The address of one of its databases.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The PostgreSQL it runs.
    pub(super) fn version(&self) -> &str {
        &self.binaries.version
    }

    /// Whether it ran before us.
    pub(super) fn adopted(&self) -> bool {
        self.adopted
    }

    /// Lets it run on after we are gone.
    pub(super) fn let_go(mut self) {
        self.ours_to_stop = false;
    }

    /// Ends its sessions and stops it.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.ours_to_stop) {
            return Ok(());
        }
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["stop", "-m", "fast", "-w", "-t", STOP_SECONDS]);
        run("pg_ctl stop", stop).map(|_| ())
    }

    fn data(&self) -> PathBuf {
        self.home.join("pg")
    }

    fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// A program of the installation, in the home, as the unprivileged user, in plain English, and deaf to
    /// the caller's PG* variables.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.dir.join(program));
        command.current_dir(&self.home).stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes the data beside its place and moves it there: a crash in between leaves nothing half-made.
    async fn init(&self) -> Result<(), Error> {
        let unfinished = self.home.join("pg.new");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(|e| file("remove", &unfinished, e))?;
        }
        let mut init = self.command("initdb");
        init.arg("-D")
            .arg(&unfinished)
            .arg("--pwfile")
            .arg(self.home.join("password"))
            .args(["--username", ROLE, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--no-locale", "--no-instructions"]);
        run_async("initdb", init).await?;
        let data = self.data();
        std::fs::rename(&unfinished, &data).map_err(|e| file("move into place", &data, e))
    }

    /// The port of the server that runs on our data, if one does. A `postmaster.pid` whose process is
    /// gone, or has become another program, is removed.
    fn running(&self) -> Result<Option<u16>, Error> {
        let path = self.data().join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
        let port = lines.nth(2).and_then(|line| line.trim().parse().ok());
        match (pid, port) {
            (Some(pid), Some(port)) if self.is_ours(pid) => Ok(Some(port)),
            (Some(_) | None, Some(_) | None) => {
                std::fs::remove_file(&path).map_err(|e| file("remove the stale", &path, e))?;
                Ok(None)
            }
        }
    }

    /// Whether a process is a postmaster on our data. It stands in its data directory, which is told by
    /// /proc where there is one; elsewhere a living process is believed.
    fn is_ours(&self, pid: Pid) -> bool {
        let alive = match test_kill_process(pid) {
            Ok(()) => true,
            Err(error) => error == rustix::io::Errno::PERM,
        };
        let cwd = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
        let data = std::fs::canonicalize(self.data());
        alive && cwd.ok().zip(data.ok()).is_none_or(|(cwd, data)| cwd == data)
    }

    async fn start(&mut self, purpose: Purpose) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            self.port = free_port(&self.home)?;
            match self.try_start(purpose).await {
                Ok(()) => break,
                Err(error) if tries == STARTS_MAX => return Err(error),
                Err(error) => {
                    tracing::warn!(tries, %error, "the private PostgreSQL did not start");
                    tokio::time::sleep(KNOCK_PAUSE * tries).await;
                    tries += 1;
                }
            }
        }
        // A crash here only loses the wish to have the same port next time.
        let path = self.home.join("port");
        std::fs::write(&path, self.port.to_string()).map_err(|e| file("write", &path, e))?;
        tracing::info!(port = self.port, home = %self.home.display(), "started PostgreSQL");
        Ok(())
    }

    async fn try_start(&self, purpose: Purpose) -> Result<(), Error> {
        // Given at each start, so that a newer tenure may choose differently for old data. pg_ctl
        // hands these to a shell; none of them needs more quoting than the empty word.
        let common = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
             -c password_encryption=scram-sha-256 -c timezone=UTC",
            self.port
        );
        let options = match purpose {
            Purpose::Work => format!("{common} -c max_connections=100"),
            Purpose::Test => format!(
                "{common} -c max_connections=300 -c fsync=off -c synchronous_commit=off \
                 -c full_page_writes=off"
            ),
        };
        let mut start = self.command("pg_ctl");
        start.arg("-D").arg(self.data()).arg("-l").arg(self.log()).arg("-o").arg(options);
        start.args(["start", "-w", "-t", START_SECONDS]);
        run_async("pg_ctl start", start).await.map_err(|error| self.with_log(error))?;
        Ok(())
    }

    /// Waits until the server lets us in with our password: it is ours, and it is ready.
    async fn knock(&self) -> Result<PgConnection, Error> {
        let mut knocks = 0;
        loop {
            match PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    let refused = matches!(&error, sqlx::Error::Database(e)
                        if e.code().is_some_and(|code| code.starts_with("28")));
                    knocks += 1;
                    if refused || knocks == KNOCKS_MAX {
                        let (port, log, source) = (self.port, self.log(), Box::new(error));
                        return Err(Error::Silent { port, log, source });
                    }
                }
            }
            tokio::time::sleep(KNOCK_PAUSE).await;
        }
    }

    async fn ensure_database(&self, mut connection: PgConnection) -> Result<(), Error> {
        let silent =
            |source| Error::Silent { port: self.port, log: self.log(), source: Box::new(source) };
        match sqlx::raw_sql("create database tenure").execute(&mut connection).await {
            Ok(_) => {}
            // 42P04: it is there.
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P04") => {}
            Err(error) => return Err(silent(error)),
        }
        connection.close().await.ok();
        Ok(())
    }

    /// Adds the end of the server's log: pg_ctl only says "see the log".
    fn with_log(&self, error: Error) -> Error {
        match error {
            Error::Program { program, said } => {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                Error::Program { program, said: format!("{said}\n{}", tail(&log)) }
            }
            error @ (Error::NoServer
            | Error::InUse { .. }
            | Error::Foreign { .. }
            | Error::Version { .. }
            | Error::NoAccount
            | Error::File { .. }
            | Error::Silent { .. }
            | Error::Test(_)) => error,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, home = %self.home.display(), "PostgreSQL was left running");
        }
    }
}

/// The installation for this data: the preferred one for new data, else the one that wrote it.
fn choose(home: &Path, found: &[Binaries]) -> Result<Binaries, Error> {
    let written = std::fs::read_to_string(home.join("pg/PG_VERSION"));
    let chosen = match &written {
        Ok(major) => found.iter().find(|binaries| binaries.major() == major.trim()),
        Err(_) => found.first(),
    };
    chosen.cloned().ok_or_else(|| match written {
        Ok(major) => Error::Version {
            dir: home.to_owned(),
            data: major.trim().to_owned(),
            found: found.iter().map(Binaries::major).collect::<Vec<_>>().join(", "),
        },
        Err(_) => Error::NoServer,
    })
}

/// The password of the role: made once, readable by the server's user and nobody else.
fn password(home: &Path, account: Option<Account>) -> Result<String, Error> {
    let path = home.join("password");
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Ok(text.trim().to_owned());
    }
    let mut random = [0_u8; PASSWORD_BYTES];
    let source = Path::new("/dev/urandom");
    File::open(source)
        .and_then(|mut urandom| urandom.read_exact(&mut random))
        .map_err(|e| file("read", source, e))?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    // Written whole under another name first: a crash leaves no empty password behind.
    let unfinished = home.join("password.new");
    if unfinished.exists() {
        std::fs::remove_file(&unfinished).map_err(|e| file("remove", &unfinished, e))?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut out| writeln!(out, "{password}"))
        .map_err(|e| file("write", &unfinished, e))?;
    hand_over(&unfinished, account)?;
    std::fs::rename(&unfinished, &path).map_err(|e| file("move into place", &path, e))?;
    Ok(password)
}

/// The port of last time when it is free, else any free one.
fn free_port(home: &Path) -> Result<u16, Error> {
    let last = std::fs::read_to_string(home.join("port"))
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok());
    [last, Some(0)]
        .into_iter()
        .flatten()
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .and_then(|listener| listener.local_addr().ok())
        .map(|address| address.port())
        .ok_or_else(|| Error::Program {
            program: "the search for a free port".to_owned(),
            said: "no port of 127.0.0.1 is free".to_owned(),
        })
}

async fn run_async(program: &'static str, command: Command) -> Result<String, Error> {
    tokio::task::spawn_blocking(move || run(program, command)).await.unwrap_or_else(|error| {
        Err(Error::Program { program: program.to_owned(), said: error.to_string() })
    })
}

fn run(program: &str, mut command: Command) -> Result<String, Error> {
    let failed = |said: String| Error::Program { program: program.to_owned(), said };
    let output = command.output().map_err(|error| {
        failed(format!(
            "{error} (as root the server runs as an unprivileged user, who must be able to reach \
             the data directory: choose one outside root's home)"
        ))
    })?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() { Ok(said) } else { Err(failed(tail(&said).to_owned())) }
}

/// The end of a text, on a character's boundary.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let mut from = text.len().saturating_sub(SAID_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or(text)
}
