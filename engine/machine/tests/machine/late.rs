//! Answers that come when nobody waits for them any more.

use serde_json::json;
use tenure_adapter::{Lookup, Outcome};
use tenure_machine::abandoned::Knowledge;
use tenure_machine::{CallId, Event, Fact, Intent, Stale, Status};

use crate::kit::{Run, declined, invalid, unknown};

/// A call that its time-out gives up; the definition goes on without it.
fn given_up(function: &str) -> (Run, Intent) {
    let mut run = Run::start(&format!(
        "
  - safe:
      try:
        - c: {{ call: {function}, with: {{ amount: 5 }}, timeout: {{ after: PT1S }} }}
      catch: {{ errors: {{ with: {{ status: 408 }} }} }}
  - hold: {{ wait: P30D }}"
    ));
    let call = run.call();
    run.fire();
    assert_eq!(run.ran(), ["safe", "c", "hold"]);
    (run, call)
}

fn done() -> Outcome {
    Outcome::Done { output: json!({ "id": "p-1" }) }
}

fn late(run: &Run) -> Option<String> {
    run.instance.late_incidents().next().map(|(_, incident)| incident.fingerprint.clone())
}

fn knowledge(run: &Run) -> Vec<Knowledge> {
    run.instance.abandoned.values().map(|abandoned| abandoned.knowledge()).collect()
}

fn cancel() -> Event {
    Event::CancelRequested { reason: "changed their mind".to_owned() }
}

#[test]
fn a_charge_that_completed_after_its_timeout_was_dropped_without_a_trace() {
    let (mut run, call) = given_up("bank.charge");
    assert_eq!(knowledge(&run), [Knowledge::Awaited]);
    assert_eq!(run.instance.abandoned_calls().collect::<Vec<_>>(), [call.call]);
    run.end(&call, done());
    assert_eq!(late(&run).as_deref(), Some("late:bank.charge"));
    assert_eq!(knowledge(&run), [Knowledge::Late]);
    let evidence = run.journal.iter().find(|entry| {
        matches!(&entry.fact, Fact::EffectReturnedLate { key, outcome } if *key == call.key && *outcome == done())
    });
    assert_eq!(evidence.unwrap().task.as_deref(), Some("/do/0/safe/try/0/c"));
    assert!(run.instance.incidents().next().is_none(), "it stops no task");
    let again = Event::CallEnded { call: call.call, outcome: done() };
    assert_eq!(run.try_feed(again), Err(Stale::Closed), "a doubled answer says nothing new");
}

#[test]
fn a_charge_that_completed_after_the_end_of_its_instance_was_dropped_as_stale() {
    let mut run = Run::start("  - c: { call: bank.charge, with: { amount: 5 } }");
    let call = run.call();
    run.feed(cancel());
    assert!(run.instance.is_terminal());
    let before = run.instance.status.clone();
    run.end(&call, done());
    assert_eq!(late(&run).as_deref(), Some("late:bank.charge"));
    assert_eq!(run.instance.status, before, "what has ended stays as it ended");
    assert!(run.instance.frames.is_empty() && run.instance.timers.is_empty());
    assert!(run.commands.is_empty());
    let other = Event::CallEnded { call: CallId(77), outcome: done() };
    assert_eq!(run.try_feed(other), Err(Stale::Ended));
    assert_eq!(run.try_feed(cancel()), Err(Stale::Ended));
}

#[test]
fn the_loser_of_a_fork_that_charged_all_the_same_is_an_incident() {
    let mut run = Run::start(
        "
  - race:
      fork:
        compete: true
        branches:
          - pay: { call: bank.charge, with: { amount: 5 } }
          - clock: { wait: PT1S }
  - hold: { wait: P30D }",
    );
    let call = run.call();
    run.fire();
    run.end(&call, done());
    assert_eq!(late(&run).as_deref(), Some("late:bank.charge"));
}

