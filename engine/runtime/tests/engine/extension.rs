//! Locks and policies of business keys, from the definition to the database and back.

use serde_json::{Value, json};
use tenure_definition::Source;
use tenure_machine::{InstanceId, Status};
use tenure_runtime::engine::{Engine, Error, Handling};

use crate::kit::{Bench, end, event, journal, output, start, until_fact};

async fn register(engine: &Engine, name: &str, metadata: &str, rest: &str) {
    let text = format!(
        "document: {{ dsl: 1.0.3, namespace: test, name: {name}, version: 1.0.0, metadata: {metadata} }}\n{rest}"
    );
    engine.register(Source { name: format!("{name}.yaml"), text }).await.unwrap();
}

/// Waits for `go` with its own name.
const GATE: &str = "
do:
  - gate:
      metadata: { exclusive: 'account-${ .account }' }
      do:
        - hold:
            listen: { to: { one: { with: { type: go }, correlate: { who: { from: .data.who, expect: '${ .who }' } } } } }";

async fn go(engine: &Engine, who: &str) {
    let event = event(&format!("go-{who}"), "go", json!({ "who": who }));
    engine.receive(event, Handling::Lenient).await.unwrap();
}

async fn holds(engine: &Engine, id: InstanceId) -> bool {
    let stored = engine.instance(id).await.unwrap().unwrap();
    stored.instance.frames.values().any(|frame| frame.lock.as_ref().is_some_and(|lock| lock.held))
}

#[tokio::test]
async fn a_lock_goes_from_one_instance_to_the_next() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "gate", "{}", GATE).await;
    let input = |who: &str| json!({ "account": "A", "who": who });
    let first = start(&engine, "gate", input("one")).await;
    until_fact(&engine, first, "wait_opened").await;
    let second = start(&engine, "gate", input("two")).await;
    until_fact(&engine, second, "lock_requested").await;
    let other = start(&engine, "gate", json!({ "account": "B", "who": "three" })).await;
    until_fact(&engine, other, "wait_opened").await;
    assert!(!holds(&engine, second).await);
    assert_eq!(bench.store.doctor().await.unwrap(), []);
    go(&engine, "one").await;
    end(&engine, first).await;
    until_fact(&engine, second, "wait_opened").await;
    assert!(holds(&engine, second).await);
    go(&engine, "two").await;
    go(&engine, "three").await;
    end(&engine, second).await;
    end(&engine, other).await;
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_holder_that_is_cancelled_lets_the_next_one_in() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let document = "{ exclusive: only-one }";
    register(&engine, "gate", document, "do: [ { hold: { wait: P1D } } ]").await;
    let first = start(&engine, "gate", json!({ "n": 1 })).await;
    until_fact(&engine, first, "timer_set").await;
    let second = start(&engine, "gate", json!({ "n": 2 })).await;
    until_fact(&engine, second, "lock_requested").await;
    engine.cancel(first, "no longer wanted").await.unwrap();
    until_fact(&engine, second, "timer_set").await;
    engine.cancel(second, "no longer wanted").await.unwrap();
    end(&engine, second).await;
    bench.close(&engine).await;
}

const LISTEN: &str = "do: [ { hold: { listen: { to: { one: { with: { type: stop } } } } } } ]";

async fn again(engine: &Engine, input: Value) -> Result<InstanceId, Error> {
    engine.start_instance("one", None, None, input).await.map(|answer| answer.id)
}

