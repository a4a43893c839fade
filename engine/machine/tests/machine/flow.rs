//! set, do, switch, if, then, for, fork, context.

use serde_json::json;
use tenure_machine::{Entry, Event, Fact};

use crate::kit::{Run, invalid};

fn check(tasks: &str, ran: &[&str], output: serde_json::Value) {
    let run = Run::start_with("", tasks, json!({ "n": 1 }));
    assert_eq!(run.ran(), ran);
    assert_eq!(run.output(), output);
}

#[test]
fn set_replaces_and_never_merges() {
    check(
        "  - a: { set: { x: '${ .n }' } }\n  - b: { set: { y: 2 } }",
        &["a", "b"],
        json!({"y": 2}),
    );
}

#[test]
fn a_skipped_task_passes_its_raw_input_and_follows_its_own_then() {
    let tasks = "
  - a: { if: '${ .n == 2 }', set: { never: true }, then: c }
  - b: { set: { never: true } }
  - c: { set: { got: '${ .n }' } }";
    check(tasks, &["c"], json!({ "got": 1 }));
}

#[test]
fn switch_takes_the_first_case_that_holds_and_else_goes_on() {
    let tasks = "
  - a:
      switch:
        - two: { when: '${ .n == 2 }', then: end }
        - one: { when: '${ .n == 1 }', then: d }
        - other: { then: exit }
  - c: { set: { wrong: true } }
  - d: { set: { right: true } }";
    check(tasks, &["a", "d"], json!({ "right": true }));
    let none = "
  - a: { switch: [ { two: { when: '${ .n == 2 }', then: end } } ] }
  - b: { set: { next: true } }";
    check(none, &["a", "b"], json!({ "next": true }));
}

#[test]
fn the_journal_names_the_case_that_was_taken() {
    let tasks = "
  - a:
      switch:
        - two: { when: '${ .n == 2 }', then: end }
        - one: { when: '${ .n == 1 }', then: end }";
    let run = Run::start_with("", tasks, json!({ "n": 1 }));
    let taken = |entry: &Entry| {
        let Fact::CaseTaken { case } = &entry.fact else { return None };
        Some(case.clone())
    };
    let cases: Vec<String> = run.journal.iter().filter_map(taken).collect();
    assert_eq!(cases, ["one"]);
}

#[test]
fn exit_ends_the_scope_and_end_ends_the_workflow() {
    let exit = "
  - a: { do: [ { b: { set: { x: 1 }, then: exit } }, { c: { set: { x: 2 } } } ] }
  - d: { set: { from: '${ .x }' } }";
    check(exit, &["a", "b", "d"], json!({ "from": 1 }));
    let end = "
  - a: { do: [ { b: { set: { x: 1 }, then: end } }, { c: { set: { x: 2 } } } ] }
  - d: { set: { from: '${ .x }' } }";
    check(end, &["a", "b"], json!({ "x": 1 }));
}

#[test]
fn tasks_around_an_end_end_with_it_and_only_what_runs_beside_them_is_cancelled() {
    let mut run = Run::start(
        "
  - f:
      fork:
        branches:
          - slow: { wait: PT1H }
          - fast: { do: [ { w: { wait: PT1S } }, { stop: { set: { x: 1 }, then: end } } ] }
  - never: { set: { x: 2 } }",
    );
    run.fire();
    assert_eq!(run.output(), json!({ "x": 1 }));
    assert_eq!(run.cancelled(), ["slow"]);
}

#[test]
fn each_turn_reads_the_output_of_the_one_before_and_exit_ends_one_turn() {
    let sum = "
  - init: { set: { total: 0 } }
  - loop:
      for: { each: item, at: i, in: '${ [1, 2, 3] }' }
      do: [ { add: { set: { total: '${ .total + $item * ($i + 1) }' } } } ]";
    check(sum, &["init", "loop", "add", "add", "add"], json!({ "total": 14 }));
    let skip = "
  - init: { set: { total: 0 } }
  - loop:
      for: { each: item, in: '${ [1, 2, 3] }' }
      do:
        - skip: { switch: [ { two: { when: '${ $item == 2 }', then: exit } } ] }
        - add: { set: { total: '${ .total + $item }' } }";
    let run = Run::start(skip);
    assert_eq!(run.output(), json!({ "total": 4 }));
}

#[test]
fn while_is_asked_before_each_turn() {
    let tasks = "
  - init: { set: { total: 0 } }
  - loop:
      for: { each: item, in: '${ [1, 2, 3] }' }
      while: '${ .total < 3 }'
      do: [ { add: { set: { total: '${ .total + $item }' } } } ]";
    check(tasks, &["init", "loop", "add", "add"], json!({ "total": 3 }));
}

