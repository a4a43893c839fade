//! The engine's handle: what a server, a test or an embedding program holds.

mod address;
mod config;
mod effects;
mod house;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tenure_adapter::{Problem, Registry};
use tenure_definition::{Diagnostics, Plan, Source};
use tenure_machine::{CloudEvent, InstanceId};
use tenure_store::Store;
use tenure_store::port::{JournalRow, Receipt, Registered, Stored, StoredDefinition};
use tokio::sync::broadcast::error::RecvError;

use crate::ground::{Ground, patiently};
use crate::{launch, lease, mailbox, schedule};
pub use config::Config;
use house::House;

/// Longest Idempotency-Key, in bytes.
pub const START_KEY_BYTES_MAX: usize = 255;
/// How often somebody who waits for an end looks himself: it may come from another node.
const END_POLL: Duration = Duration::from_millis(250);

/// A running engine. Cheap to clone; the work stops with [`Engine::shutdown`], or at once, as if
/// killed, when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Engine {
    house: Arc<House>,
}

/// Why a verb of the engine was refused. The server maps these to HTTP problems, once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed; `Retry` means the caller should try again.
    #[error("the store failed")]
    Store(#[from] tenure_store::Error),
    /// No definition of that name (and version).
    #[error("no definition {name} is registered")]
    UnknownDefinition {
        /// As asked for.
        name: String,
    },
    /// The definition's text has errors.
    #[error("the definition has errors")]
    Invalid(Box<Diagnostics>),
    /// The input was refused before anything was written.
    #[error("the input was refused")]
    Refused(Box<Problem>),
    /// The Idempotency-Key was used before with another request.
    #[error("the key belongs to instance {0}, started with another request")]
    KeyReused(InstanceId),
    /// The definition allows one live instance of a business key, and this one lives.
    #[error("instance {0} runs for this business key, and only one may")]
    BusinessKeyTaken(InstanceId),
    /// The event is malformed.
    #[error("the event is malformed: {0}")]
    Malformed(String),
    /// `handling=strict`, and nobody waits for this event.
    #[error("nobody waits for this event")]
    NobodyWaits,
    /// The engine is full or stopping; try again later.
    #[error("the engine takes no more work now")]
    Busy,
}

/// Answer to a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartAnswer {
    /// The instance.
    pub id: InstanceId,
    /// Whether this start created it.
    pub created: bool,
}

/// Answer to an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventAnswer {
    /// The event that counts (the first one of its source and id, or of its correlation).
    pub event: CloudEvent,
    /// What the store knows of it.
    pub receipt: Receipt,
}

impl From<(CloudEvent, Receipt)> for EventAnswer {
    fn from((event, receipt): (CloudEvent, Receipt)) -> Self {
        Self { event, receipt }
    }
}

/// What to do with an event nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Keep it for a wait that may open later.
    Lenient,
    /// Refuse it, keep nothing ([`Error::NobodyWaits`]). When the same correlation was consumed
    /// before, answer like the first time.
    Strict,
}

impl Engine {
    /// Takes a lease, recovers what the buckets hold and starts to work.
    ///
    /// # Errors
    /// When the store cannot be reached, or [`Error::Busy`] when no threads can be started.
    pub async fn start(
        store: Arc<dyn Store>,
        registry: Registry,
        config: Config,
    ) -> Result<Self, Error> {
        Ok(Self { house: Arc::new(House::build(store, registry, config).await?) })
    }

    fn ground(&self) -> &Arc<Ground> {
        &self.house.ground
    }

    /// Compiles and registers a definition.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all diagnostics, or the store's.
    pub async fn register(
        &self,
        source: Source,
    ) -> Result<(StoredDefinition, Registered, Diagnostics), Error> {
        let answer = self.ground().plans.register(source).await?;
        tracing::info!(
            definition = answer.0.name,
            version = answer.0.version,
            digest = answer.0.digest,
            registered = ?answer.1,
            "definition registered"
        );
        Ok(answer)
    }

    /// All registered definitions.
    ///
    /// # Errors
    /// The store's.
    pub async fn definitions(&self) -> Result<Vec<StoredDefinition>, Error> {
        patiently(|| self.store().definitions()).await
    }

    /// Starts an instance of the newest version (or of `version`). When this returns, the start is
    /// durable. `key` is the caller's Idempotency-Key.
    ///
    /// # Errors
    /// [`Error::UnknownDefinition`], [`Error::Refused`], [`Error::KeyReused`],
    /// [`Error::BusinessKeyTaken`], [`Error::Busy`], or the store's.
    pub async fn start_instance(
        &self,
        name: &str,
        version: Option<&str>,
        key: Option<&str>,
        input: Value,
    ) -> Result<StartAnswer, Error> {
        self.house.takes_work()?;
        let ground = self.ground();
        if ground.known.count() >= mailbox::KNOWN_MAX {
            return Err(Error::Busy);
        }
        if let Some(key) = key
            && (key.is_empty() || key.len() > START_KEY_BYTES_MAX)
        {
            let detail = format!("the key must have 1 to {START_KEY_BYTES_MAX} bytes");
            return Err(Error::Refused(Box::new(Problem::validation(detail))));
        }
        let plan = self.plan(name, version).await?;
        launch::launch(ground, &plan, key, input).await
    }

