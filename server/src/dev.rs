//! `tenure dev`: everything on one machine with nothing to configure, and one purchase played
//! through.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tenure_adapters::Settings;
use tenure_adapters::sandbox::Sandbox;
use tenure_portal::PortalConfig;
use tenure_store::migrate::Locking;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bind::{self, Token};
use crate::core::{self, Core, Pace};
use crate::database::Database;
use crate::exit::{Exit, Stop};
use crate::hook::{Addresses, Hooks};
use crate::serve::TokenOptions;
use crate::{cli, database, door, node, portal, sandbox, term, workflow};

mod banner;
mod place;
mod play;
mod timeline;

use place::Place;
use play::Play;

/// One machine: look often, and give up a lost call soon.
const PACE: Pace =
    Pace { scan_every: Duration::from_millis(250), send_window: Duration::from_secs(2) };

/// Options of `tenure dev`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  tenure dev                        come up, play a purchase, serve until Ctrl-C
  tenure dev --once                 come up, play a purchase, exit 0 when it completed
  tenure dev --quiet                come up and serve, play nothing
  tenure dev --reset --yes          remove the data directory's contents

The database is DATABASE_URL, else the installed PostgreSQL, started in the data directory.")]
pub struct DevOptions {
    /// Exit after the played purchase: 0 when it completed
    #[arg(long)]
    pub once: bool,
    /// Play nothing
    #[arg(long)]
    pub quiet: bool,
    /// Address of the API; other than loopback only with a token
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = cli::address)]
    pub api: SocketAddr,
    /// Address of the customer portal
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081", value_parser = cli::address)]
    pub portal: SocketAddr,
    /// Address of the sandbox inbox; the other vendors take the three ports after it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8082", value_parser = cli::address)]
    pub sandbox: SocketAddr,
    /// Data directory [default: /var/lib/tenure for root, else ~/.local/share/tenure]
    #[arg(long, env = "TENURE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder of definitions (NAME/workflow.yaml) instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub workflows: Option<PathBuf>,
    /// Folder of mail templates that replace the built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Remove the contents of the data directory, and exit
    #[arg(long)]
    pub reset: bool,
    /// Really remove them
    #[arg(long, requires = "reset")]
    pub yes: bool,
    /// Who may use the API.
    #[command(flatten)]
    pub token: TokenOptions,
}

/// The ports, ours before anything else starts.
struct Ports {
    api: TcpListener,
    portal: TcpListener,
}

impl Ports {
    async fn open(options: &DevOptions) -> anyhow::Result<(Self, Addresses)> {
        let ports = Self {
            api: door::open(options.api, "API", "--api").await?,
            portal: door::open(options.portal, "portal", "--portal").await?,
        };
        let addresses = Addresses {
            api: core::address_of(&ports.api)?,
            portal: Some(core::address_of(&ports.portal)?),
            sandbox: None,
        };
        Ok((ports, addresses))
    }
}

/// Comes up, plays, serves, and goes down cleanly.
///
/// # Errors
/// When the directory, a port, the database or a definition refuses; each says what to do.
pub async fn run(options: DevOptions, mut hooks: Hooks) -> anyhow::Result<Exit> {
    let root = database::data_dir(options.data_dir.as_deref());
    if options.reset {
        return reset(&root, options.yes).await;
    }
    let token = options.token.find()?;
    bind::check(options.api, token.as_ref())?;
    let place = Place::take(&root)?;
    let (ports, addresses) = Ports::open(&options).await?;
    let database = Database::open(place.root()).await?;
    let up = Up::start(&options, &mut hooks, &place, &database, ports, addresses, token).await;
    let ended = match up {
        Ok(up) => {
            let ended = up.live(&options, &mut hooks, &place).await;
            up.stop(&hooks.stop).await?;
            ended
        }
        Err(error) => Err(error),
    };
    database.close().await?;
    ended
}

