//! What `tenure dev` and `tenure serve` have in common: store, engine and API.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tenure_adapters::license::Issuer;
use tenure_adapters::{Settings, registry};
use tenure_runtime::{Config, Engine};
use tenure_store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::{self, App};
use crate::bind::Token;
use crate::door;

/// Namespace of the shipped definitions, and so of what comes in by the API.
pub const NAMESPACE: &str = "tenure";

/// How patient the engine is; one machine can afford less patience than a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often mail, timers and outbox are looked through.
    pub scan_every: Duration,
    /// How long after its intent an attempt may still be sent.
    pub send_window: Duration,
}

/// The configuration of an engine, with the values of `$secrets`.
#[must_use]
pub fn config(
    node: Uuid,
    namespace: &str,
    pace: Pace,
    secrets: BTreeMap<String, String>,
) -> Config {
    Config {
        scan_every: pace.scan_every,
        send_window: pace.send_window,
        secrets,
        ..Config::new(node, namespace)
    }
}

/// An engine on a store, with its adapters.
#[derive(Debug)]
pub struct Core {
    /// The engine.
    pub engine: Engine,
    /// The public half of the license key.
    pub jwks: Value,
}

impl Core {
    /// Builds the adapters and starts the engine.
    ///
    /// # Errors
    /// When the license key or the templates cannot be read, or the store does not answer.
    pub async fn start(
        store: Arc<dyn Store>,
        license_dir: &Path,
        mut settings: Settings,
        config: Config,
    ) -> anyhow::Result<Self> {
        let issuer = Issuer::open(license_dir).with_context(|| {
            format!("the license key in {} cannot be read or made", license_dir.display())
        })?;
        let jwks = serde_json::to_value(issuer.jwks()).context("a JWKS is always JSON")?;
        settings.license_dir = Some(license_dir.to_owned());
        let registry = registry(settings).context("the adapters cannot start")?;
        let engine =
            Engine::start(store, registry, config).await.context("the engine cannot start")?;
        Ok(Self { engine, jwks })
    }

    /// Opens the API on a port that is already ours.
    #[must_use]
    pub fn serve_api(
        &self,
        listener: TcpListener,
        token: Option<Token>,
        schema_version: i64,
        stop: CancellationToken,
    ) -> JoinHandle<()> {
        let app =
            App { engine: self.engine.clone(), token, jwks: self.jwks.clone(), schema_version };
        tokio::spawn(door::serve(listener, api::router(Arc::new(app)), stop))
    }
}

/// The address a listener got (the port may have been 0).
///
/// # Errors
/// The system's.
pub fn address_of(listener: &TcpListener) -> anyhow::Result<SocketAddr> {
    listener.local_addr().context("the port has no address")
}
