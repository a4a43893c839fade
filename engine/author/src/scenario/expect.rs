//! `expect`: what must be true when the run is over.

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_definition::time::read_span;
use tenure_machine::Fact;
use tenure_runtime::local::Report;

use super::field::{Field, Reader, later};
use super::matcher::{self, Mismatch};
use super::model::Scenario;
use super::record::{Record, means};
use super::result::Failure;

const KNOWN: [&str; 12] = [
    "status",
    "output",
    "error",
    "context",
    "business_key",
    "calls",
    "emitted",
    "times",
    "tasks",
    "waiting",
    "journal",
    "exactly",
];
const STATUSES: [&str; 6] =
    ["completed", "faulted", "cancelled", "rejected", "waiting", "incident"];
/// How a run ends when nobody says otherwise.
const COMPLETED: &str = "completed";
/// The happening that is the end of the run.
pub(super) const END: &str = "end";

/// Checks the form when the file is read.
pub(super) fn check(reader: &mut Reader<'_>, field: &Field<'_>) {
    check_part(reader, field, &KNOWN);
    if let Some(exactly) = field.get("exactly") {
        let known: Vec<&str> = KNOWN
            .iter()
            .copied()
            .filter(|key| !["exactly", "times", "tasks", "status"].contains(key))
            .collect();
        check_part(reader, &exactly, &known);
    }
}

fn check_part(reader: &mut Reader<'_>, field: &Field<'_>, known: &[&str]) {
    if reader.object(field, "expect", known).is_none() {
        return;
    }
    if let Some(status) = field.get("status") {
        let word = status.value.as_str().unwrap_or_default();
        if !STATUSES.contains(&word) {
            reader.wrong(
                &status,
                "there is no such status",
                format!("use {}", STATUSES.join(", ")),
            );
        }
    }
    for key in ["output", "error", "context", "business_key"] {
        if let Some(member) = field.get(key) {
            matcher::check(reader, &member);
        }
    }
    for key in ["emitted", "journal"] {
        if let Some(list) = field.get(key) {
            for item in reader.items(&list, key) {
                matcher::check(reader, &item);
            }
        }
    }
    if let Some(waiting) = field.get("waiting") {
        reader.texts(&waiting, "waiting");
    }
    if let Some(tasks) = field.get("tasks") {
        reader.object(&tasks, "tasks", &["run", "not_run"]);
        for (key, list) in tasks.members() {
            if reader.texts(&list, key).is_empty() {
                reader.wrong(&list, "an empty list says nothing here", "name tasks, or remove it");
            }
        }
    }
    if let Some(times) = field.get("times") {
        if !times.value.is_object() {
            reader.wrong_type(&times, "times", "an object");
        }
        for (name, member) in times.members() {
            if let Err(why) = happening(name) {
                let help = "write NAME, NAME[0] (the first), NAME[1] or end";
                reader.wrong(&member, format!("`{name}` {why}"), help);
            }
            let is_instant =
                member.value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok());
            if !is_instant {
                reader.span(&member);
            }
        }
    }
    if let Some(calls) = field.get("calls") {
        check_calls(reader, &calls);
    }
}

fn check_calls(reader: &mut Reader<'_>, calls: &Field<'_>) {
    const ITEM: [&str; 10] = [
        "call",
        "definition",
        "task",
        "pointer",
        "at",
        "after",
        "attempt",
        "with",
        "outcome",
        "output",
    ];
    if calls.value.is_array() {
        for item in reader.items(calls, "calls") {
            if item.value.is_string() {
                continue;
            }
            reader.object(&item, "a call", &ITEM);
            reader.required(&item, "call", "a call");
            if let Some(after) = item.get("after") {
                reader.span(&after);
            }
            matcher::check(reader, &item);
        }
        return;
    }
    if !calls.value.is_object() {
        reader.wrong_type(calls, "calls", "a list or an object");
    }
    for (_, member) in calls.members() {
        if member.value.is_object() && member.get("times").or_else(|| member.get("with")).is_some()
        {
            reader.object(&member, "the calls of a function", &["times", "with"]);
            if let Some(with) = member.get("with") {
                reader.items(&with, "with (the arguments of each call)");
            }
        }
        matcher::check(reader, &member);
    }
}

