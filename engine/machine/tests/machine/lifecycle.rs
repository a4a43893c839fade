//! The specification's lifecycle events, in their exact order.

use serde_json::json;
use tenure_machine::{Event, Stale};

use crate::kit::{Run, event};

const TASKS: &str = "
  - a: { set: { n: 1 } }
  - b: { listen: { to: { one: { with: { type: paid }, correlate: { order: { from: .data.order } } } } } }
  - c: { raise: { error: { type: 'urn:x', status: 400 } } }";

fn told(run: &Run) -> Vec<String> {
    let short = |kind: &str| {
        kind.trim_start_matches("io.serverlessworkflow.").trim_end_matches(".v1").to_owned()
    };
    run.emitted()
        .iter()
        .map(|event| match event.data()["task"].as_str() {
            Some(task) => format!("{} {task}", short(&event.kind)),
            None => short(&event.kind),
        })
        .collect()
}

fn play(lifecycle: &str) -> (Run, Vec<String>) {
    let mut run =
        Run::start_with_metadata(&format!("{{ lifecycle: {lifecycle} }}"), TASKS, json!({}));
    let mut all = told(&run);
    let wait = run.waits()[0].clone();
    run.arrive(&wait, "paid", json!({ "order": 7 })).unwrap();
    all.extend(told(&run));
    (run, all)
}

#[test]
fn the_events_of_workflow_and_tasks_come_in_order() {
    let (run, all) = play("tasks");
    let name = format!("{}.test", run.instance.id);
    assert_eq!(
        all,
        [
            "workflow.started",
            "task.created /do/0/a",
            "task.started /do/0/a",
            "task.completed /do/0/a",
            "task.created /do/1/b",
            "task.started /do/1/b",
            "workflow.correlation-started",
            "workflow.correlation-completed",
            "task.completed /do/1/b",
            "task.created /do/2/c",
            "task.started /do/2/c",
            "task.faulted /do/2/c",
            "workflow.faulted",
        ]
    );
    let events = run.emitted();
    let correlated = events[0].data();
    assert_eq!(correlated["correlationKeys"], json!({ "order": 7 }));
    assert_eq!(correlated["completedAt"], json!("2027-01-15T08:00:00Z"));
    let last = events.last().unwrap();
    assert_eq!(last.data()["name"], json!(name));
    assert_eq!(last.data()["error"]["type"], json!("urn:x"));
    assert_eq!(last.source, "/test/sample");
    assert_eq!(events[1].data()["workflow"], json!(name));
    events.iter().for_each(|event| event.check().unwrap());
}

#[test]
fn only_the_workflow_is_told_or_nothing() {
    let (_, all) = play("workflow");
    let expected = [
        "workflow.started",
        "workflow.correlation-started",
        "workflow.correlation-completed",
        "workflow.faulted",
    ];
    assert_eq!(all, expected);
    assert_eq!(play("off").1, [""; 0]);
}

#[test]
fn a_repeated_step_publishes_the_same_events_and_no_two_have_one_id() {
    let (first, second) = (play("tasks").0, play("tasks").0);
    assert_eq!(first.emitted(), second.emitted());
    let mut ids: Vec<_> = first.emitted().into_iter().map(|event| event.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let completed =
        Run::start_with_metadata("{ lifecycle: workflow }", "  - a: { set: { n: 1 } }", json!({}));
    let data = completed.emitted()[1].data();
    assert_eq!(
        data["outputUri"],
        json!(format!("/v1/instances/{}#/output", completed.instance.id))
    );
    assert_eq!(event("x", json!(1)).check(), Ok(()));
}

/// A wait for any event heard what its own instance tells of its life, and told that it had heard
/// it: one event led to the next, for ever.
#[test]
fn an_instance_heard_its_own_lifecycle_events_for_ever() {
    const HEAR: &str = "  - hear: { listen: { to: { any: [], until: '${ false }' } }, foreach: { item: e, do: [ { note: { set: { n: 1 } } } ] } }";
    let mut run = Run::start_with_metadata("{ lifecycle: tasks }", HEAR, json!({}));
    let wait = run.waits()[0].clone();
    let own: Vec<_> = run.emitted();
    assert!(own.len() >= 3, "it tells of its life");
    for event in own {
        let arrives = Event::EventArrived { wait: wait.wait, event };
        assert_eq!(run.try_feed(arrives), Err(Stale::Mismatch));
    }
    // Of another definition, or its own emitted events: these it hears.
    for (source, kind) in
        [("/test/other", "io.serverlessworkflow.task.started.v1"), ("/test/main", "told")]
    {
        let mut event = event(kind, json!({}));
        event.id = format!("{source}{kind}");
        event.source = source.to_owned();
        run.feed(Event::EventArrived { wait: wait.wait, event });
    }
}
