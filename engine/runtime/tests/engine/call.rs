//! Calls: what comes back, what does not, and what happens when the node dies in between.

use std::sync::Arc;

use serde_json::json;
use tenure_adapter::{DeclineClass, Outcome, Problem, Reason};
use tenure_machine::Status;
use tokio::sync::Notify;

use crate::kit::{Bench, Turn, end, journal, output, register, start};

const CHARGE: &str = "do: [ { c: { call: 'bank.keyed:1.0.0@default', with: { amount: 5 } } } ]";
const MAIL: &str = "do: [ { c: { call: 'bank.lookup:1.0.0@default', with: { amount: 5 } } } ]";
const TWO: &str = "do:\n  - a: { call: 'bank.keyed:1.0.0@default', with: { amount: 1 } }\n  \
                   - b: { call: 'bank.lookup:1.0.0@default', with: { amount: 2 } }";

#[tokio::test]
async fn the_outcome_of_a_call_is_the_next_event() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "charge", CHARGE).await;
    let id = start(&engine, "charge", json!({})).await;
    assert_eq!(output(&engine, id).await, json!({ "amount": 5 }));
    assert_eq!(bench.vendor.attempts().len(), 1);
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_effect_whose_answer_is_late_happens_once() {
    for definition in [CHARGE, MAIL] {
        let bench = Bench::new().await;
        let engine = bench.engine().await;
        bench.vendor.next(Turn::ActAndHang);
        register(&engine, "charge", definition).await;
        let id = start(&engine, "charge", json!({})).await;
        assert_eq!(output(&engine, id).await, json!({ "amount": 5 }));
        assert_eq!(bench.vendor.effects(), [json!({ "amount": 5 })]);
        bench.close(&engine).await;
    }
}

#[tokio::test]
async fn a_plug_that_panics_leaves_an_unknown_outcome() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    bench.vendor.next(Turn::Panic);
    register(&engine, "charge", CHARGE).await;
    let id = start(&engine, "charge", json!({})).await;
    assert_eq!(output(&engine, id).await, json!({ "amount": 5 }));
    let entries = journal(&engine, id).await;
    assert!(entries.iter().any(|entry| entry["outcome"]["outcome"] == "unknown"), "{entries:?}");
    let attempts = bench.vendor.attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0], attempts[1], "an unknown outcome keeps its key");
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_refusal_for_good_is_an_error_of_the_definition() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let refusal = Outcome::Rejected {
        reason: Reason::Invalid,
        detail: "no such account".to_owned(),
        retry_after_ms: None,
    };
    bench.vendor.next(Turn::Answer(refusal));
    register(&engine, "charge", CHARGE).await;
    let id = start(&engine, "charge", json!({})).await;
    let status = end(&engine, id).await;
    assert!(matches!(status, Status::Faulted { error, .. } if error.status == 422));
    assert_eq!(bench.vendor.effects().len(), 0);
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_node_killed_during_a_call_finds_its_effect_again() {
    for definition in [CHARGE, MAIL] {
        let bench = Bench::new().await;
        let first = bench.engine().await;
        register(&first, "charge", definition).await;
        bench.vendor.next(Turn::ActAndHang);
        let id = start(&first, "charge", json!({})).await;
        bench.vendor.attempted(1).await;
        drop(first);

        let second = bench.engine().await;
        assert_eq!(output(&second, id).await, json!({ "amount": 5 }));
        assert_eq!(bench.vendor.effects(), [json!({ "amount": 5 })], "one effect");
        let keys: Vec<_> = bench.vendor.attempts().into_iter().map(|(_, key)| key).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "one key: {keys:?}");
        bench.close(&second).await;
    }
}

#[tokio::test]
async fn a_node_killed_before_anything_moved_finds_the_start_again() {
    let bench = Bench::new().await;
    let first = bench.engine().await;
    register(&first, "two", TWO).await;
    let ids = [start(&first, "two", json!({})).await, start(&first, "two", json!({})).await];
    drop(first);
    let second = bench.engine().await;
    for id in ids {
        assert_eq!(output(&second, id).await, json!({ "amount": 2 }));
    }
    assert_eq!(bench.vendor.effects().len(), 4);
    bench.close(&second).await;
}

