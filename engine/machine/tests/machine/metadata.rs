//! Our extensions: locks, compensation, lateness, attributes.

use serde_json::{Value, json};
use tenure_machine::{ChildResult, Command, Event, Fact, LockId, Stale, Status};

use crate::kit::{Run, invalid, plan_of};

fn start(metadata: &str, tasks: &str, input: Value) -> Run {
    Run::start_plan(plan_of(metadata, "", tasks), input)
}

fn asked(run: &Run) -> Vec<(LockId, String)> {
    let lock = |command: &Command| match command {
        Command::AcquireLock { lock, name } => Some((*lock, name.clone())),
        _ => None,
    };
    run.commands.iter().filter_map(lock).collect()
}

fn released(run: &Run) -> Vec<String> {
    let lock = |command: &Command| match command {
        Command::ReleaseLock { name, .. } => Some(name.clone()),
        _ => None,
    };
    run.commands.iter().filter_map(lock).collect()
}

#[test]
fn an_exclusive_instance_begins_when_it_holds_its_lock_and_lets_it_go_at_the_end() {
    let mut run = start(
        "{ exclusive: 'sub-${ .id }', expect: PT1H }",
        "  - a: { wait: PT1M }",
        json!({ "id": "S-1" }),
    );
    assert!(run.ran().is_empty());
    assert_eq!(run.instance.timers.len(), 1, "lateness counts from the start");
    let [(lock, name)] = asked(&run).try_into().unwrap();
    assert_eq!(name, "test/sub-S-1");
    run.feed(Event::LockGranted { lock, name: "test/L".to_owned() });
    assert_eq!(
        run.try_feed(Event::LockGranted { lock, name: "test/L".to_owned() }),
        Err(Stale::Closed),
        "granted once"
    );
    assert_eq!(run.ran(), ["a"]);
    run.fire();
    assert_eq!(released(&run), ["test/sub-S-1"]);
    assert!(matches!(run.instance.status, Status::Completed { .. }));
}

#[test]
fn a_queued_business_key_is_a_lock_of_that_key() {
    let run = start(
        "{ businessKey: { key: '${ .id }', policy: queue } }",
        "  - a: { set: { k: 1 } }",
        json!({ "id": "S-1" }),
    );
    assert_eq!(asked(&run)[0].1, "test/business-key:sample:S-1");
    assert_eq!(run.instance.status, Status::Live);
}

#[test]
fn a_do_takes_its_lock_before_its_tasks_and_inner_ones_of_that_name_take_none() {
    let tasks = "
  - outer:
      metadata: { exclusive: L }
      do:
        - inner: { metadata: { exclusive: L }, do: [ { a: { set: { x: 1 } } } ] }
  - b: { wait: PT1S }";
    let mut run = Run::start(tasks);
    let [(lock, _)] = asked(&run).try_into().unwrap();
    assert_eq!(run.ran(), ["outer"]);
    run.feed(Event::LockGranted { lock, name: "test/L".to_owned() });
    assert_eq!(run.ran(), ["outer", "inner", "a", "b"]);
    assert_eq!(released(&run), ["test/L"]);
}

#[test]
fn who_gives_up_waiting_for_a_lock_leaves_the_line() {
    let tasks = "
  - a:
      try:
        - locked: { metadata: { exclusive: L }, timeout: { after: PT5S }, do: [ { x: { set: { k: 1 } } } ] }
      catch: { errors: { with: { status: 408 } } }
  - b: { wait: PT1S }";
    let mut run = Run::start(tasks);
    let [(lock, _)] = asked(&run).try_into().unwrap();
    run.fire();
    assert_eq!(released(&run), ["test/L"]);
    assert_eq!(run.ran(), ["a", "locked", "b"]);
    // A grant that was on its way is given back: kept, it would shut everybody out.
    run.feed(Event::LockGranted { lock, name: "test/L".to_owned() });
    assert_eq!(released(&run), ["test/L"]);
}

#[test]
fn a_lock_without_a_usable_name_is_an_error() {
    let run = start("{ exclusive: '${ .id }' }", "  - a: { set: { k: 1 } }", json!({ "id": 7 }));
    assert!(run.error().kind.ends_with("expression"));
    let run = Run::start(
        "  - a: { metadata: { exclusive: '${ .id }' }, do: [ { x: { set: { k: 1 } } } ] }",
    );
    assert_eq!(run.error().instance.as_deref(), Some("/do/0/a"));
}

