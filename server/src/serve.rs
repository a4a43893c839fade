//! `tenure serve`: the engine and its API on your database, with your vendors.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tenure_adapters::Settings;

use crate::bind::{self, Token};
use crate::core::{self, Core, Pace};
use crate::database::Database;
use crate::exit::Exit;
use crate::hook::{Addresses, Hooks};
use crate::{cli, connection, door, node, term, workflow};

/// A cluster scans calmly: wake-ups come in-process and by hints first.
const PACE: Pace =
    Pace { scan_every: Duration::from_secs(1), send_window: Duration::from_secs(30) };

/// Options of `tenure serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  DATABASE_URL=postgres://tenure@db/tenure tenure serve --connections connections.toml
  TENURE_API_TOKEN=$(openssl rand -hex 32) tenure serve --api 0.0.0.0:8080

Bring the schema to this version first: tenure migrate")]
pub struct ServeOptions {
    /// Address of the API; other than loopback only with a token
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = cli::address)]
    pub api: SocketAddr,
    /// Where the database is.
    #[command(flatten)]
    pub database: cli::DatabaseOptions,
    /// Who may use the API.
    #[command(flatten)]
    pub token: TokenOptions,
    /// Values of `$secrets`.
    #[command(flatten)]
    pub secrets: cli::SecretOptions,
    /// Name of this node, stable over restarts [default: the host's name]
    #[arg(long, env = "TENURE_NODE", value_name = "NAME")]
    pub node: Option<String>,
    /// Namespace that comes first when a name is known in several
    #[arg(long, default_value = core::NAMESPACE)]
    pub namespace: String,
    /// TOML file with the accounts at the vendors: a table each for zuora, salesforce, marketo, mailgun
    #[arg(long, value_name = "FILE")]
    pub connections: Option<PathBuf>,
    /// Folder of the license signing key and the issued licenses
    #[arg(long, value_name = "DIR", default_value_os_t = tenure_store::ladder::default_data_dir().join("license"))]
    pub license_dir: PathBuf,
    /// Folder of mail templates that replace the built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Folder of definitions (NAME/workflow.yaml) to register at start
    #[arg(long, value_name = "DIR")]
    pub workflows: Option<PathBuf>,
}

/// Who may use the API.
#[derive(Debug, Clone, Default, Args)]
pub struct TokenOptions {
    /// File with the API token (or set TENURE_API_TOKEN)
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl TokenOptions {
    /// The token as written, from the file or the environment.
    ///
    /// # Errors
    /// When the file cannot be read or the token is too short.
    pub fn find(&self) -> Result<Option<Token>, bind::Error> {
        self.written()?.as_deref().map(Token::new).transpose()
    }

    /// The token itself, for a client of this server in the same process (the portal of
    /// `tenure dev`).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn written(&self) -> Result<Option<String>, bind::Error> {
        match &self.token_file {
            Some(path) => bind::read_token(path).map(Some),
            None => Ok(std::env::var("TENURE_API_TOKEN").ok().filter(|text| !text.is_empty())),
        }
    }
}

/// Serves until told to stop.
///
/// # Errors
/// When a port, the database, the schema, a file or a definition refuses.
pub async fn run(options: ServeOptions, mut hooks: Hooks) -> anyhow::Result<Exit> {
    let token = options.token.find()?;
    bind::check(options.api, token.as_ref())?;
    let connections = match &options.connections {
        Some(path) => connection::read(path)?,
        None => std::collections::BTreeMap::new(),
    };
    let secrets = options.secrets.read()?;
    let listener = door::open(options.api, "API", "--api").await?;
    let api = core::address_of(&listener)?;
    let database = Database::open(&options.database.data_dir()).await?;
    let schema_version = database.check_schema().await?;
    let name = options.node.clone().unwrap_or_else(node::host_name);
    let config = core::config(node::of_name(&name), &options.namespace, PACE, secrets);
    let settings = Settings { connections, templates: options.templates, ..Settings::default() };
    let store = hooks.wrap(database.connect().await?);
    let core = Core::start(store, &options.license_dir, settings, config).await?;
    if let Some(folder) = &options.workflows {
        workflow::register(&core.engine, workflow::sources(Some(folder))?).await?;
    }
    let doors = core.serve_api(listener, token, schema_version, hooks.stop.clone());
    term::talk(&format!(
        "tenure serves http://{api} as node {name}; database: {}",
        database.provider()
    ));
    hooks.tell(Addresses { api, portal: None, sandbox: None });
    hooks.stop.cancelled().await;
    doors.await?;
    core.engine.shutdown().await?;
    database.close().await?;
    Ok(Exit::Ok)
}
