//! Starts, ends, timers and children.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tenure_adapter::Problem;
use tenure_definition::Source;
use tenure_machine::bucket::Bucket;
use tenure_machine::{ChildResult, Event, Instance, InstanceId, Start, Status, Step, step};
use tenure_runtime::engine::Error;
use tenure_store::port::{Checkpoint, Committed, Mail, NewInstance, Registered, Started};
use uuid::Uuid;

use crate::kit::{Bench, PATIENCE, end, journal, output, register, start, until_fact};

const SET: &str = "do: [ { a: { set: { twice: '${ .n * 2 }' } } } ]";

#[tokio::test]
async fn a_start_runs_to_its_end() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "double", SET).await;
    let id = start(&engine, "double", json!({ "n": 21 })).await;
    assert_eq!(output(&engine, id).await, json!({ "twice": 42 }));
    let facts: Vec<_> = journal(&engine, id).await.iter().map(|e| e["fact"].clone()).collect();
    assert_eq!(facts.first(), Some(&json!("instance_started")));
    assert_eq!(facts.last(), Some(&json!("instance_completed")));
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_start_key_starts_once_however_often_it_comes() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "double", SET).await;
    let starts = (0..20)
        .map(|_| engine.start_instance("double", None, Some("order-1"), json!({ "n": 1, "m": 2 })));
    let answers = futures::future::join_all(starts).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
    let id = *ids.first().unwrap();
    output(&engine, id).await;

    // The order of the fields is no other request; another value is.
    let same = engine.start_instance("double", None, Some("order-1"), json!({ "m": 2, "n": 1 }));
    assert_eq!(same.await.unwrap().id, id);
    let other = engine.start_instance("double", None, Some("order-1"), json!({ "n": 2 })).await;
    assert!(matches!(other, Err(Error::KeyReused(first)) if first == id), "{other:?}");
    bench.close(&engine).await;
}

#[tokio::test]
async fn what_cannot_start_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let schema = "input: { schema: { document: { type: object, required: [n] } } }";
    register(&engine, "double", &format!("{schema}\n{SET}")).await;
    let unknown = engine.start_instance("nothing", None, None, json!({})).await;
    assert!(matches!(unknown, Err(Error::UnknownDefinition { .. })), "{unknown:?}");
    let version = engine.start_instance("double", Some("9.0.0"), None, json!({ "n": 1 })).await;
    assert!(matches!(version, Err(Error::UnknownDefinition { .. })), "{version:?}");
    let refused = engine.start_instance("double", None, None, json!({})).await;
    assert!(matches!(&refused, Err(Error::Refused(p)) if p.status == 400), "{refused:?}");
    let key = engine.start_instance("double", None, Some(""), json!({ "n": 1 })).await;
    assert!(matches!(key, Err(Error::Refused(_))), "{key:?}");
    assert_eq!(engine.instances(None, 10).await.unwrap(), []);
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_definition_registers_once_and_its_newest_version_starts() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let text = |version: &str, value: u32| Source {
        name: "d.yaml".to_owned(),
        text: format!(
            "document: {{ dsl: 1.0.3, namespace: test, name: d, version: {version} }}\n\
             do: [ {{ a: {{ set: {{ v: {value} }} }} }} ]"
        ),
    };
    assert_eq!(engine.register(text("1.9.0", 9)).await.unwrap().1, Registered::New);
    assert_eq!(engine.register(text("1.9.0", 9)).await.unwrap().1, Registered::Same);
    let conflict = engine.register(text("1.9.0", 1)).await.unwrap().1;
    assert!(matches!(conflict, Registered::Conflict { .. }), "{conflict:?}");
    assert_eq!(engine.register(text("1.10.0", 10)).await.unwrap().1, Registered::New);
    let broken = Source { name: "d.yaml".to_owned(), text: "do: []".to_owned() };
    assert!(matches!(engine.register(broken).await, Err(Error::Invalid(_))));

    let newest = start(&engine, "d", json!({})).await;
    assert_eq!(output(&engine, newest).await, json!({ "v": 10 }));
    let older = engine.start_instance("d", Some("1.9.0"), None, json!({})).await.unwrap().id;
    assert_eq!(output(&engine, older).await, json!({ "v": 9 }));
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_timer_is_never_early() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "sleeper", "do: [ { w: { wait: { milliseconds: 300 } } } ]").await;
    let id = start(&engine, "sleeper", json!({})).await;
    let stored = engine.wait_for_end(id, PATIENCE).await.unwrap().unwrap();
    let rows = engine.journal(id, 0, 10).await.unwrap();
    let waited = rows.last().unwrap().at.duration_since(rows[0].at);
    assert!(waited >= SignedDuration::from_millis(300), "{waited}");
    assert!(matches!(stored.instance.status, Status::Completed { .. }));
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_timer_far_away_outlives_the_engine_that_set_it() {
    let bench = Bench::new().await;
    let first = bench.engine().await;
    register(&first, "sleeper", "do: [ { w: { wait: { milliseconds: 1500 } } } ]").await;
    let id = start(&first, "sleeper", json!({})).await;
    until_fact(&first, id, "timer_set").await;
    drop(first);
    let second = bench.engine().await;
    end(&second, id).await;
    bench.close(&second).await;
}

const PARENT: &str = "do:\n  - c: { run: { workflow: { namespace: test, name: child, \
                      version: latest, input: { n: '${ .n }' } } } }";

