//! A store that ends the process at a chosen write: kill -9 between any two rooms of a step.
//!
//! Every verb that writes is one durable point. The process is killed either before the write
//! reached the database, or after it committed and before anybody heard of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::Incident;
use tenure_machine::{CloudEvent, InstanceId, WaitId};
use tenure_store::Store;
use tenure_store::port::{
    Checkpoint, Committed, DueTimer, Durability, Fence, Firings, Incoming, JournalRow, Lease,
    LockPlace, Mail, NewInstance, Orphan, OutboxRow, Receipt, Registered, Result, Route, Scheduled,
    Started, Stored, StoredDefinition, Unsettled, WaitingLock,
};
use uuid::Uuid;

/// On which side of the write the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The write never happens.
    Before,
    /// The write is durable, and nobody was told.
    After,
}

/// Where the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Number of the write, from 1.
    pub write: usize,
    /// Before or after it.
    pub side: Side,
}

impl Point {
    /// Reads `before:7` or `after:7`.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is not before:N or after:N");
        let (side, write) = text.split_once(':').ok_or_else(wrong)?;
        let side = match side {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return Err(wrong()),
        };
        Ok(Self { write: write.parse().map_err(|_| wrong())?, side })
    }
}

/// The store under test, with the point at which the process ends.
#[derive(Debug)]
pub struct CrashStore {
    inner: Arc<dyn Store>,
    point: Option<Point>,
    writes: Arc<AtomicUsize>,
}

impl CrashStore {
    /// Wraps a store. Without a point it only counts.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, point: Option<Point>, writes: Arc<AtomicUsize>) -> Self {
        Self { inner, point, writes }
    }

    async fn write<T>(&self, verb: impl Future<Output = T> + Send) -> T {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.point == Some(Point { write: number, side: Side::Before }) {
            kill();
        }
        let result = verb.await;
        if self.point == Some(Point { write: number, side: Side::After }) {
            kill();
        }
        result
    }
}

/// SIGKILL to ourselves: no destructor, no flush, no farewell.
fn kill() {
    let killed =
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    killed.expect("a process may kill itself");
    // The signal may take a moment; nothing may happen in it.
    loop {
        std::thread::park();
    }
}

#[async_trait]
impl Store for CrashStore {
    async fn clock(&self) -> Result<Timestamp> {
        self.inner.clock().await
    }

    async fn lease(&self, node: Uuid, ttl_ms: u64, fresh: bool) -> Result<Lease> {
        self.inner.lease(node, ttl_ms, fresh).await
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        self.inner.release(fence).await
    }

    async fn register(&self, definition: &StoredDefinition) -> Result<Registered> {
        self.inner.register(definition).await
    }

    async fn definitions(&self) -> Result<Vec<StoredDefinition>> {
        self.inner.definitions().await
    }

    async fn start(&self, new: &NewInstance, at: Timestamp) -> Result<Started> {
        self.write(self.inner.start(new, at)).await
    }

    async fn checkpoint(&self, fence: Fence, batch: &[Checkpoint]) -> Result<Vec<Committed>> {
        self.write(self.inner.checkpoint(fence, batch)).await
    }

    async fn receive(&self, incoming: &Incoming, at: Timestamp) -> Result<Receipt> {
        self.write(self.inner.receive(incoming, at)).await
    }

    async fn fate(
        &self,
        namespace: &str,
        source: &str,
        id: &str,
    ) -> Result<Option<(CloudEvent, Receipt)>> {
        self.inner.fate(namespace, source, id).await
    }

