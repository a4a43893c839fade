//! listen, emit, run workflow, cancellation.

use serde_json::json;
use tenure_adapter::Problem;
use tenure_machine::{ChildResult, ChildStart, Command, Event, Fact, Stale, Status};

use crate::kit::Run;

const ONE: &str = "
  - a:
      listen:
        to:
          one:
            with: { type: paid, source: /test }
            correlate: { order: { from: '${ .data.order }', expect: '${ .n }' } }";

#[test]
fn an_event_is_consumed_only_when_type_source_and_correlation_fit() {
    let mut run = Run::start_with("", ONE, json!({ "n": 7 }));
    let wait = run.waits()[0].clone();
    assert_eq!((wait.event_type.as_deref(), wait.value.as_deref()), (Some("paid"), Some("[7]")));
    assert_eq!(run.arrive(&wait, "refunded", json!({ "order": 7 })), Err(Stale::Mismatch));
    assert_eq!(run.arrive(&wait, "paid", json!({ "order": 8 })), Err(Stale::Mismatch));
    assert_eq!(run.arrive(&wait, "paid", json!("garbage")), Err(Stale::Mismatch));
    run.arrive(&wait, "paid", json!({ "order": 7, "by": "card" })).unwrap();
    assert_eq!(run.output(), json!([{ "order": 7, "by": "card" }]));
    assert_eq!(run.arrive(&wait, "paid", json!({ "order": 7 })), Err(Stale::Ended));
}