/// What a key of `times` means: a function, a task or [`END`], and which of its happenings.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence.
pub(super) fn happening(name: &str) -> Result<(&str, usize), &'static str> {
    let (what, number) = match name.strip_suffix(']').map(|open| open.rsplit_once('[')) {
        None if name.contains('[') => return Err("has a bracket that is not closed"),
        None => (name, 0),
        Some(None) => return Err("has a bracket that is not opened"),
        Some(Some((what, number))) => {
            (what, number.parse().map_err(|_error| "has no whole number in its brackets")?)
        }
    };
    if what.is_empty() {
        return Err("names nothing");
    }
    if what == END && what != name {
        return Err("counts the end, which comes once");
    }
    Ok((what, number))
}

/// What differs from what was expected.
pub(super) fn verify(scenario: &Scenario, report: &Report, record: &Record) -> Vec<Failure> {
    let mut verdict = Verdict::new(scenario, report, record);
    verdict.end();
    let Some(expect) = &scenario.expect else { return verdict.failures };
    verdict.part(expect, "/expect", false);
    if let Some(exactly) = expect.get("exactly") {
        verdict.part(exactly, "/expect/exactly", true);
    }
    verdict.failures
}

/// A run beside what was expected of it.
pub(super) struct Verdict<'a> {
    pub(super) scenario: &'a Scenario,
    report: &'a Report,
    record: &'a Record,
    failures: Vec<Failure>,
}

impl<'a> Verdict<'a> {
    pub(super) fn new(scenario: &'a Scenario, report: &'a Report, record: &'a Record) -> Self {
        Self { scenario, report, record, failures: Vec::new() }
    }

    /// How the run ended.
    fn end(&mut self) {
        let told = json!(self.report.status);
        let found = told.as_str().unwrap_or_default();
        let expect = self.scenario.expect.as_ref();
        if let Some(wanted) = expect.and_then(|expect| expect.get("status")) {
            return self.value("status", wanted, &json!(found), "/expect", true);
        }
        let properties = &self.scenario.properties;
        let is_demanded = expect.is_none() && properties.iter().any(|rule| rule.demands(found));
        if found == COMPLETED || is_demanded {
            return;
        }
        let words = self.report.error.as_ref().map_or_else(String::new, |error| {
            format!(" with {}: {}", error.kind, error.detail.as_ref().unwrap_or(&error.title))
        });
        let (pointer, why) = match expect {
            Some(_) => ("/expect", "`expect` without `status` wants it completed"),
            None => ("/scenario", "nothing says that it should"),
        };
        let message = format!(
            "the run ended {found}{words}, and {why}; write `status: {found}` under `expect`"
        );
        self.failures.push(Failure::new(self.scenario, pointer, message));
    }

    fn part(&mut self, expect: &Value, at: &str, is_exact: bool) {
        let report = self.report;
        let error = json!(report.error);
        let key = json!(report.business_key);
        let values = [
            ("output", &report.output),
            ("error", &error),
            ("context", &report.context),
            ("business_key", &key),
        ];
        for (name, found) in values {
            if let Some(expected) = expect.get(name) {
                self.value(name, expected, found, at, is_exact);
            }
        }
        match expect.get("calls") {
            Some(Value::Object(counts)) => {
                for (function, wanted) in counts {
                    self.count(function, wanted, &format!("{at}/calls/{function}"));
                }
                if is_exact || counts.is_empty() {
                    self.no_other_calls(counts, &format!("{at}/calls"));
                }
            }
            Some(list) => {
                let wanted = self.calls(list);
                let found = self.record.calls_json();
                self.list("calls", &wanted, &found, at, is_exact);
            }
            None => {}
        }
        for (name, found) in
            [("emitted", self.record.emitted()), ("journal", self.record.journal())]
        {
            if let Some(expected) = expect.get(name).and_then(Value::as_array) {
                self.list(name, expected, &found, at, is_exact);
            }
        }
        if let Some(expected) = expect.get("waiting").and_then(Value::as_array) {
            self.waiting(expected, at, is_exact);
        }
        if let Some(tasks) = expect.get("tasks") {
            self.tasks(tasks, at);
        }
        for (name, wanted) in expect.get("times").and_then(Value::as_object).into_iter().flatten() {
            self.time(name, wanted, at);
        }
    }

