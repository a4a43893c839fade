//! Whether a run was what a scenario demands. Pure: facts in, complaints out.

use serde_json::Value;
use tenure_adapter::Problem;
use tenure_machine::{Entry, Fact};

use super::phrase::{Fate, Phrase, Turn};

/// How a run ended, and what happened in it.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its end.
    pub end: End,
    /// Its journal.
    pub journal: Vec<Entry>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Came to its end with this output.
    Completed(Value),
    /// An error nobody caught.
    Faulted(Problem),
    /// Stopped.
    Cancelled,
    /// Nothing more can happen, and it has not ended.
    Waiting,
}

/// Checks one demand.
///
/// # Errors
/// What is otherwise.
pub fn check(phrase: &Phrase, ended: &Ended) -> Result<(), String> {
    match phrase {
        Phrase::Definition(_) | Phrase::Input(_) | Phrase::Execute => {
            Err("comes after the run".to_owned())
        }
        Phrase::Workflow(fate) => workflow(fate, &ended.end),
        Phrase::Has(paths) => {
            let output = output(ended)?;
            paths.iter().try_for_each(|path| at(output, path).map(drop))
        }
        Phrase::Is(path, expected) => same(expected, at(output(ended)?, path)?),
        Phrase::Counts(path, expected) => {
            let found = at(output(ended)?, path)?;
            match found.as_array().map(Vec::len) {
                Some(count) if count == *expected => Ok(()),
                Some(_) | None => Err(format!("not {expected} items: {found}")),
            }
        }
        Phrase::Runs(task, turn) => runs(task, turn, &began(ended)),
        Phrase::Task(task, fate) => task_ended(task, fate, &ended.journal),
    }
}

fn workflow(fate: &Fate, end: &End) -> Result<(), String> {
    match (fate, end) {
        (Fate::Cancel, End::Cancelled)
        | (Fate::Complete(None), End::Completed(_))
        | (Fate::Fault(None), End::Faulted(_)) => Ok(()),
        (Fate::Complete(Some(expected)), End::Completed(output)) => same(expected, output),
        (Fate::Fault(Some(expected)), End::Faulted(error)) => error_has(expected, error),
        (
            Fate::Cancel | Fate::Complete(_) | Fate::Fault(_),
            End::Completed(_) | End::Faulted(_) | End::Cancelled | End::Waiting,
        ) => Err(format!("it ended otherwise: {end:?}")),
    }
}

fn output(ended: &Ended) -> Result<&Value, String> {
    match &ended.end {
        End::Completed(output) => Ok(output),
        End::Faulted(_) | End::Cancelled | End::Waiting => {
            Err(format!("there is no output: {:?}", ended.end))
        }
    }
}

/// The value at a path like `content.id`.
fn at<'v>(value: &'v Value, path: &str) -> Result<&'v Value, String> {
    path.split('.').try_fold(value, |value, name| {
        let found = match value {
            Value::Array(items) => name.parse().ok().and_then(|index: usize| items.get(index)),
            Value::Object(fields) => fields.get(name),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        found.ok_or_else(|| format!("no `{path}` in {value}"))
    })
}

fn same(expected: &Value, found: &Value) -> Result<(), String> {
    if equal(expected, found) {
        return Ok(());
    }
    Err(format!("expected {expected}, found {found}"))
}

/// Equal as JSON, where 1 and 1.0 are one number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| equal(one, other)))
        }
        (one, other) => one == other,
    }
}

/// An error has all the properties that are expected; it may have more.
fn error_has(expected: &Value, error: &Problem) -> Result<(), String> {
    let found = serde_json::to_value(error).map_err(|error| error.to_string())?;
    let expected = expected.as_object().ok_or_else(|| format!("no error is {expected}"))?;
    expected.iter().try_for_each(|(name, value)| same(value, at(&found, name)?))
}

/// Pointers of the tasks that began, in order.
fn began(ended: &Ended) -> Vec<&str> {
    ended
        .journal
        .iter()
        .filter(|entry| entry.fact == Fact::TaskStarted)
        .filter_map(|entry| entry.task.as_deref())
        .collect()
}

/// Whether a pointer names a task: its last segment does.
fn names(pointer: &str, task: &str) -> bool {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    last.replace("~1", "/").replace("~0", "~") == task
}

