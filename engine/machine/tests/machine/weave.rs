//! Functions of the definition, extensions, and what calls see of their authentication.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::kit::{Run, declined};

fn check(head: &str, tasks: &str, ran: &[&str], output: Value) {
    let run = Run::start_with(head, tasks, json!({ "n": 1 }));
    assert_eq!(run.ran(), ran);
    assert_eq!(run.output(), output);
}

#[test]
fn with_is_the_raw_input_of_the_function_and_the_callers_output_as_comes_after() {
    let head = "use: { functions: { double: { input: { from: '{ m: .with }' }, set: { r: '${ .m * 2 }' }, output: { as: '{ inner: .r }' } } } }";
    let tasks = "
  - call: { call: double, with: { with: '${ .n + 20 }' }, output: { as: '{ outer: .inner }' }, export: { as: '{ got: $output.outer }' } }
  - after: { set: { in: '${ . }', context: '${ $context }' } }";
    let output = json!({ "in": { "outer": 42 }, "context": { "got": 42 } });
    check(head, tasks, &["call", "double", "after"], output);
    let head = "use: { functions: { f: { set: { in: '${ . }' } } } }";
    check(head, "  - a: { call: f }", &["a", "f"], json!({ "in": {} }));
}

#[test]
fn a_function_reads_the_context_of_its_caller_and_its_exports_end_with_it() {
    let head = "
use:
  functions:
    f:
      do:
        - one: { set: { seen: '${ $context }' }, export: { as: '{ inside: true }' } }
        - two: { set: { first: '${ .seen }', second: '${ $context }' } }";
    let tasks = "
  - before: { set: { x: 1 }, export: { as: '{ outside: true }' } }
  - call: { call: f }
  - after: { set: { in: '${ . }', context: '${ $context }' } }";
    let inside = json!({ "first": { "outside": true }, "second": { "inside": true } });
    let output = json!({ "in": inside, "context": { "outside": true } });
    check(head, tasks, &["before", "call", "f", "one", "two", "after"], output);
}

#[test]
fn a_function_leaves_by_its_own_end_and_end_ends_the_workflow() {
    let head =
        |then: &str| format!("use: {{ functions: {{ f: {{ set: {{ x: 1 }}, then: {then} }} }} }}");
    let tasks = "\n  - a: { call: f }\n  - b: { set: { in: '${ .x }' } }";
    check(&head("exit"), tasks, &["a", "f", "b"], json!({ "in": 1 }));
    check(&head("continue"), tasks, &["a", "f", "b"], json!({ "in": 1 }));
    check(&head("end"), tasks, &["a", "f"], json!({ "x": 1 }));
}

const PAY: &str = "use: { functions: { pay: { do: [ { charge: { call: 'bank.keyed:1.0.0@default', with: { amount: '${ .amount }' } } } ] } } }";

#[test]
fn an_error_in_a_function_names_the_task_inside_and_is_caught_around_the_call() {
    let tasks = "
  - t:
      try: [ { a: { call: pay, with: { amount: 1 } } } ]
      catch: { errors: { with: { status: 402 } }, do: [ { h: { set: { at: '${ $error.instance }' } } } ] }";
    let mut run = Run::start_with(PAY, tasks, json!({}));
    let intent = run.call();
    assert_eq!(intent.origin.task, "/use/functions/pay/do/0/charge");
    run.end(&intent, declined());
    assert_eq!(run.output(), json!({ "at": "/use/functions/pay/do/0/charge" }));
}

#[test]
fn the_timeout_of_a_call_is_about_the_whole_function() {
    let tasks = "  - a: { call: pay, with: { amount: 1 }, timeout: { after: PT1S } }";
    let mut run = Run::start_with(PAY, tasks, json!({}));
    assert_eq!(run.fire(), SignedDuration::from_secs(1));
    assert_eq!(run.error().instance.as_deref(), Some("/do/0/a"));
    assert_eq!(run.cancelled(), ["charge", "pay"]);
}