    fn differ(&mut self, name: &str, pointer: &str, misses: Vec<Mismatch>, pair: (&Value, &Value)) {
        let failure = Failure::new(self.scenario, pointer, format!("{name} is not as expected"));
        self.failures.push(failure.with_diff(misses, pair.0, pair.1));
    }

    fn value(&mut self, name: &str, expected: &Value, found: &Value, at: &str, is_exact: bool) {
        let misses = matcher::compare(expected, Some(found), is_exact);
        if !misses.is_empty() {
            let shown = if is_exact { found.clone() } else { matcher::focus(expected, found) };
            self.differ(name, &format!("{at}/{name}"), misses, (expected, &shown));
        }
    }

    fn list(&mut self, name: &str, expected: &[Value], found: &[Value], at: &str, is_exact: bool) {
        let misses = matcher::sequence(expected, found, is_exact);
        if misses.is_empty() {
            return;
        }
        let line = misses.first().and_then(|miss| miss.path.split('/').nth(1));
        let pointer = match line {
            Some(index) if !is_exact => format!("{at}/{name}/{index}"),
            Some(_) | None => format!("{at}/{name}"),
        };
        let pair = (Value::Array(expected.to_vec()), Value::Array(found.to_vec()));
        self.differ(name, &pointer, misses, (&pair.0, &pair.1));
    }

    /// Expected calls in the form the record has: `after` becomes an instant.
    pub(super) fn calls(&self, list: &Value) -> Vec<Value> {
        let one = |item: &Value| {
            let mut item = match item {
                Value::String(function) => json!({ "call": function }),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => item.clone(),
            };
            if let Some(map) = item.as_object_mut()
                && let Some(after) = map.remove("after")
                && let Ok(span) = read_span(&after)
            {
                let at = later(self.scenario.at, span, &self.scenario.zone);
                map.insert("at".to_owned(), Value::from(at.to_string()));
            }
            item
        };
        list.as_array().into_iter().flatten().map(one).collect()
    }

    fn count(&mut self, function: &str, wanted: &Value, pointer: &str) {
        let made: Vec<Value> = self
            .record
            .calls
            .iter()
            .filter(|made| made.function == function)
            .map(|made| made.with.clone())
            .collect();
        let count = json!(made.len());
        let (times, with) = match wanted.get("times").or_else(|| wanted.get("with")) {
            Some(_) => (wanted.get("times"), wanted.get("with").and_then(Value::as_array)),
            None => (Some(wanted), None),
        };
        if let Some(times) = times {
            let misses = matcher::compare(times, Some(&count), false);
            if !misses.is_empty() {
                let name = format!("the number of calls of {function}");
                self.differ(&name, pointer, misses, (times, &count));
            }
        }
        if let Some(with) = with {
            let misses = matcher::sequence(with, &made, false);
            if !misses.is_empty() {
                let pair = (Value::Array(with.clone()), Value::Array(made));
                let name = format!("what {function} was called with");
                self.differ(&name, &format!("{pointer}/with"), misses, (&pair.0, &pair.1));
            }
        }
    }

    fn no_other_calls(&mut self, counts: &serde_json::Map<String, Value>, pointer: &str) {
        let mut others: Vec<&str> = self
            .record
            .calls
            .iter()
            .map(|made| made.function.as_str())
            .filter(|function| !counts.contains_key(*function))
            .collect();
        others.sort_unstable();
        others.dedup();
        if !others.is_empty() {
            let message =
                format!("functions were called that are not listed: {}", others.join(", "));
            self.failures.push(Failure::new(self.scenario, pointer, message));
        }
    }

