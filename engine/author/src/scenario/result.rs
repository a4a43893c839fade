//! How a scenario went.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use similar::TextDiff;

use super::matcher::Mismatch;
use super::model::Scenario;

/// Lines of a diff that are shown.
const DIFF_LINES_MAX: usize = 80;

/// Something that was not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line of the scenario file that expected it.
    pub line: usize,
    /// JSON pointer of what expected it there.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// The differences, when two values were compared.
    pub mismatches: Vec<Mismatch>,
    /// Expected against found, as a unified diff; empty for single values.
    pub diff: String,
}

impl Failure {
    pub(super) fn new(scenario: &Scenario, pointer: &str, message: impl Into<String>) -> Self {
        Self {
            line: scenario.line(pointer),
            pointer: pointer.to_owned(),
            message: message.into(),
            mismatches: Vec::new(),
            diff: String::new(),
        }
    }

    /// Adds the differences, and a diff where the values are more than a word.
    pub(super) fn with_diff(
        mut self,
        mismatches: Vec<Mismatch>,
        expected: &Value,
        found: &Value,
    ) -> Self {
        self.mismatches = mismatches;
        if is_large(expected) || is_large(found) {
            let (expected, found) = (format!("{expected:#}\n"), format!("{found:#}\n"));
            let diff = TextDiff::from_lines(&expected, &found);
            let text =
                diff.unified_diff().context_radius(2).header("expected", "found").to_string();
            let lines: Vec<&str> = text.lines().take(DIFF_LINES_MAX).collect();
            self.diff = lines.join("\n");
        }
        self
    }
}

fn is_large(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// One line of the story of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, by the virtual clock.
    pub at: Timestamp,
    /// Since the start, for people.
    pub after: String,
    /// Definition and task.
    pub place: String,
    /// What.
    pub what: String,
}

/// The result of one scenario.
#[derive(Debug, Clone)]
pub struct Played {
    /// The scenario file.
    pub file: String,
    /// The title.
    pub title: String,
    /// The definition it is about.
    pub definition: String,
    /// What was not as expected; empty when all was.
    pub failures: Vec<Failure>,
    /// The seed of the exploration that failed.
    pub seed: Option<u64>,
    /// The story, told when it failed.
    pub story: Vec<Line>,
    /// Real time it took.
    pub took: Duration,
    /// Virtual time it covered.
    pub covered: jiff::SignedDuration,
    /// Runs made: one, and one for each seed.
    pub runs: u64,
}

impl Played {
    /// Whether all was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}