#[test]
fn each_place_that_calls_a_function_has_effects_of_its_own() {
    let tasks = "
  - f:
      fork:
        branches:
          - a: { call: pay, with: { amount: 1 } }
          - b: { call: pay, with: { amount: 1 } }
          - c: { for: { in: '${ [1, 2] }' }, do: [ { d: { call: pay, with: { amount: 1 } } } ] }";
    let mut run = Run::start_with(PAY, tasks, json!({}));
    let mut keys: Vec<_> = run.calls().iter().map(|intent| intent.key).collect();
    let third = run.calls()[2].clone();
    run.end(&third, tenure_adapter::Outcome::Done { output: json!({}) });
    keys.push(run.call().key);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[test]
fn state_inside_functions_and_extensions_survives_the_store() {
    let head = "
use:
  extensions: [ { e: { extend: call, before: [ { w: { wait: PT1S } } ], after: [ { v: { wait: PT1S } } ] } } ]
  functions: { pay: { call: 'bank.keyed:1.0.0@default', with: { amount: 1 } } }";
    let mut run = Run::start_with(head, "  - a: { call: pay }", json!({}));
    let again = |run: &mut Run| {
        let text = serde_json::to_string(&run.instance).unwrap();
        assert_eq!(serde_json::from_str::<tenure_machine::Instance>(&text).unwrap(), run.instance);
    };
    for step in 0..5 {
        again(&mut run);
        if step == 2 {
            run.done(json!({ "paid": true }));
        } else {
            run.fire();
        }
    }
    assert_eq!(run.output(), json!({ "paid": true }));
    assert_eq!(run.ran(), ["a", "w", "pay", "w", "v", "v"]);
}

const NESTED: &str = "
use:
  extensions:
    - outer: { extend: set, before: [ { b1: { wait: PT1S } } ], after: [ { a1: { wait: PT1S } } ] }
    - inner: { extend: set, before: [ { b2: { wait: PT1S } } ], after: [ { a2: { wait: PT1S } } ] }";

#[test]
fn extensions_nest_in_declared_order_and_their_outputs_are_dropped() {
    let mut run = Run::start_with(NESTED, "  - s: { set: { x: '${ .n }' } }", json!({ "n": 1 }));
    for _ in 0..4 {
        run.fire();
    }
    assert_eq!(run.ran(), ["s", "b1", "b2", "a2", "a1"]);
    assert_eq!(run.output(), json!({ "x": 1 }));
}

#[test]
fn before_gets_the_raw_input_and_after_the_output_and_both_see_the_extended_task() {
    let head = "
use:
  extensions:
    - log:
        extend: call
        before: [ { b: { set: { at: '${ $task.reference }', in: '${ . }' }, export: { as: '$context + { before: $output }' } } } ]
        after: [ { a: { set: { at: '${ $task.name }', in: '${ . }', out: '${ $task.output.paid }' }, export: { as: '$context + { after: $output }' } } } ]";
    let tasks = "
  - pay: { call: 'bank.natural:1.0.0@default', input: { from: '{ amount: .n }' }, with: { amount: '${ .amount }' }, output: { as: '{ paid: . }' } }
  - last: { set: { in: '${ . }', context: '${ $context }' } }";
    let mut run = Run::start_with(head, tasks, json!({ "n": 1 }));
    assert_eq!(run.call().request, json!({ "amount": 1 }));
    run.done(json!(true));
    let before = json!({ "at": "/do/0/pay", "in": { "n": 1 } });
    let after = json!({ "at": "pay", "in": { "paid": true }, "out": true });
    let output = json!({ "in": { "paid": true }, "context": { "before": before, "after": after } });
    assert_eq!(run.output(), output);
}

fn mocked(more: &str) -> String {
    format!(
        "
use:
  extensions:
    - audit: {{ extend: call, after: [ {{ seen: {{ set: {{ x: 1 }} }} }} ] }}
    - mock: {{ extend: call, {more} before: [ {{ fake: {{ set: {{ mocked: '${{ .n }}' }}, then: exit }} }}, {{ never: {{ set: {{ x: 1 }} }} }} ], after: [ {{ own: {{ set: {{ x: 1 }} }} }} ] }}"
    )
}

const CALL: &str = "
  - pay: { call: 'bank.natural:1.0.0@default', with: { amount: 5 }, output: { as: '{ out: . }' }, export: { as: '{ kept: . }' } }
  - last: { set: { in: '${ . }', context: '${ $context }' } }";

#[test]
fn exit_in_before_stands_for_what_the_task_would_have_given() {
    let out = json!({ "out": { "mocked": 1 } });
    check(
        &mocked(""),
        CALL,
        &["pay", "fake", "seen", "last"],
        json!({ "in": out, "context": { "kept": out } }),
    );
}

#[test]
fn when_decides_on_the_raw_input_and_the_extended_task() {
    let applies = |when: &str| {
        let run = Run::start_with(&mocked(&format!("when: '{when}',")), CALL, json!({ "n": 1 }));
        run.calls().is_empty()
    };
    assert!(applies(".n == 1 and $task.name == \"pay\""));
    assert!(applies("$task.with.amount == 5 and ($task.call | startswith(\"bank.\"))"));
    assert!(applies("$task.definition.with.amount == 5"));
    assert!(!applies("$task.with.amount == 6"));
    let head = mocked("when: '.n | error(\"no\")',");
    let error = Run::start_with(&head, CALL, json!({ "n": 1 })).error();
    assert_eq!((error.status, error.instance.as_deref()), (400, Some("/do/0/pay")));
    assert!(error.detail.unwrap().starts_with("when of the extension mock"));
}

#[test]
fn a_skipped_task_is_not_extended() {
    let head =
        "use: { extensions: [ { e: { extend: all, before: [ { b: { set: { x: 1 } } } ] } } ] }";
    check(head, "  - s: { if: .n == 2, set: { x: 1 } }", &[], json!({ "n": 1 }));
}

#[test]
fn errors_of_an_extension_are_errors_of_the_extended_task() {
    let raise = "{ raise: { error: { type: 'https://example.com/no', status: 418 } } }";
    for part in ["before", "after"] {
        let head = format!(
            "use: {{ extensions: [ {{ e: {{ extend: wait, {part}: [ {{ r: {raise} }} ] }} }} ] }}"
        );
        let tasks = "
  - t:
      try: [ { w: { wait: PT1S } } ]
      catch: { errors: { with: { status: 418 } }, do: [ { h: { set: { at: '${ $error.instance }' } } } ] }";
        let mut run = Run::start_with(&head, tasks, json!({}));
        if part == "after" {
            run.fire();
        }
        let expected = format!("/use/extensions/0/e/{part}/0/r");
        assert_eq!(run.output(), json!({ "at": expected }));
        assert!(run.instance.timers.is_empty() && run.instance.frames.is_empty());
    }
}

#[test]
fn an_extended_switch_still_leads_where_its_case_says() {
    let head =
        "use: { extensions: [ { e: { extend: switch, after: [ { a: { wait: PT1S } } ] } } ] }";
    let tasks = "
  - s: { switch: [ { one: { when: .n == 1, then: last } } ] }
  - skipped: { set: { x: 1 } }
  - last: { set: { y: 1 } }";
    let mut run = Run::start_with(head, tasks, json!({ "n": 1 }));
    run.fire();
    assert_eq!(run.ran(), ["s", "a", "last"]);
}

#[test]
fn the_timeout_of_an_extended_task_is_about_the_task_alone() {
    let head = "use: { extensions: [ { e: { extend: call, before: [ { b: { wait: PT1H } } ], after: [ { a: { wait: PT1H } } ] } } ] }";
    let tasks = "  - c: { call: 'bank.natural:1.0.0@default', with: {}, timeout: { after: PT1M } }";
    let mut run = Run::start_with(head, tasks, json!({}));
    assert_eq!(run.fire(), SignedDuration::from_hours(1));
    run.done(json!({}));
    assert_eq!(run.fire(), SignedDuration::from_hours(1));
    assert_eq!(run.output(), json!({}));
}

#[test]
fn calls_of_an_extension_have_effects_of_their_own_at_each_task() {
    let head = "use: { extensions: [ { e: { extend: set, before: [ { c: { call: 'bank.keyed:1.0.0@default', with: {} } } ] } } ] }";
    let tasks = "  - one: { set: { x: 1 } }\n  - two: { set: { x: 2 } }";
    let mut run = Run::start_with(head, tasks, json!({}));
    let first = run.call();
    run.done(json!({}));
    assert_ne!(run.call().key, first.key);
    run.done(json!({}));
    assert_eq!(run.output(), json!({ "x": 2 }));
}

#[test]
fn authorization_shows_the_scheme_and_never_the_secret() {
    let head = "use: { secrets: [ mine ] }";
    let with = |auth: &str| {
        format!(
            "
  - a:
      call: http
      with: {{ method: get, endpoint: {{ uri: 'https://x.example/{{n}}'{auth} }} }}
      output: {{ as: '{{ seen: $authorization }}' }}"
        )
    };
    let auth = ", authentication: { basic: { use: mine } }";
    let mut run = Run::start_with(head, &with(auth), json!({ "n": 7 }));
    let marker = tenure_machine::secret::marker("mine");
    let policy = json!({ "basic": { "secret": marker } });
    let endpoint = json!({ "uri": "https://x.example/7", "authentication": policy });
    assert_eq!(run.call().request, json!({ "method": "GET", "endpoint": endpoint }));
    run.done(json!({}));
    assert_eq!(run.output(), json!({ "seen": { "scheme": "Basic" } }));

    let mut run = Run::start_with(head, &with(""), json!({}));
    run.done(json!({}));
    assert_eq!(run.output(), json!({ "seen": null }));
}

#[test]
fn a_field_that_is_no_scalar_cannot_stand_in_a_uri() {
    let tasks = "  - a: { call: http, with: { method: get, endpoint: 'https://x.example/{n}' } }";
    let error = Run::start_with("", tasks, json!({ "n": [1] })).error();
    assert_eq!(error.status, 400);
    assert!(error.kind.ends_with("/expression"), "{error:?}");
}
