//! Definitions as authors write them, right and wrong.

use serde_json::json;
use tenure_adapter::{EffectClass, Manifest, RetryDefault};

use super::*;
use crate::plan::{Flow, Strategy, TaskKind};

mod upstream;
mod weave;
mod web;

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
        errors: Vec::new(),
        class: EffectClass::Natural,
        money: false,
        deadline_ms: 1000,
        settle_ms: 0,
        retry: RetryDefault { retries_max: 0, delay_ms: 0 },
    };
    let other = |name: &str, class, money| Manifest {
        name: name.to_owned(),
        input: json!({"type": "object"}),
        class,
        money,
        ..manifest.clone()
    };
    let more = [
        other("http", EffectClass::AtMostOnce, false),
        other("openapi", EffectClass::AtMostOnce, false),
        other("shop.mail", EffectClass::AtLeastOnce, false),
        other("shop.pay", EffectClass::AtLeastOnce, true),
        other("shop.charge", EffectClass::Lookup, true),
    ];
    Catalog::new(more.into_iter().chain([manifest.clone()]))
        .with_format("country", |text| text.len() == 2)
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

const ORDINARY: &str = r"
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
";

#[test]
fn an_ordinary_definition_becomes_a_plan() {
    let plan = plan(ORDINARY);
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

/// Compiles `text` under the usual head and compares the findings: code, line and column, where
/// line 1 is the first line of `text`.
#[track_caller]
fn check(text: &str, expected: &[(&str, usize, usize)]) {
    let found = match run(&format!("{HEAD}{text}")) {
        Ok((_, found)) | Err(found) => found,
    };
    let places: Vec<_> =
        found.items.iter().map(|item| (item.code, item.span.line - 1, item.span.column)).collect();
    assert_eq!(places, expected, "\n{}", found.render(false));
}

#[test]
fn six_mistakes_are_six_findings_at_their_places() {
    check(
        r"do:
  - one:
      cal: zuora.createOrder:1@default
  - two:
      set: {a: '${ .x + $contxt }'}
      than: end
  - three:
      switch:
        - only: {when: .a >, then: four}
  - five:
      wait: {days: many}
",
        &[
            ("unknown-field", 3, 7),
            ("unknown-variable", 5, 25),
            ("unknown-field", 6, 7),
            ("bad-expression", 9, 27),
            ("unknown-task", 9, 36),
            ("bad-duration", 11, 13),
        ],
    );
}

#[test]
fn a_broken_document_does_not_hide_the_mistakes_of_its_tasks() {
    let text = "document: {dsl: 1.0.3, namespace: a, name: b}\ndo:\n  - one: {set: {a: '${ $nope }'}, then: nowhere}\n";
    let found = run(text).unwrap_err();
    let places: Vec<_> =
        found.items.iter().map(|item| (item.code, item.span.line, item.span.column)).collect();
    let expected = [("missing-field", 1, 11), ("unknown-variable", 3, 24), ("unknown-task", 3, 41)];
    assert_eq!(places, expected, "\n{}", found.render(false));
}

#[test]
fn mistakes_of_documents_are_found() {
    let check = |text: &str, expected: &[(&str, usize, usize)]| {
        let found = run(text).unwrap_err();
        let places: Vec<_> =
            found.items.iter().map(|item| (item.code, item.span.line, item.span.column)).collect();
        assert_eq!(places, expected, "\n{}", found.render(false));
    };
    check("[]", &[("wrong-type", 1, 1)]);
    check("do: []\n", &[("missing-field", 1, 1), ("bad-value", 1, 5)]);
    check(
        "document: {dsl: '0.8', namespace: -a, name: a_b, version: 1.0, titel: x}\ndo:\n  - a: {set: {b: 1}}\n",
        &[
            ("bad-value", 1, 17),
            ("bad-value", 1, 35),
            ("bad-value", 1, 45),
            ("wrong-type", 1, 59),
            ("unknown-field", 1, 64),
        ],
    );
    check(
        "document:\n  dsl: '1.0.3'\n  namespace: t\n  name: t\n  version: '1.0.0'\n  metadata: {zone: Mars/Olympus, businessKey: '${ $input.a }', compensate: x}\ndo:\n  - a: {set: {b: 1}}\n",
        &[("bad-value", 6, 20), ("variable-out-of-scope", 6, 51), ("unknown-field", 6, 64)],
    );
}

#[test]
fn mistakes_of_tasks_are_found() {
    check("do:\n  - a: {set: {}}\n", &[("bad-value", 2, 14)]);
    check("do:\n  - a: {set: {b: 1}, wait: PT1S}\n", &[("bad-value", 2, 22)]);
    check("do:\n  - a: {set: {b: 1}}\n    b: {set: {b: 1}}\n", &[("bad-value", 3, 5)]);
    check("do:\n  - a: {set: {b: 1}}\n  - a: {set: {b: 1}}\n", &[("duplicate-task", 3, 5)]);
    check("do:\n  - end: {set: {b: 1}}\n", &[("bad-value", 2, 5)]);
    check("do:\n  - a: {set: {b: 1}, then: b}\n", &[("unknown-task", 2, 28)]);
    check("do:\n  - a: {do: [{c: {set: {b: 1}, then: a}}]}\n", &[("unknown-task", 2, 38)]);
    check("do:\n  - a: {set: {b: 1}, timeout: soon}\n", &[("unknown-reference", 2, 31)]);
    check("do:\n  - a: {raise: {error: gone}}\n", &[("unknown-reference", 2, 24)]);
    check("do:\n  - a: {raise: {error: {type: x, status: 7}}}\n", &[("bad-value", 2, 42)]);
    check(
        "do:\n  - a: {emit: {event: {with: {Typ: x}}}}\n",
        &[("missing-field", 2, 30), ("bad-value", 2, 31)],
    );
    check("do:\n  - a: {listen: {to: {}}}\n", &[("missing-field", 2, 22)]);
    check("do:\n  - a: {listen: {to: {any: []}}}\n", &[]);
    check("do:\n  - a: {listen: {to: {all: []}}}\n", &[("bad-value", 2, 28)]);
    check("do:\n  - a: {run: {shell: {command: ls}}}\n", &[("refused", 2, 15)]);
    check("do:\n  - a: {call: 'https://x.example/f.yaml'}\n", &[("refused", 2, 15)]);
    check(
        "do:\n  - a: {fork: {branches: [{x: {set: {b: 1}, then: y}}, {y: {wait: PT1S}}]}}\n",
        &[("unknown-task", 2, 51)],
    );
    check(
        "do:\n  - a: {for: {in: .x, each: task}, do: [{b: {wait: PT1S}}]}\n",
        &[("bad-value", 2, 29)],
    );
    check(
        "do:\n  - a: {set: {b: 1}, metadata: {idempotencyKey: .a}}\n",
        &[("unknown-field", 2, 33)],
    );
    check(
        "do:\n  - a: {set: {b: 1}, input: {schema: {document: {type: 7}}}}\n",
        &[("bad-schema", 2, 56)],
    );
    check("schedule: {cron: '* * *'}\ndo:\n  - a: {set: {b: 1}}\n", &[("bad-cron", 1, 18)]);
    check(
        "schedule: {read: data}\ndo:\n  - a: {set: {b: 1}}\n",
        &[("missing-field", 1, 11), ("missing-field", 1, 12)],
    );
}

#[test]
fn mistakes_of_calls_are_found() {
    let call =
        |with: &str| format!("do:\n  - a:\n      call: zuora.createOrder:1\n      with: {with}\n");
    check(&call("{account: A, items: [{sku: pro}]}"), &[]);
    check(&call("{account: '${ .a }', items: '${ .b }'}"), &[]);
    check(&call("'${ .all }'"), &[]);
    check(&call("{account: 7, items: [{sku: pro}]}"), &[("bad-argument", 4, 23)]);
    check(&call("{account: A, items: [{sku: pro, seats: many}]}"), &[("bad-argument", 4, 52)]);
    check(&call("{account: '${ .a }', items: [{seats: '${ .n }'}]}"), &[("bad-argument", 4, 42)]);
    check(&call("{account: '${ .a }'}"), &[("bad-argument", 4, 13)]);
    check(&call("{account: A, items: [{sku: x}], acount: B}"), &[("bad-argument", 4, 13)]);
    check(&call("{account: A, items: [{sku: x}], country: Norway}"), &[("bad-argument", 4, 54)]);
    check(&call("{account: A, items: [{sku: x}], country: NO}"), &[]);
    check("do:\n  - a: {call: zuora.createOder}\n", &[("unknown-function", 2, 15)]);
    check("do:\n  - a: {call: 'zuora.createOrder:9'}\n", &[("unknown-version", 2, 15)]);
    check("do:\n  - a: {call: zuora.createOrder@mine}\n", &[("unknown-catalog", 2, 15)]);
    check(
        "do:\n  - a: {call: zuora.createOrder}\n",
        &[("bad-argument", 2, 15), ("bad-argument", 2, 15)],
    );
}

#[test]
fn variables_live_only_in_their_scope() {
    let task = |fields: &str| format!("do:\n  - a: {{set: {{b: 1}}, {fields}}}\n");
    check(&task("if: $context"), &[]);
    check(&task("if: $input.a"), &[("variable-out-of-scope", 2, 26)]);
    check(&task("input: {from: $input.a}"), &[("variable-out-of-scope", 2, 36)]);
    check(&format!("use: {{secrets: [a]}}\n{}", task("input: {from: '{a: $secrets.a}'}")), &[]);
    check(&task("input: {from: '{a: $secrets.a}'}"), &[("unknown-secret", 2, 50)]);
    check(&task("output: {as: $output.a}"), &[("variable-out-of-scope", 2, 35)]);
    check(&task("export: {as: '$context + $output'}"), &[]);
    check(&task("export: {as: $secrets}"), &[("variable-out-of-scope", 2, 35)]);
    check("do:\n  - a: {set: '${ $secrets.x }'}\n", &[("variable-out-of-scope", 2, 18)]);
    check(
        "do:\n  - a: {for: {in: .x}, do: [{b: {set: '${ $item }'}}]}\n  - c: {set: '${ $item }'}\n",
        &[("variable-out-of-scope", 3, 18)],
    );
    check(
        "do:\n  - a: {try: [{b: {set: '${ $error }'}}], catch: {do: [{c: {set: '${ $error.status }'}}]}}\n",
        &[("variable-out-of-scope", 2, 29)],
    );
    check(
        "do:\n  - a: {listen: {to: {one: {with: {type: t}, correlate: {k: {from: $context.a}}}}}}\n",
        &[("variable-out-of-scope", 2, 68)],
    );
    check(
        "output: {as: $output}\ndo:\n  - a: {set: {b: 1}}\n",
        &[("variable-out-of-scope", 1, 14)],
    );
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    check(
        "do:\n  - a: {set: {b: $error, c: .x}}\n",
        &[("bare-expression", 2, 18), ("bare-expression", 2, 29)],
    );
    check(
        "do:\n  - a: {wait: PT1S, then: end}\n  - b: {do: [{c: {wait: PT1S}}]}\n",
        &[("unreachable-task", 3, 5)],
    );
    check(
        "do:\n  - a: {try: [{b: {wait: PT1S}}], catch: {retry: {}}}\n",
        &[("no-limit", 2, 50), ("no-delay", 2, 50)],
    );
    check(
        "do:\n  - a: {switch: [{x: {then: b}}, {y: {when: .y, then: b}}]}\n  - b: {wait: PT1S}\n",
        &[("unreachable-case", 2, 35)],
    );
}

#[test]
fn a_digest_ignores_comments_and_the_order_of_keys() {
    let one = plan("do:\n  - a: {set: {b: 1, c: 2}} # a comment\n");
    let other = plan("do:\n  - a:\n      set:\n        c: 2\n        b: 1\n");
    assert_eq!(one.digest, other.digest);
    assert_ne!(one.digest, plan("do:\n  - a: {set: {b: 1, c: 3}}\n").digest);
}

#[test]
fn hostile_definitions_end() {
    let deep = format!("do:\n  - a: {{set: '${{ {}1 }}'}}\n", "(".repeat(50_000));
    assert!(run(&format!("{HEAD}{deep}")).is_err());
    let minus = format!("do:\n  - a: {{set: '${{ {}1 }}'}}\n", "-".repeat(15_000));
    drop(run(&format!("{HEAD}{minus}")));
    let nested = format!("{HEAD}do:\n  - a: {}", "{do: [{a: ".repeat(1_000));
    assert!(run(&nested).is_err());
}

#[test]
fn every_way_to_listen_compiles() {
    let plan = plan(
        "do:\n  - a:\n      listen:\n        to:\n          any:\n            - with: {type: 'a|b', data: {n: '${ . > 1 }', k: [x]}}\n          until: {all: [{with: {type: p}}, {with: {type: q}}]}\n      foreach:\n        item: change\n        at: i\n        do: [{b: {set: '${ {c: $change, i: $i} }'}}]\n        output: {as: '${ $change + . }'}\n        export: {as: '${ $output }'}\n  - c: {listen: {to: {any: [], until: '${ false }'}}}\n  - d: {listen: {to: {any: [], until: length > 2}}}\n",
    );
    let TaskKind::Listen(listen) = &plan.tasks[0].kind else { panic!("a listen") };
    assert_eq!(listen.filters().len(), 3);
    assert_eq!(listen.filters()[0].event_type, None);
    assert_eq!(listen.filters()[2].event_type.as_deref(), Some("q"));
    let foreach = listen.foreach.as_ref().unwrap();
    assert_eq!((foreach.item.as_str(), foreach.at.as_str()), ("change", "i"));
    assert_eq!(plan.task(foreach.body[0]).parent, Some(plan.tasks[0].id));
    let until = |task: usize| {
        let TaskKind::Listen(listen) = &plan.tasks[task].kind else { panic!("a listen") };
        format!("{:?}", listen.until)
    };
    assert_eq!(until(2), "Some(Never)");
    assert!(until(3).starts_with("Some(Condition"), "{}", until(3));
}

#[test]
fn mistakes_of_listens_are_found() {
    let to = |to: &str| format!("do:\n  - a: {{listen: {{to: {to}}}}}\n");
    check(&to("{one: {with: {type: 'a)(b'}}}"), &[("bad-value", 2, 42)]);
    check(&to("{one: {with: {type: x}}, until: '${ true }'}"), &[("bad-value", 2, 47)]);
    check(&to("{any: [{with: {type: x}}], until: false}"), &[("wrong-type", 2, 56)]);
    check(&to("{any: [], until: {any: [], until: '.'}}"), &[("unknown-field", 2, 49)]);
    check(&to("{one: {with: {type: 7}}}"), &[("wrong-type", 2, 42)]);
    check(
        "do:\n  - a: {listen: {to: {any: []}}, foreach: {item: x, at: x}}\n",
        &[("bad-value", 2, 43)],
    );
    check(
        "do:\n  - a: {listen: {to: {any: []}}, foreach: {do: [{b: {set: '${ $item }'}}]}}\n  - c: {set: '${ $item }'}\n",
        &[("variable-out-of-scope", 3, 18)],
    );
}

#[test]
fn mistakes_of_human_tasks_are_found() {
    let ask = |with: &str| format!("do:\n  - a: {{call: human.task, with: {with}}}\n");
    check(&ask("{title: x, assignees: [a], form: {type: object}, due: P1D}"), &[]);
    check(&ask("{title: '${ .t }', due: '${ .due }', form: '${ .form }'}"), &[]);
    check(&ask("{titel: x}"), &[("bad-argument", 2, 33), ("bad-argument", 2, 33)]);
    check(&ask("{title: x, form: {type: 7}}"), &[("bad-schema", 2, 57)]);
    check(&ask("{title: x, due: tomorrow}"), &[("bad-duration", 2, 49)]);
    check(&ask("{title: x, description: '${ $secrets.x }'}"), &[("variable-out-of-scope", 2, 61)]);
    check("do:\n  - a: {call: 'human.task:9'}\n", &[("unknown-version", 2, 15)]);
    check("do:\n  - a: {call: human.tsk}\n", &[("unknown-function", 2, 15)]);
}

#[test]
fn policies_of_schedules_are_read_and_checked() {
    let policy = |policy: &str, schedule: &str| {
        let text = format!(
            "document:\n  dsl: 1.0.3\n  namespace: a\n  name: b\n  version: 1.0.0\n  metadata: {{schedule: {policy}}}\n{schedule}do: [{{a: {{set: {{b: 1}}}}}}]\n"
        );
        match run(&text) {
            Ok((plan, _)) => Ok(plan.schedule.map(|schedule| schedule.policy)),
            Err(found) => {
                let error = found.items.iter().find(|item| item.severity == crate::Severity::Error);
                Err(error.unwrap().code)
            }
        }
    };
    let cron = "schedule: {cron: '@daily'}\n";
    let read = policy(
        "{overlap: buffer-one, catchUp: PT1H, dst: {gap: skip, overlap: both}, jitter: PT5M}",
        cron,
    );
    let read = read.unwrap().unwrap();
    assert_eq!(read.overlap, crate::schedule::Overlap::BufferOne);
    assert_eq!(read.gap, crate::schedule::Gap::Skip);
    assert_eq!(read.fold, Some(crate::schedule::Fold::Both));
    assert!(read.catch_up.is_some() && read.jitter.is_some());
    let check = |text: &str, schedule: &str, code: &str| {
        assert_eq!(policy(text, schedule).map(drop), Err(code), "{text}");
    };
    check("{overlap: queue}", cron, "bad-value");
    check("{catchup: PT1H}", cron, "unknown-field");
    check("{catchUp: 1h}", cron, "bad-duration");
    check("{dst: skip}", cron, "wrong-type");
    check("{overlap: skip}", "", "missing-field");
    check("{}", "schedule: {cron: '0 0 30 2 *'}\n", "bad-cron");
    check("{}", "schedule: {every: PT0S}\n", "bad-duration");
    check("{}", "schedule: {on: {any: [], until: '${ true }'}}\n", "refused");
}

#[test]
fn a_text_over_the_limit_is_refused_before_it_is_copied() {
    let source = Source { name: "huge.yaml".to_owned(), text: " ".repeat(TEXT_MAX + 1) };
    let found = compile(&source, &catalog()).unwrap_err();
    assert_eq!(found.items[0].code, "too-large");
    assert!(found.source.text.is_empty());
}
