//! Late answers and instances that cannot move: kept, and seen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tenure_adapter::Outcome;
use tenure_definition::TaskId;
use tenure_machine::payload::TooLarge;
use tenure_machine::{InstanceId, Status, Transition};
use tenure_runtime::Engine;
use tenure_store::port::{Checkpoint, Committed, Stored};
use tokio::sync::Notify;

use crate::kit::{Bench, PATIENCE, Turn, end, journal, register, start, until_fact};

const CHARGE: &str = "do: [ { c: { call: 'bank.keyed:1.0.0@default', with: { amount: 5 } } } ]";

/// Until the list of unsettled effects has one in this state.
async fn until_unsettled(engine: &Engine, id: InstanceId, state: &str) {
    let seen = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            let effects = engine.unsettled(None, 10).await.unwrap();
            if effects.iter().any(|effect| effect.instance == id && effect.phase == state) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("not {state} in time"));
}

/// Until the instance says why it cannot move.
async fn until_parked(engine: &Engine, id: InstanceId) -> Stored {
    let seen = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            let stored = engine.instance(id).await.unwrap().expect("it exists");
            if stored.parked.is_some() {
                return stored;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("it is parked in time")
}

#[tokio::test]
async fn an_answer_after_the_end_of_its_instance_was_dropped_and_nobody_listed_it() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "charge", CHARGE).await;
    let gate = Arc::new(Notify::new());
    bench.vendor.next(Turn::Hold(Arc::clone(&gate)));
    let id = start(&engine, "charge", json!({})).await;
    bench.vendor.attempted(1).await;
    engine.cancel(id, "changed their mind").await.unwrap();
    assert!(matches!(end(&engine, id).await, Status::Cancelled { .. }));
    until_unsettled(&engine, id, "abandoned").await;
    gate.notify_one();
    until_fact(&engine, id, "effect_returned_late").await;
    until_unsettled(&engine, id, "late").await;
    let stored = engine.instance(id).await.unwrap().unwrap();
    let (_, incident) = stored.instance.late_incidents().next().expect("an incident");
    assert_eq!(incident.fingerprint, "late:bank.keyed");
    assert!(matches!(stored.instance.status, Status::Cancelled { .. }));
    assert_eq!(bench.store.unsettled_counts().await.unwrap(), [("late".to_owned(), 1)]);
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_abandoned_effect_whose_node_died_stayed_awaited_for_ever() {
    let bench = Bench::new().await;
    let first = bench.engine().await;
    register(&first, "charge", CHARGE).await;
    bench.vendor.next(Turn::Hold(Arc::new(Notify::new())));
    let id = start(&first, "charge", json!({})).await;
    bench.vendor.attempted(1).await;
    first.cancel(id, "changed their mind").await.unwrap();
    end(&first, id).await;
    drop(first);
    let second = bench.engine().await;
    until_unsettled(&second, id, "lost").await;
    bench.close(&second).await;
}

#[tokio::test]
async fn an_answer_beyond_the_payload_limit_left_its_instance_at_rest_without_an_incident() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "charge", CHARGE).await;
    let output = Value::String("x".repeat(2 * 1024 * 1024));
    bench.vendor.next(Turn::Answer(Outcome::Done { output }));
    let id = start(&engine, "charge", json!({})).await;
    let stored = until_parked(&engine, id).await;
    let incident = stored.parked.unwrap();
    assert_eq!(incident.fingerprint, "too-large:charge:`effect_returned` of /do/0/c");
    assert!(incident.detail.contains("at most 1048576 are kept"), "{}", incident.detail);
    assert_eq!(stored.instance.status, Status::Live);
    assert_eq!(stored.instance.open_calls().count(), 1);
    assert_eq!(bench.store.doctor().await.unwrap(), []);
    // A cancellation goes before what the instance cannot do, and the answer is evidence.
    engine.cancel(id, "too large").await.unwrap();
    assert!(matches!(end(&engine, id).await, Status::Cancelled { .. }));
    until_fact(&engine, id, "effect_returned_late").await;
    let entries = journal(&engine, id).await;
    assert!(
        entries.iter().any(|entry| entry["outcome"]["output"]["left_out"]["bytes"] == 2_097_154),
        "{entries:?}"
    );
    assert_eq!(bench.vendor.attempts().len(), 1, "it is not asked again");
    let stored = engine.instance(id).await.unwrap().unwrap();
    assert_eq!(stored.parked, None, "it has moved on");
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_instance_whose_step_panics_rested_for_ever_without_an_incident() {
    let bench = Bench::new().await;
    let first = bench.engine().await;
    register(&first, "sleeper", "do: [ { w: { wait: PT1S } } ]").await;
    let id = start(&first, "sleeper", json!({})).await;
    until_fact(&first, id, "timer_set").await;
    first.shutdown().await.unwrap();

    // Planted: its task is none of the definition's.
    let lease = bench.store.lease(bench.config.node, 3_000, true).await.unwrap();
    let mut instance = bench.store.load(&[id]).await.unwrap().remove(0).instance;
    instance.revision += 1;
    for frame in instance.frames.values_mut() {
        frame.task = TaskId(999);
    }
    let transition = Transition { instance, commands: Vec::new(), journal: Vec::new() };
    let at = bench.store.clock().await.unwrap();
    let checkpoint = Checkpoint { transition, consumed: Vec::new(), at };
    let committed = bench.store.checkpoint(lease.fence, &[checkpoint]).await.unwrap();
    assert_eq!(committed, [Committed::Yes]);

    let second = bench.engine().await;
    let incident = until_parked(&second, id).await.parked.unwrap();
    assert_eq!(incident.fingerprint, "panic:sleeper:timer_due");
    assert_eq!(bench.store.doctor().await.unwrap(), []);
}

#[test]
fn what_is_too_large_is_named() {
    let found = TooLarge { what: "`$context`".to_owned(), bytes: 9, bytes_max: 8 };
    assert_eq!(found.to_string(), "`$context` has 9 bytes, and at most 8 are kept");
}
