//! Mistakes that only show when the whole is looked at: what fires, where, and what does not.

use serde_json::json;
use tenure_adapter::{Catalog, EffectClass, Manifest, RetryDefault};

use crate::diagnostic::Diagnostic;
use crate::{Diagnostics, Severity, Source, compile, study};

mod doubt;

fn manifest(name: &str, class: EffectClass, money: bool) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: String::new(),
        connection: None,
        input: json!({
            "type": "object",
            "required": ["account"],
            "additionalProperties": false,
            "properties": {"account": {"type": "string"}, "seats": {"type": "integer"}},
        }),
        output: json!({
            "type": "object",
            "required": ["number"],
            "properties": {"number": {"type": "string"}, "state": {"enum": ["open", "paid"]}},
        }),
        errors: Vec::new(),
        class,
        money,
        deadline_ms: 1000,
        settle_ms: 0,
        retry: RetryDefault { retries_max: 0, delay_ms: 0 },
    }
}

fn catalog() -> Catalog {
    Catalog::new([
        manifest("order.create", EffectClass::Natural, false),
        manifest("order.pay", EffectClass::Keyed { key_life_ms: 1 }, true),
        manifest("order.twice", EffectClass::AtLeastOnce, false),
        manifest("order.reckless", EffectClass::AtLeastOnce, true),
    ])
}

const HEAD: &str = "document: {dsl: '1.0.3', namespace: test, name: test, version: '0.1.0'}\n";
/// An input whose fields are all known.
const INPUT: &str = "input: {schema: {document: {type: object, required: [customer, seats], additionalProperties: false, properties: {customer: {type: string}, seats: {type: integer}}}}}\n";

fn source(text: &str) -> Source {
    Source { name: "test.yaml".to_owned(), text: text.to_owned() }
}

/// Compiles `text` under the usual head and compares the findings: code, line (1 is the first line
/// of `text`), and the words that stand at the column.
#[track_caller]
fn check(text: &str, expected: &[(&str, usize, &str)]) {
    places(HEAD, text, expected);
}

/// The same with an input whose fields are all known.
#[track_caller]
fn data(text: &str, expected: &[(&str, usize, &str)]) {
    places(&format!("{HEAD}{INPUT}"), text, expected);
}

#[track_caller]
fn places(head: &str, text: &str, expected: &[(&str, usize, &str)]) {
    let found = match compile(&source(&format!("{head}{text}")), &catalog()) {
        Ok((_, found)) | Err(found) => found,
    };
    let above = head.lines().count();
    let lines: Vec<&str> = text.lines().collect();
    let places: Vec<_> = found
        .items
        .iter()
        .zip(expected.iter().map(|(.., words)| *words).chain(std::iter::repeat("?")))
        .map(|(item, words)| {
            let line = item.span.line - above;
            let from: String = lines[line - 1].chars().skip(item.span.column - 1).collect();
            let shown = if from.starts_with(words) { words.to_owned() } else { from };
            (item.code, line, shown)
        })
        .collect();
    let expected: Vec<_> =
        expected.iter().map(|(code, line, words)| (*code, *line, (*words).to_owned())).collect();
    assert_eq!(places, expected, "\n{}", found.render(false));
}

/// The help of the only finding.
#[track_caller]
fn help(text: &str, part: &str) {
    let found = match compile(&source(&format!("{HEAD}{INPUT}{text}")), &catalog()) {
        Ok((_, found)) | Err(found) => found,
    };
    let [item] = found.items.as_slice() else { panic!("{}", found.render(false)) };
    let said = format!("{} {} {}", item.message, item.label, item.help.as_deref().unwrap_or(""));
    assert!(said.contains(part), "{said}");
}

/// All findings, whether it compiles or not.
fn found(text: &str) -> Diagnostics {
    match compile(&source(&format!("{HEAD}{text}")), &catalog()) {
        Ok((_, found)) | Err(found) => found,
    }
}

