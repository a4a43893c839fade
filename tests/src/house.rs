//! The whole house in one process: sandbox vendors, a fresh database, the engine and the API on
//! loopback, with the shipped definitions registered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tenure_adapters::sandbox::{Action, Sandbox, SandboxOptions, Vendor};
use tenure_server::core::{self, Core, Pace};
use tenure_server::workflow;
use tenure_store::Store as _;
use tenure_store::ladder::{TestCluster, TestDatabase};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest time a test waits for something to happen.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks at something that has no signal of its own (the inbox).
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Everything, running. End it with [`House::close`].
#[derive(Debug)]
pub struct House {
    /// The vendors.
    pub vendors: Sandbox,
    /// Talks to the API.
    pub client: Client,
    api: String,
    core: Core,
    license_dir: PathBuf,
    database: TestDatabase,
    stop: CancellationToken,
}

impl House {
    /// Comes up.
    ///
    /// # Errors
    /// When any room refuses.
    pub async fn open(name: &str) -> anyhow::Result<Self> {
        let vendors = Sandbox::start(SandboxOptions::default()).await?;
        let database = TestCluster::shared().await?.database().await?;
        let store = std::sync::Arc::new(database.store().await?);
        let license_dir = std::env::temp_dir().join(format!("tenure-{name}-{}", Uuid::now_v7()));
        let pace =
            Pace { scan_every: Duration::from_millis(100), send_window: Duration::from_secs(2) };
        let config = core::config(Uuid::now_v7(), core::NAMESPACE, pace, BTreeMap::new());
        let core = Core::start(store, &license_dir, vendors.settings(), config).await?;
        workflow::register(&core.engine, workflow::sources(None)?).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let api = format!("http://{}", core::address_of(&listener)?);
        let stop = CancellationToken::new();
        drop(core.serve_api(listener, None, 1, stop.clone()));
        let client = Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { vendors, client, api, core, license_dir, database, stop })
    }

    /// A good order.
    #[must_use]
    pub fn order(&self) -> Value {
        json!({
            "customer": {
                "company": "Analytical Engines", "email": "ada@engines.example",
                "first_name": "Ada", "last_name": "Lovelace", "country": "GBR",
            },
            "sku": "premium-self-managed-annual",
            "quantity": 25,
            "payment_method": "card_ok",
        })
    }

    /// Asks for a purchase; gives the answer as it comes.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn buy(&self, key: &str, body: String) -> anyhow::Result<Response> {
        let url = format!("{}/v1/definitions/purchase-direct/instances", self.api);
        let request = self
            .client
            .post(url)
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(body);
        Ok(request.send().await?)
    }

    /// Starts a purchase that must be taken.
    ///
    /// # Errors
    /// When it is not.
    pub async fn start(&self, key: &str, order: &Value) -> anyhow::Result<String> {
        let response = self.buy(key, order.to_string()).await?;
        let status = response.status();
        let body: Value = response.json().await?;
        ensure!(status == StatusCode::CREATED, "{status}: {body}");
        Ok(body["id"].as_str().context("an id")?.to_owned())
    }

    /// Waits until an instance has ended.
    ///
    /// # Errors
    /// When it does not.
    pub async fn end_of(&self, id: &str) -> anyhow::Result<Value> {
        let began = Instant::now();
        let parsed = tenure_machine::InstanceId(id.parse()?);
        self.core.engine.wait_for_end(parsed, PATIENCE).await?;
        let shown: Value =
            self.client.get(format!("{}/v1/instances/{id}", self.api)).send().await?.json().await?;
        let ended = matches!(shown["status"].as_str(), Some("completed" | "faulted" | "cancelled"));
        ensure!(ended, "did not end within {:?}: {shown:#}", began.elapsed());
        Ok(shown)
    }

    /// Waits for the terms mail and takes the token out of its link.
    ///
    /// # Errors
    /// When none comes.
    pub async fn terms_token(&self) -> anyhow::Result<String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            for mail in self.vendors.inbox() {
                if let Some((_, rest)) = mail.text.split_once("/terms/") {
                    return Ok(rest.split_whitespace().next().unwrap_or_default().to_owned());
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("no terms mail came within {PATIENCE:?}")
    }

    /// Accepts the terms as the portal does.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn accept(&self, event_id: &str, token: &str) -> anyhow::Result<(StatusCode, Value)> {
        let event = json!({
            "specversion": "1.0", "id": event_id, "source": "/portal",
            "type": "com.tenure.terms.accepted.v1",
            "data": { "token": token, "name": "Ada Lovelace", "email": "ada@engines.example" },
        });
        let response = self
            .client
            .post(format!("{}/v1/events", self.api))
            .header("content-type", "application/cloudevents+json")
            .header("prefer", "handling=strict")
            .body(event.to_string())
            .send()
            .await?;
        Ok((response.status(), response.json().await?))
    }

    /// How many things of a kind a vendor has, as its own ledger says.
    #[must_use]
    pub fn count(&self, vendor: Vendor, kind: &str) -> usize {
        let entries = self.vendors.ledger(vendor);
        let effects = entries.iter().flat_map(|entry| &entry.effects);
        effects.filter(|effect| effect.action == Action::Created && effect.kind == kind).count()
    }

    /// Requests that had an effect at any vendor.
    #[must_use]
    pub fn effects(&self) -> usize {
        Vendor::ALL.iter().map(|vendor| self.vendors.ledger(*vendor).len()).sum()
    }

    /// Licenses issued.
    ///
    /// # Errors
    /// When their folder cannot be read.
    pub fn licenses(&self) -> anyhow::Result<usize> {
        let issued = self.license_dir.join("issued");
        Ok(if issued.exists() { std::fs::read_dir(issued)?.count() } else { 0 })
    }

    /// Goes down, and proves that nothing is left that nobody will move.
    ///
    /// # Errors
    /// When the doctor finds an orphan.
    pub async fn close(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.core.engine.shutdown().await?;
        let orphans = self.database.store().await?.doctor().await?;
        ensure!(orphans.is_empty(), "orphans: {orphans:?}");
        std::fs::remove_dir_all(&self.license_dir)?;
        Ok(())
    }
}