#[tokio::test]
async fn a_parent_awaits_its_child() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "child", SET).await;
    register(&engine, "parent", PARENT).await;
    let id = start(&engine, "parent", json!({ "n": 4 })).await;
    assert_eq!(output(&engine, id).await, json!({ "twice": 8 }));
    let children = engine.store().children(id).await.unwrap();
    assert_eq!(children.len(), 1);
    assert_eq!(output(&engine, children[0]).await, json!({ "twice": 8 }));
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_child_that_cannot_start_is_the_parents_error() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "parent", PARENT).await;
    let id = start(&engine, "parent", json!({ "n": 4 })).await;
    let Status::Faulted { error, .. } = end(&engine, id).await else { panic!("not faulted") };
    assert!(error.kind.ends_with("/configuration"), "{error:?}");
    assert!(error.detail.unwrap().contains("test/child:latest"));
    bench.close(&engine).await;
}

/// The name space of the ids of mail that the outbox posts: changing it makes letters come twice.
const MAIL_SPACE: Uuid = Uuid::from_u128(0x1d9f_3a52_70c4_5b0e_8f6a_2b7d_94e1_c358);

#[tokio::test]
async fn a_refused_child_started_after_its_parent_was_told() {
    for heard in [false, true] {
        let bench = Bench::new().await;
        let first = bench.engine().await;
        register(&first, "child", SET).await;
        register(&first, "parent", PARENT).await;
        let plan = first.plan("parent", None).await.unwrap();
        first.shutdown().await.unwrap();

        // A node refused the child, told its parent, and died before it could forget the command.
        // By now the child would be admitted.
        let (store, at) = (&bench.store, bench.store.clock().await.unwrap());
        let id = InstanceId::new(Bucket::of("test", "P-1"), at, [7; 8]);
        let (input, start_key) = (json!({ "n": 4 }), Some("P-1".to_owned()));
        let start = Start { id, business_key: None, start_key, input, parent: None, at };
        let instance = start.into_instance(&plan);
        let new = NewInstance { instance, fingerprint: "f".to_owned(), claims_key: false };
        assert_eq!(store.start(&new, at).await.unwrap(), Started::New);
        let lease = store.lease(bench.config.node, 3_000, true).await.unwrap();
        let commit = async |instance: &Instance, event: &Event| {
            let Step::Moved(transition) = step(&plan, instance, event, at) else { panic!("stale") };
            let mail = store.mail(&lease.buckets, &[], 10).await.unwrap();
            let consumed = mail.into_iter().map(|mail| mail.id).collect();
            let next = transition.instance.clone();
            let checkpoint = Checkpoint { transition: *transition, consumed, at };
            let committed = store.checkpoint(lease.fence, &[checkpoint]).await.unwrap();
            assert_eq!(committed, [Committed::Yes]);
            next
        };
        let parent = commit(&new.instance, &Event::Started).await;
        let child = parent.open_children().next().unwrap();
        let error = Problem::configuration("refused, on purpose");
        let event = Event::ChildEnded { child, result: ChildResult::Faulted { error } };
        let told = Uuid::new_v5(&MAIL_SPACE, format!("{child}/ended/0").as_bytes());
        let mail = Mail { id: told, instance: id, event: event.clone() };
        store.post(&[mail], at).await.unwrap();
        if heard {
            commit(&parent, &event).await;
        }
        store.release(lease.fence).await.unwrap();

        let second = bench.engine().await;
        let Status::Faulted { error, .. } = end(&second, id).await else { panic!("not faulted") };
        assert_eq!(error.detail.as_deref(), Some("refused, on purpose"));
        let all: Vec<_> = (0..1024).map(Bucket).collect();
        let forgotten = async {
            while !store.outbox(&all, 10).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, forgotten).await.expect("the command is forgotten");
        assert!(store.children(id).await.unwrap().is_empty(), "heard: {heard}");
        bench.close(&second).await;
    }
}

#[tokio::test]
async fn a_child_is_cancelled_with_its_parents_task() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "child", "do: [ { w: { wait: { hours: 1 } } } ]").await;
    let parent = PARENT.replace("} } } }", "} } }, timeout: { after: { seconds: 2 } } }");
    register(&engine, "parent", &parent).await;
    let id = start(&engine, "parent", json!({ "n": 4 })).await;
    let Status::Faulted { error, .. } = end(&engine, id).await else { panic!("not faulted") };
    assert_eq!(error.status, 408);
    let children = engine.store().children(id).await.unwrap();
    let status = end(&engine, children[0]).await;
    assert!(matches!(status, Status::Cancelled { .. }), "{status:?}");
    bench.close(&engine).await;
}

#[tokio::test]
async fn many_instances_share_batches_and_all_end() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let tasks = "do: [ { a: { set: { n: 1 } } }, { b: { wait: { milliseconds: 1 } } }, \
                 { c: { call: 'bank.keyed:1.0.0@default', with: { n: 1 } } } ]";
    register(&engine, "three", tasks).await;
    let starts = (0..100).map(|_| start(&engine, "three", json!({})));
    for id in futures::future::join_all(starts).await {
        assert_eq!(output(&engine, id).await, json!({ "n": 1 }));
    }
    assert_eq!(bench.vendor.effects().len(), 100);
    bench.close(&engine).await;
}

#[tokio::test]
async fn waiting_for_an_end_gives_up_at_its_limit() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "sleeper", "do: [ { w: { wait: { hours: 1 } } } ]").await;
    let id = start(&engine, "sleeper", json!({})).await;
    let found = engine.wait_for_end(id, Duration::from_millis(50)).await.unwrap().unwrap();
    assert!(!found.instance.is_terminal());
    bench.close(&engine).await;
}