    /// Types of the events that are still waited for, sorted; `*` is any.
    pub(super) fn open_waits(&self) -> Vec<&str> {
        let waiting = self.report.waiting.iter();
        let mut open: Vec<&str> = waiting.map(|kind| kind.as_deref().unwrap_or("*")).collect();
        open.sort_unstable();
        open
    }

    /// Whether it waits as expected.
    pub(super) fn waits(&self, expected: &[Value], is_exact: bool) -> bool {
        let mut found = self.open_waits();
        let mut wanted: Vec<&str> = expected.iter().filter_map(Value::as_str).collect();
        wanted.sort_unstable();
        if is_exact || wanted.is_empty() {
            return wanted == found;
        }
        wanted.iter().all(|kind| {
            let at = found.iter().position(|open| open == kind);
            at.map(|at| found.remove(at)).is_some()
        })
    }

    fn waiting(&mut self, expected: &[Value], at: &str, is_exact: bool) {
        if !self.waits(expected, is_exact) {
            let mut wanted: Vec<&str> = expected.iter().filter_map(Value::as_str).collect();
            wanted.sort_unstable();
            let pair = (json!(wanted), json!(self.open_waits()));
            self.differ("waiting", &format!("{at}/waiting"), Vec::new(), (&pair.0, &pair.1));
        }
    }

    pub(super) fn has_run(&self, task: &str) -> bool {
        self.record.moments.iter().any(|moment| {
            moment.entry.fact == Fact::TaskStarted
                && means(
                    task,
                    &moment.definition,
                    moment.is_root,
                    moment.entry.task.as_deref().unwrap_or_default(),
                )
        })
    }

    fn tasks(&mut self, tasks: &Value, at: &str) {
        for (key, should) in [("run", true), ("not_run", false)] {
            let names = tasks.get(key).and_then(Value::as_array).into_iter().flatten();
            for (index, name) in names.enumerate() {
                let name = name.as_str().unwrap_or_default();
                if self.has_run(name) != should {
                    let words = if should { "did not run" } else { "ran, and should not" };
                    let pointer = format!("{at}/tasks/{key}/{index}");
                    let message = format!("the task {name} {words}");
                    self.failures.push(Failure::new(self.scenario, &pointer, message));
                }
            }
        }
    }

    /// The instant a value of `times` means.
    pub(super) fn instant(&self, wanted: &Value) -> Option<Timestamp> {
        let instant = wanted.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let span = || read_span(wanted).ok();
        instant.or_else(|| Some(later(self.scenario.at, span()?, &self.scenario.zone)))
    }

    /// `mail.send[1]: P3D`, `task: PT5M`, `end: P30D`.
    fn time(&mut self, name: &str, wanted: &Value, at: &str) {
        let pointer = format!("{at}/times/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(expected) = self.instant(wanted) else { return };
        let found = match happening(name) {
            Ok((END, _)) => Some(self.report.finished_at),
            Ok((what, number)) => self.happened(what, number),
            // Refused when the file was read.
            Err(_why) => None,
        };
        if found == Some(expected) {
            return;
        }
        let shown = |at: Timestamp| {
            format!("{} after the start ({at})", super::story::since(self.scenario.at, at))
        };
        let found = found
            .map_or_else(|| "it never did".to_owned(), |found| format!("it did {}", shown(found)));
        let message = format!("{name} should happen {}, but {found}", shown(expected));
        self.failures.push(Failure::new(self.scenario, &pointer, message));
    }

    /// When the n-th call of a function, or beginning of a task, was.
    pub(super) fn happened(&self, what: &str, number: usize) -> Option<Timestamp> {
        let calls = self.record.calls.iter().filter(|made| made.function == what);
        if let Some(made) = calls.clone().nth(number) {
            return self.record.at(made.intended);
        }
        let begun = self.record.moments.iter().filter(|moment| {
            moment.entry.fact == Fact::TaskStarted
                && means(
                    what,
                    &moment.definition,
                    moment.is_root,
                    moment.entry.task.as_deref().unwrap_or_default(),
                )
        });
        begun.map(|moment| moment.at).nth(number)
    }
}
