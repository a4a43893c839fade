//! An arc counts only when a run has really taken it: one test for each way in which one was counted
//! for another, or was none at all.

use crate::{missing, one, told};

/// What nobody went, after a scenario that must pass.
fn check(name: &str, definition: &str, text: &str, expected: &[&str]) {
    let summary = one(name, definition, text);
    assert!(summary.passed(), "{}", told(&summary));
    assert_eq!(missing(&summary), expected, "{name}");
}

/// Every filter of the type of an event was counted as heard, whatever it asked of the data.
#[test]
fn a_filter_that_did_not_take_the_event_was_counted() {
    let definition = "
do:
  - hear:
      listen:
        to:
          any:
            - with: {type: paid, data: '${ .n == 1 }'}
            - with: {type: paid, data: '${ .n == 2 }'}
            - with: {type: gone}
";
    let text = "scenario: x\nevents: [{when: {waiting: paid}, send: {type: paid, data: {n: 2}}}]\n";
    check("filters", definition, text, &["/do/0/hear hears paid", "/do/0/hear hears gone"]);
}

#[test]
fn what_ends_the_listening_is_an_arc() {
    let definition = "
do:
  - hear:
      listen: {to: {any: [{with: {type: bid}}], until: {any: [{with: {type: sold}}, {with: {type: shut}}]}}}
  - count:
      listen: {to: {any: [{with: {type: bid}}], until: '${ length > 1 }'}}
";
    let bid = "{when: {waiting: bid}, send: {type: bid}}";
    let text = format!(
        "scenario: x\nevents: [{bid}, {{after: PT1S, send: {{type: shut}}}}, \
         {{after: PT2S, send: {{type: bid}}}}, {{after: PT3S, send: {{type: bid}}}}]\n"
    );
    check("until", definition, &text, &["/do/0/hear hears sold"]);
    // The first bid goes to `hear`, which takes what it hears.
    let once = "scenario: x\nevents: [{after: PT1S, send: {type: sold}}, {after: PT2S, send: {type: bid}}]\n\
                expect: {status: waiting}\n";
    let expected = [
        "/do/0/hear hears bid",
        "/do/0/hear hears shut",
        "/do/1/count until: false",
        "/do/1/count until: true",
    ];
    check("until-once", definition, once, &expected);
}

/// `then` of a `catch` was no arc, and that of the `try` counted for it.
#[test]
fn where_a_catch_leads_was_no_arc() {
    let definition = "
do:
  - guarded:
      try: [{fail: {if: .n == 1, raise: {error: {type: 'urn:x', status: 500}}}}]
      catch: {then: mend}
      then: end
  - mend: {set: {n: 2}}
";
    check(
        "catch-then",
        definition,
        "scenario: x\ninput: {n: 1}\n",
        &[
            "/do/0/guarded went well",
            "/do/0/guarded then end",
            "/do/0/guarded/try/0/fail if: false",
        ],
    );
    check(
        "catch-not",
        definition,
        "scenario: x\ninput: {n: 3}\n",
        &[
            "/do/0/guarded catch",
            "/do/0/guarded catch then mend",
            "/do/0/guarded/try/0/fail begins",
            "/do/0/guarded/try/0/fail if: true",
            "/do/1/mend begins",
        ],
    );
}

/// An error inside a race that another branch won was taken for an error of the `try` around it.
#[test]
fn an_error_that_never_reached_the_try_was_counted_as_caught() {
    let definition = "
do:
  - guarded:
      try:
        - race:
            fork:
              compete: true
              branches:
                - bad: {raise: {error: {type: 'urn:x', status: 500}}}
                - good: {set: {n: 1}}
      catch: {do: [{mend: {set: {n: 2}}}]}
";
    let expected = [
        "/do/0/guarded catch",
        "/do/0/guarded/try/0/race bad wins",
        "/do/0/guarded/catch/do/0/mend begins",
    ];
    check("race", definition, "scenario: x\n", &expected);
}

