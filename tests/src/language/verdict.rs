//! What came of a case against what must come of it.

use serde_json::Value;
use tenure_definition::{Diagnostic, Severity};
use tenure_runtime::local::Report;
use tenure_runtime::local::rehearsal::Firing;

use super::case::{Case, Ending, Expect, Finding};
use super::play::Played;

/// Stands for any value where values are compared exactly.
const ANY: &str = "$any";

/// Everything that is otherwise; empty when the case holds.
#[must_use]
pub fn verdict(case: &Case, played: &Played) -> Vec<String> {
    let mut wrong = Vec::new();
    let of = |severity| played.found.iter().filter(move |item| item.severity == severity);
    let refused = case.expect.refused.as_deref().unwrap_or_default();
    diagnostics("refused", refused, &of(Severity::Error).collect::<Vec<_>>(), played, &mut wrong);
    if let Some(warned) = &case.expect.warned {
        let found: Vec<_> = of(Severity::Warning).collect();
        diagnostics("warned", warned, &found, played, &mut wrong);
    }
    match &played.report {
        Some(report) => run(&case.expect, report, &mut wrong),
        None if case.rehearse.is_some() => fires(&case.expect, &played.fired, &mut wrong),
        None if case.expect.refused.is_none() => wrong.push("it did not run".to_owned()),
        None => {}
    }
    if let Some(called) = &case.expect.called {
        compare("called", called, &played.called, &mut wrong);
    }
    wrong
}

fn run(expect: &Expect, report: &Report, wrong: &mut Vec<String>) {
    let status = Ending::from(report.status);
    if expect.status.unwrap_or(Ending::Completed) != status {
        let error = report.error.as_ref().map(|error| serde_json::json!(error).to_string());
        wrong.push(format!("status: it is {status:?}, {}", error.unwrap_or_default()));
    }
    let exact =
        [("output", &expect.output, &report.output), ("context", &expect.context, &report.context)];
    for (what, expected, found) in exact {
        if let Some(expected) = expected
            && !same(expected, found)
        {
            wrong.push(format!("{what}: expected {expected}, found {found}"));
        }
    }
    if let Some(expected) = &expect.error {
        let found = serde_json::json!(report.error);
        for (name, value) in expected {
            if !same(value, &found[name]) {
                wrong.push(format!("error.{name}: expected {value}, found {found}"));
            }
        }
    }
    if let Some(ran) = &expect.ran {
        compare("ran", ran, &names(&report.tasks_run), wrong);
    }
    if let Some(cancelled) = &expect.cancelled {
        compare("cancelled", cancelled, &names(&report.tasks_cancelled), wrong);
    }
    if let Some(expected) = &expect.emitted {
        let found: Vec<Value> = report.emitted.iter().map(|event| event.envelope()).collect();
        let fits = expected.len() == found.len()
            && expected.iter().zip(&found).all(|(expected, found)| is_within(expected, found));
        if !fits {
            wrong.push(format!("emitted: expected {expected:?}, found {found:?}"));
        }
    }
    if let Some(took) = expect.took {
        let found = report.finished_at.duration_since(report.started_at);
        if took != found {
            wrong.push(format!("took: expected {took:#}, found {found:#}"));
        }
    }
}

/// A text is the instant at which an instance starts, in time and to its own end.
fn fires(expect: &Expect, fired: &[Firing], wrong: &mut Vec<String>) {
    let found: Vec<Value> = fired.iter().map(|firing| serde_json::json!(firing)).collect();
    let expected = expect.fires.as_deref().unwrap_or_default();
    let fits = |(expected, found): (&Value, &Value)| match expected.as_str() {
        Some(at) => {
            let in_time = serde_json::json!({ "nominal": at, "at": at, "fate": "started" });
            is_within(&in_time, found)
        }
        None => is_within(expected, found),
    };
    if expected.len() != found.len() || !expected.iter().zip(&found).all(fits) {
        let shown: Vec<String> = found.iter().map(Value::to_string).collect();
        wrong.push(format!("fires: expected {expected:?}, found\n    {}", shown.join("\n    ")));
    }
}

fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &[T],
    found: &[T],
    wrong: &mut Vec<String>,
) {
    if expected != found {
        wrong.push(format!("{what}: expected {expected:?}, found {found:?}"));
    }
}

/// The last segments of pointers.
fn names(pointers: &[String]) -> Vec<String> {
    pointers
        .iter()
        .map(|pointer| pointer.rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}

/// Equal, where `$any` is equal to everything and 1 to 1.0.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), found) if any == ANY => !found.is_null(),
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

/// Every member that is expected is there; there may be more.
fn is_within(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, expected)| found.get(key).is_some_and(|found| same(expected, found))),
        (expected, found) => same(expected, found),
    }
}

/// Each expected finding is there, and no other.
fn diagnostics(
    what: &str,
    expected: &[Finding],
    found: &[&Diagnostic],
    played: &Played,
    wrong: &mut Vec<String>,
) {
    let fits = expected.len() == found.len()
        && expected.iter().zip(found).all(|(expected, found)| fits(expected, found, played));
    if fits {
        return;
    }
    let shown: Vec<String> = found
        .iter()
        .map(|item| {
            let help = item.help.as_deref().unwrap_or_default();
            format!("{} at `{}`: {} ({help})", item.code, marked(item, played), item.message)
        })
        .collect();
    wrong.push(format!("{what}: expected {expected:?}, found {shown:#?}"));
}

fn fits(expected: &Finding, found: &Diagnostic, played: &Played) -> bool {
    let words = format!("{} {}", found.message, found.help.as_deref().unwrap_or_default());
    expected.code == found.code
        && expected.says.as_ref().is_none_or(|part| words.contains(part.as_str()))
        && expected.at.as_ref().is_none_or(|text| marked(found, played) == text.as_str())
}

/// The text a finding marks.
fn marked<'p>(found: &Diagnostic, played: &'p Played) -> &'p str {
    played.text.get(found.span.offset..found.span.end()).unwrap_or_default()
}
