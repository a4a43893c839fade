//! human.task: asked, decided, refused, overdue.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tenure_machine::{CloudEvent, Command, Event, Fact, Stale, Wait};

use crate::kit::{Run, event};

const ASK: &str = "
  - ask:
      call: human.task:1.0.0@default
      with:
        title: Approve the refund of ${ .order }
        assignees: [finance]
        form:
          type: object
          required: [approved]
          properties: { approved: { type: boolean } }
        due: { days: 2 }
  - told: { set: '${ { got: . } }' }";

fn asked() -> (Run, Wait, String) {
    let run = Run::start_with("", ASK, json!({ "order": "o-1" }));
    let wait = run.waits()[0].clone();
    let ticket = run.emitted()[0].data()["ticket"].as_str().unwrap().to_owned();
    (run, wait, ticket)
}

fn decide(run: &mut Run, wait: &Wait, data: Value) -> Result<(), Stale> {
    let event = event("io.tenure.human-task.completed", data);
    run.try_feed(Event::EventArrived { wait: wait.wait, event })
}

#[test]
fn a_decision_is_awaited_by_its_ticket_and_is_the_output() {
    let (mut run, wait, ticket) = asked();
    assert_eq!(wait.event_type.as_deref(), Some("io.tenure.human-task.completed"));
    assert_eq!(wait.value, Some(json!([ticket]).to_string()));
    let question = &run.emitted()[0];
    assert_eq!(question.kind, "io.tenure.human-task.opened");
    assert_eq!(question.data()["title"], json!("Approve the refund of o-1"));
    assert_eq!(question.data()["due"], json!("2027-01-17T08:00:00Z"));
    assert_eq!(question.data()["task"], json!("/do/0/ask"));
    assert!(run.journal.iter().any(|entry| matches!(&entry.fact, Fact::HumanTaskOpened { ticket: own, .. } if own.to_string() == ticket)));
    let decision = json!({ "approved": true });
    decide(&mut run, &wait, json!({ "ticket": ticket, "decision": decision, "by": "ada" }))
        .unwrap();
    assert_eq!(run.output(), json!({ "got": { "approved": true } }));
    assert!(run.instance.timers.is_empty(), "the timer is gone");
}

#[test]
fn a_decision_that_does_not_fit_is_refused_and_another_awaited() {
    let (mut run, wait, ticket) = asked();
    let mut check = |data: Value| {
        assert_eq!(decide(&mut run, &wait, data.clone()), Err(Stale::Mismatch), "{data}");
    };
    check(json!({ "ticket": ticket, "decision": { "approved": "yes" } }));
    check(json!({ "ticket": ticket }));
    check(json!({ "ticket": "another", "decision": { "approved": true } }));
    check(json!("garbage"));
    decide(&mut run, &wait, json!({ "ticket": ticket, "decision": { "approved": false } }))
        .unwrap();
    assert_eq!(run.output(), json!({ "got": { "approved": false } }));
}

#[test]
fn nobody_decides_in_time() {
    let (mut run, wait, _) = asked();
    assert_eq!(run.fire(), SignedDuration::from_hours(48));
    assert_eq!((run.error().status, run.error().instance.as_deref()), (408, Some("/do/0/ask")));
    assert!(run.closed().contains(&wait.wait));
}

#[test]
fn a_repeated_step_asks_the_same_question() {
    let ((first, _, ticket), (second, _, same)) = (asked(), asked());
    assert_eq!(ticket, same);
    assert_eq!(first.emitted(), second.emitted());
}

#[test]
fn cancelling_withdraws_the_question() {
    let (mut run, wait, _) = asked();
    run.feed(Event::CancelRequested { reason: "gone".to_owned() });
    assert_eq!(run.closed(), [wait.wait]);
    assert!(run.commands.iter().any(|command| matches!(command, Command::ClearTimer { .. })));
}

/// A portal learned that a person is asked, and never that nobody is asked any more.
#[test]
fn a_withdrawn_question_stayed_on_the_lists_of_the_assignees() {
    let check = |name: &str, run: &Run, opened: &CloudEvent, ticket: &str| {
        let withdrawn: Vec<_> = run
            .emitted()
            .into_iter()
            .filter(|event| event.kind == "io.tenure.human-task.withdrawn")
            .collect();
        assert_eq!(withdrawn.len(), 1, "{name}");
        assert_eq!(withdrawn[0].data(), opened.data(), "{name}: the same shape");
        assert_eq!(withdrawn[0].attribute("subject"), Some(json!(ticket)), "{name}");
        assert_ne!(withdrawn[0].id, opened.id, "{name}");
    };
    let (mut run, _, ticket) = asked();
    let opened = run.emitted()[0].clone();
    run.feed(Event::CancelRequested { reason: "gone".to_owned() });
    check("cancelled", &run, &opened, &ticket);
    let (mut run, _, ticket) = asked();
    run.fire();
    check("overdue", &run, &opened, &ticket);
    let (mut run, wait, ticket) = asked();
    let decision = json!({ "ticket": ticket, "decision": { "approved": true } });
    decide(&mut run, &wait, decision).unwrap();
    assert!(run.emitted().iter().all(|event| !event.kind.ends_with("withdrawn")), "decided");
    // Another branch is faster, and the time of the task is over.
    for (name, task) in [
        (
            "lost",
            "  - race: { fork: { compete: true, branches: [ { ask: { call: human.task, with: { title: x } } }, { fast: { wait: PT1S } } ] } }",
        ),
        (
            "timed out",
            "  - ask: { call: human.task, with: { title: x }, timeout: { after: PT1S } }",
        ),
    ] {
        let mut run = Run::start_with("", task, json!({}));
        let opened = run.emitted()[0].clone();
        let ticket = opened.data()["ticket"].as_str().unwrap().to_owned();
        run.fire();
        check(name, &run, &opened, &ticket);
    }
}

#[test]
fn a_computed_form_is_checked_when_the_task_begins() {
    let ask = "  - ask: { call: human.task, with: { title: x, form: '${ .form }' } }";
    let run = Run::start_with("", ask, json!({ "form": { "type": 7 } }));
    assert!(run.error().kind.ends_with("configuration"));
    let mut run = Run::start_with("", ask, json!({ "form": { "type": "integer" } }));
    let wait = run.waits()[0].clone();
    let ticket = run.emitted()[0].data()["ticket"].clone();
    let wrong = json!({ "ticket": ticket, "decision": "five" });
    assert_eq!(decide(&mut run, &wait, wrong), Err(Stale::Mismatch));
    decide(&mut run, &wait, json!({ "ticket": ticket, "decision": 5 })).unwrap();
    assert_eq!(run.output(), json!(5));
}
