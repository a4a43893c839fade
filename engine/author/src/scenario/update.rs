//! `tenure test --update`: what happened, as the `expect` of the scenario that expected something
//! else.
//!
//! Only what differs is replaced, and matchers that still fit stay. Nothing is invented: the new text
//! is read and played again by the suite, and written only when it then passes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tenure_runtime::local::Report;

use super::expect::{END, Verdict, happening};
use super::matcher;
use super::model::Scenario;
use super::record::Record;
use super::result::{Failure, Played};
use crate::format;

/// What became of a scenario file that was to be updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The file.
    pub file: String,
    /// What was written, or why nothing was.
    pub outcome: Result<Written, String>,
}

/// What was written into a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The keys of `expect` that changed.
    pub keys: Vec<String>,
    /// The change as a unified diff.
    pub diff: String,
}

/// The new text of a scenario file whose expectations were not met, with the keys that change.
///
/// # Errors
/// Why it cannot be updated, as a sentence.
pub(super) fn propose(
    scenario: &Scenario,
    text: &str,
    played: &Played,
    record: &Record,
) -> Result<(String, Vec<String>), String> {
    if let Some(other) = played.failures.iter().find(|failure| !is_expectation(failure)) {
        return Err(format!(
            "line {} has nothing to do with `expect`, mend it first: {}",
            other.line,
            other.message.lines().next().unwrap_or_default()
        ));
    }
    let report = record.report.as_ref().ok_or("it was not played to an end")?;
    let old = scenario.expect.clone().unwrap_or_else(|| json!({}));
    let Some(fields) = old.as_object() else { return Err("`expect` is no object".to_owned()) };
    let wanted = Wanted { verdict: Verdict::new(scenario, report, record), report, record };
    let mut new = wanted.part(fields, false)?;
    if let Some(exactly) = fields.get("exactly").and_then(Value::as_object) {
        new.insert("exactly".to_owned(), Value::Object(wanted.part(exactly, true)?));
    }
    let status = json!(report.status);
    let said = new.get("status").cloned().unwrap_or_else(|| json!("completed"));
    if !matcher::compare(&said, Some(&status), true).is_empty() {
        new.insert("status".to_owned(), status);
    }
    let keys = changed(fields, &new);
    if keys.is_empty() {
        return Err("nothing in `expect` could be made to fit".to_owned());
    }
    let new = Value::Object(new);
    let text = format::edit::set(text, "expect", &new).map_err(|error| error.to_string())?;
    Ok((text, keys))
}

/// Whether a failure is about `expect`, or about a run whose end nothing demands.
fn is_expectation(failure: &Failure) -> bool {
    failure.pointer.starts_with("/expect") || failure.pointer == "/scenario"
}

fn changed(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let mut keys: Vec<String> =
        old.keys().filter(|key| old.get(*key) != new.get(*key)).cloned().collect();
    keys.extend(new.keys().filter(|key| !old.contains_key(*key)).cloned());
    keys
}

/// What happened, in the form of expectations.
struct Wanted<'a> {
    verdict: Verdict<'a>,
    report: &'a Report,
    record: &'a Record,
}

