//! The store on PostgreSQL.
//!
//! One file per group of verbs; each verb is one statement (or one short transaction) that may be
//! repeated. Go on with `checkpoint`, the statement everything else serves.

mod checkpoint;
mod event;
mod evidence;
mod lease;
mod lock;
mod mailbox;
mod read;
mod rows;
mod schedule;
mod start;
mod state;

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::Incident;
use tenure_machine::{CloudEvent, InstanceId, WaitId};
use uuid::Uuid;

use crate::port::{
    Checkpoint, Committed, DueTimer, Durability, Error, Fence, Firings, Incoming, JournalRow,
    Lease, LockPlace, Mail, NewInstance, Orphan, OutboxRow, Receipt, Registered, Result, Route,
    Scheduled, Started, Store, Stored, StoredDefinition, Unsettled, WaitingLock,
};
use crate::sqlstate::{self, with_retry};

/// How long a verb waits for a free connection before it says [`Error::Retry`].
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections of a node when nothing else is said.
const CONNECTIONS_DEFAULT: u32 = 8;

/// The store on PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
}

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most connections at once; one is enough for correctness.
    pub connections_max: u32,
    /// Whether a pgbouncer in transaction mode stands in between. Then statements are unnamed and
    /// nothing is set on a connection: put `plan_cache_mode = force_generic_plan`,
    /// `statement_timeout = 60s` and `idle_in_transaction_session_timeout = 30s` on the role
    /// (`alter role ... set ...`). Migrations need the direct address.
    pub pgbouncer: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections_max: CONNECTIONS_DEFAULT, pgbouncer: false }
    }
}

/// What is set on a connection of ours. The generic plan keeps the planner from scanning growing tables
/// for small batches; the time-outs end what a half-open connection left behind. Sent after the
/// connection stands and not as a start-up option, which poolers refuse.
const SESSION: &str = "set plan_cache_mode = 'force_generic_plan'; \
     set statement_timeout = '60s'; \
     set idle_in_transaction_session_timeout = '30s'";

impl Postgres {
    /// Connects to a migrated, writable database.
    ///
    /// # Errors
    /// [`Error::Refused`] for a replica or refused credentials, [`Error::Retry`] when nobody
    /// answers.
    pub async fn connect(url: &str, options: Options) -> Result<Self> {
        const VERB: &str = "connect";
        let mut connect =
            PgConnectOptions::from_str(url).map_err(|cause| sqlstate::error(VERB, cause))?;
        connect = connect.application_name("tenure");
        if options.pgbouncer {
            connect = connect.statement_cache_capacity(0).extra_float_digits(None);
        }
        let mut pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A ping before each verb would cost a round trip; verbs are repeated instead.
            .test_before_acquire(false);
        if !options.pgbouncer {
            pool = pool.after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(SESSION).execute(&mut *connection).await.map(|_| ())
                })
            });
        }
        let pool =
            pool.connect_with(connect).await.map_err(|cause| sqlstate::error(VERB, cause))?;
        let replica = with_retry(VERB, || async {
            sqlx::query_file_scalar!("queries/replica.sql").fetch_one(&pool).await
        })
        .await?;
        if replica {
            let source = Box::new(std::io::Error::other(
                "this server is a replica: connect to the primary (target_session_attrs=read-write)",
            ));
            return Err(Error::Refused { verb: VERB, source });
        }
        Ok(Self { pool })
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A value that cannot be read or written.
fn corrupt(verb: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Corrupt { verb, source: Box::new(source) }
}

/// Buckets as the database stores them.
fn numbers(buckets: &[Bucket]) -> Vec<i32> {
    buckets.iter().map(|bucket| bucket.as_i32()).collect()
}

/// See [`Store::clock`].
async fn clock(store: &Postgres) -> Result<Timestamp> {
    let now = with_retry("clock", || async {
        sqlx::query_file_scalar!("queries/clock.sql").fetch_one(&store.pool).await
    })
    .await?;
    Ok(now.to_jiff())
}

#[async_trait]
impl Store for Postgres {
    async fn clock(&self) -> Result<Timestamp> {
        clock(self).await
    }

    async fn lease(&self, node: Uuid, ttl_ms: u64, fresh: bool) -> Result<Lease> {
        lease::lease(self, node, ttl_ms, fresh).await
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        lease::release(self, fence).await
    }

    async fn register(&self, definition: &StoredDefinition) -> Result<Registered> {
        let at = clock(self).await?;
        start::register(self, definition, at).await
    }

    async fn definitions(&self) -> Result<Vec<StoredDefinition>> {
        start::definitions(self).await
    }

    async fn start(&self, new: &NewInstance, at: Timestamp) -> Result<Started> {
        start::start(self, new, at).await
    }

    async fn checkpoint(&self, fence: Fence, batch: &[Checkpoint]) -> Result<Vec<Committed>> {
        checkpoint::commit(self, fence, batch).await
    }

    async fn receive(&self, incoming: &Incoming, at: Timestamp) -> Result<Receipt> {
        event::receive(self, incoming, at).await
    }

    async fn fate(
        &self,
        namespace: &str,
        source: &str,
        id: &str,
    ) -> Result<Option<(CloudEvent, Receipt)>> {
        event::fate(self, namespace, source, id).await
    }

