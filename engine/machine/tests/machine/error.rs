//! try, catch, retry, raise, timeouts.

use jiff::SignedDuration;
use serde_json::json;
use tenure_machine::Command;

use crate::kit::{Run, declined, invalid};

const RAISE: &str = "{ raise: { error: { type: 'https://open-workflow-specification.org/spec/1.0.0/errors/communication', status: 503, title: Broken, detail: 'no line' } } }";

fn tried(catch: &str) -> String {
    format!(
        "  - t:\n      try: [ {{ r: {RAISE} }} ]\n      catch: {catch}\n  - after: {{ set: {{ got: '${{ . }}' }} }}"
    )
}

#[test]
fn an_uncaught_error_faults_with_the_pointer_of_its_task() {
    let run = Run::start(&format!("  - a: {{ do: [ {{ r: {RAISE} }} ] }}"));
    let error = run.error();
    assert_eq!((error.status, error.instance.as_deref()), (503, Some("/do/0/a/do/0/r")));
    assert_eq!(error.detail.as_deref(), Some("no line"));
}

#[test]
fn both_domains_and_both_paths_of_the_standard_types_match() {
    for kind in [
        "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
        "https://open-workflow-specification.org/dsl/errors/types/communication",
        "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
        "https://serverlessworkflow.io/dsl/errors/types/communication",
    ] {
        let run = Run::start(&tried(&format!(
            "{{ errors: {{ with: {{ type: '{kind}' }} }}, do: [ {{ h: {{ set: {{ handled: true }} }} }} ] }}"
        )));
        assert_eq!(run.output(), json!({ "got": { "handled": true } }), "{kind}");
    }
    for other in ["https://serverlessworkflow.io/spec/1.0.0/errors/timeout", "communication"] {
        let run = Run::start(&tried(&format!("{{ errors: {{ with: {{ type: '{other}' }} }} }}")));
        assert_eq!(run.error().status, 503, "{other}");
    }
}

#[test]
fn the_error_is_a_variable_of_the_catch() {
    let run = Run::start(&tried(
        "{ as: oops, when: '${ $oops.status == 503 }', do: [ { h: { set: { title: '${ $oops.title }' } } } ] }",
    ));
    assert_eq!(run.output(), json!({ "got": { "title": "Broken" } }));
    let run = Run::start(&tried("{ exceptWhen: '${ $error.status == 503 }' }"));
    assert_eq!(run.error().status, 503);
}

#[test]
fn an_error_caught_with_neither_retry_nor_do_yields_the_input_of_the_try() {
    let run = Run::start(&tried("{ as: e }"));
    assert_eq!(run.output(), json!({ "got": {} }));
}

#[test]
fn retries_come_first_and_the_handler_once_they_are_exhausted() {
    let mut run = Run::start(&tried(
        "{ retry: { delay: { seconds: 10 }, backoff: { exponential: {} }, limit: { attempt: { count: 3 } } }, do: [ { h: { set: { handled: true } } } ] }",
    ));
    let waits = [10, 20, 40].map(SignedDuration::from_secs);
    for wait in waits {
        assert_eq!(run.fire(), wait);
    }
    assert_eq!(run.ran(), ["t", "r", "r", "r", "r", "h", "after"]);
    assert_eq!(run.output(), json!({ "got": { "handled": true } }));
}

#[test]
fn linear_backoff_grows_by_the_delay_and_exhausted_retries_without_do_raise() {
    let mut run = Run::start(&tried(
        "{ retry: { delay: PT3S, backoff: { linear: {} }, limit: { attempt: { count: 2 } } } }",
    ));
    assert_eq!([run.fire(), run.fire()], [3, 6].map(SignedDuration::from_secs));
    assert_eq!(run.error().title, "Broken");
}

#[test]
fn no_retry_starts_after_the_total_duration() {
    let mut run = Run::start(&tried(
        "{ retry: { delay: PT10S, limit: { attempt: { count: 9 }, duration: PT25S } }, do: [ { h: { set: { n: 1 } } } ] }",
    ));
    run.fire();
    run.fire();
    assert_eq!(run.output(), json!({ "got": { "n": 1 } }));
}

#[test]
fn a_task_that_takes_too_long_fails_with_408_and_its_call_is_cancelled() {
    let mut run = Run::start(
        "  - t:\n      try: [ { c: { call: 'bank.keyed:1.0.0@default', with: { amount: 1 }, timeout: { after: PT1S } } } ]\n      catch: { errors: { with: { status: 408 } }, do: [ { h: { set: { late: true } } } ] }",
    );
    let late = run.call();
    assert_eq!(run.fire(), SignedDuration::from_secs(1));
    assert_eq!(run.output(), json!({ "late": true }));
    let outcome = tenure_adapter::Outcome::Done { output: json!(1) };
    run.end(&late, outcome);
    assert_eq!(
        run.output(),
        json!({ "late": true }),
        "a late answer is evidence and moves nothing"
    );
}

#[test]
fn a_workflow_that_takes_too_long_faults_at_the_root() {
    let mut run = Run::start_with("timeout: { after: PT1H }", "  - a: { wait: P2D }", json!({}));
    run.fire();
    assert_eq!(run.error().instance.as_deref(), Some("/"));
    assert_eq!(run.cancelled(), ["a"]);
    assert!(run.commands.iter().any(|command| matches!(command, Command::ClearTimer { .. })));
}

#[test]
fn a_decline_is_a_typed_error_with_class_and_code() {
    let tasks = "
  - t:
      try: [ { c: { call: 'bank.keyed:1.0.0@default', with: { amount: 1 } } } ]
      catch:
        errors: { with: { type: 'urn:tenure:error:declined' } }
        when: '${ $error.data.class == \"soft\" }'
        do: [ { h: { set: { code: '${ $error.data.code }' } } } ]";
    let mut run = Run::start(tasks);
    let intent = run.call();
    run.end(&intent, declined());
    assert_eq!(run.output(), json!({ "code": "insufficient_funds" }));
}

#[test]
fn errors_in_a_handler_leave_the_try() {
    let run = Run::start(&tried(&format!("{{ do: [ {{ h: {RAISE} }} ] }}")));
    assert_eq!(run.error().instance.as_deref(), Some("/do/0/t/catch/do/0/h"));
}

#[test]
fn a_rejected_call_fails_with_the_vendors_words() {
    let mut run = Run::start("  - c: { call: 'bank.keyed:1.0.0@default', with: { amount: 1 } }");
    let intent = run.call();
    run.end(&intent, invalid());
    let error = run.error();
    assert_eq!((error.status, error.detail.as_deref()), (422, Some("no such account")));
}
