//! The sandbox: real HTTP servers on loopback that play the vendors.
//!
//! They check what the vendors check, honor idempotency keys as the vendors do, keep a ledger of
//! every effect (on disk when a folder is given, so that it survives a kill -9 of the host), and
//! fail on request by a fault plan. They never reach out to anywhere.
//!
//! Every server also answers `GET /sandbox/ledger`, and `GET|PUT|DELETE /sandbox/faults` with a
//! JSON list of [`Fault`]s. Mailgun's server shows an inbox at `/`.

mod control;
mod desk;
mod fault;
mod form;
mod inbox;
mod ledger;
mod mailgun;
mod marketo;
mod salesforce;
mod zuora;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Connection, Settings};
use desk::Desk;
pub use fault::{Fault, FaultKind};
pub use inbox::Message;
pub use ledger::{Action, Effect, LedgerEntry};

/// Total time of an attempt against the sandbox.
pub const DEADLINE_MS: u64 = 2_000;
/// Settle time against the sandbox: its effects are visible at once.
pub const SETTLE_MS: u64 = 500;

/// A vendor that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Billing.
    Zuora,
    /// CRM.
    Salesforce,
    /// Marketing.
    Marketo,
    /// Mail.
    Mailgun,
}

impl Vendor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Zuora, Self::Salesforce, Self::Marketo, Self::Mailgun];

    /// Name of the vendor and of its connection.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zuora => "zuora",
            Self::Salesforce => "salesforce",
            Self::Marketo => "marketo",
            Self::Mailgun => "mailgun",
        }
    }

    /// User and secret the sandbox accepts. Not secret: they open nothing but the sandbox.
    fn credentials(self) -> (&'static str, &'static str) {
        match self {
            Self::Zuora => ("5a9d0b5e-0000-4000-8000-0000000000c1", "sandbox-zuora-secret"),
            Self::Salesforce => ("sandbox-salesforce-client", "sandbox-salesforce-secret"),
            Self::Marketo => ("sandbox-marketo-client", "sandbox-marketo-secret"),
            Self::Mailgun => ("mail.tenure.example", "sandbox-mailgun-key"),
        }
    }

    fn routes(self, desk: Arc<Desk>) -> Router {
        match self {
            Self::Zuora => zuora::routes(desk),
            Self::Salesforce => salesforce::routes(desk),
            Self::Marketo => marketo::routes(desk),
            Self::Mailgun => mailgun::routes(desk),
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the sandbox is started.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    /// Folder of the ledgers (`VENDOR.jsonl`); memory only when absent.
    pub dir: Option<PathBuf>,
    /// Ports by vendor; any free one when absent.
    pub ports: BTreeMap<Vendor, u16>,
}

/// The running vendors; they stop when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    stands: BTreeMap<Vendor, Stand>,
}

#[derive(Debug)]
struct Stand {
    address: SocketAddr,
    desk: Arc<Desk>,
    server: JoinHandle<()>,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Sandbox {
    /// Starts all vendors.
    ///
    /// # Errors
    /// When a port is taken, or a ledger cannot be read.
    pub async fn start(options: SandboxOptions) -> Result<Self, Error> {
        let mut stands = BTreeMap::new();
        for vendor in Vendor::ALL {
            let desk = Arc::new(Desk::open(vendor, options.dir.as_deref())?);
            let port = options.ports.get(&vendor).copied().unwrap_or(0);
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
                    Error::new(
                        error.kind(),
                        format!("port {port} for the {vendor} sandbox: {error}"),
                    )
                })?;
            let address = listener.local_addr()?;
            let routes = vendor.routes(Arc::clone(&desk)).merge(control::routes(Arc::clone(&desk)));
            let server = tokio::spawn(async move {
                if let Err(error) = axum::serve(listener, routes).await {
                    tracing::error!(%vendor, %error, "the sandbox stopped");
                }
            });
            stands.insert(vendor, Stand { address, desk, server });
        }
        Ok(Self { stands })
    }

    /// Where a vendor answers, without a trailing slash.
    #[must_use]
    pub fn base_url(&self, vendor: Vendor) -> String {
        self.stands
            .get(&vendor)
            .map(|stand| format!("http://{}", stand.address))
            .unwrap_or_default()
    }

    /// Where the inbox can be read in a browser.
    #[must_use]
    pub fn inbox_url(&self) -> String {
        format!("{}/", self.base_url(Vendor::Mailgun))
    }

    /// Settings with a connection to every vendor, quick to give up and quick to settle.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let connections = Vendor::ALL.map(|vendor| {
            let (user, secret) = vendor.credentials();
            let connection = Connection {
                base_url: self.base_url(vendor),
                user: user.to_owned(),
                secret: secret.to_owned(),
                deadline_ms: Some(DEADLINE_MS),
                settle_ms: Some(SETTLE_MS),
            };
            (vendor.name().to_owned(), connection)
        });
        Settings { connections: connections.into(), ..Settings::default() }
    }

    /// Everything that happened at a vendor, oldest first. Requests without effect (reads,
    /// refusals) are not in it.
    #[must_use]
    pub fn ledger(&self, vendor: Vendor) -> Vec<LedgerEntry> {
        self.stands.get(&vendor).map(|stand| stand.desk.ledger()).unwrap_or_default()
    }

    /// Replaces the fault plan of a vendor.
    pub fn set_faults(&self, vendor: Vendor, faults: Vec<Fault>) {
        if let Some(stand) = self.stands.get(&vendor) {
            stand.desk.set_faults(faults);
        }
    }

    /// What is left of the fault plan of a vendor.
    #[must_use]
    pub fn faults(&self, vendor: Vendor) -> Vec<Fault> {
        self.stands.get(&vendor).map(|stand| stand.desk.faults()).unwrap_or_default()
    }

    /// All mails, oldest first.
    #[must_use]
    pub fn inbox(&self) -> Vec<Message> {
        self.stands
            .get(&Vendor::Mailgun)
            .map(|stand| inbox::messages(&stand.desk))
            .unwrap_or_default()
    }
}