    async fn awaited(&self, namespace: &str, event_type: &str, routes: &[Route]) -> Result<bool> {
        event::awaited(self, namespace, event_type, routes).await
    }

    async fn match_waits(&self, opened: &[(InstanceId, WaitId)], at: Timestamp) -> Result<u64> {
        event::match_waits(self, opened, at).await
    }

    async fn sweep(&self, buckets: &[Bucket], at: Timestamp, limit: i64) -> Result<u64> {
        event::sweep(self, buckets, at, limit).await
    }

    async fn consumed_by_route(
        &self,
        namespace: &str,
        event_type: &str,
        route: &Route,
    ) -> Result<Option<(CloudEvent, Receipt)>> {
        event::consumed_by_route(self, namespace, event_type, route).await
    }

    async fn refuse_mail(&self, mail: &[Uuid]) -> Result<()> {
        event::refuse_mail(self, mail).await
    }

    async fn post(&self, mail: &[Mail], at: Timestamp) -> Result<()> {
        mailbox::post(self, mail, at).await
    }

    async fn posted(&self, instance: InstanceId, mail: Uuid) -> Result<bool> {
        mailbox::posted(self, instance, mail).await
    }

    async fn mail(&self, buckets: &[Bucket], known: &[Uuid], limit: i64) -> Result<Vec<Mail>> {
        mailbox::mail(self, buckets, known, limit).await
    }

    async fn timers(
        &self,
        buckets: &[Bucket],
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueTimer>> {
        mailbox::timers(self, buckets, until, limit).await
    }

    async fn outbox(&self, buckets: &[Bucket], limit: i64) -> Result<Vec<OutboxRow>> {
        mailbox::outbox(self, buckets, limit).await
    }

    async fn settle_outbox(&self, rows: &[(InstanceId, i64)]) -> Result<()> {
        mailbox::settle_outbox(self, rows).await
    }

    async fn find(
        &self,
        namespace: &str,
        attribute: (&str, &str),
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>> {
        read::find(self, namespace, attribute, before, limit).await
    }

    async fn acquire_lock(&self, place: &LockPlace, ordinal: i64, at: Timestamp) -> Result<()> {
        lock::acquire(self, place, ordinal, at).await
    }

    async fn release_lock(&self, place: &LockPlace, at: Timestamp) -> Result<()> {
        lock::release(self, place, at).await
    }

    async fn waiting_locks(&self, limit: i64) -> Result<Vec<WaitingLock>> {
        lock::waiting(self, limit).await
    }

    async fn calling(
        &self,
        buckets: &[Bucket],
        after: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<InstanceId>> {
        read::calling(self, buckets, after, limit).await
    }

    async fn load(&self, ids: &[InstanceId]) -> Result<Vec<Stored>> {
        read::load(self, "load", ids).await
    }

    async fn list(
        &self,
        namespace: &str,
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>> {
        read::list(self, namespace, before, limit).await
    }

    async fn children(&self, id: InstanceId) -> Result<Vec<InstanceId>> {
        read::children(self, id).await
    }

    async fn journal(&self, id: InstanceId, after: i64, limit: i64) -> Result<Vec<JournalRow>> {
        read::journal(self, id, after, limit).await
    }

    async fn firings(&self) -> Result<Vec<Firings>> {
        schedule::firings(self).await
    }

    async fn advance(&self, firings: &Firings) -> Result<bool> {
        schedule::advance(self, firings).await
    }

    async fn follow(
        &self,
        schedule: &Scheduled,
        instance: InstanceId,
        at: Timestamp,
    ) -> Result<()> {
        schedule::follow(self, schedule, instance, at).await
    }

    async fn ended(
        &self,
        schedule: &Scheduled,
        limit: i64,
    ) -> Result<Vec<(InstanceId, Timestamp)>> {
        schedule::ended(self, schedule, limit).await
    }

    async fn followed(
        &self,
        schedule: &Scheduled,
        instance: InstanceId,
        at: Timestamp,
    ) -> Result<()> {
        schedule::followed(self, schedule, instance, at).await
    }

    async fn gather(&self, schedule: &Scheduled, event: &CloudEvent, at: Timestamp) -> Result<()> {
        schedule::gather(self, schedule, event, at).await
    }

    async fn gathered(&self, schedule: &Scheduled, limit: i64) -> Result<Vec<CloudEvent>> {
        schedule::gathered(self, schedule, limit).await
    }

    async fn use_up(&self, schedule: &Scheduled, events: &[CloudEvent]) -> Result<()> {
        schedule::use_up(self, schedule, events).await
    }

    async fn park(&self, fence: Fence, instance: InstanceId, incident: &Incident) -> Result<bool> {
        evidence::park(self, fence, instance, incident).await
    }

    async fn unsettled(
        &self,
        namespace: &str,
        before: Option<(InstanceId, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Unsettled>> {
        evidence::unsettled(self, namespace, before, limit).await
    }

    async fn unsettled_counts(&self) -> Result<Vec<(String, i64)>> {
        evidence::unsettled_counts(self).await
    }

    async fn doctor(&self) -> Result<Vec<Orphan>> {
        read::doctor(self).await
    }

    async fn durability(&self) -> Result<Durability> {
        read::durability(self).await
    }
}