/// An error of the type `timeout` was taken for the task's own time-out, and one of the two times
/// of a person's task for the other.
#[test]
fn a_raised_timeout_was_counted_as_a_timeout() {
    let definition = "
do:
  - guarded:
      try:
        - late:
            if: .n == 1
            raise: {error: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/timeout', status: 408}}
            timeout: {after: PT1H}
        - ask: {call: human.task:1.0.0@default, with: {title: x, due: P1D}, timeout: {after: P2D}}
      catch: {do: [{mend: {set: {n: 2}}}]}
";
    let text = "scenario: x\ninput: {n: 1}\n";
    let expected = [
        "/do/0/guarded went well",
        "/do/0/guarded/try/0/late if: false",
        "/do/0/guarded/try/0/late timeout",
        "/do/0/guarded/try/1/ask begins",
        "/do/0/guarded/try/1/ask timeout",
        "/do/0/guarded/try/1/ask overdue",
    ];
    check("raised", definition, text, &expected);
    let expected = [
        "/do/0/guarded went well",
        "/do/0/guarded/try/0/late begins",
        "/do/0/guarded/try/0/late if: true",
        "/do/0/guarded/try/0/late timeout",
        "/do/0/guarded/try/1/ask timeout",
    ];
    check("overdue", definition, "scenario: x\ninput: {n: 2}\n", &expected);
}

/// A `then` back to the first task of a turn was counted as a turn.
#[test]
fn a_way_back_was_counted_as_a_turn() {
    let definition = "
do:
  - all:
      for: {each: item, in: .items}
      do:
        - first: {set: '${ {n: ((.n // 0) + 1), items: $input.items} }'}
        - again: {switch: [{more: {when: .n < 3, then: first}}]}
";
    let text = "scenario: x\ninput: {items: [a]}\n";
    check("jump", definition, text, &["/do/0/all no turn", "/do/0/all many turns"]);
}

#[test]
fn what_runs_beside_a_task_and_around_the_workflow_is_an_arc() {
    let definition = "
timeout: {after: P30D}
use:
  extensions:
    - log: {extend: set, when: '${ .n == 1 }', before: [{note: {wait: PT1S}}], after: [{noted: {wait: PT1S}}]}
do:
  - a: {set: {n: 2}, metadata: {compensate: [{back: {wait: PT1S}}]}}
  - b: {listen: {to: {one: {with: {type: t}}}}}
";
    // The head has no metadata, so the document is written here.
    let whole = format!(
        "document: {{dsl: 1.0.3, namespace: test, name: main, version: 1.0.0, metadata: {{onCancel: compensate}}}}\n{definition}"
    );
    let folder = crate::Folder::new("beside");
    folder.write("workflow.yaml", &whole);
    let play = |text: &str| {
        folder.write("scenarios/it.yaml", text);
        let summary = crate::play(&[&folder.0], &folder);
        assert!(summary.passed(), "{}", told(&summary));
        missing(&summary)
    };
    let text = "scenario: x\ninput: {n: 0}\nevents: [{when: {waiting: t}, send: {type: t}}]\n";
    let expected = [
        "/timeout timeout",
        "/document/metadata/onCancel cancelled and undone",
        "/do/0/a before by log",
        "/do/0/a after by log",
        "/do/0/a undone",
        "/use/extensions/0/log/before/0/note begins",
        "/use/extensions/0/log/after/0/noted begins",
        "/do/0/a/metadata/compensate/0/back begins",
    ];
    assert_eq!(play(text), expected);
    let text = "scenario: x\ninput: {n: 1}\noperator: [{when: {waiting: t}, cancel: enough}]\n\
                expect: {status: cancelled}\n";
    assert_eq!(play(text), ["/timeout timeout"]);
    let text = "scenario: x\ninput: {n: 1}\nexpect: {status: faulted}\n";
    assert!(!play(text).contains(&"/timeout timeout".to_owned()));
}

/// Two calls of one function at once: what one of them did was taken for what the other did.
#[test]
fn two_runs_of_a_function_at_once_were_mixed_up() {
    let definition = "
use:
  functions:
    check:
      try:
        - pause: {wait: PT1S}
        - fail: {if: .bad, raise: {error: {type: 'urn:x', status: 500}}}
        - rest: {if: .n == 7, wait: PT2S}
      catch: {errors: {with: {status: 400}}}
do:
  - both:
      try:
        - split:
            fork:
              branches:
                - good: {call: check, with: {n: 7, bad: false}}
                - bad: {call: check, with: {n: 1, bad: true}}
      catch: {do: [{mend: {set: {n: 0}}}]}
";
    let expected = [
        "/do/0/both went well",
        "/use/functions/check went well",
        "/use/functions/check catch",
        "/use/functions/check/try/2/rest if: false",
    ];
    check("mixed", definition, "scenario: x\n", &expected);
}
