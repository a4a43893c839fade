//! What the tests of this folder share: a database each, and instances made by hand.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::PgPool;
use tenure_definition::TaskId;
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::{Activity, CallPhase, Effect, Frame};
use tenure_machine::{
    CallId, CloudEvent, Command, Entry, Fact, FrameId, Identity, Instance, InstanceId, Parent,
    Status, TimerId, Transition, Wait, WaitId,
};
use tenure_store::ladder::{TestCluster, TestDatabase};
use tenure_store::port::{
    Checkpoint, Committed, Fence, Incoming, Mail, NewInstance, Route, Started,
};
use tenure_store::{Postgres, Store as _};
use uuid::Uuid;

pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const SHAPE: &str = "[\"order\"]";

/// A database of its own with a store on it, and a node that holds every bucket.
pub(crate) struct World {
    pub(crate) store: Postgres,
    pub(crate) fence: Fence,
    pub(crate) at: Timestamp,
    pool: PgPool,
    // Last, so that the connections are gone before the database is.
    _database: TestDatabase,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestCluster::shared().await.unwrap().database().await.unwrap();
        let store = database.store().await.unwrap();
        let pool = PgPool::connect(&database.url()).await.unwrap();
        let at = store.clock().await.unwrap();
        let lease = store.lease(Uuid::now_v7(), 60_000, true).await.unwrap();
        Self { store, fence: lease.fence, at, pool, _database: database }
    }

    /// Runs SQL behind the store's back, as an operator might.
    pub(crate) async fn meddle(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    /// How many rows a query finds.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// A started instance, as loaded.
    pub(crate) async fn started(&self, key: &str) -> Instance {
        let new = pending(key, self.at);
        assert_eq!(self.store.start(&new, self.at).await.unwrap(), Started::New);
        self.loaded(new.instance.id).await
    }

    pub(crate) async fn loaded(&self, id: InstanceId) -> Instance {
        self.store.load(&[id]).await.unwrap().remove(0).instance
    }

    /// All mail there is.
    pub(crate) async fn mail(&self) -> Vec<Mail> {
        self.store.mail(&all_buckets(), &[], 1_000).await.unwrap()
    }

    /// The mail of one instance, by id.
    pub(crate) async fn mail_of(&self, id: InstanceId) -> Vec<Uuid> {
        self.mail().await.into_iter().filter(|m| m.instance == id).map(|m| m.id).collect()
    }

    /// Forgets every command on its way, as if all were delivered.
    pub(crate) async fn settle_all(&self) {
        let rows = self.store.outbox(&all_buckets(), 1_000).await.unwrap();
        let rows: Vec<_> = rows.into_iter().map(|row| (row.instance, row.ordinal)).collect();
        self.store.settle_outbox(&rows).await.unwrap();
    }

    pub(crate) async fn commit(&self, checkpoint: Checkpoint) -> Committed {
        self.store.checkpoint(self.fence, &[checkpoint]).await.unwrap().remove(0)
    }

    /// Starts an instance and opens one wait in it; its first mail is consumed.
    pub(crate) async fn waiting(&self, key: &str, value: &str) -> (Instance, WaitId) {
        let instance = self.started(key).await;
        let consumed = self.mail_of(instance.id).await;
        let wait = WaitId(1);
        let mut next = moved(&instance, Status::Live, self.at);
        listen(&mut next, wait);
        next.transition.commands = vec![open(wait, Some("order.paid"), Some(value))];
        next.consumed = consumed;
        let instance = next.transition.instance.clone();
        assert_eq!(self.commit(next).await, Committed::Yes);
        (instance, wait)
    }
}

pub(crate) fn all_buckets() -> Vec<Bucket> {
    (0..1024).map(Bucket).collect()
}