impl Wanted<'_> {
    fn part(&self, old: &Map<String, Value>, is_exact: bool) -> Result<Map<String, Value>, String> {
        let error = json!(self.report.error);
        let business_key = json!(self.report.business_key);
        let mut new = Map::new();
        for (key, expected) in old {
            let value = match key.as_str() {
                "output" => merged(expected, &self.report.output, is_exact),
                "error" => merged(expected, &error, is_exact),
                "context" => merged(expected, &self.report.context, is_exact),
                "business_key" => merged(expected, &business_key, is_exact),
                "calls" => self.calls(expected, is_exact),
                "emitted" => self.emitted(expected, is_exact),
                "times" => self.times(expected),
                "tasks" => self.tasks(expected),
                "waiting" => self.waiting(expected, is_exact),
                "journal" => self.journal(expected, is_exact)?,
                _ => expected.clone(),
            };
            let is_empty = value.as_object().is_some_and(Map::is_empty);
            if !(is_empty && matches!(key.as_str(), "times" | "tasks")) {
                new.insert(key.clone(), value);
            }
        }
        Ok(new)
    }

    fn calls(&self, expected: &Value, is_exact: bool) -> Value {
        let found = self.record.calls_json();
        match expected {
            Value::Object(counts) => self.counts(counts, is_exact),
            Value::Array(items) => {
                let wanted = self.verdict.calls(expected);
                if matcher::sequence(&wanted, &found, is_exact).is_empty() {
                    return expected.clone();
                }
                let short = |call: &Value| call.get("call").cloned().unwrap_or_default();
                aligned(items, &wanted, &found, is_exact, short)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => expected.clone(),
        }
    }

    fn counts(&self, counts: &Map<String, Value>, is_exact: bool) -> Value {
        let made = |function: &str| -> Vec<Value> {
            let calls = self.record.calls.iter().filter(|made| made.function == function);
            calls.map(|made| made.with.clone()).collect()
        };
        let mut new = Map::new();
        for (function, wanted) in counts {
            let made = made(function);
            let count = json!(made.len());
            let value = match (wanted.get("times"), wanted.get("with")) {
                (None, None) => merged(wanted, &count, false),
                (times, with) => {
                    let mut parts = Map::new();
                    if let Some(times) = times {
                        parts.insert("times".to_owned(), merged(times, &count, false));
                    }
                    if let Some(with) = with.and_then(Value::as_array) {
                        let fits = matcher::sequence(with, &made, false).is_empty();
                        let all = || aligned(with, with, &made, false, Value::clone);
                        let with = if fits { Value::Array(with.clone()) } else { all() };
                        parts.insert("with".to_owned(), with);
                    }
                    Value::Object(parts)
                }
            };
            new.insert(function.clone(), value);
        }
        if is_exact || counts.is_empty() {
            for call in &self.record.calls {
                let count = json!(made(&call.function).len());
                new.entry(call.function.clone()).or_insert(count);
            }
        }
        Value::Object(new)
    }

    fn emitted(&self, expected: &Value, is_exact: bool) -> Value {
        let found = self.record.emitted();
        let Some(items) = expected.as_array() else { return expected.clone() };
        if matcher::sequence(items, &found, is_exact).is_empty() {
            return expected.clone();
        }
        let short = |event: &Value| {
            let kept = ["type", "data"].into_iter();
            let field = |name: &str| Some((name.to_owned(), event.get(name)?.clone()));
            Value::Object(kept.filter_map(field).collect())
        };
        aligned(items, items, &found, is_exact, short)
    }

    fn waiting(&self, expected: &Value, is_exact: bool) -> Value {
        let words: Vec<Value> = expected.as_array().cloned().unwrap_or_default();
        if self.verdict.waits(&words, is_exact) {
            return expected.clone();
        }
        json!(self.verdict.open_waits())
    }

    fn tasks(&self, expected: &Value) -> Value {
        let mut run = Vec::new();
        let mut not_run = Vec::new();
        for key in ["run", "not_run"] {
            for name in expected.get(key).and_then(Value::as_array).into_iter().flatten() {
                let has_run = self.verdict.has_run(name.as_str().unwrap_or_default());
                if has_run { &mut run } else { &mut not_run }.push(name.clone());
            }
        }
        let lists = [("run", run), ("not_run", not_run)].into_iter();
        let lists = lists.filter(|(_, list)| !list.is_empty());
        Value::Object(lists.map(|(key, list)| (key.to_owned(), Value::Array(list))).collect())
    }

    fn times(&self, expected: &Value) -> Value {
        let mut new = Map::new();
        for (name, wanted) in expected.as_object().into_iter().flatten() {
            let found = match happening(name) {
                Ok((END, _)) => Some(self.report.finished_at),
                Ok((what, number)) => self.verdict.happened(what, number),
                Err(_refused_when_read) => None,
            };
            let Some(found) = found else { continue };
            let value = if self.verdict.instant(wanted) == Some(found) {
                wanted.clone()
            } else if wanted.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()) {
                json!(found.to_string())
            } else {
                json!(span(found.duration_since(self.verdict.scenario.at)))
            };
            new.insert(name.clone(), value);
        }
        Value::Object(new)
    }

    /// Which facts matter is the author's choice; all of them would be a copy of the engine.
    fn journal(&self, expected: &Value, is_exact: bool) -> Result<Value, String> {
        let items = expected.as_array().map(Vec::as_slice).unwrap_or_default();
        if matcher::sequence(items, &self.record.journal(), is_exact).is_empty() {
            return Ok(expected.clone());
        }
        Err("`journal` is not as expected, and which facts matter only you know: mend it by hand"
            .to_owned())
    }
}

/// A duration, in days where it is whole days.
fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    if seconds > 0 && seconds % 86_400 == 0 && duration.subsec_nanos() == 0 {
        return format!("P{}D", seconds / 86_400);
    }
    duration.to_string()
}

/// What was expected, with what was found in the places that differ.
fn merged(expected: &Value, found: &Value, is_exact: bool) -> Value {
    if matcher::compare(expected, Some(found), is_exact).is_empty() {
        return expected.clone();
    }
    match (expected, found) {
        (Value::Object(wanted), Value::Object(fields)) if !matcher::is_matcher(wanted) => {
            let mut new = Map::new();
            for (key, wanted) in wanted {
                match fields.get(key) {
                    Some(field) => _ = new.insert(key.clone(), merged(wanted, field, is_exact)),
                    None if matcher::compare(wanted, None, is_exact).is_empty() => {
                        new.insert(key.clone(), wanted.clone());
                    }
                    None => {}
                }
            }
            if is_exact {
                for (key, field) in fields {
                    new.entry(key.clone()).or_insert_with(|| field.clone());
                }
            }
            Value::Object(new)
        }
        (Value::Array(wanted), Value::Array(items)) if wanted.len() == items.len() => {
            let pairs = wanted.iter().zip(items);
            Value::Array(pairs.map(|(wanted, item)| merged(wanted, item, is_exact)).collect())
        }
        _ => found.clone(),
    }
}

/// All that was found, in order: as it was written where that fits, else in short.
fn aligned(
    written: &[Value],
    wanted: &[Value],
    found: &[Value],
    is_exact: bool,
    short: impl Fn(&Value) -> Value,
) -> Value {
    let mut from = 0;
    let one = |item: &Value| {
        let rest = wanted.iter().enumerate().skip(from);
        let fits = |wanted: &Value| matcher::compare(wanted, Some(item), is_exact).is_empty();
        let fitting = rest.into_iter().find(|(_, wanted)| fits(wanted)).map(|(at, _)| at);
        let kept = fitting.and_then(|at| {
            from = at + 1;
            written.get(at).cloned()
        });
        kept.unwrap_or_else(|| short(item))
    };
    Value::Array(found.iter().map(one).collect())
}