async fn reset(root: &std::path::Path, yes: bool) -> anyhow::Result<Exit> {
    let shown = root.display();
    if !place::is_ours(root) {
        let message = format!("{shown} is not a data directory of tenure dev; nothing was removed");
        return Err(Stop::new(Exit::NotFound, message).into());
    }
    if !yes {
        let message = format!("this removes everything in {shown}; say so with --reset --yes");
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let place = Place::take(root)?;
    Database::stop_left_over(place.root()).await?;
    place.clear()?;
    term::talk(&format!("{shown} is empty; next: tenure dev"));
    Ok(Exit::Ok)
}

/// Everything that runs.
struct Up {
    core: Core,
    vendors: Sandbox,
    addresses: Addresses,
    portal: SocketAddr,
    token: Option<String>,
    doors: Vec<JoinHandle<()>>,
    banner: String,
}

impl Up {
    async fn start(
        options: &DevOptions,
        hooks: &mut Hooks,
        place: &Place,
        database: &Database,
        ports: Ports,
        mut addresses: Addresses,
        token: Option<Token>,
    ) -> anyhow::Result<Self> {
        let schema_version = database.migrate(Locking::Advisory).await?;
        let vendors = sandbox::open(options.sandbox, &place.join("sandbox")).await?;
        let settings = Settings { templates: options.templates.clone(), ..vendors.settings() };
        let inbox_url = vendors.inbox_url();
        addresses.sandbox = inbox_url
            .strip_prefix("http://")
            .and_then(|rest| rest.trim_end_matches('/').parse().ok());
        let node = node::of_directory(place.root())?;
        let config = core::config(node, core::NAMESPACE, PACE);
        let store = hooks.wrap(database.connect().await?);
        let core = Core::start(store, &place.join("license"), settings, config).await?;
        let names =
            workflow::register(&core.engine, workflow::sources(options.workflows.as_deref())?)
                .await?;
        let written = options.token.written()?;
        let portal = core::address_of(&ports.portal)?;
        let api_url = format!("http://{}", addresses.api);
        let portal_config = PortalConfig { api_url, token: written.clone(), inbox_url };
        let doors = vec![
            core.serve_api(ports.api, token, schema_version, hooks.stop.clone()),
            portal::serve(ports.portal, portal_config, hooks.stop.clone()),
        ];
        let grade = core.engine.store().durability().await?.grade;
        let banner = banner::text(&addresses, place.root(), database.provider(), grade, &names);
        Ok(Self { core, vendors, addresses, portal, token: written, doors, banner })
    }

    /// Says what is there, plays, and serves until told to stop.
    async fn live(
        &self,
        options: &DevOptions,
        hooks: &mut Hooks,
        place: &Place,
    ) -> anyhow::Result<Exit> {
        term::data(&self.banner)?;
        hooks.tell(self.addresses);
        if !options.quiet {
            let play = Play {
                api: self.addresses.api,
                portal: self.portal,
                token: self.token.as_deref(),
                vendors: &self.vendors,
                place,
                stop: &hooks.stop,
            };
            let played = match play.through().await {
                Ok(played) => played,
                // Without --once the server stays up, so that what went wrong can be looked at.
                Err(error) if !options.once && !hooks.stop.is_cancelled() => {
                    term::talk(&format!("error: {error:#}"));
                    hooks.stop.cancelled().await;
                    return Ok(Exit::Failure);
                }
                Err(error) => return Err(error),
            };
            term::data(&banner::played(&played, &self.addresses))?;
            if options.once {
                return Ok(if played.is_completed() { Exit::Ok } else { Exit::Faulted });
            }
        }
        if options.once {
            return Ok(Exit::Ok);
        }
        term::data(&banner::next(&self.addresses))?;
        hooks.stop.cancelled().await;
        Ok(Exit::Ok)
    }

    async fn stop(self, stop: &CancellationToken) -> anyhow::Result<()> {
        stop.cancel();
        for door in self.doors {
            door.await?;
        }
        self.core.engine.shutdown().await?;
        drop(self.vendors);
        Ok(())
    }
}
