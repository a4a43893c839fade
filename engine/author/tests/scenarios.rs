//! `tenure test` as a library: every scenario that ships, every example of the manual, and what a
//! wrong scenario is told.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the kit of the tests may panic like a test"
)]

#[path = "scenarios/coverage.rs"]
mod coverage;
#[path = "scenarios/honest.rs"]
mod honest;

#[path = "scenarios/update.rs"]
mod update;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tenure_adapters::Settings as Plugs;
use tenure_author::scenario::{self, Settings, Summary};

/// A folder of one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tenure-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("scenarios")).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn play(paths: &[&Path], scratch: &Folder) -> Summary {
    play_seed(paths, scratch, None)
}

fn play_seed(paths: &[&Path], scratch: &Folder, seed: Option<u64>) -> Summary {
    play_as(paths, scratch, seed, false)
}

fn play_as(paths: &[&Path], scratch: &Folder, seed: Option<u64>, update: bool) -> Summary {
    let registry = |number: usize| {
        let folder = scratch.0.join(format!("license-{number}"));
        tenure_adapters::registry(Plugs { license_dir: Some(folder), ..Plugs::default() })
    };
    let paths = paths.iter().map(|path| path.to_path_buf()).collect();
    scenario::test(&Settings { paths, filter: None, seed, update, registry: &registry }).unwrap()
}

const HEAD: &str = "document: {dsl: 1.0.3, namespace: test, name: main, version: 1.0.0}\n";

/// Plays one scenario text against one definition text.
fn one(name: &str, definition: &str, text: &str) -> Summary {
    let folder = Folder::new(name);
    folder.write("workflow.yaml", &format!("{HEAD}{definition}"));
    folder.write("scenarios/it.yaml", text);
    play(&[&folder.0], &folder)
}

fn told(summary: &Summary) -> String {
    let broken: String = summary.broken.iter().map(|found| found.render(false)).collect();
    format!("{}{broken}{}", scenario::text(summary), scenario::sum(summary))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the scenarios cover of each definition that ships, in percent: it may only grow.
const COVERAGE_MIN: usize = 100;

#[test]
fn every_scenario_that_ships_passes_and_covers_its_definition() {
    let scratch = Folder::new("shipped");
    let summary = play(&[&root().join("workflows")], &scratch);
    let told = told(&summary);
    println!("{told}");
    assert!(summary.played.len() >= 20, "only {} scenarios found", summary.played.len());
    assert!(summary.passed(), "{told}");
    assert_eq!(summary.coverage.len(), 3, "{told}");
    for coverage in &summary.coverage {
        assert!(coverage.percent() >= COVERAGE_MIN, "{told}");
    }
}

/// Processor time of this process for some work.
fn work_of<T>(work: impl FnOnce() -> T) -> Duration {
    let used = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
    };
    let before = used();
    work();
    used() - before
}

/// A year of a subscription: usage every day, an invoice every month, reminders before the renewal.
const YEAR: &str = "
do:
  - year:
      fork:
        branches:
          - days:
              for: {each: day, in: '${ [range($workflow.input.days)] }'}
              do:
                - pause: {wait: P1D}
                - usage: {call: mail.delivery:1.0.0@default, with: {message_id: '${ \"m-\\($day)\" }'}}
                - invoice:
                    if: $day % 30 == 29
                    call: zuora.previewOrder:1.0.0@default
                    with: {sku: premium-self-managed-annual, quantity: 5, start_date: 2026-03-03, country: DE}
          - renewal:
              for: {each: wait, in: '${ [$workflow.input.days - 30, 23, 6] }'}
              do:
                - until: {wait: '${ {days: $wait} }'}
                - remind:
                    call: mail.send:1.0.0@default
                    with: {template: renewal, to: ada@example.com, data: {wait: '${ $wait }'}}
";

fn year(days: usize) -> String {
    let invoices = days / 30;
    format!(
        "scenario: {days} days
input: {{days: {days}}}
calls:
  - {{call: mail.delivery, always: true, done: {{status: delivered}}}}
  - {{call: zuora.previewOrder, always: true, done: {{total: '${{ .calls[\"mail.delivery\"] | length }}'}}}}
  - {{call: mail.send, times: 3, done: {{message_id: m-1, suppressed: false}}}}
expect:
  status: completed
  calls: {{mail.delivery: {days}, zuora.previewOrder: {invoices}}}
  times: {{end: P{days}D, 'mail.send[2]': P{}D}}
",
        days - 1
    )
}

#[test]
fn a_year_of_renewals_takes_a_moment_and_no_more_a_day_than_a_month() {
    let played = |days: usize| {
        let text = year(days);
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let summary = one(&format!("year-{days}"), YEAR, &text);
            assert!(summary.passed(), "{}", told(&summary));
            assert_eq!(summary.played[0].covered.as_hours(), i64::try_from(days * 24).unwrap());
            best = best.min(summary.played[0].took);
        }
        best
    };
    let (month, year) = (played(36), played(365));
    // Work, not waiting: other processes use the same cores.
    let text = self::year(365);
    let work = (0..3).map(|_| work_of(|| one("year-work", YEAR, &text))).min().unwrap();
    let ratio = year.as_secs_f64() / month.as_secs_f64() * 36.0 / 365.0;
    println!(
        "a year of daily timers, invoices and reminders: {year:?} ({work:?} of processor time with \
         its compilation); a day of it costs {ratio:.2} times a day of a month"
    );
    assert!(work < Duration::from_secs(2), "{work:?}");
    assert!(ratio < 8.0, "a longer run pays more for each day: {ratio:.2}");
}

