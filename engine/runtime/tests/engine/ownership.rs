//! Two nodes: one freezes, the other takes over.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tenure_runtime::Config;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::kit::{Bench, PATIENCE, Turn, output, register, start};

const TWO: &str = "do:\n  - a: { call: 'bank.keyed:1.0.0@default', with: { amount: 1 } }\n  \
                   - b: { call: 'bank.lookup:1.0.0@default', with: { amount: 2 } }";

fn other(config: &Config) -> Config {
    Config { node: Uuid::from_u128(2), ..config.clone() }
}

#[tokio::test]
async fn a_node_that_stops_hands_its_buckets_to_the_next() {
    let bench = Bench::new().await;
    let first = bench.engine().await;
    register(&first, "two", TWO).await;
    first.shutdown().await.unwrap();
    let second = bench.engine_with(other(&bench.config)).await;
    let id = start(&second, "two", json!({})).await;
    assert_eq!(output(&second, id).await, json!({ "amount": 2 }));
    bench.close(&second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_does_nothing_when_it_wakes() {
    let mut bench = Bench::new().await;
    bench.config.lease_ttl = Duration::from_millis(600);
    let bench = Arc::new(bench);
    let gate = Arc::new(Notify::new());
    bench.vendor.next(Turn::Hold(Arc::clone(&gate)));

    // The first node lives on a runtime of one thread, which can be frozen as a whole.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (built, first) = tokio::sync::oneshot::channel();
    let (freeze, frozen) = std::sync::mpsc::channel::<std::sync::mpsc::Receiver<()>>();
    let (wake, asleep) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = {
        let bench = Arc::clone(&bench);
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let store = Arc::new(bench.database.store().await.unwrap());
                let engine =
                    tenure_runtime::Engine::start(store, bench.registry(), bench.config.clone())
                        .await
                        .unwrap();
                register(&engine, "two", TWO).await;
                let id = start(&engine, "two", json!({})).await;
                bench.vendor.attempted(1).await;
                built.send(id).unwrap();
                let asleep = frozen.recv().unwrap();
                asleep.recv().unwrap();
                // Awake again: the vendor answers a call made under the old epoch.
                gate.notify_one();
                tokio::time::timeout(PATIENCE, stopped).await.unwrap().unwrap();
            });
        })
    };
    let id = first.await.unwrap();
    freeze.send(asleep).unwrap();

    let second = bench.engine_with(other(&bench.config)).await;
    assert_eq!(output(&second, id).await, json!({ "amount": 2 }));
    let before = bench.vendor.attempts();
    wake.send(()).unwrap();
    // The woken node has had its turn when another run through the second one is over.
    let next = start(&second, "two", json!({})).await;
    assert_eq!(output(&second, next).await, json!({ "amount": 2 }));
    stop.send(()).unwrap();
    thread.join().unwrap();

    let after = bench.vendor.attempts();
    assert_eq!(after.len(), before.len() + 2, "only the new run called: {after:?}");
    assert_eq!(bench.vendor.effects().len(), 4);
    bench.close(&second).await;
}