/// A composite task runs as long as the tasks below it do.
fn is_within(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn runs(task: &str, turn: &Turn, began: &[&str]) -> Result<(), String> {
    let place = |task: &str| {
        let found = began.iter().position(|pointer| names(pointer, task));
        found.ok_or_else(|| format!("{task} did not run; these did: {began:?}"))
    };
    let own = place(task)?;
    let is_right = match turn {
        Turn::First => began[..own].iter().all(|earlier| is_within(began[own], earlier)),
        Turn::Last => {
            let last = began.iter().rposition(|pointer| names(pointer, task)).unwrap_or(own);
            began[last..].iter().all(|later| is_within(later, began[last]))
        }
        Turn::Before(other) => own < place(other)?,
        Turn::After(other) => own > place(other)?,
    };
    if is_right { Ok(()) } else { Err(format!("the order was {began:?}")) }
}

/// Some run of the task ended so.
fn task_ended(task: &str, fate: &Fate, journal: &[Entry]) -> Result<(), String> {
    let mut complaints = Vec::new();
    for entry in journal {
        if !entry.task.as_deref().is_some_and(|pointer| names(pointer, task)) {
            continue;
        }
        let verdict = match (fate, &entry.fact) {
            (Fate::Cancel, Fact::TaskCancelled)
            | (Fate::Complete(None), Fact::TaskCompleted { .. })
            | (Fate::Fault(None), Fact::TaskFaulted { .. }) => Ok(()),
            (Fate::Complete(Some(expected)), Fact::TaskCompleted { output }) => {
                same(expected, output)
            }
            (Fate::Fault(Some(expected)), Fact::TaskFaulted { error }) => {
                error_has(expected, error)
            }
            (_, fact) => Err(format!("{fact:?}")),
        };
        match verdict {
            Ok(()) => return Ok(()),
            Err(complaint) => complaints.push(complaint),
        }
    }
    Err(format!("not so; of {task} is known: {}", complaints.join("; ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(task: &str, fact: Fact) -> Entry {
        Entry { task: Some(task.to_owned()), place: None, fact }
    }

    fn ended() -> Ended {
        let completed = |output| Fact::TaskCompleted { output };
        Ended {
            end: End::Completed(json!({ "a": { "b": [1, 2] }, "n": 1.0 })),
            journal: vec![
                entry("/do/0/one", Fact::TaskStarted),
                entry("/do/0/one/do/0/inner", Fact::TaskStarted),
                entry("/do/0/one/do/0/inner", completed(json!(1).into())),
                entry("/do/0/one", completed(json!({ "x": 1 }).into())),
                entry("/do/1/two", Fact::TaskStarted),
                entry("/do/1/two", Fact::TaskCancelled),
            ],
        }
    }

    #[test]
    fn demands_are_met_or_not() {
        let check = |phrase: Phrase, met: bool| {
            let verdict = check(&phrase, &ended());
            assert_eq!(verdict.is_ok(), met, "{phrase:?}: {verdict:?}");
        };
        let fate = |fate| Phrase::Workflow(fate);
        check(fate(Fate::Complete(None)), true);
        check(fate(Fate::Complete(Some(json!({ "a": { "b": [1, 2] }, "n": 1 })))), true);
        check(fate(Fate::Complete(Some(json!({ "a": { "b": [1, 2] } })))), false);
        check(fate(Fate::Fault(None)), false);
        check(fate(Fate::Cancel), false);
        let path = |path: &str| path.to_owned();
        check(Phrase::Has(vec![path("a"), path("a.b"), path("a.b.1")]), true);
        check(Phrase::Has(vec![path("a"), path("a.c")]), false);
        check(Phrase::Is(path("a.b"), json!([1, 2])), true);
        check(Phrase::Is(path("a.b"), json!([2, 1])), false);
        check(Phrase::Counts(path("a.b"), 2), true);
        check(Phrase::Counts(path("a.b"), 1), false);
        check(Phrase::Counts(path("n"), 1), false);
        let runs = |task: &str, turn| Phrase::Runs(task.to_owned(), turn);
        check(runs("one", Turn::First), true);
        check(runs("inner", Turn::First), true);
        check(runs("two", Turn::First), false);
        check(runs("two", Turn::Last), true);
        check(runs("one", Turn::Last), false);
        check(runs("one", Turn::Before(path("two"))), true);
        check(runs("one", Turn::After(path("two"))), false);
        check(runs("two", Turn::After(path("inner"))), true);
        check(runs("absent", Turn::First), false);
        let task = |task: &str, fate| Phrase::Task(task.to_owned(), fate);
        check(task("one", Fate::Complete(Some(json!({ "x": 1 })))), true);
        check(task("one", Fate::Complete(Some(json!({ "x": 2 })))), false);
        check(task("two", Fate::Cancel), true);
        check(task("two", Fate::Complete(None)), false);
    }

    #[test]
    fn an_error_has_at_least_what_is_expected() {
        let error = Problem::standard("timeout", 408, "Timeout", "too late");
        let ended = Ended { end: End::Faulted(error), journal: Vec::new() };
        let demand = |expected| check(&Phrase::Workflow(Fate::Fault(Some(expected))), &ended);
        assert_eq!(demand(json!({ "status": 408 })), Ok(()));
        assert!(demand(json!({ "status": 409 })).is_err());
        assert!(demand(json!({ "absent": 1 })).is_err());
    }
}