#[test]
fn a_field_read_after_it_was_dropped_is_found() {
    let lost = "do:\n  - order: {call: order.create, with: {account: '${ .customer }'}}\n  - tell: {set: {to: '${ .customer }'}}\n";
    data(lost, &[("dropped-field", 3, "customer }")]);
    help(lost, "the output of `order` replaced it");
    help(lost, "$workflow.input.customer");
    let kept = "do:\n  - order: {call: order.create, with: {account: '${ .customer }'}, export: {as: '$context + {n: .number}'}}\n  - tell: {set: {to: '${ $context.n }', from: '${ $workflow.input.customer }'}}\n";
    data(kept, &[]);
    // Never there at all.
    data("do:\n  - a: {set: {b: '${ .seat }'}}\n", &[("dropped-field", 2, "seat }")]);
    help("do:\n  - a: {set: {b: '${ .seat }'}}\n", "did you mean `seats`");
    // A default hides a mistake only when something was lost.
    data("do:\n  - a: {set: {b: '${ .seat // 1 }'}}\n", &[]);
    data(
        "do:\n  - a: {set: {b: 1}}\n  - c: {set: {d: '${ .seats // 1 }'}}\n",
        &[("dropped-field", 3, "seats //")],
    );
}

#[test]
fn an_export_replaces_the_whole_context() {
    let text = "do:\n  - a: {set: {x: 1}, export: {as: '{a: .x}'}}\n  - b: {set: {y: 2}, export: {as: '{b: .y}'}}\n  - c: {set: {z: '${ $context.a }'}}\n";
    data(text, &[("dropped-field", 4, "a }")]);
    help(text, "the export of `b` replaced `$context`");
    data(
        "do:\n  - a: {set: {x: 1}, export: {as: '{a: .x}'}}\n  - b: {set: {y: 2}, export: {as: '$context + {b: .y}'}}\n  - c: {set: {z: '${ $context.a }'}}\n",
        &[],
    );
    data("do:\n  - a: {set: {x: '${ $context.x }'}}\n", &[("dropped-field", 2, "x }")]);
}

#[test]
fn data_is_followed_through_branches_loops_and_errors() {
    // One way lacks the field: nothing is certain.
    data(
        "do:\n  - s: {switch: [{x: {when: .seats > 1, then: b}}]}\n  - a: {set: {p: 1}}\n  - b: {set: {q: '${ .p }'}}\n",
        &[],
    );
    // Both lack it.
    data(
        "do:\n  - s: {switch: [{x: {when: .seats > 1, then: b}}]}\n  - a: {set: {p: 1}, then: c}\n  - b: {set: {p: 2}}\n  - c: {set: {q: '${ .seats }'}}\n",
        &[("dropped-field", 5, "seats }")],
    );
    // What a later turn brings is there in the next one.
    data(
        "do:\n  - a: {set: {n: 0}}\n  - b: {set: {n: '${ .n + 1 }', more: '${ .more }'}}\n  - s: {switch: [{x: {when: .n < 3, then: b}}]}\n",
        &[],
    );
    data(
        "do:\n  - f: {for: {in: '[1, 2]'}, do: [{t: {set: {at: '${ $index }', was: '${ .at }', bad: '${ .no }'}}}]}\n",
        &[("dropped-field", 2, "no }")],
    );
    // The handler runs on the input of the try, with the exports made so far.
    data(
        "do:\n  - t:\n      try: [{a: {set: {x: 1}, export: {as: '{x: 1}'}}}, {b: {raise: {error: {type: 'https://e.example/x', status: 400}}}}]\n      catch: {do: [{c: {set: {s: '${ .seats }', x: '${ $context.x }', y: '${ $context.y }', m: '${ $error.message }'}}}]}\n",
        &[("dropped-field", 4, "y }"), ("dropped-field", 4, "message }")],
    );
    // Branches are merged at the join, outputs stand in declared order.
    data(
        "do:\n  - f: {fork: {branches: [{a: {set: {x: 1}, export: {as: '{a: 1}'}}}, {b: {set: {y: 1}, export: {as: '{b: 1}'}}}]}}\n  - c: {set: {p: '${ .[0].x }', q: '${ .[0].y }', r: '${ $context | .a + .b }', s: '${ $context.c }'}}\n",
        &[("dropped-field", 3, "y }'"), ("dropped-field", 3, "c }")],
    );
    data(
        "do:\n  - l: {listen: {to: {one: {with: {type: t}}}}}\n  - c: {set: {p: '${ .[0].anything }', q: '${ .seats? }'}}\n",
        &[],
    );
    data(
        "do:\n  - e: {emit: {event: {with: {type: t, data: {a: 1}}}}}\n  - c: {set: {p: '${ .data.a }', i: '${ .id }', q: '${ .data.b }'}}\n",
        &[("dropped-field", 3, "b }")],
    );
    data(
        "do:\n  - a: {set: {x: 1}}\noutput: {as: '{x: .x, y: .y}'}\n",
        &[("dropped-field", 3, "y}")],
    );
}

