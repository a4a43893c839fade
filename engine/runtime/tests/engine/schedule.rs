//! What starts by itself: on time, once, and as the policies want it.

use std::time::Duration;

use serde_json::{Value, json};
use tenure_definition::Source;
use tenure_machine::{InstanceId, Status};
use tenure_runtime::Engine;
use tenure_runtime::engine::{Error, Handling};
use tenure_store::port::Stored;
use uuid::Uuid;

use crate::kit::{Bench, PATIENCE, end, event, output, start};

/// A day and a second: the firing of a day is due, and on time.
const DAY: i64 = 86_401_000;

async fn register(engine: &Engine, policy: &str, rest: &str) {
    register_as(engine, "tick", policy, rest).await;
}

async fn register_as(engine: &Engine, name: &str, policy: &str, rest: &str) {
    let text = format!(
        "document: {{ dsl: 1.0.3, namespace: test, name: {name}, version: 1.0.0, metadata: {{ schedule: {policy} }} }}\n{rest}"
    );
    engine.register(Source { name: format!("{name}.yaml"), text }).await.unwrap();
}

const QUICK: &str = "schedule: { every: P1D }\ndo: [ { a: { set: { done: true } } } ]";
const SLOW: &str =
    "schedule: { every: P1D }\ndo: [ { a: { listen: { to: { one: { with: { type: go } } } } } } ]";

/// Oldest first.
async fn instances(engine: &Engine) -> Vec<Stored> {
    let mut found = engine.instances(None, 100).await.unwrap();
    found.reverse();
    found
}

/// Until there are so many; never more.
async fn until_count(engine: &Engine, count: usize) -> Vec<Stored> {
    let seen = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            let found = instances(engine).await;
            assert!(found.len() <= count, "{} instances instead of {count}", found.len());
            if found.len() == count {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("not {count} in time"))
}

/// Until so many days of the schedule have been seen to.
async fn until_handled(bench: &Bench, days: i64) {
    let since = bench.store.definitions().await.unwrap().first().unwrap().created_at;
    let day = since + jiff::SignedDuration::from_hours(24 * days);
    let seen = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            if bench.store.firings().await.unwrap().iter().any(|found| found.handled == day) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("day {days} not seen"));
}

fn keys(found: &[Stored]) -> Vec<&str> {
    found.iter().map(|stored| stored.instance.identity.start_key.as_str()).collect()
}

/// The start key of the firing of a day.
async fn key(bench: &Bench, day: i64) -> String {
    let since = bench.store.definitions().await.unwrap().first().unwrap().created_at;
    format!("schedule:test/tick:every:{}", since + jiff::SignedDuration::from_hours(24 * day))
}

async fn go(engine: &Engine, id: &str) {
    engine.receive(event(id, "go", json!({})), Handling::Lenient).await.unwrap();
}

fn id(stored: &Stored) -> InstanceId {
    stored.instance.id
}

#[tokio::test]
async fn two_engines_fire_once() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let mut other = bench.config.clone();
    other.node = Uuid::from_u128(2);
    let other = bench.engine_with(other).await;
    register(&engine, "{}", QUICK).await;
    bench.database.move_clock(DAY).await.unwrap();
    let found = until_count(&engine, 1).await;
    assert_eq!(keys(&found), [key(&bench, 1).await]);
    assert_eq!(output(&engine, id(&found[0])).await, json!({ "done": true }));
    bench.database.move_clock(DAY).await.unwrap();
    let found = until_count(&engine, 2).await;
    assert_eq!(keys(&found), [key(&bench, 1).await, key(&bench, 2).await]);
    other.shutdown().await.unwrap();
    for stored in &found {
        end(&engine, id(stored)).await;
    }
    bench.close(&engine).await;
}

#[tokio::test]
async fn after_an_outage_one_firing_is_made_up_for_within_the_window() {
    for (policy, made_up) in
        [("{ catchUp: P2D }", true), ("{ catchUp: PT1H }", false), ("{}", false)]
    {
        let bench = Bench::new().await;
        let engine = bench.engine().await;
        register(&engine, policy, QUICK).await;
        engine.shutdown().await.unwrap();
        bench.database.move_clock(10 * 86_400_000 + 43_200_000).await.unwrap();
        let engine = bench.engine().await;
        until_handled(&bench, 10).await;
        let expected = if made_up { vec![key(&bench, 10).await] } else { vec![] };
        let found = until_count(&engine, expected.len()).await;
        assert_eq!(keys(&found), expected, "{policy}");
        // The next one is an ordinary one again.
        bench.database.move_clock(43_201_000).await.unwrap();
        until_handled(&bench, 11).await;
        let found = until_count(&engine, expected.len() + 1).await;
        assert_eq!(found.last().unwrap().instance.identity.start_key, key(&bench, 11).await);
        for stored in &found {
            end(&engine, id(stored)).await;
        }
        bench.close(&engine).await;
    }
}

#[tokio::test]
async fn a_firing_that_meets_a_running_one_is_skipped_when_the_policy_says_so() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{ overlap: skip }", SLOW).await;
    bench.database.move_clock(DAY).await.unwrap();
    let first = until_count(&engine, 1).await;
    bench.database.move_clock(DAY).await.unwrap();
    until_handled(&bench, 2).await;
    until_count(&engine, 1).await;
    go(&engine, "one").await;
    end(&engine, id(&first[0])).await;
    bench.database.move_clock(DAY).await.unwrap();
    let found = until_count(&engine, 2).await;
    assert_eq!(keys(&found), [key(&bench, 1).await, key(&bench, 3).await]);
    bench.close(&engine).await;
}