#[test]
fn an_endless_loop_of_pure_tasks_faults_instead_of_hanging() {
    let tasks = "
  - a: { set: { x: '${ .x }' } }
  - b: { switch: [ { over: { when: '${ .x > 3 }', then: end } }, { again: { then: a } } ] }";
    let run = Run::start_with("", tasks, json!({ "x": 1 }));
    let error = run.error();
    assert_eq!(error.status, 500);
    assert!(error.detail.unwrap().contains("10000 tasks"));
}

const FORK: &str = "
  - f:
      fork:
        compete: COMPETE
        branches:
          - left: { call: 'bank.natural:1.0.0@default', with: { amount: 1 }, export: { as: '${ $context + {left: ., last: \"left\"} }' } }
          - right: { call: 'bank.natural:1.0.0@default', with: { amount: 2 }, export: { as: '${ $context + {right: ., last: \"right\"} }' } }
  - after: { set: { out: '${ . }', context: '${ $context }' } }";

#[test]
fn fork_outputs_and_contexts_come_in_declared_order_whatever_the_timing() {
    for order in [[0, 1], [1, 0]] {
        let mut run = Run::start(&FORK.replace("COMPETE", "false"));
        let calls = run.calls();
        for index in order {
            let output = json!(["l", "r"][index]);
            run.end(&calls[index], tenure_adapter::Outcome::Done { output });
        }
        let context = json!({ "left": "l", "right": "r", "last": "right" });
        assert_eq!(run.output(), json!({ "out": ["l", "r"], "context": context }));
    }
}

#[test]
fn the_first_successful_competitor_wins_and_the_others_are_cancelled() {
    let mut run = Run::start(&FORK.replace("COMPETE", "true"));
    let calls = run.calls();
    run.end(&calls[0], invalid());
    run.end(&calls[1], tenure_adapter::Outcome::Done { output: json!("r") });
    assert_eq!(run.output()["out"], json!("r"));
    assert_eq!(run.output()["context"], json!({ "right": "r", "last": "right" }));

    let mut run = Run::start(&FORK.replace("COMPETE", "true"));
    let calls = run.calls();
    run.end(&calls[1], tenure_adapter::Outcome::Done { output: json!("r") });
    assert_eq!(run.cancelled(), ["left"]);
    let late = tenure_adapter::Outcome::Done { output: json!("l") };
    run.end(&calls[0], late);
    assert_eq!(run.output()["out"], json!("r"), "a late answer is evidence and moves nothing");
}

#[test]
fn when_all_competitors_fail_the_last_error_is_raised() {
    let mut run = Run::start(&FORK.replace("COMPETE", "true"));
    let calls = run.calls();
    run.end(&calls[1], invalid());
    run.end(&calls[0], invalid());
    assert_eq!(run.error().instance.unwrap(), "/do/0/f/fork/branches/0/left");
}

#[test]
fn a_failing_branch_fails_the_fork_and_cancels_the_others() {
    let mut run = Run::start(&FORK.replace("COMPETE", "false"));
    let calls = run.calls();
    run.end(&calls[1], invalid());
    assert_eq!(run.cancelled(), ["left"]);
    assert_eq!(run.error().instance.unwrap(), "/do/0/f/fork/branches/1/right");
}

#[test]
fn a_value_that_grows_deeper_with_every_turn_fails_before_it_cannot_be_read_again() {
    let tasks = "
  - init: { set: { in: 0 } }
  - wrap: { fork: { branches: [ { same: { set: '${ . }' } } ] } }
  - again: { switch: [ { over: { when: '${ type == \"number\" }', then: end } }, { more: { then: wrap } } ] }";
    let error = Run::start(tasks).error();
    assert!(error.detail.unwrap().contains("nested deeper than 100"));
}

#[test]
fn wait_ends_when_due_and_never_early() {
    let mut run = Run::start("  - a: { wait: { minutes: 5 } }");
    let (timer, _) = run.timer();
    assert_eq!(run.try_feed(Event::TimerDue { timer }), Err(tenure_machine::Stale::Early));
    assert_eq!(run.fire(), jiff::SignedDuration::from_mins(5));
    assert_eq!(run.output(), json!({}));
}

#[test]
fn the_output_of_the_task_descriptor_in_an_export_is_the_raw_one() {
    let tasks = "
  - a:
      set: { n: 1 }
      output: { as: '${ { m: .n, told: $task.output } }' }
      export: { as: '${ { raw: $task.output, shaped: $output } }' }";
    let run = Run::start(tasks);
    let shaped = json!({ "m": 1, "told": { "n": 1 } });
    assert_eq!(run.output(), shaped);
    assert_eq!(run.instance.context, json!({ "raw": { "n": 1 }, "shaped": shaped }));
}