#[tokio::test]
async fn a_policy_says_what_a_second_start_of_a_business_key_meets() {
    for policy in ["reject", "return-existing", "queue"] {
        let bench = Bench::new().await;
        let engine = bench.engine().await;
        let metadata = format!("{{ businessKey: {{ key: '${{ .id }}', policy: {policy} }} }}");
        register(&engine, "one", &metadata, LISTEN).await;
        let first = start(&engine, "one", json!({ "id": "S-1" })).await;
        until_fact(&engine, first, "wait_opened").await;
        let other = again(&engine, json!({ "id": "S-2" })).await.unwrap();
        assert_ne!(other, first);
        let second = again(&engine, json!({ "id": "S-1", "n": 2 })).await;
        let stop = |id: &str| engine.receive(event(id, "stop", json!({})), Handling::Lenient);
        match (policy, second) {
            ("reject", Err(Error::BusinessKeyTaken(by))) => assert_eq!(by, first),
            ("return-existing", Ok(id)) => assert_eq!(id, first),
            ("queue", Ok(id)) => {
                until_fact(&engine, id, "lock_requested").await;
                engine.cancel(first, "make room").await.unwrap();
                until_fact(&engine, id, "wait_opened").await;
                engine.cancel(id, "done").await.unwrap();
                end(&engine, id).await;
            }
            (policy, second) => panic!("{policy}: {second:?}"),
        }
        engine.cancel(first, "done").await.unwrap();
        end(&engine, first).await;
        if policy == "reject" {
            let third = again(&engine, json!({ "id": "S-1" })).await.unwrap();
            engine.cancel(third, "done").await.unwrap();
            end(&engine, third).await;
        }
        stop("e1").await.unwrap();
        output(&engine, other).await;
        bench.close(&engine).await;
    }
}

#[tokio::test]
async fn a_child_holds_its_business_key_against_starts_from_outside() {
    for policy in ["reject", "return-existing"] {
        let bench = Bench::new().await;
        let engine = bench.engine().await;
        let metadata = format!("{{ businessKey: {{ key: '${{ .id }}', policy: {policy} }} }}");
        register(&engine, "one", &metadata, LISTEN).await;
        let run = "do: [ { c: { run: { workflow: { namespace: test, name: one, version: latest, \
                   input: { id: '${ .id }' } } } } } ]";
        register(&engine, "parent", "{}", run).await;
        let parent = start(&engine, "parent", json!({ "id": "S-1" })).await;
        until_fact(&engine, parent, "child_started").await;
        let entries = journal(&engine, parent).await;
        let started = entries.iter().find(|entry| entry["fact"] == "child_started").unwrap();
        let child: InstanceId = serde_json::from_value(started["child"].clone()).unwrap();
        until_fact(&engine, child, "wait_opened").await;
        match (policy, again(&engine, json!({ "id": "S-1", "n": 2 })).await) {
            ("reject", Err(Error::BusinessKeyTaken(by))) => assert_eq!(by, child),
            ("return-existing", Ok(id)) => assert_eq!(id, child),
            (policy, second) => panic!("{policy}: {second:?}"),
        }
        // The other way round: the child is refused, and its parent hears of it.
        let outside = start(&engine, "one", json!({ "id": "S-2" })).await;
        until_fact(&engine, outside, "wait_opened").await;
        let other = start(&engine, "parent", json!({ "id": "S-2" })).await;
        let status = end(&engine, other).await;
        let Status::Faulted { error, .. } = status else { panic!("not faulted: {status:?}") };
        assert_eq!(error.status, 409);
        for (id, parent) in [(child, Some(parent)), (outside, None)] {
            engine.cancel(id, "done").await.unwrap();
            end(&engine, id).await;
            if let Some(parent) = parent {
                end(&engine, parent).await;
            }
        }
        bench.close(&engine).await;
    }
}

#[tokio::test]
async fn two_that_took_two_locks_in_different_order_waited_for_each_other_for_ever() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let tasks = "do:
  - outer:
      metadata: { exclusive: '${ .first }' }
      do:
        - pause: { wait: { milliseconds: 300 } }
        - inner:
            metadata: { exclusive: '${ .second }' }
            do: [ { x: { set: { done: true } } } ]";
    register(&engine, "two", "{}", tasks).await;
    let older = start(&engine, "two", json!({ "first": "A", "second": "B" })).await;
    let younger = start(&engine, "two", json!({ "first": "B", "second": "A" })).await;
    let status = end(&engine, younger).await;
    let Status::Faulted { error, .. } = status else { panic!("not faulted: {status:?}") };
    assert_eq!(error.kind, "urn:tenure:error:deadlock");
    assert_eq!(error.instance.as_deref(), Some("/do/0/outer/do/1/inner"));
    let detail = error.detail.unwrap();
    for part in [older.to_string(), younger.to_string(), "test/A".into(), "test/B".into()] {
        assert!(detail.contains(&part), "{part} in {detail}");
    }
    assert_eq!(output(&engine, older).await, json!({ "done": true }));
    bench.close(&engine).await;
}
