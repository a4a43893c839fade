//! The door: input schema, business key, and the beginning.

use serde_json::json;
use tenure_machine::{Event, Stale, Status, admit};

use crate::kit::{Run, plan_with};

const HEAD: &str = "
input:
  schema:
    document:
      type: object
      required: [sku]
      properties: { sku: { type: string }, seats: { type: integer, minimum: 1 } }
";

#[test]
fn an_input_that_does_not_fit_is_refused_with_every_violation() {
    let plan = plan_with(HEAD, "  - a: { set: { x: 1 } }");
    let problem = admit(&plan, &json!({ "seats": 0 })).unwrap_err();
    assert_eq!(problem.status, 400);
    let errors = problem.data.unwrap()["errors"].clone();
    assert_eq!(errors.as_array().unwrap().len(), 2, "{errors}");
    assert!(errors.to_string().contains("/seats"), "{errors}");
}

#[test]
fn the_business_key_comes_from_the_input() {
    let head = "";
    let text = "  - a: { set: { x: 1 } }";
    let plan = plan_with(head, text);
    assert_eq!(admit(&plan, &json!({})).unwrap().business_key, None);
    let run = Run::start(text);
    assert_eq!(run.instance.identity.business_key, run.instance.id.to_string());
}

#[test]
fn a_second_start_is_stale_and_an_ended_instance_takes_nothing() {
    let mut run = Run::start("  - a: { wait: { seconds: 1 } }");
    assert_eq!(run.try_feed(Event::Started), Err(Stale::Closed));
    run.fire();
    assert!(matches!(run.instance.status, Status::Completed { .. }));
    assert_eq!(run.try_feed(Event::Started), Err(Stale::Ended));
}

#[test]
fn input_from_and_output_as_frame_the_workflow() {
    let head = "input: { from: '${ {n: (.n + 1)} }' }\noutput: { as: '${ {result: .n} }' }";
    let run = Run::start_with(head, "  - a: { set: { n: '${ .n * 10 }' } }", json!({ "n": 1 }));
    assert_eq!(run.output(), json!({ "result": 20 }));
}

#[test]
fn what_could_not_be_read_again_is_refused_at_the_door() {
    let plan = plan_with("", "  - a: { set: { x: 1 } }");
    let mut deep = json!(1);
    for _ in 0..101 {
        deep = json!({ "in": deep });
    }
    assert_eq!(admit(&plan, &deep).unwrap_err().status, 400);
    let mut event = crate::kit::event("paid", json!(1));
    assert!(event.check().is_ok());
    event.id = "a\u{0}b".to_owned();
    assert!(event.check().is_err());
}
