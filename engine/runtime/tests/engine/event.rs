//! Events from outside and from inside: before their wait, after it, twice, for nobody.

use serde_json::{Value, json};
use tenure_runtime::Engine;
use tenure_runtime::engine::{Error, Handling};

use crate::kit::{Bench, event, journal, output, register, register_in, start, until_fact};

const ACCEPT: &str = "do:
  - a:
      listen:
        to:
          one:
            with: { type: accepted }
            correlate: { order: { from: '${ .data.order }', expect: '${ .order }' } }";

async fn waiting(engine: &Engine, order: &str) -> tenure_machine::InstanceId {
    let id = start(engine, "accept", json!({ "order": order })).await;
    until_fact(engine, id, "wait_opened").await;
    id
}

fn accepted(id: &str, order: &str) -> tenure_machine::CloudEvent {
    event(id, "accepted", json!({ "order": order, "id": id }))
}

fn expected(id: &str, order: &str) -> Value {
    json!([{ "order": order, "id": id }])
}

#[tokio::test]
async fn an_event_finds_the_one_that_waits_for_it() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "accept", ACCEPT).await;
    let (one, two) = (waiting(&engine, "o-1").await, waiting(&engine, "o-2").await);
    let answer = engine.receive(accepted("e-2", "o-2"), Handling::Lenient).await.unwrap();
    assert_eq!(answer.receipt.delivered_to, [two]);
    assert_eq!(output(&engine, two).await, expected("e-2", "o-2"));
    assert!(!engine.instance(one).await.unwrap().unwrap().instance.is_terminal());
    engine.receive(accepted("e-1", "o-1"), Handling::Lenient).await.unwrap();
    assert_eq!(output(&engine, one).await, expected("e-1", "o-1"));
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_event_that_comes_first_is_kept_for_its_wait() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "accept", ACCEPT).await;
    let answer = engine.receive(accepted("e-1", "o-1"), Handling::Lenient).await.unwrap();
    assert!(answer.receipt.delivered_to.is_empty());
    let id = start(&engine, "accept", json!({ "order": "o-1" })).await;
    assert_eq!(output(&engine, id).await, expected("e-1", "o-1"));
    let fate = engine.fate("/test", "e-1").await.unwrap().unwrap();
    assert_eq!(fate.receipt.delivered_to, [id]);
    assert!(engine.fate("/test", "e-9").await.unwrap().is_none());
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_event_counts_once_however_often_it_comes() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "accept", ACCEPT).await;
    let id = waiting(&engine, "o-1").await;
    let first = engine.receive(accepted("e-1", "o-1"), Handling::Lenient).await.unwrap();
    assert!(!first.receipt.duplicate);
    output(&engine, id).await;
    let mut again = accepted("e-1", "o-1");
    again.rest.insert("data".to_owned(), json!("tampered"));
    let second = engine.receive(again, Handling::Lenient).await.unwrap();
    assert!(second.receipt.duplicate);
    assert_eq!(second.event, first.event, "the first one counts");
    let consumed = journal(&engine, id).await;
    let consumed = consumed.iter().filter(|entry| entry["fact"] == "event_consumed").count();
    assert_eq!(consumed, 1);
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_strict_sender_hears_that_nobody_waits_or_how_it_went_the_first_time() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "accept", ACCEPT).await;
    let nobody = engine.receive(accepted("e-0", "o-1"), Handling::Strict).await;
    assert!(matches!(nobody, Err(Error::NobodyWaits)), "{nobody:?}");
    assert!(engine.fate("/test", "e-0").await.unwrap().is_none(), "nothing was kept");

    let id = waiting(&engine, "o-1").await;
    let wrong = engine.receive(accepted("e-1", "other"), Handling::Strict).await;
    assert!(matches!(wrong, Err(Error::NobodyWaits)), "{wrong:?}");
    let first = engine.receive(accepted("e-2", "o-1"), Handling::Strict).await.unwrap();
    assert_eq!(first.receipt.delivered_to, [id]);
    output(&engine, id).await;

    let second = engine.receive(accepted("e-3", "o-1"), Handling::Strict).await.unwrap();
    assert_eq!(second.event, first.event, "the second acceptance is answered like the first");
    assert_eq!(second.receipt.delivered_to, [id]);
    assert!(engine.fate("/test", "e-3").await.unwrap().is_none());
    let same = engine.receive(accepted("e-2", "o-1"), Handling::Strict).await.unwrap();
    assert!(same.receipt.duplicate);
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_malformed_event_is_refused() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let refused = engine.receive(event("", "accepted", json!({})), Handling::Lenient).await;
    assert!(matches!(refused, Err(Error::Malformed(_))), "{refused:?}");
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_event_from_inside_takes_the_same_way() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "accept", ACCEPT).await;
    let emit = "do: [ { e: { emit: { event: { with: { source: /shop, type: accepted, \
                data: { order: '${ .order }' } } } } } } ]";
    register(&engine, "shop", emit).await;
    let id = waiting(&engine, "o-7").await;
    let shop = start(&engine, "shop", json!({ "order": "o-7" })).await;
    output(&engine, shop).await;
    assert_eq!(output(&engine, id).await, json!([{ "order": "o-7" }]));
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_event_that_does_not_fit_after_all_waits_for_another() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let picky = |source: &str| {
        ACCEPT.replace("{ type: accepted }", &format!("{{ type: accepted, source: {source} }}"))
    };
    register(&engine, "accept", &picky("/elsewhere")).await;
    register(&engine, "other", &picky("/test")).await;
    let id = waiting(&engine, "o-1").await;
    engine.receive(accepted("e-1", "o-1"), Handling::Lenient).await.unwrap();
    let other = start(&engine, "other", json!({ "order": "o-1" })).await;
    assert_eq!(output(&engine, other).await, expected("e-1", "o-1"));
    assert!(!engine.instance(id).await.unwrap().unwrap().instance.is_terminal());
    bench.close(&engine).await;
}