    /// Takes a CloudEvent. When this returns, the event is durable.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::NobodyWaits`], [`Error::Busy`], or the store's.
    pub async fn receive(
        &self,
        event: CloudEvent,
        handling: Handling,
    ) -> Result<EventAnswer, Error> {
        self.house.takes_work()?;
        event.check().map_err(Error::Malformed)?;
        let ground = self.ground();
        let addressed = self.addressed(event).await?;
        if handling == Handling::Strict
            && let Some(earlier) = self.before_keeping(&addressed).await?
        {
            return Ok(earlier);
        }
        let incoming = addressed.incoming;
        schedule::hear(ground, &incoming).await?;
        let receipt = patiently(|| ground.store.receive(&incoming, ground.clock.now())).await?;
        tracing::info!(
            source = incoming.event.source,
            event = incoming.event.id,
            kind = incoming.event.kind,
            duplicate = receipt.duplicate,
            delivered = receipt.delivered_to.len(),
            "event received"
        );
        ground.bells.mail.notify_one();
        if receipt.duplicate
            && let Some(first) = self.fate(&incoming.event.source, &incoming.event.id).await?
        {
            return Ok(EventAnswer { event: first.event, receipt });
        }
        Ok(EventAnswer { event: incoming.event, receipt })
    }

    /// What became of an event.
    ///
    /// # Errors
    /// The store's.
    pub async fn fate(&self, source: &str, id: &str) -> Result<Option<EventAnswer>, Error> {
        let ground = self.ground();
        for namespace in ground.plans.namespaces(&ground.config.namespace) {
            let fate = patiently(|| self.store().fate(&namespace, source, id)).await?;
            if let Some(fate) = fate {
                return Ok(Some(fate.into()));
            }
        }
        Ok(None)
    }

    /// An instance as last committed.
    ///
    /// # Errors
    /// The store's.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<Stored>, Error> {
        let found = patiently(|| async move { self.store().load(&[id]).await }).await?;
        Ok(found.into_iter().next())
    }

    /// Waits until the instance has ended, at most `limit`; gives it as last committed.
    ///
    /// # Errors
    /// The store's.
    pub async fn wait_for_end(
        &self,
        id: InstanceId,
        limit: Duration,
    ) -> Result<Option<Stored>, Error> {
        let over = tokio::time::Instant::now() + limit;
        let mut ended = self.ground().ended.subscribe();
        loop {
            let found = self.instance(id).await?;
            let now = tokio::time::Instant::now();
            if now >= over || found.as_ref().is_none_or(|found| found.instance.is_terminal()) {
                return Ok(found);
            }
            let look_again = over.min(now + END_POLL);
            let heard = async {
                loop {
                    match ended.recv().await {
                        Ok(other) if other != id => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return,
                        // The engine is gone: only the clock is left.
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // Heard or not, the store has the answer.
            tokio::time::timeout_at(look_again, heard).await.ok();
        }
    }

    /// Newest instances first, of all namespaces.
    ///
    /// # Errors
    /// The store's.
    pub async fn instances(
        &self,
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>, Error> {
        let ground = self.ground();
        let mut found = Vec::new();
        for namespace in ground.plans.namespaces(&ground.config.namespace) {
            found.extend(patiently(|| self.store().list(&namespace, before, limit)).await?);
        }
        Ok(newest_first(found, limit))
    }

    /// Like [`Engine::instances`], of those that carry an attribute with this value
    /// (`metadata.searchable`).
    ///
    /// # Errors
    /// The store's.
    pub async fn find(
        &self,
        attribute: (&str, &str),
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>, Error> {
        let ground = self.ground();
        let mut found = Vec::new();
        for namespace in ground.plans.namespaces(&ground.config.namespace) {
            let page = patiently(|| self.store().find(&namespace, attribute, before, limit));
            found.extend(page.await?);
        }
        Ok(newest_first(found, limit))
    }

    /// Asks an instance to stop, with `metadata.onCancel` first. When this returns, the request is
    /// durable; an instance that has ended takes no notice.
    ///
    /// # Errors
    /// The store's.
    pub async fn cancel(&self, instance: InstanceId, reason: &str) -> Result<(), Error> {
        launch::cancel(self.ground(), instance, reason).await
    }

    /// A page of an instance's journal.
    ///
    /// # Errors
    /// The store's.
    pub async fn journal(
        &self,
        id: InstanceId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<JournalRow>, Error> {
        patiently(|| self.store().journal(id, after, limit)).await
    }

    /// The store under this engine (for `/readyz`, `doctor` and the like).
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.ground().store
    }

    /// The newest plan of a definition, compiled (for graphs and `definition show`).
    ///
    /// # Errors
    /// [`Error::UnknownDefinition`] or the store's.
    pub async fn plan(&self, name: &str, version: Option<&str>) -> Result<Arc<Plan>, Error> {
        let ground = self.ground();
        ground.plans.meant(&ground.config.namespace, name, version).await?.ok_or_else(|| {
            let name =
                version.map_or_else(|| name.to_owned(), |version| format!("{name}:{version}"));
            Error::UnknownDefinition { name }
        })
    }

    /// The plan an instance is pinned to; `None` when it does not compile on this node.
    ///
    /// # Errors
    /// The store's.
    pub async fn pinned(&self, digest: &str) -> Result<Option<Arc<Plan>>, Error> {
        self.ground().plans.pinned(digest).await
    }

    /// Whether the lease is held: part of `/readyz`.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        self.house.works() && lease::current(&self.ground().holding).is_some()
    }

    /// Stops taking work, lets what is in flight finish, hands the buckets back.
    ///
    /// # Errors
    /// The store's, when the hand-back failed (the lease then runs out by itself).
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.house.shut_down().await
    }
}

/// Ids are ordered by time, so the newest of all namespaces are the greatest.
fn newest_first(mut found: Vec<Stored>, limit: i64) -> Vec<Stored> {
    found.sort_by_key(|stored| std::cmp::Reverse(stored.instance.id));
    found.truncate(usize::try_from(limit).unwrap_or(0));
    found
}
