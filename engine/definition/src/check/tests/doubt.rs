//! What was refused, or passed over, without being certain: each mistake of the checks themselves
//! has its test here.

use super::*;
use crate::check::{Checker, STEPS_MAX};
use crate::diagnostic::Report;
use crate::expression::STACK_BYTES;
use crate::read::read;
use crate::source::Lines;
use crate::{Severity, compile_registered};

#[test]
fn two_hundred_warnings_hide_no_error() {
    let lost: String = (0..250).fold("do:\n".to_owned(), |text, at| {
        text + &format!("  - t{at}: {{set: {{x: '${{ $context.no }}'}}}}\n")
    });
    let last = "  - last: {set: {n: y}, output: {as: ., schema: {document: {type: object, required: [n], properties: {n: {type: integer}}}}}}\n";
    let found = found(&format!("{lost}{last}"));
    assert!(found.has_errors());
    assert!(found.items.iter().any(|item| item.code == "bad-output"));
    // As many errors as that are still errors.
    let wrong: String = (0..250).fold("do:\n".to_owned(), |text, at| {
        text + &format!("  - t{at}: {{set: {{x: 1}}, then: t{at}}}\n")
    });
    assert!(compile(&source(&format!("{HEAD}{wrong}")), &catalog()).is_err());
}

