//! `tenure dev`: everything on one machine with nothing to configure, and one purchase played
//! through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tenure_adapters::Settings;
use tenure_adapters::sandbox::{Sandbox, Vendor};
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

use banner::Banner;
use place::Place;
use play::Play;

/// One machine: look often, and give up a lost call soon.
const PACE: Pace =
    Pace { scan_every: Duration::from_millis(250), send_window: Duration::from_secs(2) };

/// Folder of the license key and the issued licenses.
const LICENSES: &str = "license";
/// Instances looked at to say how many go on.
const LIVE_COUNT_MAX: i64 = 500;

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
    /// Address of the customer portal [default: 127.0.0.1, the port after the API's]
    #[arg(long, value_name = "HOST:PORT", value_parser = cli::address)]
    pub portal: Option<SocketAddr>,
    /// Address of the sandbox inbox [default: 127.0.0.1, two ports after the API's]; the other
    /// vendors take free ports
    #[arg(long, value_name = "HOST:PORT", value_parser = cli::address)]
    pub sandbox: Option<SocketAddr>,
    /// Data directory [default: /var/lib/tenure/dev for root, else ~/.local/share/tenure/dev]
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
    /// Values of `$secrets`.
    #[command(flatten)]
    pub secrets: cli::SecretOptions,
}

/// The doors, ours before anything slow starts.
struct Doors {
    api: TcpListener,
    portal: TcpListener,
    vendors: Sandbox,
    addresses: Addresses,
}

impl Doors {
    async fn open(options: &DevOptions, place: &Place) -> anyhow::Result<Self> {
        let api = door::open(options.api, "API", "--api").await?;
        let portal = options.portal.unwrap_or_else(|| beside(options.api, 1));
        let portal = door::open(portal, "portal", "--portal").await?;
        let vendors = options.sandbox.unwrap_or_else(|| beside(options.api, 2));
        let vendors = sandbox::open(vendors, &place.join("sandbox")).await?;
        let addresses = Addresses {
            api: reachable(core::address_of(&api)?),
            portal: Some(reachable(core::address_of(&portal)?)),
            sandbox: sandbox::inbox_address(&vendors),
        };
        Ok(Self { api, portal, vendors, addresses })
    }
}

/// A port beside the API's, so that moving the API moves everything; any free one beside port 0.
fn beside(api: SocketAddr, offset: u16) -> SocketAddr {
    let port = match api.port() {
        0 => 0,
        port => port.checked_add(offset).unwrap_or(0),
    };
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// An address that can be asked: "any address" is no place to go to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Comes up, plays, serves, and goes down cleanly.
///
/// # Errors
/// When the directory, a port, the database or a definition refuses; each says what to do.
pub async fn run(options: DevOptions, mut hooks: Hooks) -> anyhow::Result<Exit> {
    let root = options
        .data_dir
        .clone()
        // Beside what `tenure serve` keeps: a reset must never reach a signing key in use there.
        .unwrap_or_else(|| database::data_dir(None).join("dev"));
    if options.reset {
        return reset(&root, options.yes).await;
    }
    let token = options.token.find()?;
    bind::check(options.api, token.as_ref())?;
    if let Some(portal) = options.portal
        && !portal.ip().is_loopback()
    {
        // A token protects the API, not the portal's pages, which buy with it.
        let message = format!(
            "--portal {portal} is not loopback, and nothing protects the portal's pages; bind 127.0.0.1"
        );
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let place = Place::take(&root)?;
    let doors = Doors::open(&options, &place).await?;
    let database = Database::open(place.root()).await?;
    let up = Up::start(&options, &mut hooks, &place, &database, doors, token).await;
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

/// How many of the newest instances are on their way: what a killed process left goes on.
async fn count_live(core: &Core) -> anyhow::Result<usize> {
    let newest = core.engine.instances(None, LIVE_COUNT_MAX).await?;
    Ok(newest.iter().filter(|stored| !stored.instance.is_terminal()).count())
}

/// Everything that runs.
struct Up {
    core: Core,
    vendors: Sandbox,
    addresses: Addresses,
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
        doors: Doors,
        token: Option<Token>,
    ) -> anyhow::Result<Self> {
        let Doors { api, portal, vendors, addresses } = doors;
        let schema_version = database.migrate(Locking::Advisory).await?;
        let settings = Settings { templates: options.templates.clone(), ..vendors.settings() };
        let node = node::of_directory(place.root())?;
        let config = core::config(node, core::NAMESPACE, PACE, options.secrets.read()?);
        let store = hooks.wrap(database.connect().await?);
        let core = Core::start(store, &place.join(LICENSES), settings, config).await?;
        let sources = workflow::sources(options.workflows.as_deref())?;
        let names = workflow::register(&core.engine, sources).await?;
        let written = options.token.written()?;
        let portal_config = PortalConfig {
            api_url: format!("http://{}", addresses.api),
            token: written.clone(),
            inbox_url: vendors.inbox_url(),
        };
        let doors = vec![
            core.serve_api(api, token, schema_version, hooks.stop.clone()),
            portal::serve(portal, portal_config, hooks.stop.clone()),
        ];
        let live = count_live(&core).await?;
        let grade = core.engine.store().durability().await?.grade;
        let banner = Banner {
            addresses: &addresses,
            root: place.root(),
            provider: database.provider(),
            grade,
            definitions: &names,
            vendors: &sandbox::addresses(&vendors),
            live,
        };
        let banner = banner.text();
        Ok(Self { core, vendors, addresses, token: written, doors, banner })
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
                addresses: self.addresses,
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
            let kept = place.keep_license(played.license(), &self.core.jwks)?;
            term::data(&banner::played(&played, &self.addresses, kept.as_ref()))?;
            if options.once {
                return Ok(if played.is_completed() { Exit::Ok } else { Exit::Faulted });
            }
        }
        if options.once {
            return Ok(Exit::Ok);
        }
        let zuora = self.vendors.base_url(Vendor::Zuora);
        term::data(&banner::next(&self.addresses, &zuora))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_the_api_moves_its_neighbors() {
        for (api, portal) in [
            ("127.0.0.1:8080", "127.0.0.1:8081"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:65535", "127.0.0.1:0"),
            ("0.0.0.0:80", "127.0.0.1:81"),
            ("[::1]:9000", "127.0.0.1:9001"),
        ] {
            assert_eq!(beside(api.parse().unwrap(), 1), portal.parse().unwrap(), "{api}");
        }
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
    }
}