#[test]
fn a_late_answer_that_proves_that_nothing_happened_settles_the_effect() {
    for outcome in [declined(), invalid(), Outcome::NotSent { detail: "no route".to_owned() }] {
        let (mut run, call) = given_up("bank.charge");
        run.end(&call, outcome.clone());
        assert!(run.instance.abandoned.is_empty(), "{outcome:?}");
        assert_eq!(late(&run), None);
    }
}

#[test]
fn an_answer_that_never_comes_is_an_incident_where_money_may_have_moved() {
    let (mut run, call) = given_up("bank.charge");
    run.feed(Event::CallLost { call: call.call });
    assert_eq!(late(&run).as_deref(), Some("abandoned:bank.charge"));
    assert_eq!(knowledge(&run), [Knowledge::Unknown]);
    assert_eq!(run.instance.abandoned_calls().next(), None);

    let (mut run, call) = given_up("bank.keyed");
    run.end(&call, unknown());
    assert_eq!(late(&run), None);
    assert_eq!(knowledge(&run), [Knowledge::Lost], "kept and listed all the same");
}

#[test]
fn nobody_misses_the_late_answer_of_a_question() {
    let (mut run, call) = given_up("bank.get");
    assert!(run.instance.abandoned.is_empty());
    let event = Event::CallEnded { call: call.call, outcome: done() };
    assert_eq!(run.try_feed(event), Err(Stale::Closed));
}

#[test]
fn a_late_success_is_adopted_when_the_definition_comes_back_to_it() {
    let tasks = "
  - safe:
      try:
        - c: { call: bank.once, with: { amount: 5 }, timeout: { after: PT1S } }
      catch:
        errors: { with: { status: 408 } }
        retry: { delay: PT1H, limit: { attempt: { count: 2 } } }";
    let mut run = Run::start(tasks);
    let call = run.call();
    run.fire();
    run.end(&call, done());
    assert_eq!(late(&run).as_deref(), Some("late:bank.once"));
    run.fire();
    assert!(run.calls().is_empty(), "it happened: acting anew would act twice");
    assert_eq!(run.output(), json!({ "id": "p-1" }));
    assert_eq!(late(&run), None, "it is used after all");

    // The same while the retry settles the first attempt.
    let mut run = Run::start(&tasks.replace("PT1H", "PT0S"));
    let call = run.call();
    run.fire();
    run.fire();
    assert!(run.calls().is_empty());
    run.end(&call, done());
    assert_eq!(run.output(), json!({ "id": "p-1" }));
}

#[test]
fn a_call_that_was_decided_and_given_up_in_one_step_leaves_no_doubt() {
    let run = Run::start(
        "
  - race:
      fork:
        compete: true
        branches:
          - pay: { call: bank.charge, with: { amount: 5 } }
          - now: { set: { k: 1 } }
  - hold: { wait: P30D }",
    );
    assert!(run.calls().is_empty(), "it was never sent");
    assert!(run.instance.abandoned.is_empty());
}

#[test]
fn an_instance_that_leaves_too_much_in_doubt_faults_instead_of_growing() {
    let mut run = Run::start(
        "
  - each:
      for: { in: '${ [range(400)] }', each: n }
      do:
        - safe:
            try:
              - c: { call: bank.charge, with: { amount: 5 }, timeout: { after: PT1S } }
            catch: { errors: { with: { status: 408 } } }",
    );
    while !run.instance.is_terminal() {
        run.fire();
    }
    assert!(run.error().detail.unwrap().contains("more than 256 effects"));
    assert_eq!(run.instance.abandoned.len(), 257);
}

const PAID: &str = "
  - pay:
      call: bank.keyed
      with: { amount: 5 }
      output: { as: '${ {amount: .amount} }' }
      metadata: { compensate: bank.natural }
  - hold: { wait: P30D }";

fn cancelled_while_paying() -> (Run, Intent) {
    let mut run = Run::start_with_metadata("{ onCancel: compensate }", PAID, json!({}));
    let call = run.call();
    run.feed(cancel());
    (run, call)
}