#[tokio::test]
async fn a_fenced_node_releases_nothing() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "two", TWO).await;
    let gate = Arc::new(Notify::new());
    bench.vendor.next(Turn::Hold(Arc::clone(&gate)));
    let id = start(&engine, "two", json!({})).await;
    bench.vendor.attempted(1).await;

    // The next epoch begins elsewhere; this node does not know it before it renews.
    let ttl_ms = u64::try_from(bench.config.lease_ttl.as_millis()).unwrap();
    bench.store.lease(bench.config.node, ttl_ms, true).await.unwrap();
    gate.notify_one();
    assert_eq!(output(&engine, id).await, json!({ "amount": 2 }));

    // The outcome of the first call could not be committed, so the second call was not made before
    // this node knew its epoch: released by the fenced checkpoint, it would have been made twice. The
    // outcome was kept, or asked for again under the same key when the instance had left memory.
    let mut attempts = bench.vendor.attempts();
    assert_eq!(attempts.pop().map(|(name, _)| name).as_deref(), Some("bank.lookup"));
    assert!(attempts.iter().all(|attempt| *attempt == attempts[0]), "{attempts:?}");
    assert_eq!(attempts[0].0, "bank.keyed");
    assert_eq!(bench.vendor.effects().len(), 2);
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_shutdown_lets_a_call_in_flight_come_back() {
    let bench = Bench::new().await;
    let first = bench.engine().await;
    register(&first, "charge", CHARGE).await;
    let gate = Arc::new(Notify::new());
    bench.vendor.next(Turn::Hold(Arc::clone(&gate)));
    let id = start(&first, "charge", json!({})).await;
    bench.vendor.attempted(1).await;
    let (stopped, ()) = tokio::join!(first.shutdown(), async { gate.notify_one() });
    stopped.unwrap();
    let refused = first.start_instance("charge", None, None, json!({})).await;
    assert!(matches!(refused, Err(tenure_runtime::engine::Error::Busy)), "{refused:?}");
    assert!(!first.holds_lease());

    let found = first.instance(id).await.unwrap().unwrap();
    assert!(found.instance.is_terminal(), "the outcome was committed before the buckets went");
    assert_eq!(bench.vendor.attempts().len(), 1);
    assert_eq!(bench.store.doctor().await.unwrap(), []);
}

#[tokio::test]
async fn a_secret_reaches_the_vendor_and_no_record() {
    const SECRET: &str = "canary-5f0c1d";
    let mut bench = Bench::new().await;
    bench.config.secrets.insert("token".to_owned(), SECRET.to_owned());
    let engine = bench.engine().await;
    let definition = "use: { secrets: [token] }\ndo: [ { c: { call: 'bank.keyed:1.0.0@default', \
                      with: { auth: '${ \"Bearer \" + $secrets.token }' } } } ]";
    bench.vendor.next(Turn::Answer(Outcome::Done { output: json!("ok") }));
    register(&engine, "secretive", definition).await;
    let id = start(&engine, "secretive", json!({})).await;
    end(&engine, id).await;
    let record = format!("{:?}{:?}", journal(&engine, id).await, engine.instance(id).await);
    assert!(record.contains("secret:token"), "the intent holds the marker");
    assert!(!record.contains(SECRET));
    assert!(!format!("{:?}", bench.config).contains(SECRET));
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_secret_that_the_vendor_repeats_reached_journal_errors_and_api() {
    const SECRET: &str = "canary/5f0c 1d";
    let mut bench = Bench::new().await;
    bench.config.secrets.insert("token".to_owned(), SECRET.to_owned());
    let engine = bench.engine().await;
    for function in ["keyed", "lookup"] {
        let definition = format!(
            "use: {{ secrets: [token] }}\ndo: [ {{ c: {{ call: 'bank.{function}:1.0.0@default', \
             with: {{ auth: '${{ $secrets.token }}' }} }} }} ]"
        );
        register(&engine, function, &definition).await;
    }
    let words =
        "GET https://bank.example/canary%2F5f0c%201d?t=canary/5f0c+1d said \"canary/5f0c 1d\"";
    let detail = || words.to_owned();
    let mut error = Problem::standard("communication", 404, "Not Found", words);
    error.data = Some(json!({ "body": { SECRET: words } }));
    for (function, turn) in [
        // It echoes what it was given, and is asked for it again.
        ("keyed", None),
        ("lookup", Some(Turn::ActAndHang)),
        ("keyed", Some(Turn::Answer(Outcome::Failed { error }))),
        (
            "keyed",
            Some(Turn::Answer(Outcome::Rejected {
                reason: Reason::Invalid,
                detail: detail(),
                retry_after_ms: None,
            })),
        ),
        (
            "keyed",
            Some(Turn::Answer(Outcome::Declined {
                class: DeclineClass::Hard,
                code: detail(),
                detail: detail(),
            })),
        ),
        ("keyed", Some(Turn::Answer(Outcome::NotSent { detail: detail() }))),
        ("keyed", Some(Turn::Answer(Outcome::Unknown { detail: detail() }))),
    ] {
        let what = format!("{function} {turn:?}");
        turn.into_iter().for_each(|turn| bench.vendor.next(turn));
        let id = start(&engine, function, json!({})).await;
        end(&engine, id).await;
        let stored = engine.instance(id).await.unwrap().unwrap();
        let record = format!("{:?}{stored:?}", journal(&engine, id).await);
        assert!(record.contains("[secret]"), "{what}: {record}");
        assert!(!record.contains("canary"), "{what}: {record}");
    }
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_secret_without_a_value_here_is_an_error_the_definition_can_catch() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let definition = "use: { secrets: [token] }\ndo: [ { c: { call: 'bank.keyed:1.0.0@default', \
                      with: { auth: '${ $secrets.token }' } } } ]";
    register(&engine, "secretive", definition).await;
    let id = start(&engine, "secretive", json!({})).await;
    let status = end(&engine, id).await;
    let Status::Faulted { error, .. } = status else { panic!("not faulted: {status:?}") };
    assert_eq!(error.status, 403);
    assert!(error.detail.is_some_and(|detail| detail.contains("token")));
    assert!(bench.vendor.attempts().is_empty());
    bench.close(&engine).await;
}