/// How many visits and turns were paid for until nothing changed, and whether the budget ended it.
fn followed(text: &str) -> (u32, bool) {
    let text = source(&format!("{HEAD}{text}"));
    let (plan, _) = compile(&text, &catalog()).expect("it compiles");
    std::thread::scope(|scope| {
        let work = || {
            let lines = Lines::new(&text.text);
            let mut report = Report::default();
            let root = read(&text, &lines, &mut report).unwrap();
            let mut checker = Checker::new(&plan, &root, &lines, &mut report);
            checker.follow();
            (checker.paid, checker.is_spent())
        };
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

#[test]
fn nested_loops_and_functions_in_them_pay_for_every_turn() {
    let nest = |deep: usize, inner: &str| {
        // What the inner one begins with is always new, so it takes two turns each time.
        let open = "{for: {in: [1]}, do: [{s: {set: {a: 0}}}, {t: ".repeat(deep);
        format!("{open}{inner}{}", "}, {e: {set: {b: 1}}}]}".repeat(deep))
    };
    // Two turns each, so a few are followed to their end.
    let (paid, spent) = followed(&format!("do:\n  - a: {}\n", nest(3, "{set: {x: 1}}")));
    assert!(!spent && paid < 200, "{paid} paid");
    // 30 loops in one another, and 16 functions with loops that call each other: 2^30 and more.
    let chained = |functions: usize, deep: usize| {
        let mut text = "use:\n  functions:\n".to_owned();
        for at in 1..functions {
            let call = nest(deep, &format!("{{call: f{}}}", at + 1));
            text += &format!("    f{at}: {call}\n");
        }
        text += &format!("    f{functions}: {}\n", nest(deep, "{set: {x: 1}}"));
        text + "do:\n  - a: {for: {in: [1]}, do: [{t: {call: f1}}]}\n"
    };
    for text in [chained(2, 15), chained(16, 6)] {
        let (paid, spent) = followed(&text);
        assert!(spent, "it is followed to its end, after {paid}");
        assert!(paid <= STEPS_MAX + 10_000, "{paid} paid");
    }
}

#[test]
fn a_registered_definition_compiles_whatever_newer_checks_say() {
    let both = |text: &str| {
        let text = source(&format!("{HEAD}{text}"));
        assert!(compile(&text, &catalog()).is_err(), "{}", text.text);
        compile_registered(&text, &catalog())
    };
    for (text, code) in [
        ("do:\n  - a: {set: {n: 1}, then: a}\n", "endless-loop"),
        ("do:\n  - a: {metadata: {silence: yes}, wait: PT1S}\n", "bad-value"),
    ] {
        let (_, found) = both(text).expect("it is registered");
        let items: Vec<_> = found.items.iter().map(|item| (item.code, item.severity)).collect();
        assert_eq!(items, [(code, Severity::Warning)]);
        assert!(!found.has_errors());
    }
    let missing = both("do:\n  - a: {call: gone.plug}\n").unwrap_err();
    assert!(missing.has_errors());
}

#[test]
fn loops_that_may_pause_or_leave_are_not_endless() {
    let end = "{if: .x, set: {n: 1}, then: end}";
    let raise = "{if: .x, raise: {error: {type: 'https://e.example/x', status: 400}}}";
    for inner in [end, raise] {
        check(
            &format!("do:\n  - a: {{do: [{{b: {inner}}}]}}\n  - c: {{set: {{n: 2}}, then: a}}\n"),
            &[],
        );
    }
    check(
        "do:\n  - a:\n      try: [{b: {set: {n: 1}}}]\n      catch: {do: [{c: {call: engine.rethrow}}]}\n      then: a\n",
        &[],
    );
    check(
        "do:\n  - a: {set: {n: 1}}\n  - s: {switch: [{x: {when: .n > 3, then: exit}}, {y: {then: a}}]}\n",
        &[],
    );
    check("do:\n  - a: {for: {in: .x}, do: [{b: {wait: PT1S}}], then: a}\n", &[]);
    check(
        "do:\n  - a: {if: .x, wait: PT1S}\n  - b: {if: .x | not, wait: PT2S}\n  - c: {set: {x: true}, then: a}\n",
        &[],
    );
    check(
        "do:\n  - a: {set: {n: '${ if .n > 3 then error(\"full\") else .n + 1 end }'}, then: a}\n",
        &[],
    );
    // Nothing in it waits, but it is no single step: told, and not refused.
    let text = "do:\n  - a: {do: [{b: {set: {n: 1}}}], then: a}\n";
    check(text, &[("endless-loop", 2, "a:")]);
    assert!(!found(text).has_errors());
}

#[test]
fn a_wait_with_a_pattern_or_a_part_of_the_data_can_be_satisfied() {
    let wait = |with: &str, from: &str, expect: &str| {
        format!(
            "do:\n  - a: {{listen: {{to: {{one: {{with: {{type: t, {with}}}, correlate: {{k: {{from: {from}, expect: {expect}}}}}}}}}}}}}\n"
        )
    };
    check(&wait("subject: 'order-(1|2)'", ".subject", "order-1"), &[]);
    check(
        &wait("subject: 'order-(1|2)'", ".subject", "order-3"),
        &[("unsatisfiable-wait", 2, "order-3")],
    );
    check(&wait("data: {kind: seat}", ".data", "{kind: seat, n: 1}"), &[]);
    check(&wait("seq: 1", ".seq", "1.0"), &[]);
    check(&wait("seq: 1", ".seq", "2"), &[("unsatisfiable-wait", 2, "2}")]);
    check(&wait("data: 'a|b'", ".data", "a"), &[("unsatisfiable-wait", 2, "a}")]);
}

#[test]
fn expressions_of_a_filter_see_the_attribute() {
    data(
        "do:\n  - a: {listen: {to: {one: {with: {type: t, subject: '${ . == \"x\" }', data: '${ .seat > 1 }', seq: '${ . > 1 }'}}}}}\n",
        &[],
    );
}

#[test]
fn the_context_of_a_catch_has_what_the_turns_of_a_listen_exported() {
    data(
        "do:\n  - t:\n      try:\n        - l:\n            listen: {to: {any: [{with: {type: t}}], until: '${ false }'}}\n            foreach: {item: e, export: {as: '{seen: .}'}}\n      catch: {do: [{c: {set: {x: '${ $context.seen }'}}}]}\n",
        &[],
    );
}

#[test]
fn a_retried_body_finds_what_its_first_run_exported() {
    data(
        "do:\n  - t:\n      try: [{a: {set: {x: '${ $context.done }', y: '${ $context.other }'}}}, {b: {set: {y: 1}, export: {as: '$context + {done: true}'}}}, {c: {call: order.create, with: {account: x}}}]\n      catch: {retry: {delay: PT1S, limit: {attempt: {count: 2}}}}\n",
        &[("dropped-field", 3, "other }")],
    );
}

#[test]
fn a_secret_beside_other_fields_leaves_them_alone() {
    let task = |from: &str, set: &str| {
        format!(
            "use: {{secrets: [k]}}\ndo:\n  - a: {{input: {{from: '{from}'}}, set: {{x: '${{ {set} }}'}}}}\n"
        )
    };
    for from in [". + {token: $secrets.k}", ". * {token: $secrets.k}", ".token = $secrets.k"] {
        check(&task(from, ".customer"), &[]);
        check(&task(from, ".token"), &[("leaked-secret", 3, " .token")]);
        check(&task(from, "."), &[("leaked-secret", 3, " . }")]);
    }
    check(&task(".name + $secrets.k", "."), &[("leaked-secret", 3, " . }")]);
    check(&task("[.name] + [$secrets.k]", ".[1]"), &[("leaked-secret", 3, " .[1]")]);
}

#[test]
fn warnings_in_functions_and_extensions_are_silenced() {
    check(
        "use:\n  functions:\n    f: {metadata: {silence: [{code: dropped-field, reason: it comes later}]}, set: {x: '${ $context.no }'}}\ndo:\n  - a: {call: f}\n",
        &[],
    );
    let before = "set: {x: 'hello {{ .name }}'}";
    check(
        &format!(
            "use:\n  extensions:\n    - log: {{extend: wait, before: [{{b: {{{before}}}}}]}}\ndo:\n  - a: {{wait: PT1S}}\n"
        ),
        &[("bare-expression", 3, "'hello")],
    );
    check(
        &format!(
            "use:\n  extensions:\n    - log: {{extend: wait, before: [{{b: {{metadata: {{silence: [{{code: bare-expression, reason: it is text}}]}}, {before}}}}}]}}\ndo:\n  - a: {{wait: PT1S}}\n"
        ),
        &[],
    );
}