    async fn find(
        &self,
        namespace: &str,
        attribute: (&str, &str),
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>> {
        self.inner.find(namespace, attribute, before, limit).await
    }

    async fn acquire_lock(&self, place: &LockPlace, ordinal: i64, at: Timestamp) -> Result<()> {
        self.write(self.inner.acquire_lock(place, ordinal, at)).await
    }

    async fn release_lock(&self, place: &LockPlace, at: Timestamp) -> Result<()> {
        self.write(self.inner.release_lock(place, at)).await
    }

    async fn awaited(&self, namespace: &str, event_type: &str, routes: &[Route]) -> Result<bool> {
        self.inner.awaited(namespace, event_type, routes).await
    }

    async fn match_waits(&self, opened: &[(InstanceId, WaitId)], at: Timestamp) -> Result<u64> {
        self.write(self.inner.match_waits(opened, at)).await
    }

    async fn sweep(&self, buckets: &[Bucket], at: Timestamp, limit: i64) -> Result<u64> {
        self.inner.sweep(buckets, at, limit).await
    }

    async fn consumed_by_route(
        &self,
        namespace: &str,
        event_type: &str,
        route: &Route,
    ) -> Result<Option<(CloudEvent, Receipt)>> {
        self.inner.consumed_by_route(namespace, event_type, route).await
    }

    async fn refuse_mail(&self, mail: &[Uuid]) -> Result<()> {
        self.write(self.inner.refuse_mail(mail)).await
    }

    async fn post(&self, mail: &[Mail], at: Timestamp) -> Result<()> {
        self.write(self.inner.post(mail, at)).await
    }

    async fn posted(&self, instance: InstanceId, mail: Uuid) -> Result<bool> {
        self.inner.posted(instance, mail).await
    }

    async fn mail(&self, buckets: &[Bucket], known: &[Uuid], limit: i64) -> Result<Vec<Mail>> {
        self.inner.mail(buckets, known, limit).await
    }

    async fn timers(
        &self,
        buckets: &[Bucket],
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueTimer>> {
        self.inner.timers(buckets, until, limit).await
    }

    async fn outbox(&self, buckets: &[Bucket], limit: i64) -> Result<Vec<OutboxRow>> {
        self.inner.outbox(buckets, limit).await
    }

    async fn settle_outbox(&self, rows: &[(InstanceId, i64)]) -> Result<()> {
        self.write(self.inner.settle_outbox(rows)).await
    }

    async fn calling(
        &self,
        buckets: &[Bucket],
        after: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<InstanceId>> {
        self.inner.calling(buckets, after, limit).await
    }

    async fn load(&self, ids: &[InstanceId]) -> Result<Vec<Stored>> {
        self.inner.load(ids).await
    }

    async fn list(
        &self,
        namespace: &str,
        before: Option<InstanceId>,
        limit: i64,
    ) -> Result<Vec<Stored>> {
        self.inner.list(namespace, before, limit).await
    }

    async fn children(&self, id: InstanceId) -> Result<Vec<InstanceId>> {
        self.inner.children(id).await
    }

    async fn journal(&self, id: InstanceId, after: i64, limit: i64) -> Result<Vec<JournalRow>> {
        self.inner.journal(id, after, limit).await
    }

    async fn firings(&self) -> Result<Vec<Firings>> {
        self.inner.firings().await
    }

    async fn advance(&self, firings: &Firings) -> Result<bool> {
        self.write(self.inner.advance(firings)).await
    }

    async fn follow(
        &self,
        schedule: &Scheduled,
        instance: InstanceId,
        at: Timestamp,
    ) -> Result<()> {
        self.write(self.inner.follow(schedule, instance, at)).await
    }

    async fn ended(
        &self,
        schedule: &Scheduled,
        limit: i64,
    ) -> Result<Vec<(InstanceId, Timestamp)>> {
        self.inner.ended(schedule, limit).await
    }

    async fn followed(
        &self,
        schedule: &Scheduled,
        instance: InstanceId,
        at: Timestamp,
    ) -> Result<()> {
        self.write(self.inner.followed(schedule, instance, at)).await
    }

    async fn gather(&self, schedule: &Scheduled, event: &CloudEvent, at: Timestamp) -> Result<()> {
        self.write(self.inner.gather(schedule, event, at)).await
    }

    async fn gathered(&self, schedule: &Scheduled, limit: i64) -> Result<Vec<CloudEvent>> {
        self.inner.gathered(schedule, limit).await
    }

    async fn use_up(&self, schedule: &Scheduled, events: &[CloudEvent]) -> Result<()> {
        self.write(self.inner.use_up(schedule, events)).await
    }

    async fn park(&self, fence: Fence, instance: InstanceId, incident: &Incident) -> Result<bool> {
        self.write(self.inner.park(fence, instance, incident)).await
    }

    async fn unsettled(
        &self,
        namespace: &str,
        before: Option<(InstanceId, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Unsettled>> {
        self.inner.unsettled(namespace, before, limit).await
    }

    async fn unsettled_counts(&self) -> Result<Vec<(String, i64)>> {
        self.inner.unsettled_counts().await
    }

    async fn waiting_locks(&self, limit: i64) -> Result<Vec<WaitingLock>> {
        self.inner.waiting_locks(limit).await
    }

    async fn doctor(&self) -> Result<Vec<Orphan>> {
        self.inner.doctor().await
    }

    async fn durability(&self) -> Result<Durability> {
        self.inner.durability().await
    }
}
