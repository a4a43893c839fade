//! The store as the runtime sees it: about a dozen verbs, each one atomic.
//!
//! A seeded in-memory store that loses acknowledgements can stand here, under the real runtime.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_definition::schedule::Nominal;
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::Incident;
use tenure_machine::{
    CloudEvent, Event, Instance, InstanceId, LockId, TimerId, Transition, WaitId,
};
use uuid::Uuid;

/// What went wrong between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Passing: repeat the same verb (serialization, deadlock, connection, restart). The outcome
    /// of a write is not known; every verb is safe to repeat.
    #[error("{verb}: the database did not answer")]
    Retry {
        /// The verb.
        verb: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database refuses to go on (disk full, read-only, schema too new): people must act.
    #[error("{verb}: the database refuses")]
    Refused {
        /// The verb.
        verb: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value that cannot be stored or read: a bug, or somebody changed a row by hand. Repeating does
    /// not help.
    #[error("{verb}: a value cannot be stored or read")]
    Corrupt {
        /// The verb.
        verb: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Longest fingerprint or detail of a parked instance, in bytes.
pub const PARKED_WORDS_MAX: usize = 2_048;

/// Result of a verb.
pub type Result<T> = std::result::Result<T, Error>;

/// This node's hold on buckets. Every checkpoint carries its epoch and is refused without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The node.
    pub node: Uuid,
    /// Its epoch; a take-over adds one.
    pub epoch: i64,
}

/// A lease as granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What checkpoints must carry.
    pub fence: Fence,
    /// The buckets held.
    pub buckets: Vec<Bucket>,
}

/// A stored definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDefinition {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Digest of the canonical form.
    pub digest: String,
    /// The YAML text as registered.
    pub source: String,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Result of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// New.
    New,
    /// The same text was registered before.
    Same,
    /// That version exists with another digest: choose a new version.
    Conflict {
        /// The digest that is there.
        digest: String,
    },
}

/// A start, decided by its key.
#[derive(Debug, Clone)]
pub struct NewInstance {
    /// Pending, revision 0.
    pub instance: Instance,
    /// SHA-256 of definition name and input: a repeated key must come with an equal request.
    pub fingerprint: String,
    /// Whether its business key may have one live instance of its definition only.
    pub claims_key: bool,
}

/// Result of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The instance was created, with its first mail ([`Event::Started`]).
    New,
    /// The key was used before, with an equal request: that instance.
    Existing(InstanceId),
    /// The key was used before, with another request.
    KeyReused(InstanceId),
    /// The business key has this live instance already (of a start that claims it).
    BusinessKeyTaken(InstanceId),
}

/// A place in the line before a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockPlace {
    /// Full name of the lock.
    pub name: String,
    /// Who stands there.
    pub instance: InstanceId,
    /// The number of the lock within that instance.
    pub lock: LockId,
}

/// A place in a line, and who holds the lock meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingLock {
    /// Full name of the lock.
    pub name: String,
    /// Who waits.
    pub instance: InstanceId,
    /// The number of the lock within that instance.
    pub lock: LockId,
    /// Who holds it.
    pub holder: InstanceId,
    /// Its number within the holder.
    pub holder_lock: LockId,
}

/// A transition to be committed. At most one per instance and batch.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The transition; its instance's revision is one more than the stored one.
    pub transition: Transition,
    /// Mail consumed by it, deleted in the same statement.
    pub consumed: Vec<Uuid>,
    /// When (database time of the step).
    pub at: Timestamp,
}

/// What became of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is durable: release its commands.
    Yes,
    /// Epoch or revision did not fit: drop the instance from memory, read it again, release
    /// nothing.
    Fenced,
    /// The row cannot be written (poisoned payload): the others of the batch were.
    Poisoned,
}

/// Something waiting for an instance: an event of the machine with an id of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// Unique; consumed by deletion.
    pub id: Uuid,
    /// For whom.
    pub instance: InstanceId,
    /// What.
    pub event: Event,
}

/// A timer row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueTimer {
    /// Whose.
    pub instance: InstanceId,
    /// Which.
    pub timer: TimerId,
    /// When.
    pub due: Timestamp,
}

