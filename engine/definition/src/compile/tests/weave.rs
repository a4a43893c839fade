//! `use.functions`, `use.extensions`, `use.catalogs`.

use super::{HEAD, check, plan, run};
use crate::plan::TaskKind;

fn pointers(text: &str) -> Vec<String> {
    let plan = plan(text);
    for (index, task) in plan.tasks.iter().enumerate() {
        assert_eq!(task.id.0 as usize, index);
        assert!(plan.definition.pointer(&task.pointer).is_some(), "{} is true", task.pointer);
    }
    plan.tasks.into_iter().map(|task| task.pointer).collect()
}

#[test]
fn a_function_is_compiled_at_each_call_and_its_pointers_stay_true() {
    let text = "
use:
  functions:
    pause: {wait: PT1S}
    both: {do: [{first: {call: pause}}, {second: {call: pause}}]}
do:
  - one: {call: both}
  - two: {wait: PT1S, then: four}
  - three: {call: pause, then: two}
  - four: {call: pause, then: three}
";
    let both = [
        "/use/functions/both",
        "/use/functions/both/do/0/first",
        "/use/functions/pause",
        "/use/functions/both/do/1/second",
        "/use/functions/pause",
    ];
    let mut expected = vec!["/do/0/one"];
    expected.extend(both);
    let pause = "/use/functions/pause";
    expected.extend(["/do/1/two", "/do/2/three", pause, "/do/3/four", pause]);
    assert_eq!(pointers(text), expected);
}

#[test]
fn extensions_are_woven_onto_the_tasks_they_are_for_and_not_onto_their_own() {
    let text = "
use:
  extensions:
    - log: {extend: all, after: [{said: {set: {a: 1}}}]}
    - mock: {extend: set, when: '$task.name == \"two\"', before: [{called: {call: quiet}}]}
  functions:
    quiet: {set: {b: 1}}
do:
  - one: {do: [{two: {set: {c: 1}}}]}
  - three: {call: quiet}
";
    let (log, mock) =
        ("/use/extensions/0/log/after/0/said", "/use/extensions/1/mock/before/0/called");
    let quiet = "/use/functions/quiet";
    let expected = [
        "/do/0/one",
        log,
        "/do/0/one/do/0/two",
        log,
        mock,
        quiet,
        "/do/1/three",
        log,
        quiet,
        log,
        mock,
        quiet,
    ];
    assert_eq!(pointers(text), expected);
    let plan = plan(text);
    let names: Vec<_> = plan.tasks[2].extensions.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["log", "mock"]);
    assert!(plan.tasks[3].extensions.is_empty());
}

#[test]
fn a_composite_extension_is_for_tasks_that_hold_tasks_in_a_list() {
    let text = "
use: {extensions: [{e: {extend: composite, before: [{x: {wait: PT1S}}]}}]}
do:
  - a: {do: [{b: {wait: PT1S}}]}
  - c: {fork: {branches: [{d: {wait: PT1S}}]}}
  - f: {for: {in: .}, do: [{g: {wait: PT1S}}]}
";
    let plan = plan(text);
    let extended: Vec<_> = plan
        .tasks
        .iter()
        .filter(|task| !task.extensions.is_empty())
        .map(|task| task.name.as_str())
        .collect();
    assert_eq!(extended, ["a", "c"]);
}

#[test]
fn a_function_of_the_definition_wins_over_one_of_the_catalog() {
    let text = "use: {functions: {shop.mail: {wait: PT1S}}}\ndo:\n  - a: {call: shop.mail}\n";
    assert!(matches!(plan(text).tasks[0].kind, TaskKind::Function(_)));
}

#[test]
fn mistakes_of_functions_are_found_once_and_without_a_call() {
    let uses =
        |functions: &str| format!("use:\n  functions:\n{functions}do:\n  - a: {{wait: PT1S}}\n");
    check(&uses("    f: {set: '${ $nope }'}\n"), &[("unknown-variable", 3, 18)]);
    check(&uses("    f: {do: [{b: {wait: PT1S, then: c}}]}\n"), &[("unknown-task", 3, 37)]);
    check(&uses("    f: {wait: PT1S, then: g}\n    g: {wait: PT1S}\n"), &[("unknown-task", 3, 27)]);
    check(&uses("    http: {wait: PT1S}\n"), &[("bad-value", 3, 5)]);
    check(&uses("    f: {}\n"), &[("missing-field", 3, 5)]);
    check(
        "use: {functions: {f: {set: '${ $nope }'}}}\ndo:\n  - a: {call: f}\n  - b: {call: f}\n",
        &[("unknown-variable", 1, 32)],
    );
    check(
        "use: {functions: {f: {wait: PT1S}}}\ndo:\n  - a: {call: f, with: '${ $secrets.x }', metadata: {idempotencyKey: .a, effect: natural}}\n",
        &[("variable-out-of-scope", 3, 28), ("unknown-field", 3, 70), ("unknown-field", 3, 74)],
    );
    check(
        "use: {functions: {fetch: {wait: PT1S}}}\ndo:\n  - a: {call: fecth}\n",
        &[("unknown-function", 3, 15)],
    );
}

