//! What a step of the kit says, in the words of the kit's own manual.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::gherkin::Step;
use crate::definition::read_yaml;

/// A step that was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Phrase {
    /// The text of the definition.
    Definition(String),
    /// The input.
    Input(Value),
    /// The run itself.
    Execute,
    /// How the workflow must end.
    Workflow(Fate),
    /// Paths the output must have.
    Has(Vec<String>),
    /// A path of the output and its value.
    Is(String, Value),
    /// A path of the output and its number of items.
    Counts(String, usize),
    /// When a task must run.
    Runs(String, Turn),
    /// How a task must end.
    Task(String, Fate),
}

/// How something must end.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Stopped before its end.
    Cancel,
    /// Without an error, and with this output when one is given.
    Complete(Option<Value>),
    /// With an error that has these properties when some are given.
    Fault(Option<Value>),
}

/// When a task must run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Before all others.
    First,
    /// After all others.
    Last,
    /// Before this one.
    Before(String),
    /// After this one.
    After(String),
}

impl Phrase {
    /// Reads a step.
    ///
    /// # Errors
    /// Says that the step is unknown, or what it lacks: a scenario with such a step fails.
    pub fn of(step: &Step) -> Result<Self, String> {
        let text = step.text.strip_suffix(':').unwrap_or(&step.text);
        let doc =
            || step.doc.as_deref().ok_or_else(|| format!("`{}` needs a doc string", step.text));
        let phrase = match text {
            "a workflow with definition" => Self::Definition(doc()?.to_owned()),
            "given the workflow input is" | "the workflow input is" => Self::Input(value(doc()?)?),
            "the workflow is executed" => Self::Execute,
            _ => Self::demand(text, step)?,
        };
        let wants_doc = match &phrase {
            Self::Definition(_)
            | Self::Input(_)
            | Self::Is(..)
            | Self::Workflow(Fate::Complete(Some(_)) | Fate::Fault(Some(_)))
            | Self::Task(_, Fate::Complete(Some(_)) | Fate::Fault(Some(_))) => true,
            Self::Execute
            | Self::Has(_)
            | Self::Counts(..)
            | Self::Runs(..)
            | Self::Workflow(Fate::Cancel | Fate::Complete(None) | Fate::Fault(None))
            | Self::Task(_, Fate::Cancel | Fate::Complete(None) | Fate::Fault(None)) => false,
        };
        if step.doc.is_some() && !wants_doc {
            return Err(format!("`{}` takes no doc string", step.text));
        }
        Ok(phrase)
    }

    fn demand(text: &str, step: &Step) -> Result<Self, String> {
        static PROPERTY: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^'([^']+)' property (with value|containing (\d+) items?)$"));
        static TURN: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^(\S+) should run (first|last|before (\S+)|after (\S+))$"));
        static FATE: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^(the workflow|\S+) should (cancel|complete|complete with output|fault|fault with error)$",
            )
        });
        let doc = || match &step.doc {
            Some(doc) => value(doc),
            None => Err(format!("`{}` needs a doc string", step.text)),
        };
        if let Some(list) = text.strip_prefix("the workflow output should have properties ") {
            return Ok(Self::Has(quoted(list)?));
        }
        let property = text.strip_prefix("the workflow output should have a ");
        if let Some(found) = property.and_then(|text| PROPERTY.captures(text)) {
            let path = found[1].to_owned();
            return Ok(match found.get(3) {
                Some(count) => Self::Counts(path, count.as_str().parse().map_err(wrong)?),
                None => Self::Is(path, doc()?),
            });
        }
        if let Some(found) = TURN.captures(text) {
            let other = |index| found.get(index).map(|name| name.as_str().to_owned());
            let turn = match (other(3), other(4), &found[2]) {
                (Some(before), _, _) => Turn::Before(before),
                (_, Some(after), _) => Turn::After(after),
                (None, None, "first") => Turn::First,
                (None, None, _) => Turn::Last,
            };
            return Ok(Self::Runs(found[1].to_owned(), turn));
        }
        let Some(found) = FATE.captures(text) else {
            return Err(format!("unknown step: {}", step.text));
        };
        let fate = match &found[2] {
            "cancel" => Fate::Cancel,
            "complete" => Fate::Complete(None),
            "complete with output" => Fate::Complete(Some(doc()?)),
            "fault" => Fate::Fault(None),
            _ => Fate::Fault(Some(error_of(doc()?)?)),
        };
        Ok(match &found[1] {
            "the workflow" => Self::Workflow(fate),
            task => Self::Task(task.to_owned(), fate),
        })
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is constant")
}

