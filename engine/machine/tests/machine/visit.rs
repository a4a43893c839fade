//! Visits: each is an effect of its own, and none is remembered for ever.

use std::collections::BTreeSet;

use serde_json::json;
use tenure_adapter::Outcome;
use tenure_machine::Event;
use uuid::Uuid;

use crate::kit::{Run, declined, event, invalid, unknown};

/// Visits of the property test.
const VISITS: usize = 50_000;
/// Largest state of an instance that does the same again and again, in bytes of JSON.
const STATE_BYTES_MAX: usize = 24 * 1024;

fn bytes(run: &Run) -> usize {
    serde_json::to_string(&run.instance).unwrap().len()
}

const ENDLESS: &str = "
  - ear:
      listen: { to: { any: [ { with: { type: order } } ], until: '${ false }' } }
      foreach:
        item: order
        do:
          - told: { emit: { event: { with: { type: seen } } } }
          - paid:
              if: '${ $order.n % 50 == 0 }'
              try:
                - each:
                    for: { in: '${ [1, 2] }', each: n }
                    do:
                      - pay:
                          call: bank.keyed
                          with: { amount: '${ $n }' }
                          metadata: { idempotencyKey: '${ \"\\($order.n)-\\($n)\" }' }
              catch: { do: [ { no: { set: { refused: true } } } ] }";

#[test]
fn an_endless_listen_grew_with_every_visit() {
    let mut run = Run::start(ENDLESS);
    let [wait] = run.waits().try_into().unwrap();
    let mut keys = BTreeSet::new();
    let mut largest = 0;
    for n in 0..VISITS {
        let order = event("order", json!({ "n": n }));
        run.feed(Event::EventArrived { wait: wait.wait, event: order });
        while let [call] = run.calls().as_slice() {
            let call = call.clone();
            assert!(keys.insert(call.key), "visit {n} presents a key again");
            let outcome = match (n / 50) % 7 {
                3 => declined(),
                5 => invalid(),
                _ => Outcome::Done { output: json!({ "n": n }) },
            };
            run.end(&call, outcome);
        }
        run.journal.clear();
        if n % 500 == 499 {
            largest = largest.max(bytes(&run));
            assert!(largest <= STATE_BYTES_MAX, "{largest} bytes after {n} visits");
        }
    }
    assert!(run.instance.visits.len() <= 8, "{:?}", run.instance.visits);
}

#[test]
fn a_loop_with_waits_does_not_grow() {
    let tasks = "
  - round: { wait: PT1H }
  - each:
      for: { in: '${ [1, 2] }', each: n }
      do: [ { pay: { call: bank.keyed, with: { amount: '${ $n }' } } } ]
      then: round";
    let mut run = Run::start(tasks);
    let (mut keys, mut sizes) = (BTreeSet::new(), Vec::new());
    for n in 0..1_000 {
        run.fire();
        for _ in 0..2 {
            assert!(keys.insert(run.call().key), "round {n} presents a key again");
            run.done(json!({}));
        }
        run.journal.clear();
        sizes.push(bytes(&run));
    }
    // Numbers get longer, nothing else.
    assert!(sizes[999] < sizes[10] + 64, "{} after 10 rounds, {} after all", sizes[10], sizes[999]);
}

/// A charge with the author's key, tried once more when it fails.
fn charged(timeout: &str) -> Run {
    Run::start_with(
        "",
        &format!(
            "
  - safe:
      try:
        - pay:
            call: bank.keyed
            with: {{ amount: 5 }}
            {timeout}
            metadata: {{ idempotencyKey: '${{ $workflow.input.invoice }}' }}
      catch: {{ retry: {{ delay: PT1H, limit: {{ attempt: {{ count: 3 }} }} }} }}"
        ),
        json!({ "invoice": "INV-1" }),
    )
}

#[test]
fn a_retry_after_a_decline_presented_the_declined_key_again() {
    let mut run = charged("");
    let mut seen: Vec<Uuid> = Vec::new();
    for _ in 0..3 {
        let call = run.call();
        assert!(!seen.contains(&call.key), "the vendor remembers the decline of this key");
        seen.push(call.key);
        run.end(&call, declined());
        run.fire();
    }
    let again = charged("");
    assert_eq!(again.call().key, seen[0], "computed, not drawn: a re-submission meets the vendor");
}

#[test]
fn a_retry_after_an_unknown_outcome_presents_the_authors_key_again() {
    let mut run = charged("");
    let first = run.call();
    run.end(&first, unknown());
    run.fire();
    assert_eq!(run.call().key, first.key);

    // The same when the task was given up in doubt and is visited anew.
    let mut run = charged("timeout: { after: PT1S }");
    let first = run.call();
    run.fire();
    run.feed(Event::CallLost { call: first.call });
    run.fire();
    run.fire();
    assert!(run.calls().is_empty(), "two doubts: the vendor is asked, by that key");
    assert_eq!(run.lookup().key, first.key);
}

#[test]
fn a_refused_key_of_the_author_is_refused_at_every_place_and_a_done_one_at_none() {
    let tasks = "
  - safe:
      try:
        - pay: { call: bank.keyed, with: { amount: 5 }, metadata: { idempotencyKey: '${ \"K\" + \"\" }' } }
      catch:
        do:
          - dun: { call: bank.keyed, with: { amount: 5 }, metadata: { idempotencyKey: '${ \"K\" + \"\" }' } }
          - twice: { call: bank.keyed, with: { amount: 5 }, metadata: { idempotencyKey: '${ \"K\" + \"\" }' } }";
    let mut run = Run::start(tasks);
    let first = run.call();
    run.end(&first, declined());
    let second = run.call();
    assert_ne!(second.key, first.key);
    run.done(json!({}));
    assert_eq!(run.call().key, second.key, "what was done under this key is what the author means");
}
