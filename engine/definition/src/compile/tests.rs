use serde_json::json;
use tenure_adapter::{EffectClass, Manifest, RetryDefault};

use super::*;
use crate::plan::{Flow, Strategy, TaskKind};

mod upstream;

/// A catalog with one function.
fn catalog() -> Catalog {
    let manifest = Manifest {
        name: "zuora.createOrder".to_owned(),
        version: "1.2.0".to_owned(),
        summary: "Creates an order".to_owned(),
        connection: Some("zuora".to_owned()),
        input: json!({
            "type": "object",
            "required": ["account", "items"],
            "additionalProperties": false,
            "properties": {
                "account": {"type": "string"},
                "country": {"type": "string", "format": "country"},
                "items": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["sku"],
                        "properties": {"sku": {"type": "string"}, "seats": {"type": "integer"}},
                    },
                },
            },
        }),
        output: json!({}),
        class: EffectClass::Natural,
        money: false,
        deadline_ms: 1000,
        settle_ms: 0,
        retry: RetryDefault { retries_max: 0, delay_ms: 0 },
    };
    Catalog::new([manifest]).with_format("country", |text| text.len() == 2)
}

fn run(text: &str) -> Result<(Plan, Diagnostics), Diagnostics> {
    compile(&Source { name: "test.yaml".to_owned(), text: text.to_owned() }, &catalog())
}

const HEAD: &str = "document: {dsl: '1.0.3', namespace: test, name: test, version: '0.1.0'}\n";

fn plan(text: &str) -> Plan {
    match run(&format!("{HEAD}{text}")) {
        Ok((plan, found)) => {
            assert!(found.items.is_empty(), "{}", found.render(false));
            plan
        }
        Err(found) => panic!("{}", found.render(false)),
    }
}

#[test]
fn an_ordinary_definition_becomes_a_plan() {
    let plan = plan(
        r"
input: {schema: {document: {type: object, required: [account]}}, from: '{account, seats: (.seats // 1)}'}
timeout: {after: P30D}
use:
  secrets: [token]
  errors:
    unpaid: {type: 'https://example.com/unpaid', status: 402, title: Unpaid, detail: '${ .reason }'}
  retries:
    slow: {delay: {seconds: 3}, backoff: {exponential: {}}, limit: {attempt: {count: 5}}}
  timeouts:
    short: {after: PT5M}
do:
  - order:
      call: zuora.createOrder:1@default
      with: {account: '${ .account }', items: [{sku: pro, seats: '${ .seats }'}]}
      timeout: short
      export: {as: '$context + {order: $output}'}
      metadata: {idempotencyKey: '${ .account }'}
  - pay:
      try:
        - charge: {set: {paid: true}}
      catch:
        errors: {with: {status: 402}}
        as: problem
        when: $problem.status == 402
        retry: slow
        do:
          - fail: {raise: {error: unpaid}}
  - accept:
      listen:
        to:
          one:
            with: {type: terms.accepted}
            correlate: {token: {from: .data.token, expect: '${ $context.order.token }'}}
  - choose:
      switch:
        - many: {when: .seats > 10, then: notify}
        - few: {then: end}
  - notify:
      for: {each: seat, in: '$context.order.seats'}
      while: $seat != null
      do:
        - mail: {emit: {event: {with: {type: seat.added, data: {seat: '${ $seat }', at: '${ $index }'}}}}}
  - last:
      fork:
        compete: true
        branches:
          - wait: {wait: {seconds: 30}}
          - child: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}}}
",
    );
    let names: Vec<_> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    let expected = [
        "order", "pay", "charge", "fail", "accept", "choose", "notify", "mail", "last", "wait",
        "child",
    ];
    assert_eq!(names, expected);
    let pointers: Vec<_> = plan.tasks.iter().map(|task| task.pointer.as_str()).collect();
    assert_eq!(pointers[2], "/do/1/pay/try/0/charge");
    assert_eq!(pointers[3], "/do/1/pay/catch/do/0/fail");
    assert_eq!(pointers[7], "/do/4/notify/do/0/mail");
    assert_eq!(pointers[9], "/do/5/last/fork/branches/0/wait");
    assert!(plan.tasks.iter().enumerate().all(|(at, task)| task.id.0 as usize == at));
    let TaskKind::Switch(cases) = &plan.tasks[5].kind else { panic!("a switch") };
    assert_eq!(cases[0].then, Flow::Task(plan.tasks[6].id));
    assert_eq!(cases[1].then, Flow::End);
    assert_eq!(plan.tasks[0].next, Some(plan.tasks[1].id));
    assert_eq!(plan.tasks[9].next, None, "branches do not follow each other");
    assert_eq!(plan.tasks[7].parent, Some(plan.tasks[6].id));
    let TaskKind::Listen(listen) = &plan.tasks[4].kind else { panic!("a listen") };
    let Strategy::One(filter) = &listen.to else { panic!("one event") };
    assert_eq!(filter.event_type.as_deref(), Some("terms.accepted"));
    assert_eq!(filter.shape.len(), 64);
    assert_eq!(plan.digest.len(), 64);
}