/// A command of a committed transition that still has to be carried to another instance, to the
/// inbox or outside. Rows stay until [`Store::settle_outbox`].
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Whose command.
    pub instance: InstanceId,
    /// Unique within the instance: revision and position of the command.
    pub ordinal: i64,
    /// The command (`StartChild`, `CancelChild`, `TellParent`, `Emit`, `AcquireLock` or `ReleaseLock`).
    pub command: tenure_machine::Command,
}

/// How an event may find waits: one per (type, shape) known to the registered definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Shape of the correlations.
    pub shape: String,
    /// Canonical JSON array of the event's values, as in [`tenure_machine::Wait::value`].
    pub value: String,
}

/// An event with its routes, computed by the runtime.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Namespace it is for.
    pub namespace: String,
    /// The event.
    pub event: CloudEvent,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// What the store says of a received event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whether (source, id) was seen before. The first event is the one that counts; where its fate is
    /// read later, this is `false`.
    pub duplicate: bool,
    /// When the first was received.
    pub received_at: Timestamp,
    /// Instances it was delivered to so far.
    pub delivered_to: Vec<InstanceId>,
}

/// Name of a schedule: its definition's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scheduled {
    /// Namespace.
    pub namespace: String,
    /// Name of the definition.
    pub definition: String,
}

/// What a schedule remembers of its firings by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firings {
    /// Whose.
    pub schedule: Scheduled,
    /// Nominal instant of the last firing that was seen to; only ever grows.
    pub handled: Timestamp,
    /// The instance that was started last.
    pub instance: Option<InstanceId>,
    /// The firing that waits for the end of that instance.
    pub buffered: Option<Nominal>,
}

/// An instance row, for lists and for `GET`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The instance.
    pub instance: Instance,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// Why it cannot move from here ([`Store::park`]).
    pub parked: Option<Incident>,
}

/// An effect whose outcome nobody has settled, or that happened when nobody waited for it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// Whose.
    pub instance: InstanceId,
    /// Name of its definition.
    pub definition: String,
    /// Its business key.
    pub business_key: String,
    /// Where the instance stands, in one word.
    pub instance_status: String,
    /// The effect key: what the vendor knows it by.
    pub key: Uuid,
    /// Where it was called: pointer of the task and indexes of loops.
    pub position: String,
    /// What is known: `settling`, `looking_up`, `stuck` (its task is at it), `abandoned` (an answer may still
    /// come), `lost` (none will), `unknown` (none will, and money may have moved), `late` (it happened).
    pub phase: String,
    /// When it was first intended.
    pub intent_at: Timestamp,
    /// Since when this is known.
    pub updated_at: Timestamp,
}

/// One journal row.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalRow {
    /// The revision it made.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Its entries.
    pub entries: Vec<tenure_machine::Entry>,
}

/// A violation found by [`Store::doctor`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// The live instance without a reason to live.
    pub instance: InstanceId,
    /// Name of its definition.
    pub definition: String,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// How durable an acknowledgement is on the connected database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durability {
    /// `A` (fsync, synchronous commit, synchronous standby), `B` (no standby) or `C` (may lose
    /// acknowledged work).
    pub grade: char,
    /// The settings it was derived from, for people.
    pub settings: Value,
}

