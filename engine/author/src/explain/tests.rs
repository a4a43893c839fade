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

const SHOWN: &str = include_str!("golden.txt");

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
    assert_eq!(text, SHOWN, "\n{text}");
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