#[test]
fn values_that_are_never_equal_are_found() {
    data("do:\n  - a: {set: {x: '${ .seats == \"3\" }'}}\n", &[("never-equal", 2, "seats ==")]);
    data("do:\n  - a: {set: {x: '${ .seats == 3 and .customer != null }'}}\n", &[]);
    data(
        "do:\n  - a: {call: order.create, with: {account: x}}\n  - b: {if: .state == \"payed\", wait: PT1S}\n",
        &[("never-equal", 3, "state ==")],
    );
    help(
        "do:\n  - a: {call: order.create, with: {account: x}}\n  - b: {if: .state == \"payed\", wait: PT1S}\n",
        "did you mean `paid`",
    );
}

#[test]
fn arguments_and_results_that_cannot_fit_are_errors() {
    let call = |with: &str| format!("do:\n  - a: {{call: order.create, with: {with}}}\n");
    data(&call("{account: '${ .customer }', seats: '${ .seats }'}"), &[]);
    data(&call("{account: '${ .seats }'}"), &[("bad-argument", 2, "'${ .seats")]);
    data(&call("'${ {acount: .customer} }'"), &[("bad-argument", 2, "'${ {ac")]);
    data(&call("'${ {account: .customer, seat: 1} }'"), &[("bad-argument", 2, "'${ {ac")]);
    let schema =
        "schema: {document: {type: object, required: [n], properties: {n: {type: integer}}}}";
    data(&format!("do:\n  - a: {{set: {{x: 1}}, output: {{as: '{{n: .x}}', {schema}}}}}\n"), &[]);
    data(
        &format!("do:\n  - a: {{set: {{x: y}}, output: {{as: '{{n: .x}}', {schema}}}}}\n"),
        &[("bad-output", 2, "'{")],
    );
    data(
        &format!("do:\n  - a: {{set: {{x: 1}}, export: {{as: '{{m: .x}}', {schema}}}}}\n"),
        &[("bad-output", 2, "'{")],
    );
}

#[test]
fn loops_that_never_wait_are_errors() {
    check("do:\n  - a: {set: {n: 1}}\n  - b: {set: {n: 2}, then: a}\n", &[("endless-loop", 2, "")]);
    check("do:\n  - a: {set: {n: 1}, then: a}\n", &[("endless-loop", 2, "")]);
    check("do:\n  - a: {wait: PT1S}\n  - b: {set: {n: 2}, then: a}\n", &[]);
    check(
        "do:\n  - a: {wait: PT0S, then: a}\n",
        &[("endless-loop", 2, "a:"), ("zero-duration", 2, "PT0S")],
    );
    check("do:\n  - a: {do: [{x: {wait: PT1S}}]}\n  - b: {set: {n: 2}, then: a}\n", &[]);
    check("do:\n  - a: {if: .x, wait: PT1S}\n  - b: {set: {n: 2}, then: a}\n", &[]);
    // A counter has a limit.
    check(
        "do:\n  - z: {set: {n: 0}}\n  - a: {set: {n: '${ .n + 1 }'}}\n  - s: {switch: [{again: {when: .n < 3, then: a}}]}\n",
        &[],
    );
    // Nothing changes what this one decides by.
    check("do:\n  - s: {switch: [{again: {when: .n < 3, then: s}}]}\n", &[("endless-loop", 2, "")]);
}