#[tokio::test]
async fn firings_run_beside_each_other_without_a_policy() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{}", SLOW).await;
    bench.database.move_clock(DAY).await.unwrap();
    until_count(&engine, 1).await;
    bench.database.move_clock(DAY).await.unwrap();
    let found = until_count(&engine, 2).await;
    assert!(found.iter().all(|stored| !stored.instance.is_terminal()));
    bench.close(&engine).await;
}

#[tokio::test]
async fn of_the_firings_that_wait_the_newest_is_kept() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{ overlap: buffer-one }", SLOW).await;
    bench.database.move_clock(DAY).await.unwrap();
    let first = until_count(&engine, 1).await;
    for day in [2, 3] {
        bench.database.move_clock(DAY).await.unwrap();
        until_handled(&bench, day).await;
    }
    until_count(&engine, 1).await;
    go(&engine, "one").await;
    end(&engine, id(&first[0])).await;
    let found = until_count(&engine, 2).await;
    assert_eq!(keys(&found), [key(&bench, 1).await, key(&bench, 3).await]);
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_firing_may_cancel_the_one_before() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{ overlap: cancel-previous }", SLOW).await;
    bench.database.move_clock(DAY).await.unwrap();
    let first = until_count(&engine, 1).await;
    bench.database.move_clock(DAY).await.unwrap();
    let found = until_count(&engine, 2).await;
    let ended = end(&engine, id(&first[0])).await;
    assert!(matches!(&ended, Status::Cancelled { reason, .. } if reason.contains("fired again")));
    assert!(!found[1].instance.is_terminal());
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_end_is_followed_by_the_next_start() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{}", "schedule: { after: P1D }\ndo: [ { a: { set: { done: true } } } ]")
        .await;
    let first = start(&engine, "tick", Value::Null).await;
    end(&engine, first).await;
    for count in [2, 3] {
        bench.database.move_clock(DAY).await.unwrap();
        let found = until_count(&engine, count).await;
        end(&engine, id(found.last().unwrap())).await;
    }
    assert!(keys(&instances(&engine).await)[1].starts_with("schedule:test/tick:after:"));
    bench.close(&engine).await;
}

const ON: &str =
    "schedule: { on: { any: [ { with: { type: ordered } }, { with: { type: asked } } ] } }
do: [ { a: { set: '${ {heard: .} }' } } ]";

#[tokio::test]
async fn an_event_starts_once_however_often_it_comes() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{}", ON).await;
    let ordered = event("o1", "ordered", json!({ "n": 1 }));
    let answer = engine.receive(ordered.clone(), Handling::Strict).await.unwrap();
    assert!(!answer.receipt.duplicate);
    // Started when it is acknowledged.
    let found = instances(&engine).await;
    assert_eq!(found.len(), 1);
    assert_eq!(output(&engine, id(&found[0])).await, json!({ "heard": [{ "n": 1 }] }));
    assert!(engine.receive(ordered, Handling::Lenient).await.unwrap().receipt.duplicate);
    let other = engine.receive(event("o2", "other", json!({})), Handling::Strict).await;
    assert!(matches!(other, Err(Error::NobodyWaits)), "{other:?}");
    engine.receive(event("o3", "asked", json!({ "n": 2 })), Handling::Lenient).await.unwrap();
    let found = until_count(&engine, 2).await;
    assert_eq!(output(&engine, id(&found[1])).await, json!({ "heard": [{ "n": 2 }] }));
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_event_from_inside_starts_too() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "{}", ON).await;
    let emits = "do: [ { a: { emit: { event: { with: { source: /shop, type: ordered, data: { n: 3 } } } } } } ]";
    register_as(&engine, "shop", "{}", &format!("schedule: {{ cron: '@yearly' }}\n{emits}")).await;
    start(&engine, "shop", Value::Null).await;
    let found = until_count(&engine, 2).await;
    assert_eq!(output(&engine, id(&found[1])).await, json!({ "heard": [{ "n": 3 }] }));
    bench.close(&engine).await;
}

#[tokio::test]
async fn events_that_agree_start_together() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let correlate = "correlate: { order: { from: .data.order } }";
    let rest = format!(
        "schedule: {{ on: {{ all: [ {{ with: {{ type: paid }}, {correlate} }}, {{ with: {{ type: packed }}, {correlate} }} ] }} }}
do: [ {{ a: {{ set: '${{ {{heard: .}} }}' }} }} ]"
    );
    register(&engine, "{}", &rest).await;
    let send = async |id: &str, kind: &str, order: &str| {
        let event = event(id, kind, json!({ "order": order, "id": id }));
        engine.receive(event, Handling::Lenient).await.unwrap();
    };
    // The first paid order is never packed, and does not stand in the way of the second.
    send("1", "paid", "A").await;
    send("2", "paid", "B").await;
    send("2", "paid", "B").await;
    send("3", "packed", "B").await;
    let found = until_count(&engine, 1).await;
    let expected = json!({ "heard": [{ "order": "B", "id": "2" }, { "order": "B", "id": "3" }] });
    assert_eq!(output(&engine, id(&found[0])).await, expected);
    send("3", "packed", "B").await;
    send("4", "packed", "A").await;
    let found = until_count(&engine, 2).await;
    let expected = json!({ "heard": [{ "order": "A", "id": "1" }, { "order": "A", "id": "4" }] });
    assert_eq!(output(&engine, id(&found[1])).await, expected);
    bench.close(&engine).await;
}
