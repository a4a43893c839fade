//! A scenario that says something wrong must not be green: one test for each way in which one was.

use crate::{Folder, HEAD, SEND, one, play, play_seed, told};

/// Plays a scenario that must not pass, and wants to be told why.
fn refused(name: &str, definition: &str, text: &str, why: &str) {
    let summary = one(name, definition, text);
    let told = told(&summary);
    assert!(!summary.passed(), "this is green:\n{text}");
    assert!(told.contains(why), "{why} is missing in\n{told}");
}

/// Plays a scenario that must pass.
fn fine(name: &str, definition: &str, text: &str) {
    let summary = one(name, definition, text);
    assert!(summary.passed(), "{text}\n{}", told(&summary));
}

const QUIET: &str = "do:\n  - a: {set: {n: 1}}\n";
const HEAR: &str = "do:\n  - hear: {listen: {to: {one: {with: {type: t.one}}}}}\n";
const TELL: &str = "do:\n  - tell: {emit: {event: {with: {source: /s, type: t.told}}}}\n";
const FAIL: &str = "do:\n  - no: {raise: {error: {type: 'urn:no', status: 409, title: No}}}\n";
const ANSWERED: &str = "scenario: x\ncalls:\n  - {call: mail.delivery, done: {status: pending}}\n";

#[test]
fn an_empty_list_means_that_there_are_none() {
    for (list, why) in [
        ("calls: []", "calls is not as expected"),
        ("calls: {}", "functions were called that are not listed: mail.delivery"),
        ("calls: {mail.delivery: {with: []}}", "what mail.delivery was called with"),
        ("journal: []", "journal is not as expected"),
    ] {
        let text = format!("{ANSWERED}expect:\n  {list}\n");
        refused("empty", SEND, &text, why);
    }
    refused("told", TELL, "scenario: x\nexpect: {emitted: []}\n", "emitted is not as expected");
    let waits = "scenario: x\nexpect: {status: waiting, waiting: []}\n";
    refused("waits", HEAR, waits, "waiting is not as expected");
    let none = "scenario: x\nexpect: {calls: [], emitted: [], waiting: []}\n";
    fine("none", QUIET, none);
    let tasks = "scenario: x\nexpect:\n  tasks: {not_run: []}\n";
    refused("tasks", QUIET, tasks, "an empty list says nothing here");
}

#[test]
fn one_wait_is_not_two() {
    let twice = "scenario: x\nexpect: {status: waiting, waiting: [t.one, t.one]}\n";
    refused("twice", HEAR, twice, "waiting is not as expected");
}

#[test]
fn a_name_with_a_slip_does_not_hold_for_nothing() {
    for (part, why) in [
        ("properties: [{never: {call: mail.delivry}}]", "did you mean `mail.delivery`?"),
        ("properties: [{never: {call: mail.delivery, task: askk}}]", "did you mean `ask`?"),
        ("properties: [{at_most: {task: asc, times: 1}}]", "did you mean `ask`?"),
        ("properties: [{never: {task: ask, before: {task: akk}}}]", "did you mean `ask`?"),
        ("properties: [{never: {call: 'mail.delivery:1.0.0'}}]", "write `mail.delivery`, without"),
        ("properties: [{never: {call: mail.send, task: ask}}]", "`ask` does not call mail.send"),
        ("properties: [{never: {emitted: t.told}}]", "no definition that takes part emits"),
        ("properties: [{never: {received: t.one}}]", "no definition that takes part listens to"),
        ("properties: [{never: {task: ask, fact: skipped}}]", "`ask` is never skipped"),
        ("properties: [{never: {task: ask, fact: retried}}]", "`ask` is never retried"),
        ("expect: {calls: {mail.sned: 0}}", "did you mean `mail.send`?"),
        ("expect: {exactly: {calls: {mail.delivery: 1, mail.sned: 0}}}", "`mail.send`?"),
        ("expect: {calls: [mail.delivry]}", "did you mean `mail.delivery`?"),
        ("expect: {times: {askk: PT0S}}", "neither a function nor a task"),
    ] {
        refused("slip", SEND, &format!("{ANSWERED}{part}\n"), why);
    }
    fine(
        "no-slip",
        SEND,
        &format!(
            "{ANSWERED}expect: {{calls: {{mail.delivery: 1, mail.send: 0}}, times: {{ask: PT0S}}}}\n\
             properties:\n  - at_most: {{call: mail.delivery, task: ask, times: 1}}\n  \
             - never: {{task: ask, fact: faulted}}\n  - never: {{call: mail.send}}\n"
        ),
    );
}

#[test]
fn keys_of_another_kind_of_happening_are_refused() {
    for (what, why) in [
        ("task: ask, with: {n: 1}", "`with` does not go with `task`"),
        ("task: ask, outcome: done", "`outcome` does not go with `task`"),
        ("call: mail.delivery, fact: completed", "`fact` does not go with `call`"),
        ("status: faulted, task: ask", "`status` does not go with `task`"),
        ("emitted: t.told, call: mail.delivery", "`emitted` does not go with `call`"),
        ("with: {n: 1}", "this says not what happens"),
    ] {
        let text = format!("{ANSWERED}properties:\n  - never: {{{what}}}\n");
        refused("kind", SEND, &text, why);
    }
}

