//! A real database, a real engine, and a vendor that does what the test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tenure_adapter::{
    Adapter, EffectClass, Lookup, Manifest, Outcome, Registry, Request, RetryDefault,
};
use tenure_definition::Source;
use tenure_machine::{CloudEvent, InstanceId, Status};
use tenure_runtime::engine::StartAnswer;
use tenure_runtime::{Config, Engine};
use tenure_store::Store;
use tenure_store::ladder::{TestCluster, TestDatabase};
use tokio::sync::Notify;
use uuid::Uuid;

/// Longest wait for anything in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Total time of a call of the vendor, in milliseconds; its intents may be sent as long.
const DEADLINE_MS: u64 = 400;

/// What the vendor does with the next call.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nothing happens until the test says so; then it acts and answers.
    Hold(Arc<Notify>),
    /// It acts and never answers.
    ActAndHang,
    /// The plug panics before it acts.
    Panic,
    /// It answers this, and does nothing.
    Answer(Outcome),
}

/// A vendor with a ledger: a key acts once.
#[derive(Debug, Default)]
pub(crate) struct Vendor {
    pub(crate) script: Mutex<VecDeque<Turn>>,
    /// Every attempt that arrived, in order: function and key.
    attempts: Mutex<Vec<(String, Uuid)>>,
    ledger: Mutex<BTreeMap<Uuid, Value>>,
    arrived: Notify,
}

impl Vendor {
    pub(crate) fn next(&self, turn: Turn) {
        self.script.lock().unwrap().push_back(turn);
    }

    pub(crate) fn attempts(&self) -> Vec<(String, Uuid)> {
        self.attempts.lock().unwrap().clone()
    }

    /// What happened at the vendor.
    pub(crate) fn effects(&self) -> Vec<Value> {
        self.ledger.lock().unwrap().values().cloned().collect()
    }

    /// Until this many attempts arrived.
    pub(crate) async fn attempted(&self, count: usize) {
        let arrived = async {
            while self.attempts.lock().unwrap().len() < count {
                self.arrived.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await.expect("the vendor is called");
    }

    fn act(&self, request: &Request) -> Outcome {
        let mut ledger = self.ledger.lock().unwrap();
        let done = ledger.entry(request.key).or_insert_with(|| request.input.clone());
        Outcome::Done { output: done.clone() }
    }
}

#[async_trait]
impl Adapter for Vendor {
    fn manifests(&self) -> Vec<Manifest> {
        let manifest = |name: &str, class| Manifest {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            summary: "A function of the tests.".to_owned(),
            connection: Some("bank".to_owned()),
            input: json!({ "type": "object" }),
            output: json!({}),
            errors: Vec::new(),
            class,
            money: false,
            deadline_ms: DEADLINE_MS,
            settle_ms: 50,
            retry: RetryDefault { retries_max: 2, delay_ms: 10 },
        };
        vec![
            manifest("bank.keyed", EffectClass::Keyed { key_life_ms: 3_600_000 }),
            manifest("bank.lookup", EffectClass::Lookup),
        ]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        self.attempts.lock().unwrap().push((request.function.clone(), request.key));
        self.arrived.notify_waiters();
        self.arrived.notify_one();
        let turn = self.script.lock().unwrap().pop_front();
        match turn {
            None => self.act(request),
            Some(Turn::Hold(gate)) => {
                gate.notified().await;
                self.act(request)
            }
            Some(Turn::ActAndHang) => {
                self.act(request);
                std::future::pending().await
            }
            Some(Turn::Panic) => panic!("the plug is broken, on purpose"),
            Some(Turn::Answer(outcome)) => outcome,
        }
    }

    async fn look_up(&self, request: &Request) -> Lookup {
        match self.ledger.lock().unwrap().get(&request.key) {
            Some(output) => Lookup::Happened { outcome: Outcome::Done { output: output.clone() } },
            None => Lookup::Absent,
        }
    }
}

/// One database and one vendor; engines come and go.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vendor: Arc<Vendor>,
    pub(crate) config: Config,
    pub(crate) database: TestDatabase,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let database = TestCluster::shared().await.unwrap().database().await.unwrap();
        let store: Arc<dyn Store> = Arc::new(database.store().await.unwrap());
        let mut config = Config::new(Uuid::from_u128(1), "test");
        config.scan_every = Duration::from_millis(100);
        config.lease_ttl = Duration::from_secs(3);
        Self { store, vendor: Arc::default(), config, database }
    }

    pub(crate) fn registry(&self) -> Registry {
        let vendor: Arc<dyn Adapter> = Arc::clone(&self.vendor) as Arc<dyn Adapter>;
        Registry::new([vendor], |catalog| catalog)
    }

    /// An engine of the usual node: a second one is a restart.
    pub(crate) async fn engine(&self) -> Engine {
        self.engine_with(self.config.clone()).await
    }

    pub(crate) async fn engine_with(&self, config: Config) -> Engine {
        Engine::start(Arc::clone(&self.store), self.registry(), config).await.unwrap()
    }

    /// The end of every test: nothing is stuck, and the engine stops cleanly.
    pub(crate) async fn close(&self, engine: &Engine) {
        assert_eq!(self.store.doctor().await.unwrap(), []);
        engine.shutdown().await.unwrap();
    }
}

/// Registers a definition of namespace `test`, version 1.0.0.
pub(crate) async fn register(engine: &Engine, name: &str, rest: &str) {
    register_in(engine, "test", name, rest).await;
}

/// The same, of another namespace.
pub(crate) async fn register_in(engine: &Engine, namespace: &str, name: &str, rest: &str) {
    let text = format!(
        "document: {{ dsl: 1.0.3, namespace: {namespace}, name: {name}, version: 1.0.0 }}\n{rest}"
    );
    let source = Source { name: format!("{name}.yaml"), text };
    engine.register(source).await.unwrap();
}

pub(crate) async fn start(engine: &Engine, name: &str, input: Value) -> InstanceId {
    let StartAnswer { id, created } = engine.start_instance(name, None, None, input).await.unwrap();
    assert!(created);
    id
}

/// The status at the end.
pub(crate) async fn end(engine: &Engine, id: InstanceId) -> Status {
    let stored = engine.wait_for_end(id, PATIENCE).await.unwrap().expect("it exists");
    assert!(stored.instance.is_terminal(), "not ended: {:?}", stored.instance);
    stored.instance.status
}

/// The output at the end.
pub(crate) async fn output(engine: &Engine, id: InstanceId) -> Value {
    let status = end(engine, id).await;
    let Status::Completed { output, .. } = status else { panic!("not completed: {status:?}") };
    output.into_value()
}

/// All entries of the journal as JSON; the sequence has no gap.
pub(crate) async fn journal(engine: &Engine, id: InstanceId) -> Vec<Value> {
    let rows = engine.journal(id, 0, 1_000).await.unwrap();
    for (row, expected) in rows.iter().zip(1..) {
        assert_eq!(row.seq, expected, "the journal has a gap");
    }
    rows.into_iter()
        .flat_map(|row| row.entries)
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect()
}

/// Until the journal has a fact.
pub(crate) async fn until_fact(engine: &Engine, id: InstanceId, fact: &str) {
    let seen = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            if journal(engine, id).await.iter().any(|entry| entry["fact"] == fact) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("no {fact} in time"));
}

pub(crate) fn event(id: &str, kind: &str, data: Value) -> CloudEvent {
    CloudEvent {
        specversion: "1.0".to_owned(),
        id: id.to_owned(),
        source: "/test".to_owned(),
        kind: kind.to_owned(),
        rest: Map::from_iter([("data".to_owned(), data)]),
    }
}
