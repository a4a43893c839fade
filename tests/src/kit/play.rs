//! Both ways a definition is run: in memory with a virtual clock, and by an engine on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use serde_json::Value;
use tenure_adapter::Registry;
use tenure_adapters::{Settings, registry};
use tenure_definition::{Plan, Source, compile};
use tenure_machine::{Entry, Status};
use tenure_runtime::engine::{Error, StartAnswer};
use tenure_runtime::local::director::{Director, Told};
use tenure_runtime::{Config, Engine, local};
use tenure_store::Store as _;
use tenure_store::ladder::TestCluster;
use uuid::Uuid;

use super::check::{End, Ended};
use super::services::Services;

/// Longest a scenario may take on the real stack.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the engine looks for what nobody told it about.
const SCAN_EVERY: Duration = Duration::from_millis(100);
/// Rows of a journal that are read at once; more would be a scenario of another size.
const JOURNAL_MAX: i64 = 1_000;

/// Runs a definition.
#[async_trait]
pub trait Player: Send + Sync {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When the definition is refused, or the stack fails.
    async fn play(&self, definition: &str, input: Value) -> anyhow::Result<Ended>;
}

fn settings(services: &Services) -> Settings {
    Settings { resolve: services.hosts(), ..Settings::default() }
}

fn source(definition: &str) -> Source {
    Source { name: "scenario.yaml".to_owned(), text: definition.to_owned() }
}

/// In memory, with a virtual clock.
#[derive(Debug)]
pub struct InMemory<'s>(pub &'s Services);

#[async_trait]
impl Player for InMemory<'_> {
    async fn play(&self, definition: &str, input: Value) -> anyhow::Result<Ended> {
        let registry = registry(settings(self.0))?;
        let (plan, _) = compile(&source(definition), registry.catalog())
            .map_err(|found| anyhow!("refused:\n{}", found.render(false)))?;
        let options = local::Options {
            plan: Arc::<Plan>::new(plan),
            others: Vec::new(),
            input,
            events: Vec::new(),
            triggers: Vec::new(),
            secrets: BTreeMap::new(),
            virtual_clock: true,
            start_at: None,
        };
        let (report, journal) = tokio::task::spawn_blocking(move || run_here(options, &registry))
            .await
            .context("the run panicked")??;
        let local::Report { status, output, error, .. } = report;
        let end = match (status, error) {
            (local::Status::Completed, _) => End::Completed(output),
            (
                local::Status::Faulted | local::Status::Rejected | local::Status::Incident,
                Some(error),
            ) => End::Faulted(error),
            (local::Status::Cancelled, _) => End::Cancelled,
            (local::Status::Waiting, _) => End::Waiting,
            (
                status @ (local::Status::Faulted
                | local::Status::Rejected
                | local::Status::Incident),
                None,
            ) => {
                return Err(anyhow!("{status:?} without an error"));
            }
        };
        Ok(Ended { end, journal })
    }
}

/// Writes down what happens to the first instance.
#[derive(Debug, Default)]
struct Recorder(Vec<Entry>);

impl Director for Recorder {
    fn hear(&mut self, told: &Told<'_>) {
        if told.is_root {
            self.0.push(told.entry.clone());
        }
    }
}

/// Runs on a thread with the stack that directed runs need.
fn run_here(
    options: local::Options,
    registry: &Registry,
) -> anyhow::Result<(local::Report, Vec<Entry>)> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(local::STACK_BYTES);
        let running = thread.spawn_scoped(scope, || {
            let calls = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut recorder = Recorder::default();
            let report = calls.block_on(local::play(options, registry, &mut recorder));
            Ok((report, recorder.0))
        })?;
        running.join().map_err(|_| anyhow!("the run panicked"))?
    })
}

/// On a database and an engine of its own for each definition: scenarios use one name and version
/// for different texts, which no registry may accept.
#[derive(Debug)]
pub struct OnPostgres<'s> {
    services: &'s Services,
    cluster: TestCluster,
}

impl<'s> OnPostgres<'s> {
    /// Finds or starts the server.
    ///
    /// # Errors
    /// As the ladder.
    pub async fn open(services: &'s Services) -> anyhow::Result<Self> {
        Ok(Self { services, cluster: TestCluster::shared().await? })
    }
}

#[async_trait]
impl Player for OnPostgres<'_> {
    async fn play(&self, definition: &str, input: Value) -> anyhow::Result<Ended> {
        let database = self.cluster.database().await?;
        let store = Arc::new(database.store().await?);
        let mut config = Config::new(Uuid::now_v7(), "default");
        config.scan_every = SCAN_EVERY;
        let engine = Engine::start(store, registry(settings(self.services))?, config).await?;
        let ended = on(&engine, definition, input).await;
        engine.shutdown().await?;
        let orphans = database.store().await?.doctor().await?;
        ensure!(orphans.is_empty(), "orphans: {orphans:?}");
        ended
    }
}

async fn on(engine: &Engine, definition: &str, input: Value) -> anyhow::Result<Ended> {
    let stored = match engine.register(source(definition)).await {
        Ok((stored, _, _)) => stored,
        Err(Error::Invalid(found)) => return Err(anyhow!("refused:\n{}", found.render(false))),
        Err(error) => return Err(anyhow!(error)),
    };
    let StartAnswer { id, .. } = engine.start_instance(&stored.name, None, None, input).await?;
    let ended = engine.wait_for_end(id, PATIENCE).await?.context("the instance is gone")?;
    let end = match ended.instance.status {
        Status::Pending | Status::Live => End::Waiting,
        Status::Completed { output, .. } => End::Completed(output.into_value()),
        Status::Faulted { error, .. } => End::Faulted(error),
        Status::Cancelled { .. } => End::Cancelled,
    };
    let rows = engine.journal(id, 0, JOURNAL_MAX).await?;
    Ok(Ended { end, journal: rows.into_iter().flat_map(|row| row.entries).collect() })
}