/// The verbs. Every write is one transaction; every verb is safe to repeat after [`Error::Retry`].
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync {
    /// One reading of the database clock (plus the sandbox offset row): the time of a batch.
    async fn clock(&self) -> Result<Timestamp>;

    /// Takes or renews this node's lease for `ttl_ms`, and takes every bucket whose holder's lease
    /// has run out (or that nobody holds). A node that comes back under its own id gets its buckets
    /// at once with the next epoch when `fresh`. Leases use the plain database clock.
    async fn lease(&self, node: Uuid, ttl_ms: u64, fresh: bool) -> Result<Lease>;

    /// Hands all buckets back (SIGTERM).
    async fn release(&self, fence: Fence) -> Result<()>;

    /// Registers a definition. `created_at` of the argument is ignored.
    async fn register(&self, definition: &StoredDefinition) -> Result<Registered>;

    /// All definitions, oldest first.
    async fn definitions(&self) -> Result<Vec<StoredDefinition>>;

    /// Creates an instance, its start-key row and its first mail in one statement; the key's
    /// unique index decides, and that of the business key where it is claimed.
    async fn start(&self, new: &NewInstance, at: Timestamp) -> Result<Started>;

    /// Commits a batch in one statement, fenced by epoch and revision: instance rows, journal,
    /// timers, waits, outbox, consumed mail. Timers and waits that the instance as it stands does not
    /// know any more are deleted; an ended instance keeps none, and no mail. One answer per checkpoint, in order. A lost answer of
    /// the database is read back: a row at the new revision under our epoch is our success.
    async fn checkpoint(&self, fence: Fence, batch: &[Checkpoint]) -> Result<Vec<Committed>>;

    /// Keeps an event (the acknowledgement) and delivers it to the waits it fits: each delivery is
    /// a mail, unique by (event, wait). Keep first, look for waits in a later statement.
    async fn receive(&self, incoming: &Incoming, at: Timestamp) -> Result<Receipt>;

    /// What became of an event, by (namespace, source, id).
    async fn fate(
        &self,
        namespace: &str,
        source: &str,
        id: &str,
    ) -> Result<Option<(CloudEvent, Receipt)>>;

    /// Whether a wait is open now that an event of this type and these routes may fit: what a strict sender
    /// asks before anything is kept.
    async fn awaited(&self, namespace: &str, event_type: &str, routes: &[Route]) -> Result<bool>;

    /// Events kept earlier that fit waits just opened by these instances: delivers them as mail.
    /// Called after the checkpoint that opened the waits. Returns how many were delivered.
    async fn match_waits(&self, opened: &[(InstanceId, WaitId)], at: Timestamp) -> Result<u64>;

    /// Repairs meetings that a crash cut in half: events that were kept but have not looked for waits,
    /// and waits that committed before [`Store::match_waits`] was called. Belongs into every scan;
    /// costs two looks into empty indexes when there is nothing to do. Returns how many were
    /// delivered.
    async fn sweep(&self, buckets: &[Bucket], at: Timestamp, limit: i64) -> Result<u64>;

    /// Whether an event of this type and route was already consumed by a wait (a second acceptance):
    /// the first such event with its receipt.
    async fn consumed_by_route(
        &self,
        namespace: &str,
        event_type: &str,
        route: &Route,
    ) -> Result<Option<(CloudEvent, Receipt)>>;

    /// Takes mail out of its box that moved nothing (a [`tenure_machine::Stale`]). The delivery of an
    /// event is marked as not fitting, so that the event may find another wait, never the same one.
    async fn refuse_mail(&self, mail: &[Uuid]) -> Result<()>;

    /// Puts mail into instances' boxes (child ended, cancel request). Mail ids repeat harmlessly; an
    /// instance that has ended gets none; one that does not exist yet finds its mail when it starts.
    async fn post(&self, mail: &[Mail], at: Timestamp) -> Result<()>;

    /// Whether this mail waits to be consumed.
    async fn posted(&self, instance: InstanceId, mail: Uuid) -> Result<bool>;

    /// Unconsumed mail of these buckets, oldest first, without the ids in `known`.
    async fn mail(&self, buckets: &[Bucket], known: &[Uuid], limit: i64) -> Result<Vec<Mail>>;

    /// Timers of these buckets due before `until`, earliest first.
    async fn timers(
        &self,
        buckets: &[Bucket],
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueTimer>>;

    /// Undelivered outbox rows of these buckets, oldest first.
    async fn outbox(&self, buckets: &[Bucket], limit: i64) -> Result<Vec<OutboxRow>>;

    /// Removes delivered outbox rows.
    async fn settle_outbox(&self, rows: &[(InstanceId, i64)]) -> Result<()>;

    /// Instances of these buckets with calls out, and those (ended ones too) with an abandoned effect that may
    /// still be answered: what a new owner must declare lost.
    async fn calling(
        &self,
        buckets: &[Bucket],
        after: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<InstanceId>>;

    /// Reads instances; unknown ids are left out.
    async fn load(&self, ids: &[InstanceId]) -> Result<Vec<Stored>>;

    /// Newest first; `before` pages on.
    async fn list(
        &self,
        namespace: &str,
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>>;

    /// Like [`Store::list`], of the instances that carry an attribute with this value (as text).
    async fn find(
        &self,
        namespace: &str,
        attribute: (&str, &str),
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>>;

    /// Stands in line for a lock, as the outbox row `ordinal` of the instance asks for: once that row is
    /// settled, or the instance has ended, this changes nothing. Who is first, and nobody holds it, gets
    /// [`tenure_machine::Event::LockGranted`] as mail.
    async fn acquire_lock(&self, place: &LockPlace, ordinal: i64, at: Timestamp) -> Result<()>;

    /// Leaves the line, or lets the lock go: the next in line gets it, with its mail.
    async fn release_lock(&self, place: &LockPlace, at: Timestamp) -> Result<()>;

    /// Places in lines that may be part of a deadlock, the oldest first: of instances that hold a lock
    /// themselves, and of children.
    async fn waiting_locks(&self, limit: i64) -> Result<Vec<WaitingLock>>;

    /// The children an instance ever started (awaited or not).
    async fn children(&self, id: InstanceId) -> Result<Vec<InstanceId>>;

    /// A page of the journal, from `after` on (0 = from the start).
    async fn journal(&self, id: InstanceId, after: i64, limit: i64) -> Result<Vec<JournalRow>>;

    /// What all schedules remember that have had a firing.
    async fn firings(&self) -> Result<Vec<Firings>>;

    /// Remembers what became of a firing; says whether it did: a watermark behind the one that is
    /// there changes nothing.
    async fn advance(&self, firings: &Firings) -> Result<bool>;

    /// Notes that the end of an instance is to start another one. To be called before the instance
    /// is started, so that no crash comes in between.
    async fn follow(&self, schedule: &Scheduled, instance: InstanceId, at: Timestamp)
    -> Result<()>;

    /// Instances noted by [`Store::follow`] that have ended, and when, oldest first.
    async fn ended(&self, schedule: &Scheduled, limit: i64)
    -> Result<Vec<(InstanceId, Timestamp)>>;

    /// Forgets an instance noted by [`Store::follow`]: another one was started.
    async fn followed(
        &self,
        schedule: &Scheduled,
        instance: InstanceId,
        at: Timestamp,
    ) -> Result<()>;

    /// Keeps an event that starts an instance together with others, once.
    async fn gather(&self, schedule: &Scheduled, event: &CloudEvent, at: Timestamp) -> Result<()>;

    /// The events kept by [`Store::gather`] that are not used up, oldest first.
    async fn gathered(&self, schedule: &Scheduled, limit: i64) -> Result<Vec<CloudEvent>>;

    /// Notes that events kept by [`Store::gather`] start nothing any more; none comes back.
    async fn use_up(&self, schedule: &Scheduled, events: &[CloudEvent]) -> Result<()>;

    /// Says why an instance cannot move from its present revision, by a write that holds nothing of the
    /// instance itself; `false` when the fence does not hold. It counts until the next checkpoint. The words
    /// are cut to [`PARKED_WORDS_MAX`] and freed of control characters, so this cannot fail for what they say.
    async fn park(&self, fence: Fence, instance: InstanceId, incident: &Incident) -> Result<bool>;

    /// Effects of a namespace that nobody has settled, those of the newest instances first; `before` pages on.
    async fn unsettled(
        &self,
        namespace: &str,
        before: Option<(InstanceId, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Unsettled>>;

    /// How many effects nobody has settled, by [`Unsettled::phase`].
    async fn unsettled_counts(&self) -> Result<Vec<(String, i64)>>;

    /// Live instances without a reason to live, by one query. Empty is the promise.
    async fn doctor(&self) -> Result<Vec<Orphan>>;

    /// Probes fsync, synchronous_commit, full_page_writes and synchronous standbys.
    async fn durability(&self) -> Result<Durability>;
}
