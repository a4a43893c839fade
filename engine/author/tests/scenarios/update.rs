//! `tenure test --update`: what happened is written where something else was expected.

use crate::{Folder, HEAD, SEND, play_as, told};

const TIMED: &str = "
do:
  - pause: {wait: P1D}
  - ask:
      call: mail.delivery:1.0.0@default
      with: {message_id: m-1}
  - tell: {emit: {event: {with: {source: /s, type: t.told, data: {n: 1}}}}}
  - last: {set: {n: 2, list: [1, 2]}}
";

/// The text of a scenario after its update, and what was said.
fn update(name: &str, definition: &str, text: &str) -> (String, String) {
    let folder = Folder::new(name);
    folder.write("workflow.yaml", &format!("{HEAD}{definition}"));
    folder.write("scenarios/it.yaml", text);
    let summary = play_as(&[&folder.0], &folder, None, true);
    let after = std::fs::read_to_string(folder.0.join("scenarios/it.yaml")).unwrap();
    (after, told(&summary))
}

fn check(name: &str, text: &str, expected: &str) {
    let (after, told) = update(name, TIMED, text);
    assert_eq!(after, expected, "{told}");
    assert!(told.contains("1 passed, 0 failed"), "{told}");
    assert!(told.contains("updated "), "{told}");
}

/// A scenario that is left as it is, and why.
fn refused(name: &str, definition: &str, text: &str, why: &str) {
    let (after, told) = update(name, definition, text);
    assert_eq!(after, text, "{told}");
    assert!(told.contains("not updated"), "{told}");
    assert!(told.contains(why), "{why} is missing in\n{told}");
}

#[test]
fn what_differs_is_written_and_the_rest_stays() {
    let stub = "calls:   # of the vendor\n  - {call: mail.delivery,   done: {status: delivered}}\n";
    check(
        "update-values",
        &format!(
            "scenario: x\n{stub}expect:\n  # the end\n  output: {{n: 3, list: [1, {{$gt: 1}}]}}\n  \
             times:\n    end: P2D   # late\n    mail.delivery: P1D\n  emitted:\n    - {{type: t.told, data: {{n: 7}}}}\n"
        ),
        &format!(
            "scenario: x\n{stub}expect:\n  # the end\n  output: {{n: 2, list: [1, {{$gt: 1}}]}}\n  \
             times:\n    end: P1D   # late\n    mail.delivery: P1D\n  emitted:\n    - {{type: t.told, data: {{n: 1}}}}\n"
        ),
    );
    check(
        "update-calls",
        &format!(
            "scenario: x\n{stub}expect:\n  calls: []\n  tasks: {{run: [last], not_run: [pause]}}\n  status: faulted\n"
        ),
        &format!(
            "scenario: x\n{stub}expect:\n  calls: [mail.delivery]\n  tasks: {{run: [last, pause]}}\n  status: completed\n"
        ),
    );
    check(
        "update-counts",
        &format!(
            "scenario: x\n{stub}expect:\n  calls: {{mail.delivery: {{times: 2, with: [{{message_id: m-9}}]}}}}\n"
        ),
        &format!(
            "scenario: x\n{stub}expect:\n  calls: {{mail.delivery: {{times: 1, with: [{{message_id: m-1}}]}}}}\n"
        ),
    );
}

#[test]
fn an_end_that_nobody_expected_is_added() {
    let fail = "do:\n  - no: {raise: {error: {type: 'urn:no', status: 409, title: No}}}\n";
    let (after, told) = update("update-end", fail, "scenario: x\n");
    assert_eq!(after, "scenario: x\nexpect: {status: faulted}\n", "{told}");
    let text = "scenario: x\nexpect:\n  calls: []   # none\n";
    let (after, told) = update("update-end-too", fail, text);
    assert_eq!(after, format!("{text}  status: faulted\n"), "{told}");
}

#[test]
fn what_is_not_an_expectation_is_not_updated() {
    refused("update-stub", SEND, "scenario: x\n", "has nothing to do with `expect`");
    let answered = "scenario: x\ncalls:\n  - {call: mail.delivery, done: {status: pending}}\n";
    let journal = format!("{answered}expect:\n  journal: [{{fact: task_retried}}]\n");
    refused("update-journal", SEND, &journal, "mend it by hand");
    let property = format!("{answered}properties: [{{never: {{call: mail.delivery}}}}]\n");
    refused("update-property", SEND, &property, "has nothing to do with `expect`");
}

/// A token is another one in each run: written down it would fail the next time.
#[test]
fn what_is_different_each_time_is_not_written() {
    let random = "do:\n  - a: {call: token.issue:1.0.0@default, with: {purpose: p, subject: s}}\n";
    refused(
        "update-random",
        random,
        "scenario: x\nexpect:\n  output: {token: abc}\n",
        "another run gives something else",
    );
}

#[test]
fn a_file_that_cannot_be_read_stays_as_it_is() {
    let text = "scenario: x\nexpect: {status: [\n";
    let (after, told) = update("update-broken", SEND, text);
    assert_eq!(after, text);
    assert!(told.contains("1 unreadable"), "{told}");
}
