//! Coverage counts what really ran.

use tenure_author::scenario::Summary;

use crate::{Folder, HEAD, one, play, told};

/// What was never gone, `task arc` each.
fn missing(summary: &Summary) -> Vec<String> {
    assert!(summary.passed(), "{}", told(summary));
    let missing = &summary.coverage[0].missing;
    missing.iter().map(|(task, arc)| format!("{task} {arc}")).collect()
}

#[test]
fn a_catch_with_a_way_of_its_own_does_not_go_on_as_usual() {
    let definition = "do:\n  - guarded:\n      try: [{bad: {raise: {error: {type: 'urn:no', status: 409}}}}]\n      \
                      catch: {then: rescue}\n  - usual: {set: {n: 1}, then: end}\n  - rescue: {set: {n: 2}}\n";
    let summary = one("catch-then", definition, "scenario: x\n");
    assert_eq!(
        missing(&summary),
        ["/do/0/guarded went well", "/do/0/guarded then usual", "/do/1/usual begins"]
    );
    // Without one, both ways lead on as usual, and there is one arc.
    let definition = "do:\n  - guarded:\n      try: [{bad: {raise: {error: {type: 'urn:no', status: 409}}}}]\n      \
                      catch: {do: [{note: {set: {n: 1}}}]}\n  - usual: {set: {n: 1}}\n";
    let summary = one("catch-no-then", definition, "scenario: x\n");
    assert_eq!(missing(&summary), ["/do/0/guarded went well"]);
}

#[test]
fn a_branch_that_fails_while_another_wins_is_not_caught() {
    let definition = "do:\n  - guarded:\n      try:\n        - race:\n            fork:\n              compete: true\n              \
                      branches:\n                - bad: {raise: {error: {type: 'urn:no', status: 409}}}\n                \
                      - good: {set: {n: 1}}\n      catch: {do: [{note: {set: {n: 2}}}]}\n";
    let summary = one("race", definition, "scenario: x\n");
    assert_eq!(
        missing(&summary),
        [
            "/do/0/guarded catch",
            "/do/0/guarded/try/0/race bad wins",
            "/do/0/guarded/catch/do/0/note begins"
        ]
    );
}

#[test]
fn a_way_back_inside_a_turn_is_no_turn() {
    let definition = "do:\n  - each:\n      for: {each: item, in: '${ [1] }'}\n      do:\n        \
                      - first: {set: '${ {n: ((.n // 0) + 1)} }'}\n        \
                      - again: {switch: [{more: {when: .n < 3, then: first}}]}\n";
    let summary = one("way-back", definition, "scenario: x\ninput: {}\n");
    assert_eq!(missing(&summary), ["/do/0/each no turn", "/do/0/each many turns"]);
}

/// Three filters of one type, told apart by their data, by a correlation and by nothing.
const SAME: &str = "
do:
  - hear:
      listen:
        to:
          any:
            - with: {type: t.one, data: {n: 1}}
            - with: {type: t.one}
              correlate: {k: {from: .data.k, expect: '${ \"mine\" }'}}
            - with: {type: t.one}
            - with: {type: 'x[.].*'}
            - with: {type: 'y[.].*'}
";

#[test]
fn an_event_counts_for_the_filter_that_took_it() {
    let arcs = [
        "hears t.one (filter 1)",
        "hears t.one (filter 2)",
        "hears t.one (filter 3)",
        "hears any event (filter 4)",
        "hears any event (filter 5)",
    ];
    for (event, heard) in [
        ("{type: t.one, data: {n: 1}}", 0),
        ("{type: t.one, data: {k: mine}}", 1),
        ("{type: t.one, data: {n: 1, k: mine}}", 0),
        ("{type: t.one, data: {k: yours}}", 2),
        ("{type: x.a}", 3),
        ("{type: y.a}", 4),
    ] {
        let text = format!("scenario: x\nevents: [{{send: {event}}}]\n");
        let summary = one("filters", SAME, &text);
        let expected: Vec<String> = (0..arcs.len())
            .filter(|index| *index != heard)
            .map(|index| format!("/do/0/hear {}", arcs[index]))
            .collect();
        assert_eq!(missing(&summary), expected, "{event}");
    }
}

#[test]
fn a_child_with_the_same_name_covers_nothing_of_its_parent() {
    let folder = Folder::new("namesake");
    let run = "do:\n  - go: {run: {workflow: {namespace: other, name: main, version: 1.0.0}}}\n  \
               - now: {if: 'false', set: {n: 1}}\n";
    let own = "do:\n  - first: {set: {n: 1}}\n  - now: {if: 'true', set: {n: 1}}\n";
    folder.write("workflow.yaml", &format!("{HEAD}{run}"));
    folder.write("child.yaml", &format!("{}{own}", HEAD.replace("test", "other")));
    folder.write("scenarios/it.yaml", "scenario: x\nwith: [../child.yaml]\n");
    let summary = play(&[&folder.0], &folder);
    assert_eq!(missing(&summary), ["/do/1/now begins", "/do/1/now if: true"]);
}