#[test]
fn an_endless_process_is_looked_at_until_a_time() {
    let summary = one(
        "until",
        "do:\n  - pause: {wait: P1D}\n  - again: {set: {n: 1}, then: pause}\n",
        "scenario: For ever\nuntil: P10D\nexpect:\n  status: waiting\n  times: {'again[8]': P9D}\n",
    );
    assert!(summary.passed(), "{}", told(&summary));
}

const SEND: &str =
    "do:\n  - ask:\n      call: mail.delivery:1.0.0@default\n      with: {message_id: m-1}\n";

#[test]
fn a_call_without_a_stub_is_shown_ready_to_paste() {
    let summary = one("unstubbed", SEND, "scenario: x\n");
    let told = told(&summary);
    let paste = "  - call: mail.delivery\n    with:\n      message_id: m-1\n    done: {}\n";
    assert!(told.contains(paste), "{told}");
}

#[test]
fn what_differs_is_told_with_its_line_and_the_story() {
    let summary = one(
        "differs",
        SEND,
        "scenario: x\ncalls:\n  - call: mail.delivery\n    with: {message_id: m-2}\n    \
         done: {status: pending}\nexpect:\n  status: completed\n",
    );
    let told = told(&summary);
    for part in [
        "scenarios/it.yaml:4: mail.delivery was called by ask with other arguments",
        "/message_id: expected \"m-2\", found \"m-1\"",
        "-  \"message_id\": \"m-2\"",
        "+  \"message_id\": \"m-1\"",
        "what happened, by the virtual clock",
        "main:ask: mail.delivery gives {\"status\":\"pending\"}",
    ] {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
}

#[test]
fn a_property_that_does_not_hold_in_some_order_is_found() {
    // The mail leaves at once and the look comes a second later, unless the mail's answer is lost.
    let definition = "do:\n  - both:\n      fork:\n        branches:\n          \
         - a: {call: mail.send:1.0.0@default, with: {template: t, to: a@b.de, to_name: A, data: {n: 1}}}\n          \
         - b: {do: [{p: {wait: PT1S}}, {c: {call: mail.delivery:1.0.0@default, with: {message_id: b}}}]}\n";
    let text = |loses: bool| {
        format!(
            "scenario: x\ncalls:\n  - {{call: mail.send, done: {{message_id: m, suppressed: false}}}}\n  \
             - {{call: mail.delivery, task: c, done: {{status: delivered}}}}\n\
             properties:\n  - never: {{call: mail.delivery, task: c, before: {{call: mail.send, outcome: done}}}}\n\
             explore: {{seeds: 50, loses: {loses}}}\n"
        )
    };
    let summary = one("order-kept", definition, &text(false));
    assert!(summary.passed(), "{}", told(&summary));
    let summary = one("order-lost", definition, &text(true));
    assert!(!summary.passed());
    assert!(summary.played[0].seed.is_some(), "{}", told(&summary));
}

#[test]
fn what_a_scenario_says_too_much_is_a_failure() {
    for (calls, word) in [
        ("  - {call: mail.delivery, done: {status: delivered}, times: 2}\n", "was called 1 times"),
        ("  - {call: mail.delivery, done: {status: nonsense}}\n", "gives no such answer"),
        ("  - {call: mail.delivry, done: {}}\n", "did you mean `mail.delivery`?"),
        ("  - {call: mail.delivery, task: askk, done: {status: pending}}\n", "did you mean `ask`?"),
    ] {
        let summary = one("too-much", SEND, &format!("scenario: x\ncalls:\n{calls}"));
        let told = told(&summary);
        assert!(told.contains(word), "{word} is missing in\n{told}");
    }
    let summary = one(
        "never-came",
        "do:\n  - a: {set: {n: 1}}\n",
        "scenario: x\nevents:\n  - {when: {waiting: t}, send: {type: t}}\n",
    );
    assert!(told(&summary).contains("nobody waited for t"), "{}", told(&summary));
}

#[test]
fn mistakes_in_a_file_have_their_place() {
    for (text, place, word) in [
        ("scenaro: x\n", ":1:1", "did you mean `scenario`?"),
        ("document: {name: x}\ndo: []\n", ":1:", "this is a definition, not a scenario"),
        ("scenario: x\ncalls:\n  - {call: a.b}\n", ":3:5", "has one outcome"),
        ("scenario: x\nexpect: {stats: completed}\n", ":2:10", "did you mean `status`?"),
        ("scenario: x\nexpect:\n  output: {a: {$regx: b}}\n", ":3:", "did you mean `$regex`?"),
        ("scenario: x\nevents:\n  - {after: 3 days, send: {type: t}}\n", ":3:13", "duration"),
        ("scenario: x\nevents:\n  - send: {type: t, data: '${ .x + }'}\n", ":3:", "expected"),
        ("scenario: x\nproperties:\n  - {nevr: {}}\n", ":3:6", "did you mean `never`?"),
        ("scenario: x\ninput: 1\ninput: 2\n", ":3:1", "written twice"),
    ] {
        let summary = one("mistake", "do:\n  - a: {set: {n: 1}}\n", text);
        let told = told(&summary);
        assert!(told.contains(&format!("it.yaml{place}")), "{place} is missing in\n{told}");
        assert!(told.contains(word), "{word} is missing in\n{told}");
    }
}

/// The arcs nobody went, as `task arc`.
fn missing(summary: &Summary) -> Vec<String> {
    let missing = &summary.coverage[0].missing;
    missing.iter().map(|one| format!("{} {}", one.task, one.arc)).collect()
}

#[test]
fn arcs_that_nobody_goes_are_named() {
    let definition = "do:\n  - way:\n      switch:\n        - left: {when: .n == 1, then: end}\n        \
         - right: {then: rest}\n  - rest: {if: '.n > 5', set: {n: 2}}\n  \
         - last: {switch: [{one: {when: .n == 99, then: end}}]}\n";
    let summary = one("arcs", definition, "scenario: x\ninput: {n: 3}\n");
    let missing = missing(&summary);
    let expected =
        ["/do/0/way case left", "/do/1/rest begins", "/do/1/rest if: true", "/do/2/last case one"];
    assert_eq!(missing, expected);
    assert_eq!(summary.coverage[0].total, 10);
    assert_eq!(summary.coverage[0].percent(), 60);
    let lines: Vec<usize> = summary.coverage[0].missing.iter().map(|one| one.line).collect();
    assert_eq!(lines, [5, 7, 7, 8]);
    assert!(told(&summary).contains("workflow.yaml:5: never /do/0/way case left"));
}

const AROUND: &str = "
use:
  functions:
    check:
      try:
        - fail: {if: .n > 1, raise: {error: {type: 'https://example.com/x', status: 500}}}
      catch: {do: [{mend: {set: {mended: true}}}]}
do:
  - first: {call: check, with: {n: 1}}
  - guarded:
      try:
        - second: {call: check, with: {n: 2}, metadata: {compensate: [{back: {set: {n: 0}}}]}}
        - approve: {call: human.task:1.0.0@default, with: {title: May we?, due: P1D}}
      catch: {do: [{undo: {call: engine.compensate:1.0.0@default}}]}
  - hear:
      listen: {to: {any: [{with: {type: added}}], until: {one: {with: {type: closed}}}}}
      foreach: {item: seat, do: [{keep: {set: {n: '${ $seat.n }'}}}]}
";

/// Tasks of a function were looked for at one of its places, so a `try` in a function was never
/// seen to catch; turns, people and undoings were no arcs.
#[test]
fn what_functions_people_and_undoings_go_is_counted() {
    let text = "
scenario: x
events:
  - {when: {waiting: added}, send: {type: added, data: {n: 1}}}
  - {when: {task: keep}, send: {type: closed}}
expect: {status: completed, tasks: {run: [mend, back]}}
";
    let summary = one("around", AROUND, text);
    assert!(summary.passed(), "{}", told(&summary));
    let missing = missing(&summary);
    assert_eq!(missing, ["/do/1/guarded went well", "/do/2/hear no turn", "/do/2/hear many turns"]);
}

#[test]
fn junit_names_every_scenario_and_what_failed() {
    let summary = one("junit", SEND, "scenario: It <fails>\n");
    let xml = scenario::junit(&summary);
    for part in [
        "<testsuites tests=\"1\" failures=\"1\" errors=\"0\"",
        "<testcase name=\"It &lt;fails&gt;\" classname=\"main\"",
        "<failure message=\"ask (main) calls mail.delivery",
    ] {
        assert!(xml.contains(part), "{part} is missing in\n{xml}");
    }
}

/// The blocks of a document in one language, with the comment line before each.
fn blocks(document: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line != "```yaml" {
            continue;
        }
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let name = body[0].trim_start_matches("# ").to_owned();
        blocks.push((name, body.join("\n")));
    }
    blocks
}

#[test]
fn every_example_of_the_manual_plays() {
    let manual = std::fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let folder = Folder::new("manual");
    let blocks = blocks(&manual);
    for (name, text) in &blocks {
        let file = name.split(':').next().unwrap();
        assert!(file.ends_with(".yaml"), "each block begins with its file: {name}");
        folder.write(file, text);
    }
    let summary = play(&[&folder.0], &folder);
    assert!(summary.passed(), "{}", told(&summary));
    assert_eq!(summary.played.len(), blocks.len() - 1, "one definition, the rest are scenarios");
    assert_eq!(summary.coverage[0].percent(), 100, "{}", told(&summary));
}