const ORDER: &str = "
  - safe:
      try:
        - each:
            for: { in: '${ [1, 2] }', each: n }
            do:
              - pay:
                  call: bank.keyed
                  with: { amount: '${ $n }' }
                  metadata:
                    compensate:
                      - back: { call: bank.natural, with: { amount: '${ -($compensated.input | 0) + .amount }' } }
        - ship: { call: bank.once, with: { amount: 9 } }
      catch:
        do:
          - undo: { call: 'engine.compensate:1.0.0@default' }
          - again: { call: 'engine.rethrow:1.0.0@default' }";

/// Pays twice, then shipping is refused.
fn ordered() -> Run {
    let mut run = Run::start(ORDER.replace("-($compensated.input | 0) + ", "").as_str());
    run.done(json!({ "amount": 1 }));
    run.done(json!({ "amount": 2 }));
    let ship = run.call();
    run.end(&ship, invalid());
    run
}

#[test]
fn compensation_undoes_backward_and_the_error_is_raised_again_as_it_was() {
    let mut run = ordered();
    let last = run.call();
    assert_eq!(last.request, json!({ "amount": 2 }), "the last one first");
    run.done(json!({}));
    let first = run.call();
    assert_eq!(first.request, json!({ "amount": 1 }));
    assert_ne!(first.key, last.key, "each undoing is an effect of its own");
    run.done(json!({}));
    let error = run.error();
    assert_eq!(error.instance.as_deref(), Some("/do/0/safe/try/1/ship"));
    assert_eq!(error.status, 422);
    assert!(run.instance.compensations.is_empty());
    let undone = run.journal.iter().filter(|e| e.fact == Fact::CompensationCompleted).count();
    assert_eq!(undone, 2);
}

#[test]
fn an_undoing_that_fails_is_tried_again_and_then_a_person_is_asked() {
    let mut run = ordered();
    for _ in 0..8 {
        let call = run.call();
        run.end(&call, invalid());
        assert!(run.instance.incidents().next().is_none());
        run.fire();
    }
    let call = run.call();
    run.end(&call, invalid());
    let (_, incident) = run.instance.incidents().next().expect("an incident");
    assert!(incident.fingerprint.starts_with("compensation:/do/0/safe/try/0/each/do/0/pay"));
    assert!(run.instance.timers.is_empty());
}

#[test]
fn an_undoing_that_was_tried_again_goes_on_with_the_next() {
    let mut run = ordered();
    let call = run.call();
    run.end(&call, invalid());
    assert!(run.fire().as_millis() == 1_000);
    let again = run.call();
    assert_ne!(again.key, call.key, "a new try after a rejection is a new effect");
    run.done(json!({}));
    assert_eq!(run.call().request, json!({ "amount": 1 }));
}

#[test]
fn a_cancellation_undoes_first_when_the_document_says_so() {
    let tasks = "
  - pay:
      call: bank.keyed
      with: { amount: 5 }
      metadata: { compensate: bank.natural }
  - hold: { wait: P30D }";
    let cancel = || Event::CancelRequested { reason: "changed their mind".to_owned() };
    let mut run = start("{ onCancel: compensate }", tasks, json!({}));
    run.done(json!({ "amount": 5 }));
    run.feed(cancel());
    assert_eq!(run.instance.status, Status::Live);
    assert_eq!(run.cancelled(), ["hold"]);
    assert_eq!(run.call().request, json!({ "amount": 5 }), "the output is what undoes it");
    assert_eq!(run.try_feed(cancel()), Err(Stale::Closed), "it is on its way already");
    run.done(json!({}));
    assert!(
        matches!(&run.instance.status, Status::Cancelled { reason, .. } if reason == "changed their mind")
    );

    let mut plain = start("{}", tasks, json!({}));
    plain.done(json!({ "amount": 5 }));
    plain.feed(cancel());
    assert!(matches!(plain.instance.status, Status::Cancelled { .. }));
    assert!(plain.calls().is_empty());
}

#[test]
fn end_inside_an_undoing_ends_only_that_undoing() {
    let tasks = "
  - a: { set: { n: 1 }, metadata: { compensate: [ { x: { set: { k: 1 }, then: end } }, { y: { set: { k: 1 } } } ] } }
  - b: { set: { n: 2 }, metadata: { compensate: [ { z: { do: [ { w: { set: { k: 1 }, then: end } } ] } } ] } }
  - hold: { wait: P30D }";
    let mut run = start("{ onCancel: compensate }", tasks, json!({}));
    run.feed(Event::CancelRequested { reason: "r".to_owned() });
    assert_eq!(run.ran(), ["a", "b", "hold", "z", "w", "x"]);
    assert!(matches!(run.instance.status, Status::Cancelled { .. }));
}