#[test]
fn variables_of_the_caller_are_not_those_of_the_function() {
    check(
        "use: {functions: {f: {set: {a: '${ $item }', b: '${ $context }'}}}}\ndo:\n  - a: {for: {in: .x}, do: [{b: {call: f, with: {x: '${ $item }'}}}]}\n",
        &[("variable-out-of-scope", 1, 36)],
    );
}

#[test]
fn functions_that_call_themselves_are_refused_with_their_cycle() {
    let text = "use:\n  functions:\n    a: {do: [{x: {call: b}}]}\n    b: {call: c}\n    c: {call: a}\n    d: {call: b}\ndo:\n  - s: {call: d}\n";
    check(text, &[("recursive-function", 3, 5)]);
    let found = run(&format!("{HEAD}{text}")).unwrap_err();
    assert_eq!(found.items[0].label, "a -> b -> c -> a");
    check(
        "use: {functions: {a: {call: a}}}\ndo:\n  - s: {call: a}\n",
        &[("recursive-function", 1, 19)],
    );
}

#[test]
fn a_small_text_cannot_become_a_huge_plan() {
    use std::fmt::Write as _;
    let mut text = "use:\n  functions:\n    f0: {wait: PT1S}\n".to_owned();
    for n in 1..16 {
        let below = n - 1;
        let calls: Vec<_> = (0..8).map(|c| format!("{{c{c}: {{call: f{below}}}}}")).collect();
        writeln!(text, "    f{n}: {{do: [{}]}}", calls.join(", ")).unwrap();
    }
    text.push_str("do:\n  - s: {call: f15}\n");
    check(&text, &[("too-large", 1, 1)]);
    let mut chain = "use:\n  functions:\n    f0: {wait: PT1S}\n".to_owned();
    for n in 1..40 {
        let below = n - 1;
        writeln!(chain, "    f{n}: {{call: f{below}}}").unwrap();
    }
    chain.push_str("do:\n  - s: {call: f39}\n");
    check(&chain, &[("too-deep", 19, 5)]);
    let big = format!(
        "use: {{functions: {{f: {{set: {{a: {}}}}}}}}}\ndo:\n{}",
        "x".repeat(500_000),
        (0..200).map(|n| format!("  - t{n}: {{call: f}}\n")).collect::<String>()
    );
    check(&big, &[("too-large", 1, 1)]);
}

#[test]
fn mistakes_of_extensions_are_found() {
    let uses =
        |body: &str| format!("use:\n  extensions:\n    - e: {body}\ndo:\n  - a: {{wait: PT1S}}\n");
    check(&uses("{before: [{x: {wait: PT1S}}]}"), &[("missing-field", 3, 10)]);
    check(&uses("{extend: cal, before: [{x: {wait: PT1S}}]}"), &[("bad-value", 3, 19)]);
    check(&uses("{extend: all}"), &[("without-effect", 3, 7)]);
    check(
        &uses("{extend: all, when: $input.x, after: [{x: {wait: PT1S}}]}"),
        &[("variable-out-of-scope", 3, 30)],
    );
    check(&uses("{extend: run, after: [{x: {wait: soon}}]}"), &[("bad-duration", 3, 43)]);
    check(&uses("{extend: all, befor: []}"), &[("without-effect", 3, 7), ("unknown-field", 3, 24)]);
}

#[test]
fn only_the_default_catalog_may_be_named() {
    check(
        "use:\n  catalogs:\n    default: {endpoint: 'https://x'}\n    mine: {endpoint: 'https://x'}\ndo:\n  - a: {wait: PT1S}\n",
        &[("without-effect", 3, 15), ("refused", 4, 5)],
    );
}

#[test]
fn a_for_without_in_hid_the_mistakes_of_its_body() {
    check(
        "do:\n  - a: {for: {each: x}, do: [{b: {set: '${ $x + $nope }'}}]}\n",
        &[("missing-field", 2, 14), ("unknown-variable", 2, 49)],
    );
    check(
        "do:\n  - a: {try: [{b: {set: '${ $nope }'}}]}\n",
        &[("missing-field", 2, 8), ("unknown-variable", 2, 29)],
    );
}