#[test]
fn an_object_as_correlation_value_is_found_whatever_the_order_of_its_keys() {
    let tasks = "
  - a:
      listen:
        to:
          one:
            with: { type: paid }
            correlate: { order: { from: '${ .data.order }', expect: '${ {b: 1, a: 2} }' } }";
    let mut run = Run::start(tasks);
    let wait = run.waits()[0].clone();
    assert_eq!(wait.value.as_deref(), Some(r#"[{"a":2,"b":1}]"#));
    run.arrive(&wait, "paid", json!({ "order": { "a": 2, "b": 1 } })).unwrap();
    assert!(matches!(run.instance.status, Status::Completed { .. }));
}

fn two(strategy: &str) -> String {
    format!(
        "\n  - a: {{ listen: {{ to: {{ {strategy}: [ {{ with: {{ type: paid }} }}, {{ with: {{ type: signed }} }} ] }} }} }}"
    )
}

#[test]
fn all_takes_one_event_for_each_filter_in_declared_order() {
    let mut run = Run::start(&two("all"));
    let waits = run.waits();
    run.arrive(&waits[1], "signed", json!("s")).unwrap();
    assert_eq!(run.arrive(&waits[1], "signed", json!("again")), Err(Stale::Closed));
    run.arrive(&waits[0], "paid", json!("p")).unwrap();
    assert_eq!(run.output(), json!(["p", "s"]));
}

#[test]
fn any_takes_the_first_event_and_closes_the_other_wait() {
    let mut run = Run::start(&two("any"));
    let waits = run.waits();
    run.arrive(&waits[1], "signed", json!("s")).unwrap();
    assert_eq!(run.output(), json!(["s"]));
    let closed = run.commands.iter().filter(|c| matches!(c, Command::CloseWait { .. })).count();
    assert_eq!(closed, 2);
}

#[test]
fn a_repeated_step_publishes_the_same_event() {
    let emit = "  - a: { emit: { event: { with: { type: done, data: { n: 1 } } } } }";
    let (first, second) = (Run::start(emit), Run::start(emit));
    assert_eq!(first.output(), second.output());
    assert_eq!(first.output()["source"], json!("/test/sample"));
    assert!(first.commands.iter().any(|command| matches!(command, Command::Emit { .. })));
}

#[test]
fn an_emitted_event_has_attributes_of_the_right_types_or_none() {
    let emit = |with: &str| {
        format!("  - a: {{ emit: {{ event: {{ with: {{ type: done, {with} }} }} }} }}")
    };
    let input = json!({ "at": "2026-05-01T10:00:00Z", "who": "/shop/7" });
    let run = Run::start_with(
        "",
        &emit("source: '${ .who }', time: '${ .at }', subject: '${ .none }'"),
        input,
    );
    let output = run.output();
    assert_eq!(
        (&output["source"], &output["time"]),
        (&json!("/shop/7"), &json!("2026-05-01T10:00:00Z"))
    );
    assert_eq!(output.get("subject"), None, "no value, no attribute");
    assert_eq!(run.emitted()[0].envelope(), output);
    for with in [
        "time: soon",
        "source: '${ 7 }'",
        "vip: { a: 1 }",
        "subject: ''",
        "id: '${ {} }'",
        "seats: 1.5",
    ] {
        assert!(Run::start(&emit(with)).error().kind.ends_with("configuration"), "{with}");
    }
}

fn child(run: &Run) -> ChildStart {
    run.commands
        .iter()
        .find_map(|command| match command {
            Command::StartChild(start) => Some(start.clone()),
            _ => None,
        })
        .expect("a child is started")
}

const CHILD: &str = "
  - a: { run: { workflow: { namespace: test, name: eula, version: latest, input: { n: '${ .n }' } } } }
  - b: { set: { got: '${ . }' } }";

#[test]
fn an_awaited_child_gives_its_output_and_inherits_the_bucket() {
    let mut run = Run::start_with("", CHILD, json!({ "n": 3 }));
    let start = child(&run);
    assert_eq!((&start.input, start.awaits), (&json!({ "n": 3 }), true));
    assert_eq!(start.id.bucket(), run.instance.id.bucket());
    let output = json!("accepted");
    run.feed(Event::ChildEnded { child: start.id, result: ChildResult::Completed { output } });
    assert_eq!(run.output(), json!({ "got": "accepted" }));
}

#[test]
fn a_faulted_child_fails_the_task_that_runs_it() {
    let mut run = Run::start_with("", CHILD, json!({ "n": 3 }));
    let error = Problem::timeout("nobody accepted");
    run.feed(Event::ChildEnded { child: child(&run).id, result: ChildResult::Faulted { error } });
    assert_eq!(run.error().instance.as_deref(), Some("/do/0/a"));
    assert_eq!(run.error().status, 408);
    assert!(!run.commands.iter().any(|command| matches!(command, Command::CancelChild { .. })));
}

#[test]
fn cancelling_a_parent_cancels_its_awaited_child() {
    let mut run = Run::start_with("", CHILD, json!({ "n": 3 }));
    let start = child(&run);
    run.feed(Event::CancelRequested { reason: "customer left".to_owned() });
    assert!(matches!(run.instance.status, Status::Cancelled { .. }));
    let cancels = |command: &Command| matches!(command, Command::CancelChild { child, .. } if *child == start.id);
    assert!(run.commands.iter().any(cancels));
    assert!(run.journal.iter().any(|entry| matches!(entry.fact, Fact::InstanceCancelled { .. })));
}

#[test]
fn a_child_that_is_not_awaited_lives_on_by_itself() {
    let run = Run::start(
        "  - a: { run: { await: false, workflow: { namespace: test, name: eula, version: 1.0.0, input: {} } } }",
    );
    assert!(!child(&run).awaits);
    assert_eq!(run.output(), json!({}));
}

#[test]
fn a_marker_in_the_source_of_an_event_was_forwarded_as_a_secret() {
    let tasks = "
  - l: { listen: { to: { one: { with: { type: go } } }, read: envelope } }
  - s: { set: { from: '${ .[0].source }', id: '${ .[0].id }' } }";
    let mut run = Run::start(tasks);
    let wait = run.waits()[0].clone();
    let marker = tenure_machine::secret::marker("stripe");
    let mut forged = crate::kit::event("go", json!({}));
    forged.source.clone_from(&marker);
    forged.id.clone_from(&marker);
    forged.rest.insert(marker, json!(1));
    run.feed(Event::EventArrived { wait: wait.wait, event: forged });
    assert!(!run.output().to_string().contains(tenure_machine::secret::OPEN));
}