#[test]
fn a_half_done_undoing_that_is_cancelled_is_finished_by_the_cancellation() {
    let mut run = Run::start_plan(
        plan_of("{ onCancel: compensate }", "", &ORDER.replace("-($compensated.input | 0) + ", "")),
        json!({}),
    );
    run.done(json!({ "amount": 1 }));
    run.done(json!({ "amount": 2 }));
    let ship = run.call();
    run.end(&ship, invalid());
    run.done(json!({}));
    assert_eq!(run.call().request, json!({ "amount": 1 }));
    run.feed(Event::CancelRequested { reason: "r".to_owned() });
    // The call in doubt is settled first, under its own key; what was undone is not undone again.
    assert!(run.calls().is_empty());
    run.fire();
    assert_eq!(run.call().request, json!({ "amount": 1 }));
    run.done(json!({}));
    assert!(matches!(run.instance.status, Status::Cancelled { .. }));
}

#[test]
fn a_new_try_of_an_undoing_repeated_what_it_had_done() {
    let tasks = "
  - pay:
      call: bank.keyed
      with: { amount: 5 }
      metadata:
        compensate:
          - refund: { call: bank.keyed, with: { amount: 5 } }
          - tell: { call: bank.natural, with: { amount: 6 } }
  - hold: { wait: P30D }";
    let mut run = start("{ onCancel: compensate }", tasks, json!({}));
    run.done(json!({}));
    run.feed(Event::CancelRequested { reason: "r".to_owned() });
    assert_eq!(run.call().request, json!({ "amount": 5 }));
    run.done(json!({}));
    let tell = run.call();
    run.end(&tell, invalid());
    run.fire();
    assert_eq!(run.call().request, json!({ "amount": 6 }), "the refund is not paid twice");
    run.done(json!({}));
    assert!(matches!(run.instance.status, Status::Cancelled { .. }));
}

#[test]
fn an_undoing_that_is_stuck_can_be_given_up() {
    let tasks = "
  - pay: { call: bank.keyed, with: { amount: 5 }, metadata: { compensate: bank.natural } }
  - hold: { wait: P30D }";
    let mut run = start("{ onCancel: compensate }", tasks, json!({}));
    run.done(json!({ "amount": 5 }));
    let cancel = |reason: &str| Event::CancelRequested { reason: reason.to_owned() };
    run.feed(cancel("first"));
    for _ in 0..8 {
        let call = run.call();
        run.end(&call, invalid());
        assert_eq!(run.try_feed(cancel("second")), Err(Stale::Closed));
        run.fire();
    }
    let call = run.call();
    run.end(&call, invalid());
    run.feed(cancel("second"));
    assert!(matches!(&run.instance.status, Status::Cancelled { reason, .. } if reason == "second"));
}

#[test]
fn a_call_that_was_done_and_whose_output_does_not_fit_was_not_undone() {
    let tasks = "
  - safe:
      try:
        - pay:
            call: bank.keyed
            with: { amount: 5 }
            output: { schema: { document: { required: [receipt] } } }
            metadata: { compensate: [ { back: { call: bank.natural, with: { amount: 7 } } } ] }
      catch: { do: [ { undo: { call: 'engine.compensate:1.0.0@default' } } ] }";
    let mut run = Run::start(tasks);
    run.done(json!({ "amount": 5 }));
    assert_eq!(run.call().request, json!({ "amount": 7 }));
}

#[test]
fn what_a_branch_removes_from_the_context_came_back_at_the_join() {
    let tasks = "
  - a: { set: { x: 1, y: 2 }, export: { as: . } }
  - f:
      fork:
        branches:
          - one: { set: { k: 1 }, export: { as: '$context | del(.x)' } }
          - two: { set: { k: 2 }, export: { as: '$context + { z: 3 }' } }
  - out: { set: '${ $context }' }";
    assert_eq!(Run::start(tasks).output(), json!({ "y": 2, "z": 3 }));
}

#[test]
fn texts_that_no_index_takes_are_no_attributes() {
    let head = "{ searchable: { a: '${ .a }', b: '${ .b }', c: '${ .c }' } }";
    let input = json!({ "a": "zero \u{0}", "b": "x".repeat(300), "c": "ok" });
    let run = start(head, "  - w: { wait: PT1S }", input);
    assert_eq!(json!(run.instance.attributes), json!({ "c": "ok" }));
    let run = start("{ exclusive: '${ .a }' }", "  - w: { wait: PT1S }", json!({ "a": "x\u{0}" }));
    assert!(run.error().kind.ends_with("expression"));
}