#[test]
fn conditions_that_read_nothing_are_found() {
    check("do:\n  - a: {if: 'false', wait: PT1S}\n", &[("constant-condition", 2, "'false'")]);
    check("do:\n  - a: {if: '${ 1 == 1 }', wait: PT1S}\n", &[]);
    check(
        "do:\n  - a: {for: {in: []}, do: [{b: {wait: PT1S}}]}\n",
        &[("constant-condition", 2, "[]")],
    );
    check(
        "do:\n  - a: {switch: [{x: {when: 'true', then: b}}, {y: {when: .y, then: b}}]}\n  - b: {wait: PT1S}\n",
        &[("constant-condition", 2, "'true'"), ("unreachable-case", 2, "y:")],
    );
    check(
        "do:\n  - a: {switch: [{x: {then: b}}, {y: {then: b}}]}\n  - b: {wait: PT1S}\n",
        &[("two-defaults", 2, "y:")],
    );
    check(
        "do:\n  - a: {set: {x: 'hello {{ .name }}', y: 'for $context.name only', z: 'it costs $5'}}\n",
        &[("bare-expression", 2, "'hello"), ("bare-expression", 2, "'for")],
    );
}

#[test]
fn what_nothing_uses_is_found() {
    check(
        "use:\n  secrets: [one, two]\n  errors: {gone: {type: 'https://e.example/x', status: 400}}\n  retries: {r: {delay: PT1S, limit: {attempt: {count: 1}}}}\n  timeouts: {t: {after: PT1S}}\ndo:\n  - a: {call: order.create, with: {account: '${ $secrets.one }'}, timeout: t}\n",
        &[
            ("unused-definition", 2, "two"),
            ("unused-definition", 3, "gone"),
            ("unused-definition", 4, "r:"),
        ],
    );
    check(
        "use: {secrets: [token]}\ndo:\n  - a: {call: order.create, with: {account: '${ $secrets.tokn }', seats: '${ $secrets.token | length }'}}\n",
        &[("unknown-secret", 3, "tokn")],
    );
}

#[test]
fn secrets_may_not_leave_through_the_input() {
    let task = |body: &str| {
        format!(
            "use: {{secrets: [k]}}\ndo:\n  - a: {{input: {{from: '{{k: $secrets.k, n: 1}}'}}, {body}}}\n"
        )
    };
    check(&task("call: order.create, with: {account: '${ .k }'}"), &[]);
    check(&task("set: {x: '${ .n }'}"), &[]);
    check(&task("set: {x: '${ .k }'}"), &[("leaked-secret", 3, " .k }'")]);
    check(&task("set: {x: 'Bearer ${ .k }'}"), &[("leaked-secret", 3, " .k }'")]);
    check(&task("wait: PT1S, export: {as: .}"), &[("leaked-secret", 3, ".}")]);
    check(
        &task("do: [{b: {emit: {event: {with: {type: t, data: '${ {a: .k} }'}}}}}]"),
        &[("leaked-secret", 3, " {a: .k}")],
    );
    check(
        &task("raise: {error: {type: 'https://e.example/x', status: 400, detail: '${ .k }'}}"),
        &[("leaked-secret", 3, " .k }'")],
    );
}

#[test]
fn waits_that_nothing_satisfies_are_found() {
    let listen = |to: &str| format!("do:\n  - a: {{listen: {{to: {to}}}}}\n");
    check(
        &listen("{one: {with: {type: t}, correlate: {k: {from: .data.k, expect: '${ .k }'}}}}"),
        &[],
    );
    check(
        &listen(
            "{one: {with: {type: t}, correlate: {k: {from: .data.k, expect: '${ $context.k }'}}}}",
        ),
        &[("unsatisfiable-wait", 2, "'${ $context"), ("dropped-field", 2, "k }")],
    );
    check(
        &listen(
            "{one: {with: {type: t, subject: x}, correlate: {k: {from: .subject, expect: y}}}}",
        ),
        &[("unsatisfiable-wait", 2, "y}")],
    );
    check(
        &listen("{all: [{with: {type: t}}, {with: {type: t}}]}"),
        &[("duplicate-filter", 2, "{with: {type: t}}]")],
    );
    check(&listen("{one: {with: {type: t, sorce: x}}}"), &[("unusual-attribute", 2, "sorce")]);
    check(&listen("{one: {with: {type: t, tenant: x, region: y}}}"), &[]);
    check("do:\n  - a: {wait: PT1S, timeout: {after: PT0S}}\n", &[("zero-duration", 2, "{after")]);
}