fn is_cancelled(run: &Run) -> bool {
    matches!(run.instance.status, Status::Cancelled { .. })
}

#[test]
fn an_effect_in_flight_at_a_cancellation_stayed_done() {
    let (mut run, call) = cancelled_while_paying();
    assert_eq!(run.instance.status, Status::Live, "it waits for what is out");
    assert_eq!(run.instance.open_calls().collect::<Vec<_>>(), [call.call]);
    run.end(&call, Outcome::Done { output: json!({ "amount": 5, "more": 1 }) });
    let undoing = run.call();
    assert_eq!(undoing.request, json!({ "amount": 5 }), "its transformed output is what undoes it");
    run.done(json!({}));
    assert!(is_cancelled(&run));
    assert_eq!(run.ran(), ["pay", "compensate"], "nothing else of the definition went on");
    assert_eq!(late(&run), None, "it was undone");
}

#[test]
fn an_effect_in_flight_at_a_cancellation_that_did_not_happen_needs_no_undoing() {
    for outcome in [declined(), invalid(), Outcome::NotSent { detail: "no route".to_owned() }] {
        let (mut run, call) = cancelled_while_paying();
        run.end(&call, outcome);
        assert!(is_cancelled(&run));
        assert!(run.calls().is_empty());
    }
}

#[test]
fn an_unknown_effect_is_looked_up_before_a_cancellation_ends_and_never_sent_again() {
    let (mut run, call) = cancelled_while_paying();
    run.feed(Event::CallLost { call: call.call });
    run.fire();
    assert!(run.calls().is_empty(), "sending it to cancel it would be absurd");
    run.looked_up(Lookup::Absent);
    assert!(is_cancelled(&run));

    let (mut run, call) = cancelled_while_paying();
    run.end(&call, unknown());
    run.fire();
    run.looked_up(Lookup::Happened { outcome: Outcome::Done { output: json!({ "amount": 5 }) } });
    run.done(json!({}));
    assert!(is_cancelled(&run));
}

#[test]
fn a_cancellation_that_cannot_learn_what_happened_asks_a_person() {
    let tasks = PAID.replace("bank.keyed", "bank.once");
    let mut run = Run::start_with_metadata("{ onCancel: compensate }", &tasks, json!({}));
    let call = run.call();
    run.feed(cancel());
    run.end(&call, unknown());
    let (_, incident) = run.instance.incidents().next().expect("an incident");
    assert_eq!(incident.fingerprint, "unknown:bank.once");
    run.feed(cancel());
    assert!(is_cancelled(&run), "somebody who says it twice means it");
    assert_eq!(knowledge(&run), [Knowledge::Lost], "the evidence is kept");
}

#[test]
fn what_timed_out_before_a_cancellation_is_undone_with_it() {
    let tasks = "
  - safe:
      try:
        - pay:
            call: bank.keyed
            with: { amount: 5 }
            timeout: { after: PT1S }
            metadata: { compensate: bank.natural }
      catch: { errors: { with: { status: 408 } } }
  - hold: { wait: P30D }";
    let mut run = Run::start_with_metadata("{ onCancel: compensate }", tasks, json!({}));
    let call = run.call();
    run.fire();
    run.end(&call, Outcome::Done { output: json!({ "amount": 5 }) });
    assert_eq!(late(&run).as_deref(), Some("late:bank.keyed"));
    run.feed(cancel());
    assert_eq!(run.call().request, json!({ "amount": 5 }));
    run.done(json!({}));
    assert!(is_cancelled(&run));
    assert_eq!(late(&run), None);
}

#[test]
fn a_state_with_evidence_is_read_as_it_was_written() {
    let (mut run, call) = given_up("bank.charge");
    run.end(&call, done());
    let text = serde_json::to_string(&run.instance).unwrap();
    let read: tenure_machine::Instance = serde_json::from_str(&text).unwrap();
    assert_eq!(read, run.instance);
}