pub(crate) fn soon(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// A start of the definition `purchase` for a business key, which is its start key too.
pub(crate) fn pending(key: &str, at: Timestamp) -> NewInstance {
    let bucket = Bucket::of(NAMESPACE, key);
    let (_, entropy) = Uuid::now_v7().as_u64_pair();
    let instance = Instance {
        id: InstanceId::new(bucket, at, entropy.to_be_bytes()),
        identity: Identity {
            namespace: NAMESPACE.to_owned(),
            definition: "purchase".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "d1".to_owned(),
            business_key: key.to_owned(),
            start_key: key.to_owned(),
            parent: None,
        },
        revision: 0,
        status: Status::Pending,
        input: json!({ "sku": "A-1", "text": "zero \u{0} byte", "price": 0.1 }).into(),
        context: Value::Null.into(),
        started_at: at,
        timeout: None,
        timers: BTreeMap::new(),
        frames: BTreeMap::new(),
        next_id: 1,
        visits: BTreeMap::new(),
        abandoned: BTreeMap::new(),
        refused: Vec::new(),
        late: None,
        lock: None,
        held_above: Vec::new(),
        compensations: Vec::new(),
        cancelling: None,
        attributes: BTreeMap::new(),
    };
    NewInstance { instance, fingerprint: "f1".to_owned(), claims_key: false }
}

/// A child of `parent` that it awaits.
pub(crate) fn child_of(parent: InstanceId, key: &str, at: Timestamp) -> NewInstance {
    let mut new = pending(key, at);
    new.instance.identity.parent = Some(Parent { instance: parent, awaits: true });
    new
}

/// The next revision of an instance, with nothing to do.
pub(crate) fn moved(instance: &Instance, status: Status, at: Timestamp) -> Checkpoint {
    let mut instance = instance.clone();
    instance.revision += 1;
    instance.status = status;
    let journal = vec![Entry { task: None, place: None, fact: Fact::InstanceStarted }];
    Checkpoint {
        transition: Transition { instance, commands: Vec::new(), journal },
        consumed: Vec::new(),
        at,
    }
}

pub(crate) fn ended(instance: &Instance, at: Timestamp) -> Checkpoint {
    let mut next = moved(instance, Status::Completed { output: json!("done").into(), at }, at);
    next.transition.instance.frames.clear();
    next
}

/// Gives an instance a task, numbered by how many it has.
pub(crate) fn push(checkpoint: &mut Checkpoint, activity: Activity) {
    let at = checkpoint.at;
    let frames = &mut checkpoint.transition.instance.frames;
    let id = FrameId(100 + i64::try_from(frames.len()).unwrap());
    let frame = Frame {
        task: TaskId(1),
        parent: None,
        branch: 0,
        raw: Value::Null.into(),
        input: Some(json!({ "x": 1 }).into()),
        started_at: at,
        timeout: None,
        late: None,
        lock: None,
        extended: Vec::new(),
        activity,
    };
    frames.insert(id, frame);
}

pub(crate) fn listen(checkpoint: &mut Checkpoint, wait: WaitId) {
    push(
        checkpoint,
        Activity::Listen {
            waits: BTreeMap::from([(wait, 0)]),
            consumed: Vec::new(),
            bound: BTreeMap::new(),
            seen: Vec::new(),
            turns: None,
        },
    );
}

pub(crate) fn sleep(checkpoint: &mut Checkpoint, timer: TimerId, due: Timestamp) {
    push(checkpoint, Activity::Wait { timer });
    checkpoint.transition.instance.timers.insert(timer, due);
    checkpoint.transition.commands.push(Command::SetTimer { timer, due });
}

pub(crate) fn call(checkpoint: &mut Checkpoint, key: Uuid, phase: CallPhase) {
    let effect = Effect {
        position: "/do/0/pay".to_owned(),
        visit: 1,
        generation: 0,
        key,
        request: json!({}).into(),
        intent_at: checkpoint.at,
        send_by: checkpoint.at,
        attempts: 1,
        unknowns: 0,
        absences: 0,
        unsent: 0,
        authored: None,
        earlier: None,
    };
    push(checkpoint, Activity::Call { effect, phase });
}

pub(crate) fn sent(checkpoint: &mut Checkpoint) {
    call(checkpoint, Uuid::now_v7(), CallPhase::Sent { call: CallId(50) });
}

pub(crate) fn open(wait: WaitId, event_type: Option<&str>, value: Option<&str>) -> Command {
    Command::OpenWait(Wait {
        wait,
        event_type: event_type.map(str::to_owned),
        shape: SHAPE.to_owned(),
        value: value.map(str::to_owned),
    })
}

/// An event `order.paid` with one route.
pub(crate) fn paid(id: &str, value: &str) -> Incoming {
    let mut rest = serde_json::Map::new();
    rest.insert("data".to_owned(), json!({ "order": value }));
    Incoming {
        namespace: NAMESPACE.to_owned(),
        event: CloudEvent {
            specversion: "1.0".to_owned(),
            id: id.to_owned(),
            source: "/billing".to_owned(),
            kind: "order.paid".to_owned(),
            rest,
        },
        routes: vec![route(value)],
    }
}

pub(crate) fn route(value: &str) -> Route {
    Route { shape: SHAPE.to_owned(), value: value.to_owned() }
}
