//! The engine's handle: what a server, a test or an embedding program holds.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tenure_adapter::{Problem, Registry};
use tenure_definition::{Diagnostics, Source};
use tenure_machine::{CloudEvent, InstanceId};
use tenure_store::Store;
use tenure_store::port::{JournalRow, Receipt, Registered, Stored, StoredDefinition};
use uuid::Uuid;

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's stable id; a restart under the same id takes its buckets back at once.
    pub node: Uuid,
    /// Namespace of everything that comes in by the API.
    pub namespace: String,
    /// How long a lease lasts without renewal.
    pub lease_ttl: Duration,
    /// How often mail, timers and outbox are looked through (in-process wake-ups come first).
    pub scan_every: Duration,
    /// Calls in flight at once.
    pub calls_max: usize,
    /// How long after its intent an attempt may still be sent.
    pub send_window: Duration,
}

/// A running engine. Cheap to clone; the work stops with [`Engine::shutdown`].
#[derive(Debug, Clone)]
pub struct Engine {
    _store: Arc<dyn Store>,
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
    /// When the store cannot be reached.
    pub async fn start(
        store: Arc<dyn Store>,
        registry: Registry,
        config: Config,
    ) -> Result<Self, Error> {
        let _ = (registry, config);
        Ok(Self { _store: store })
    }

    /// Compiles and registers a definition.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all diagnostics, or the store's.
    pub async fn register(
        &self,
        source: Source,
    ) -> Result<(StoredDefinition, Registered, Diagnostics), Error> {
        let _ = source;
        Err(Error::Busy)
    }

    /// All registered definitions.
    ///
    /// # Errors
    /// The store's.
    pub async fn definitions(&self) -> Result<Vec<StoredDefinition>, Error> {
        Err(Error::Busy)
    }

    /// Starts an instance of the newest version (or of `version`). When this returns, the start is
    /// durable. `key` is the caller's Idempotency-Key.
    ///
    /// # Errors
    /// [`Error::UnknownDefinition`], [`Error::Refused`], [`Error::KeyReused`], [`Error::Busy`], or
    /// the store's.
    pub async fn start_instance(
        &self,
        name: &str,
        version: Option<&str>,
        key: Option<&str>,
        input: Value,
    ) -> Result<StartAnswer, Error> {
        let _ = (name, version, key, input);
        Err(Error::Busy)
    }

    /// Takes a CloudEvent. When this returns, the event is durable.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::NobodyWaits`], or the store's.
    pub async fn receive(
        &self,
        event: CloudEvent,
        handling: Handling,
    ) -> Result<EventAnswer, Error> {
        let _ = (event, handling);
        Err(Error::Busy)
    }

    /// What became of an event.
    ///
    /// # Errors
    /// The store's.
    pub async fn fate(&self, source: &str, id: &str) -> Result<Option<EventAnswer>, Error> {
        let _ = (source, id);
        Err(Error::Busy)
    }

    /// An instance as last committed.
    ///
    /// # Errors
    /// The store's.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<Stored>, Error> {
        let _ = id;
        Err(Error::Busy)
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
        let _ = (id, limit);
        Err(Error::Busy)
    }

    /// Newest instances first.
    ///
    /// # Errors
    /// The store's.
    pub async fn instances(
        &self,
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>, Error> {
        let _ = (before, limit);
        Err(Error::Busy)
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
        let _ = (id, after, limit);
        Err(Error::Busy)
    }

    /// The store under this engine (for `/readyz`, `doctor` and the like).
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self._store
    }

    /// The newest plan of a definition, compiled (for graphs and `definition show`).
    ///
    /// # Errors
    /// [`Error::UnknownDefinition`] or the store's.
    pub async fn plan(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Arc<tenure_definition::Plan>, Error> {
        let _ = (name, version);
        Err(Error::Busy)
    }

    /// Whether the lease is held: part of `/readyz`.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        false
    }

    /// Stops taking work, lets checkpoints in flight finish, hands the buckets back.
    ///
    /// # Errors
    /// The store's, when the hand-back failed (the lease then runs out by itself).
    pub async fn shutdown(&self) -> Result<(), Error> {
        Ok(())
    }
}