#[test]
fn schedules_that_never_come_are_errors() {
    let schedule = |text: &str| format!("schedule: {{{text}}}\ndo:\n  - a: {{wait: PT1S}}\n");
    check(&schedule("cron: '30 2 30 2 *'"), &[("bad-cron", 1, "'30")]);
    check(&schedule("cron: '30 2 29 2 *'"), &[]);
    check(&schedule("every: PT0S"), &[("bad-duration", 1, "PT0S")]);
}

#[test]
fn effects_must_be_safe_or_declared() {
    let call = |name: &str, more: &str| {
        format!("do:\n  - a: {{call: {name}, with: {{account: '${{ .a }}'}}{more}}}\n")
    };
    check(&call("order.pay", ""), &[]);
    check(&call("order.twice", ""), &[("undeclared-effect", 2, "order.twice")]);
    check(&call("order.twice", ", metadata: {effect: at-least-once}"), &[]);
    check(
        &call("order.reckless", ", metadata: {effect: at-least-once}"),
        &[("unsafe-money", 2, "order.reckless")],
    );
    check(
        &call("order.pay", ", metadata: {effect: at-least-once}"),
        &[("unsafe-money", 2, "at-least-once")],
    );
    check(&call("order.pay", ", metadata: {idempotencyKey: '${ .a }'}"), &[]);
    check(
        &call("order.pay", ", metadata: {idempotencyKey: '\"once\"'}"),
        &[("unsafe-money", 2, "'\"once")],
    );
}

#[test]
fn retries_have_limits_and_leave_declined_payments_alone() {
    let tried = |call: &str, catch: &str| {
        format!(
            "do:\n  - a:\n      try: [{{b: {{call: {call}, with: {{account: x}}}}}}]\n      catch: {catch}\n"
        )
    };
    let limit = "delay: PT1S, limit: {attempt: {count: 2}}";
    check(&tried("order.create", &format!("{{retry: {{{limit}}}}}")), &[]);
    check(&tried("order.create", "{retry: {delay: PT1S}}"), &[("no-limit", 4, "{delay")]);
    check(
        &tried("order.create", "{errors: {with: {status: 503}}, retry: {delay: PT1S}}"),
        &[("no-limit", 4, "{delay")],
    );
    // What is always true chooses nothing: still every error is retried.
    for catch in [
        "{when: '${ true }', retry: {delay: PT1S}}",
        "{exceptWhen: '${ false }', retry: {delay: PT1S}}",
        "{errors: {with: {}}, retry: {when: '${ true }', delay: PT1S}}",
        "{retry: {delay: PT1S, limit: {attempt: {duration: PT5S}}}}",
    ] {
        let found = found(&tried("order.create", catch));
        let wanted = |item: &&Diagnostic| item.code == "no-limit";
        let found = found.items.iter().find(wanted).map(|item| item.severity);
        assert_eq!(found, Some(Severity::Error), "{catch}");
    }
    // One who chooses is only warned.
    let chosen = "{when: '${ .error.status == 503 }', retry: {delay: PT1S}}";
    let found = found(&tried("order.create", chosen));
    let found = found.items.iter().find(|item| item.code == "no-limit");
    assert_eq!(found.map(|item| item.severity), Some(Severity::Warning));
    check(
        &tried("order.pay", &format!("{{retry: {{{limit}}}}}")),
        &[("retried-decline", 4, "{delay")],
    );
    check(
        &tried(
            "order.pay",
            &format!(
                "{{errors: {{with: {{type: 'urn:tenure:error:declined'}}}}, retry: {{{limit}}}}}"
            ),
        ),
        &[("retried-decline", 4, "{delay")],
    );
    let standard = "https://open-workflow-specification.org/spec/1.0.0/errors/";
    check(
        &tried(
            "order.create",
            &format!(
                "{{errors: {{with: {{type: '{standard}timout'}}}}, do: [{{c: {{wait: PT1S}}}}]}}"
            ),
        ),
        &[("never-caught", 4, "'https")],
    );
    check(
        "do:\n  - a:\n      try: [{b: {raise: {error: {type: 'https://e.example/gone', status: 410}}}}]\n      catch: {errors: {with: {type: 'https://e.example/gon'}}}\n",
        &[("never-caught", 4, "'https")],
    );
}