#[tokio::test]
async fn an_event_missed_a_listener_of_another_namespace_whose_type_is_no_constant() {
    for (with, fits) in [
        ("{ with: { type: 'acc.*' } }", true),
        ("{ with: { type: '${ startswith(\"acc\") }' } }", true),
        ("{ with: { source: /test } }", true),
        ("{ with: { type: 'ref.*' } }", false),
    ] {
        let bench = Bench::new().await;
        let engine = bench.engine().await;
        let listen = format!("do: [ {{ a: {{ listen: {{ to: {{ one: {with} }} }} }} }} ]");
        register_in(&engine, "elsewhere", "loose", &listen).await;
        let id = start(&engine, "loose", json!({})).await;
        until_fact(&engine, id, "wait_opened").await;
        let answer = engine.receive(accepted("e-1", "o-1"), Handling::Lenient).await.unwrap();
        if fits {
            assert_eq!(answer.receipt.delivered_to, [id], "{with}");
            assert_eq!(output(&engine, id).await, expected("e-1", "o-1"));
        } else {
            assert!(answer.receipt.delivered_to.is_empty(), "{with}");
        }
        bench.close(&engine).await;
    }
}

#[tokio::test]
async fn an_event_goes_to_the_namespace_where_it_is_awaited_and_its_repetition_too() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    for namespace in ["test", "east", "west"] {
        register_in(&engine, namespace, &format!("in-{namespace}"), ACCEPT).await;
    }
    let open = async |namespace: &str, order: &str| {
        let id = start(&engine, &format!("in-{namespace}"), json!({ "order": order })).await;
        until_fact(&engine, id, "wait_opened").await;
        id
    };
    let (east, west) = (open("east", "o-1").await, open("west", "o-2").await);
    for (handling, number, order, id) in
        [(Handling::Lenient, "e-1", "o-1", east), (Handling::Strict, "e-2", "o-2", west)]
    {
        let first = engine.receive(accepted(number, order), handling).await.unwrap();
        assert_eq!(first.receipt.delivered_to, [id]);
        assert_eq!(output(&engine, id).await, expected(number, order));
        let again = engine.receive(accepted(number, order), Handling::Lenient).await.unwrap();
        assert!(again.receipt.duplicate, "nobody waits any more, and it is still the same event");
        assert_eq!(again.receipt.delivered_to, [id]);
        let second = engine.receive(accepted("e-9", order), Handling::Strict).await.unwrap();
        assert_eq!(second.event, first.event, "the second acceptance is answered like the first");
    }
    let nobody = engine.receive(accepted("e-3", "o-3"), Handling::Strict).await;
    assert!(matches!(nobody, Err(Error::NobodyWaits)), "{nobody:?}");
    // Nobody waits, or two do: it is for home.
    open("east", "o-4").await;
    open("west", "o-4").await;
    for (number, order) in [("e-3", "o-3"), ("e-4", "o-4")] {
        let kept = engine.receive(accepted(number, order), Handling::Lenient).await.unwrap();
        assert!(kept.receipt.delivered_to.is_empty());
        let home = open("test", order).await;
        assert_eq!(output(&engine, home).await, expected(number, order));
    }
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_decision_missed_its_human_task_when_several_namespaces_have_some() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let ask = "do: [ { ask: { call: 'human.task:1.0.0@default', with: { title: Refund? } } } ]";
    let mut open = Vec::new();
    for namespace in ["test", "east", "west"] {
        let name = format!("ask-{namespace}");
        register_in(&engine, namespace, &name, ask).await;
        let id = start(&engine, &name, json!({})).await;
        until_fact(&engine, id, "human_task_opened").await;
        let entries = journal(&engine, id).await;
        let opened = entries.iter().find(|entry| entry["fact"] == "human_task_opened").unwrap();
        open.push((id, opened["ticket"].clone()));
    }
    for (id, ticket) in open {
        let data = json!({ "ticket": ticket, "decision": { "for": id }, "by": "ada" });
        let decided = event(&id.to_string(), "io.tenure.human-task.completed", data);
        let answer = engine.receive(decided, Handling::Strict).await.unwrap();
        assert_eq!(answer.receipt.delivered_to, [id]);
        assert_eq!(output(&engine, id).await, json!({ "for": id }));
    }
    bench.close(&engine).await;
}
