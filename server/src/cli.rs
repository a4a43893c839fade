//! The command line: what can be said, and who does it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use tenure_store::{ladder, migrate as migrate_room};

use crate::exit::{Exit, Stop};
use crate::term::{self, Format};
use crate::{database, dev, logging, serve};

mod definition;
mod doctor;
mod effects;
mod explain;
mod fmt;
mod graph;
mod license;
mod migrate;
mod read;
mod remote;
mod run;
mod schedule;
mod schema;
mod secrets;
mod test;
mod validate;

pub use secrets::SecretOptions;

/// Durable workflows for subscription businesses.
#[derive(Debug, Parser)]
#[command(
    name = "tenure",
    version,
    after_help = "Examples:
  tenure dev                          everything on this machine, and one purchase played through
  tenure validate workflows/*/*.yaml  check definitions
  tenure run hello.yaml --input '{\"name\": \"Ada\"}'
  tenure definition list --server http://127.0.0.1:8080

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 conflict, 5 invalid, 6 unavailable,
7 workflow ended in failure, 8 workflow still waits, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on this machine: database, example workflows, sandbox vendors, API, portal
    Dev(dev::DevOptions),
    /// Serve the API and run instances, on your database and with your vendors
    Serve(serve::ServeOptions),
    /// Bring the database's schema to this binary's version
    Migrate(migrate::MigrateOptions),
    /// Run one definition to its end in memory, without a database
    Run(Box<run::RunOptions>),
    /// Check definitions and show every mistake with its place
    Validate(validate::ValidateOptions),
    /// Write definitions in the one form; comments stay, the meaning never changes
    Fmt(fmt::FmtOptions),
    /// Draw a definition as a picture, for Markdown, for Graphviz or as a list
    Graph(graph::GraphOptions),
    /// Print a JSON Schema for editors, or what the functions of the catalog take
    Schema(schema::SchemaOptions),
    /// Play the scenarios beside definitions, on a virtual clock and without vendors
    Test(test::TestOptions),
    /// Show what `.`, `$input` and `$context` hold at each task of a definition
    Explain(explain::ExplainOptions),
    /// Say when a definition would fire
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Register, list and show definitions of a running server
    #[command(subcommand)]
    Definition(definition::DefinitionCommand),
    /// Look at licenses
    #[command(subcommand)]
    License(license::LicenseCommand),
    /// List effects that nobody has settled, and those that happened when nobody waited for them any more
    Effects(effects::EffectsOptions),
    /// Prove that nothing is silently stuck; exit 1 when something is
    Doctor(doctor::DoctorOptions),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How data is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Format of the data on stdout [default: text on a terminal, else json]
    #[arg(short = 'o', long = "output", value_enum)]
    output: Option<Format>,
}

impl Output {
    /// The format to use.
    #[must_use]
    pub fn format(self) -> Format {
        Format::or_default(self.output)
    }
}

/// Where the database is.
#[derive(Debug, Clone, Default, Args)]
pub struct DatabaseOptions {
    /// Data directory of the private database that tenure starts when DATABASE_URL is not set
    #[arg(long, env = "TENURE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl DatabaseOptions {
    /// The data directory to use.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        database::data_dir(self.data_dir.as_deref())
    }
}

/// Parses the command line, does what it says, and ends with its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own choice: help and version on stdout with 0, mistakes on stderr with 2.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return match error.print() {
                Ok(()) => exit.into(),
                Err(_closed) => Exit::Failure.into(),
            };
        }
    };
    logging::start(cli.log_default());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            term::talk(&format!("error: the runtime cannot start: {error}"));
            return Exit::Failure.into();
        }
    };
    let ended = runtime.block_on(cli.run());
    // Blocking leftovers (a read of stdin) must not keep the process alive.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => report(&error).into(),
    }
}

/// Says what went wrong, with the causes, and finds the exit code.
fn report(error: &anyhow::Error) -> Exit {
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && io.kind() == std::io::ErrorKind::BrokenPipe
    {
        return Exit::Ok;
    }
    term::talk(&format!("error: {error}"));
    for cause in error.chain().skip(1) {
        term::talk(&format!("  caused by: {cause}"));
    }
    exit_of(error)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.exit;
    }
    if error.downcast_ref::<crate::door::Error>().is_some() {
        return Exit::Unavailable;
    }
    if error.downcast_ref::<crate::bind::Error>().is_some() {
        return Exit::Usage;
    }
    match error.downcast_ref::<migrate_room::Error>() {
        Some(migrate_room::Error::Connect(_)) => return Exit::Unavailable,
        Some(
            migrate_room::Error::TooNew { .. }
            | migrate_room::Error::TooOld { .. }
            | migrate_room::Error::Changed { .. },
        ) => return Exit::Conflict,
        Some(migrate_room::Error::Failed(_)) | None => {}
    }
    if let Some(ladder::Error::NoServer | ladder::Error::Silent { .. }) =
        error.downcast_ref::<ladder::Error>()
    {
        return Exit::Unavailable;
    }
    if let Some(tenure_store::Error::Retry { .. }) = error.downcast_ref::<tenure_store::Error>() {
        return Exit::Unavailable;
    }
    Exit::Failure
}

impl Cli {
    /// `dev` is quiet: its banner is what people read. `serve` tells its story.
    fn log_default(&self) -> &'static str {
        match &self.command {
            Command::Serve(_) => "info",
            Command::Dev(_)
            | Command::Migrate(_)
            | Command::Run(_)
            | Command::Validate(_)
            | Command::Fmt(_)
            | Command::Graph(_)
            | Command::Schema(_)
            | Command::Test(_)
            | Command::Explain(_)
            | Command::Schedule(_)
            | Command::Definition(_)
            | Command::License(_)
            | Command::Effects(_)
            | Command::Doctor(_)
            | Command::Completions { .. } => "warn",
        }
    }

    async fn run(self) -> anyhow::Result<Exit> {
        match self.command {
            Command::Dev(options) => dev::run(options, crate::hook::Hooks::signals()?).await,
            Command::Serve(options) => serve::run(options, crate::hook::Hooks::signals()?).await,
            Command::Migrate(options) => migrate::run(options).await,
            Command::Run(options) => run::run(*options).await,
            Command::Validate(options) => validate::run(&options),
            Command::Fmt(options) => fmt::run(&options),
            Command::Graph(options) => graph::run(&options),
            Command::Schema(options) => schema::run(&options),
            Command::Test(options) => test::run(&options),
            Command::Explain(options) => explain::run(&options),
            Command::Schedule(command) => schedule::run(&command),
            Command::Definition(command) => definition::run(command).await,
            Command::License(command) => license::run(command).await,
            Command::Effects(options) => effects::run(options).await,
            Command::Doctor(options) => doctor::run(options).await,
            Command::Completions { shell } => {
                let mut command = <Self as clap::CommandFactory>::command();
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut command, "tenure", &mut text);
                term::data(&String::from_utf8_lossy(&text))?;
                Ok(Exit::Ok)
            }
        }
    }
}

/// Reads `HOST:PORT`, where HOST may be a name like `localhost`.
///
/// # Errors
/// Says what is expected.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    use std::net::ToSocketAddrs as _;
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    text.to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| format!("{text:?} is not HOST:PORT, for example 127.0.0.1:8080"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn what_the_manual_says_is_accepted() {
        for line in [
            "tenure dev --once --quiet --api 127.0.0.1:9090 --data-dir /d",
            "tenure dev --portal 127.0.0.1:1 --sandbox 127.0.0.1:2 --workflows w",
            "tenure dev --reset --yes",
            "tenure serve --api 0.0.0.0:80 --token-file t --node n",
            "tenure migrate --no-migration-lock",
            "tenure run f.yaml --with a.yaml --with b.yaml --input {} --events @e --trigger @t \
             --secrets @s --clock virtual --start-at 2026-01-01T00:00:00Z \
             --resolve example.com=http://127.0.0.1:1 --resolve b=http://127.0.0.1:2 -o json",
            "tenure validate a.yaml b.yaml -o json",
            "tenure fmt --check --diff a.yaml b.yaml",
            "tenure fmt -",
            "tenure graph a.yaml --format svg --done /do/0/a --active /do/1/b --failed /do/2/c",
            "tenure schema",
            "tenure schema --list -o json",
            "tenure schema --function mail.send",
            "tenure test workflows a/scenarios/b.yaml --filter x --junit out.xml --seed 7 \
             --coverage-min 90 -o json",
            "tenure explain a.yaml --task /do/0/begin -o json",
            "tenure definition register f.yaml --server http://127.0.0.1:8080 --token t",
            "tenure definition list -o json",
            "tenure definition show purchase-direct --version 1.0.0",
            "tenure license verify f --jwks http://127.0.0.1:8080/.well-known/jwks.json",
            "tenure effects --server http://127.0.0.1:8080 -o json",
            "tenure doctor",
            "tenure completions bash",
        ] {
            let parsed = Cli::try_parse_from(line.split_whitespace());
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "tenure",
            "tenure dev --api nowhere",
            "tenure run",
            "tenure run f.yaml --clock sundial",
            "tenure run f.yaml --resolve example.com",
            "tenure run f.yaml --start-at yesterday",
            "tenure validate",
            "tenure fmt",
            "tenure graph a.yaml --format png",
            "tenure schema --list --function mail.send",
            "tenure dev --yes",
        ] {
            assert!(Cli::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }

    #[test]
    fn errors_know_their_exit_code() {
        let stop = anyhow::Error::new(Stop::new(Exit::Conflict, "x")).context("y");
        assert_eq!(exit_of(&stop), Exit::Conflict);
        assert_eq!(exit_of(&anyhow::anyhow!("x")), Exit::Failure);
        let newer = migrate_room::Error::TooNew { version: 9, known: 1 };
        assert_eq!(exit_of(&anyhow::Error::new(newer)), Exit::Conflict);
        assert_eq!(exit_of(&anyhow::Error::new(ladder::Error::NoServer)), Exit::Unavailable);
    }
}