#[test]
fn an_expectation_without_status_wants_the_run_completed() {
    let text = "scenario: x\nexpect: {calls: []}\n";
    refused("no-status", FAIL, text, "the run ended faulted with urn:no");
    refused("no-status-waits", HEAR, text, "the run ended waiting");
    fine("status", FAIL, "scenario: x\nexpect: {status: faulted, calls: []}\n");
}

#[test]
fn without_expectation_a_run_must_complete_or_a_property_say_otherwise() {
    refused("bare", FAIL, "scenario: x\n", "nothing says that it should");
    refused("bare-waits", HEAR, "scenario: x\n", "the run ended waiting");
    let other = "scenario: x\nproperties: [{never: {call: mail.send}}]\n";
    refused("other", FAIL, other, "the run ended faulted");
    let said = "scenario: x\nproperties: [{eventually: {status: faulted}}]\n";
    fine("said", FAIL, said);
}

#[test]
fn a_seed_is_for_scenarios_that_explore() {
    let folder = Folder::new("seed");
    folder.write("workflow.yaml", &format!("{HEAD}{FAIL}"));
    folder.write("scenarios/it.yaml", "scenario: x\n");
    let summary = play_seed(&[&folder.0], &folder, Some(7));
    assert!(!summary.passed(), "its base run was left out: {}", told(&summary));
    let explores = "scenario: x\nproperties: [{never: {status: faulted}}]\nexplore: {seeds: 2}\n";
    folder.write("scenarios/it.yaml", explores);
    let summary = play_seed(&[&folder.0], &folder, Some(7));
    assert_eq!((summary.played[0].runs, summary.played[0].seed), (1, Some(7)));
}

#[test]
fn an_exploration_without_properties_is_refused() {
    for properties in ["", "properties: []\n"] {
        let text = format!("scenario: x\n{properties}explore: {{seeds: 2}}\n");
        refused("unproven", QUIET, &text, "`explore` checks the properties");
    }
}

#[test]
fn a_number_that_is_none_does_not_mean_the_first() {
    for (name, why) in [
        ("mail.delivery[one]", "has no whole number in its brackets"),
        ("mail.delivery[]", "has no whole number in its brackets"),
        ("mail.delivery[-1]", "has no whole number in its brackets"),
        ("mail.delivery[0", "has a bracket that is not closed"),
        ("mail.delivery0]", "has a bracket that is not opened"),
        ("[0]", "names nothing"),
        ("end[1]", "counts the end, which comes once"),
    ] {
        let text = format!("{ANSWERED}expect:\n  times: {{'{name}': PT0S}}\n");
        refused("number", SEND, &text, why);
    }
    let text = format!("{ANSWERED}expect:\n  times: {{'mail.delivery[0]': PT0S, end: PT0S}}\n");
    fine("number-fine", SEND, &text);
}

#[test]
fn what_cannot_be_counted_is_refused() {
    for (part, why) in [
        ("calls: 3", "calls must be a list or an object"),
        ("calls: {mail.delivery: {with: {message_id: m-9}}}", "must be a list"),
        ("times: PT0S", "times must be an object"),
    ] {
        refused("uncounted", SEND, &format!("{ANSWERED}expect:\n  {part}\n"), why);
    }
}

#[test]
fn an_instance_that_needs_an_operator_is_told_apart_from_one_that_faulted() {
    let stub = "scenario: x\ncalls:\n  - {call: mail.delivery, rejected: config}\n";
    fine("incident", SEND, &format!("{stub}expect: {{status: incident}}\n"));
    refused(
        "not-faulted",
        SEND,
        &format!("{stub}expect: {{status: faulted}}\n"),
        "expected \"faulted\", found \"incident\"",
    );
}

#[test]
fn an_incident_of_a_child_does_not_change_how_its_parent_ended() {
    let folder = Folder::new("left-child");
    let run = "do:\n  - go: {run: {await: false, workflow: {namespace: test, name: child, version: 1.0.0}}}\n";
    folder.write("workflow.yaml", &format!("{HEAD}{run}"));
    folder.write("child.yaml", &format!("{}{SEND}", HEAD.replace("main", "child")));
    folder.write(
        "scenarios/it.yaml",
        "scenario: x\nwith: [../child.yaml]\ncalls:\n  - {call: mail.delivery, rejected: config}\n\
         expect: {status: completed, calls: [{call: mail.delivery, definition: child}]}\n",
    );
    let summary = play(&[&folder.0], &folder);
    assert!(summary.passed(), "{}", told(&summary));
}

#[test]
fn two_texts_under_one_name_are_refused() {
    let folder = Folder::new("same-name");
    folder.write("workflow.yaml", &format!("{HEAD}{QUIET}"));
    folder.write("other.yaml", &format!("{HEAD}{TELL}"));
    folder.write("scenarios/it.yaml", "scenario: x\nwith: [../other.yaml]\n");
    let told = told(&play(&[&folder.0], &folder));
    assert!(told.contains("are both test/main:1.0.0"), "{told}");
}