#[test]
fn warnings_are_silenced_with_a_reason() {
    let text = |silence: &str| {
        format!(
            "do:\n  - a:\n      metadata: {{silence: {silence}}}\n      do: [{{b: {{set: {{x: '${{ $context.no }}'}}}}}}]\n"
        )
    };
    check(&text("[{code: dropped-field, reason: it comes later}]"), &[]);
    check(
        &text("[{code: dropped-field}]"),
        &[("bad-value", 3, "{code"), ("dropped-field", 4, "no }")],
    );
    check(
        &text("[{code: never-equal, reason: just so}]"),
        &[("unused-silence", 3, "{code"), ("dropped-field", 4, "no }")],
    );
    check(&text("yes"), &[("bad-value", 3, "yes"), ("dropped-field", 4, "no }")]);
    let document = "document: {dsl: '1.0.3', namespace: t, name: t, version: '0.1.0', metadata: {silence: [{code: unused-definition, reason: shared}]}}\nuse: {timeouts: {t: {after: PT1S}}}\ndo:\n  - a: {wait: PT1S}\n";
    assert!(compile(&source(document), &catalog()).is_ok_and(|(_, found)| found.items.is_empty()));
}

#[test]
fn facts_say_what_each_task_holds() {
    let text = format!(
        "{HEAD}{INPUT}do:\n  - a: {{call: order.create, with: {{account: x}}, export: {{as: '$context + {{order: .}}'}}}}\n  - b: {{wait: PT1S}}\n"
    );
    let ((plan, facts), _) = study(&source(&text), &catalog()).unwrap();
    let a = facts.task(plan.tasks[0].id).unwrap();
    assert_eq!(a.raw.to_string(), "{customer: text, seats: integer}");
    assert_eq!(a.context.to_string(), "{}");
    let order = "{number: text, state?: \"open\" | \"paid\", ...}";
    assert_eq!(a.output.to_string(), order);
    let b = facts.task(plan.tasks[1].id).unwrap();
    assert_eq!(b.context.to_string(), format!("{{order: {order}}}"));
    assert_eq!(facts.output.to_string(), order);
}

/// What is held off here would take hours: the runner's own time-out tells.
#[test]
fn hostile_data_flow_ends() {
    let grow: String = (0..40).fold("do:\n".to_owned(), |text, at| {
        text + &format!("  - t{at}: {{set: {{a: '${{ . }}', b: '${{ . }}', c: '${{ $context }}'}}, export: {{as: '{{p: $context, q: .}}'}}}}\n")
    });
    let text = format!("{HEAD}{grow}  - back: {{wait: PT1S, then: t0}}\n");
    assert!(compile(&source(&text), &catalog()).is_ok());
    let nest = "{for: {in: .x}, do: [{t: ".repeat(14) + "{set: '${ {a: .} }'}" + &"}]}".repeat(14);
    drop(compile(&source(&format!("{HEAD}do:\n  - t: {nest}\n")), &catalog()));
}

#[test]
fn expressions_that_give_several_values_or_none_are_told() {
    check("do:\n  - a: {set: {b: '${ 1, 2 }'}}\n", &[("several-outputs", 2, " 1, 2")]);
    check("do:\n  - a: {set: {b: '${ empty }'}}\n", &[("no-output", 2, " empty")]);
    check("do:\n  - a: {set: {b: '${ first(1, 2) }'}}\n", &[]);
}
