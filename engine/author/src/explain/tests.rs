//! A small definition explained, as it is shown.

use tenure_adapter::Catalog;
use tenure_definition::Source;

use super::*;

const TEXT: &str = r"
document: {dsl: '1.0.3', namespace: test, name: seats, version: '1.0.0'}
input:
  schema:
    document:
      type: object
      required: [customer, seats]
      additionalProperties: false
      properties: {customer: {type: string}, seats: {type: integer}, note: {type: string}}
do:
  - begin:
      set: {customer: '${ .customer }', seats: '${ .seats + 1 }'}
      export: {as: '$context + {order: .}'}
  - hear:
      listen: {to: {one: {with: {type: seat.paid}, correlate: {c: {from: .data.c, expect: '${ .customer }'}}}}}
      timeout: {after: P3D}
  - choose:
      switch:
        - many: {when: $context.order.seats > 10, then: end}
  - each:
      for: {each: seat, in: '[1, 2]'}
      do:
        - pause: {if: $seat > 1, wait: PT5S}
  - last:
      try:
        - fail: {raise: {error: {type: 'https://example.com/x', status: 500}}}
      catch: {retry: {delay: PT1M, limit: {attempt: {count: 3}}}, do: [{mend: {set: {failed: true}}}]}
";

fn explained(text: &str, only: Option<&str>) -> Explanation {
    let source = Source { name: "test.yaml".to_owned(), text: text.to_owned() };
    match tenure_definition::study(&source, &Catalog::default()) {
        Ok(((plan, facts), _)) => explain(&plan, &facts, only),
        Err(found) => panic!("{}", found.render(false)),
    }
}

#[test]
fn a_small_definition_is_explained_task_by_task() {
    let text = explained(TEXT, None).text();
    for part in [
        "/do/0/begin",
        "{customer: text, note?: text, seats: integer}",
        "{order: {customer: text, seats: integer}}",
        "one event: seat.paid",
        "P3D",
        "many: the end of the workflow; otherwise: each",
        "the next turn of each",
        "catches every error, retries up to 3 times after PT1M, then its handler",
        "raises its error",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
}

#[test]
fn one_task_is_explained_with_those_inside() {
    let names = |only: &str| {
        let found = explained(TEXT, Some(only)).tasks;
        found.into_iter().map(|task| task.name).collect::<Vec<_>>()
    };
    assert_eq!(names("each"), ["each", "pause"]);
    assert_eq!(names("/do/4/last"), ["last", "fail", "mend"]);
    assert!(names("nothing").is_empty());
}

const AROUND: &str = r"
document: {dsl: '1.0.3', namespace: test, name: around, version: '1.0.0'}
use:
  functions:
    book: {do: [{enter: {set: {id: 7}}}]}
  extensions:
    - audit: {extend: wait, when: .id == 7, before: [{note: {set: {n: 1}}}]}
do:
  - guarded:
      try:
        - pay: {call: book, metadata: {compensate: [{refund: {set: {id: 0}}}]}}
        - rest: {wait: PT1S}
      catch:
        do:
          - undo: {call: 'engine.compensate:1.0.0@default'}
          - fail: {call: 'engine.rethrow:1.0.0@default'}
  - alone:
      metadata: {exclusive: lock-1}
      do:
        - approve: {call: 'human.task:1.0.0@default', with: {title: May we?, due: P1D}}
  - hear:
      listen: {to: {any: [{with: {type: seat.added}}], until: {one: {with: {type: closed}}}}}
      foreach: {item: seat, do: [{keep: {set: {n: 3}}}]}
";

#[test]
fn what_lies_around_a_task_is_explained_in_words() {
    let text = explained(AROUND, None).text();
    for part in [
        "call book, a function of this definition",
        "the end of pay",
        "undone by   refund",
        "the end of undoing pay",
        "audit runs before it when .id == 7",
        "rest itself",
        "undoes what was registered inside the try, the last one first",
        "raises the caught error again",
        "lock        lock-1",
        "call human.task: a person decides",
        "a decision, or until it is due",
        "listen, for each event $seat at $index",
        "the next turn of hear",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    let inside = explained(AROUND, Some("pay")).tasks;
    let names: Vec<&str> = inside.iter().map(|task| task.name.as_str()).collect();
    assert!(names.contains(&"enter") && names.contains(&"refund"), "{names:?}");
}
