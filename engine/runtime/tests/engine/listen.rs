//! Listening to more than one event: in quick succession, doubled, early, beyond the queue; and
//! people's decisions.

use serde_json::{Value, json};
use tenure_machine::CloudEvent;
use tenure_machine::limit::LISTEN_QUEUE_MAX;
use tenure_runtime::Engine;
use tenure_runtime::engine::Handling;

use crate::kit::{Bench, Turn, event, journal, output, register, start, until_fact};

/// Collects readings of a room until the last one.
const COLLECT: &str = "do:
  - a:
      listen:
        to:
          any:
            - with: { type: 'reading|last' }
              correlate: { room: { from: .data.room, expect: '${ .room }' } }
          until: '${ .[-1].last == true }'
      foreach:
        item: reading
        do:
          - book: { call: 'bank.keyed:1', with: { n: '${ $reading.n }' } }
        output: { as: '${ .n }' }";

fn reading(room: &str, n: usize, last: bool) -> CloudEvent {
    let kind = if last { "last" } else { "reading" };
    event(&format!("{room}-{n}"), kind, json!({ "room": room, "n": n, "last": last }))
}

async fn send(engine: &Engine, event: CloudEvent) {
    engine.receive(event, Handling::Lenient).await.unwrap();
}

/// The numbers an instance booked, whatever their order.
fn numbers(output: &Value) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        output.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn events_in_quick_succession_are_each_handled_once() {
    const COUNT: usize = 12;
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "collect", COLLECT).await;
    // Early, doubled, of another room, and all at once.
    send(&engine, reading("r1", 0, false)).await;
    send(&engine, reading("r2", 1, false)).await;
    let id = start(&engine, "collect", json!({ "room": "r1" })).await;
    until_fact(&engine, id, "event_consumed").await;
    let sent = (1..COUNT).flat_map(|n| [reading("r1", n, false), reading("r1", n, false)]);
    futures::future::join_all(sent.map(|event| send(&engine, event))).await;
    bench.vendor.attempted(COUNT).await;
    send(&engine, reading("r1", COUNT, true)).await;
    let output = output(&engine, id).await;
    assert_eq!(numbers(&output), (0..=COUNT as u64).collect::<Vec<_>>());
    assert_eq!(bench.vendor.effects().len(), COUNT + 1);
    let consumed = journal(&engine, id).await;
    let consumed = consumed.iter().filter(|entry| entry["fact"] == "event_consumed").count();
    assert_eq!(consumed, COUNT + 1);
    let other = engine.fate("/test", "r2-1").await.unwrap().unwrap();
    assert!(other.receipt.delivered_to.is_empty(), "the other room's is kept for whoever comes");
    bench.close(&engine).await;
}

#[tokio::test]
async fn events_beyond_the_queue_wait_in_the_inbox_and_none_is_lost() {
    let count = LISTEN_QUEUE_MAX + 20;
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    register(&engine, "collect", COLLECT).await;
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    bench.vendor.next(Turn::Hold(std::sync::Arc::clone(&gate)));
    let id = start(&engine, "collect", json!({ "room": "r1" })).await;
    until_fact(&engine, id, "wait_opened").await;
    for n in 0..count {
        send(&engine, reading("r1", n, false)).await;
    }
    bench.vendor.attempted(1).await;
    gate.notify_one();
    bench.vendor.attempted(count).await;
    send(&engine, reading("r1", count, true)).await;
    let output = output(&engine, id).await;
    assert_eq!(numbers(&output), (0..=count as u64).collect::<Vec<_>>());
    bench.close(&engine).await;
}

#[tokio::test]
async fn until_an_event_ends_a_listen_to_patterns() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let ward = "do:
  - a:
      listen:
        to:
          any:
            - with: { type: 'vitals[.](temperature|bpm)', data: '${ .value > 100 }' }
          until: { one: { with: { type: checked-out } } }
        read: envelope
      output: { as: '${ map({type, value: .data.value}) }' }";
    register(&engine, "ward", ward).await;
    let id = start(&engine, "ward", json!({})).await;
    until_fact(&engine, id, "wait_opened").await;
    let measured = |id: &str, kind: &str, value: i64| event(id, kind, json!({ "value": value }));
    send(&engine, measured("e-1", "vitals.bpm", 120)).await;
    send(&engine, measured("e-2", "vitals.bpm", 60)).await;
    until_fact(&engine, id, "event_consumed").await;
    send(&engine, measured("e-3", "checked-out", 0)).await;
    assert_eq!(output(&engine, id).await, json!([{ "type": "vitals.bpm", "value": 120 }]));
    bench.close(&engine).await;
}

#[tokio::test]
async fn a_decision_that_does_not_fit_the_form_is_not_taken() {
    let bench = Bench::new().await;
    let engine = bench.engine().await;
    let ask = "do:
  - ask:
      call: human.task:1.0.0@default
      with:
        title: Refund?
        form: { type: object, required: [ok], properties: { ok: { type: boolean } } }
        due: P1D";
    register(&engine, "ask", ask).await;
    let id = start(&engine, "ask", json!({})).await;
    until_fact(&engine, id, "human_task_opened").await;
    let opened = journal(&engine, id).await;
    let opened = opened.iter().find(|entry| entry["fact"] == "human_task_opened").unwrap();
    let ticket = opened["ticket"].as_str().unwrap();
    let decided = |id: &str, decision: Value| {
        let data = json!({ "ticket": ticket, "decision": decision, "by": "ada" });
        event(id, "io.tenure.human-task.completed", data)
    };
    send(&engine, decided("d-1", json!({ "ok": "perhaps" }))).await;
    let right = engine.receive(decided("d-2", json!({ "ok": true })), Handling::Strict).await;
    assert_eq!(right.unwrap().receipt.delivered_to, [id]);
    assert_eq!(output(&engine, id).await, json!({ "ok": true }));
    let wrong = engine.fate("/test", "d-1").await.unwrap().unwrap();
    assert!(wrong.receipt.delivered_to.is_empty(), "its sender sees that nobody took it");
    bench.close(&engine).await;
}