#[test]
fn lateness_is_noted_and_changes_nothing() {
    let mut run = start(
        "{ expect: { within: PT2H } }",
        "  - a: { wait: PT3H, metadata: { expect: PT1H } }\n  - b: { set: { done: true } }",
        json!({}),
    );
    let late = |run: &Run| {
        let is_late = |entry: &&tenure_machine::Entry| entry.fact == Fact::Late;
        run.journal.iter().filter(is_late).map(|entry| entry.task.clone()).collect::<Vec<_>>()
    };
    run.fire();
    assert_eq!(late(&run), [Some("/do/0/a".to_owned())]);
    run.fire();
    assert_eq!(late(&run), [Some("/do/0/a".to_owned()), None]);
    run.fire();
    assert_eq!(run.output(), json!({ "done": true }));
    let quick = start(
        "{ expect: PT2H }",
        "  - a: { set: { k: 1 }, metadata: { expect: PT1H } }",
        json!({}),
    );
    assert!(quick.instance.timers.is_empty());
}

#[test]
fn attributes_follow_the_context() {
    let tasks = "
  - a: { set: { plan: pro }, export: { as: '$context + .' } }
  - b: { wait: PT1S }
  - c: { set: { plan: null, seats: [1] }, export: { as: '$context + .' } }
  - d: { wait: PT1S }";
    let head = "{ searchable: { customer: '${ .customer }', plan: '${ $context.plan }', seats: '${ $context.seats }', odd: '${ 1 / .zero }' } }";
    let mut run = start(head, tasks, json!({ "customer": "C-1", "zero": 0 }));
    let set = |run: &Run| {
        run.commands.iter().find_map(|command| match command {
            Command::SetAttributes { attributes } => Some(json!(attributes)),
            _ => None,
        })
    };
    assert_eq!(set(&run), Some(json!({ "customer": "C-1", "plan": "pro" })));
    run.fire();
    assert_eq!(set(&run), Some(json!({ "customer": "C-1" })));
    run.fire();
    assert_eq!(set(&run), None, "unchanged");
}

#[test]
fn a_child_that_wants_the_lock_of_its_parent_waited_for_ever() {
    let tasks = "
  - outer:
      metadata: { exclusive: L }
      do:
        - race:
            fork:
              compete: true
              branches:
                - sub: { run: { workflow: { namespace: test, name: sample, version: 1.0.0 } } }
        - sub: { run: { workflow: { namespace: test, name: sample, version: 1.0.0 } } }
        - loose: { run: { workflow: { namespace: test, name: sample, version: 1.0.0 }, await: false } }
  - hold: { wait: P30D }";
    let mut parent = Run::start(tasks);
    let [(lock, _)] = asked(&parent).try_into().unwrap();
    let child = |run: &Run| {
        run.commands.iter().find_map(|command| match command {
            Command::StartChild(child) => Some(child.clone()),
            _ => None,
        })
    };
    parent.feed(Event::LockGranted { lock, name: "test/L".to_owned() });
    let raced = child(&parent).unwrap();
    assert_eq!(raced.held_above, [], "another branch may end it");
    let result = ChildResult::Completed { output: json!({}) };
    parent.feed(Event::ChildEnded { child: raced.id, result: result.clone() });
    let held = child(&parent).unwrap();
    let above: Vec<_> = held.held_above.iter().map(|held| held.name.as_str()).collect();
    assert_eq!(above, ["test/L"]);
    parent.feed(Event::ChildEnded { child: held.id, result });
    assert_eq!(child(&parent).unwrap().held_above, [], "nobody waits for its end");

    for (metadata, tasks) in [
        ("{ exclusive: L }", "  - a: { set: { k: 1 } }"),
        ("{}", "  - a: { metadata: { exclusive: L }, do: [ { x: { set: { k: 1 } } } ] }"),
    ] {
        let run = Run::start_below(metadata, tasks, held.held_above.clone());
        let error = run.error();
        assert_eq!(error.kind, "urn:tenure:error:deadlock");
        let detail = error.detail.unwrap();
        let both = [parent.instance.id, run.instance.id].map(|id| id.to_string());
        assert!(both.iter().all(|id| detail.contains(id.as_str())), "{detail}");
        assert!(asked(&run).is_empty(), "it does not stand in line");
    }
}

#[test]
fn who_is_refused_a_lock_leaves_the_line_with_an_error_that_can_be_caught() {
    let tasks = "
  - safe:
      try: [ { locked: { metadata: { exclusive: L }, do: [ { x: { set: { k: 1 } } } ] } } ]
      catch: { errors: { with: { type: 'urn:tenure:error:deadlock' } } }
  - hold: { wait: P30D }";
    let mut run = Run::start(tasks);
    let [(lock, _)] = asked(&run).try_into().unwrap();
    let refused = Event::LockRefused { lock, detail: "a circle".to_owned() };
    run.feed(refused.clone());
    assert_eq!(released(&run), ["test/L"]);
    assert_eq!(run.ran(), ["safe", "locked", "hold"]);
    assert_eq!(run.try_feed(refused), Err(Stale::Closed));
}