fn wrong(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn value(doc: &str) -> Result<Value, String> {
    read_yaml(doc).map_err(|error| format!("the doc string is not YAML: {error}"))
}

/// `'a', 'b.c'` as a list.
fn quoted(list: &str) -> Result<Vec<String>, String> {
    list.split(',')
        .map(|item| {
            let item = item.trim();
            let inner = item.strip_prefix('\'').and_then(|item| item.strip_suffix('\''));
            inner.map(str::to_owned).ok_or_else(|| format!("`{item}` is not in single quotes"))
        })
        .collect()
}

/// The properties an error must have. Anything else would be met by every error.
fn error_of(doc: Value) -> Result<Value, String> {
    if doc.as_object().is_some_and(|fields| !fields.is_empty()) {
        return Ok(doc);
    }
    Err(format!("the doc string must be properties of an error, not {doc}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(text: &str, doc: Option<&str>) -> Step {
        Step { line: 1, text: text.to_owned(), doc: doc.map(str::to_owned) }
    }

    #[test]
    fn every_step_of_the_kit_s_manual_is_understood() {
        let check = |text: &str, doc: Option<&str>, expected: Phrase| {
            assert_eq!(Phrase::of(&step(text, doc)), Ok(expected), "{text}");
        };
        let (one, name) = (json!({ "a": 1 }), "setRed".to_owned());
        check("a workflow with definition:", Some("do: x"), Phrase::Definition("do: x".to_owned()));
        check("given the workflow input is:", Some("a: 1"), Phrase::Input(one.clone()));
        check("the workflow is executed", None, Phrase::Execute);
        check("the workflow should cancel", None, Phrase::Workflow(Fate::Cancel));
        check("the workflow should complete", None, Phrase::Workflow(Fate::Complete(None)));
        check(
            "the workflow should complete with output:",
            Some("a: 1"),
            Phrase::Workflow(Fate::Complete(Some(one.clone()))),
        );
        check("the workflow should fault", None, Phrase::Workflow(Fate::Fault(None)));
        check(
            "the workflow should fault with error:",
            Some("a: 1"),
            Phrase::Workflow(Fate::Fault(Some(one.clone()))),
        );
        check(
            "the workflow output should have properties 'a', 'b.c'",
            None,
            Phrase::Has(vec!["a".to_owned(), "b.c".to_owned()]),
        );
        check(
            "the workflow output should have a 'b.c' property with value:",
            Some("1"),
            Phrase::Is("b.c".to_owned(), json!(1)),
        );
        check(
            "the workflow output should have a 'b' property containing 12 items",
            None,
            Phrase::Counts("b".to_owned(), 12),
        );
        check("setRed should run first", None, Phrase::Runs(name.clone(), Turn::First));
        check("setRed should run last", None, Phrase::Runs(name.clone(), Turn::Last));
        let (before, after) = (Turn::Before("b".to_owned()), Turn::After("b".to_owned()));
        check("setRed should run before b", None, Phrase::Runs(name.clone(), before));
        check("setRed should run after b", None, Phrase::Runs(name.clone(), after));
        check("setRed should cancel", None, Phrase::Task(name.clone(), Fate::Cancel));
        check("setRed should complete", None, Phrase::Task(name.clone(), Fate::Complete(None)));
        check("setRed should fault", None, Phrase::Task(name.clone(), Fate::Fault(None)));
        let output = Fate::Complete(Some(one.clone()));
        check(
            "setRed should complete with output:",
            Some("a: 1"),
            Phrase::Task(name.clone(), output),
        );
        check(
            "setRed should fault with error:",
            Some("a: 1"),
            Phrase::Task(name, Fate::Fault(Some(one))),
        );
    }

    #[test]
    fn an_unknown_step_is_an_error_and_not_passed_over() {
        let check = |text: &str, doc: Option<&str>, part: &str| {
            let error = Phrase::of(&step(text, doc)).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        };
        check("the workflow should shine", None, "unknown step");
        check("a b should run first", None, "unknown step");
        check("setRed should run second", None, "unknown step");
        check("the workflow should complete with output:", None, "needs a doc string");
        check("the workflow should complete", Some("a: 1"), "takes no doc string");
        check("given the workflow input is:", Some("a: ["), "not YAML");
        check("the workflow output should have properties a", None, "single quotes");
        for doc in ["runtime", "- type: a", "1", "{}", "null"] {
            check("the workflow should fault with error:", Some(doc), "properties of an error");
            check("setRed should fault with error:", Some(doc), "properties of an error");
        }
    }
}
