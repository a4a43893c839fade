//! Waits that nothing can satisfy, times of zero, and schedules that never come.

use std::borrow::Cow;

use serde_json::Value;

use super::Checker;
use super::task::{field, filters};
use crate::diagnostic::edits;
use crate::expression::Scope;
use crate::matcher::{Matcher, Pattern};
use crate::plan::{Retry, TaskKind};
use crate::read::Node;
use crate::shape::Shape;
use crate::time::Duration;

/// The context attributes of CloudEvents; others are extensions of the sender.
pub(super) const ATTRIBUTES: [&str; 9] = [
    "id",
    "source",
    "type",
    "subject",
    "time",
    "data",
    "datacontenttype",
    "dataschema",
    "specversion",
];
/// From this length on two edits still look like a slip.
const LONG: usize = 6;

impl<'n> Checker<'n, '_> {
    pub(super) fn waits(&mut self) {
        let plan = self.plan;
        for task in &plan.tasks {
            let Some(node) = self.node(task.id) else { continue };
            self.zero(
                task.timeout.as_ref(),
                node.get("timeout").map(|entry| &entry.node),
                "times out at once",
            );
            if let TaskKind::Wait(duration) = &task.kind
                && is_zero(duration)
                && let Some(wait) = node.get("wait")
            {
                self.report
                    .warning("zero-duration", &wait.node.at, "this waits for no time at all")
                    .help("give a time, or remove the task");
            }
            if let TaskKind::Try(tried) = &task.kind
                && let Some(Retry { attempt_timeout, total_max, .. }) = &tried.retry
            {
                let place = field(node, &["catch", "retry"]);
                self.zero(attempt_timeout.as_ref(), place, "lets no attempt finish");
                self.zero(total_max.as_ref(), place, "never retries");
            }
            if let Some(to) = field(node, &["listen", "to"]) {
                self.listens(to);
            }
            if let Some(with) = field(node, &["emit", "event", "with"]) {
                self.attributes(with);
            }
        }
        self.zero(plan.timeout.as_ref(), field(self.root, &["timeout"]), "times out at once");
        self.schedule();
    }

    fn zero(&mut self, duration: Option<&Duration>, place: Option<&'n Node>, what: &str) {
        if let (Some(duration), Some(place)) = (duration, place)
            && is_zero(duration)
        {
            self.report
                .error("zero-duration", &place.at, format!("a time of zero {what}"))
                .help("give a time, or remove it");
        }
    }

    fn schedule(&mut self) {
        if self.plan.schedule.is_none() {
            return;
        }
        if let Some(on) = field(self.root, &["schedule", "on"]) {
            self.listens(on);
        }
    }

    fn listens(&mut self, to: &'n Node) {
        let all = filters(to);
        for (index, filter) in all.iter().enumerate() {
            let same = all.iter().take(index).find(|other| other.to_json() == filter.to_json());
            if let Some(same) = same {
                let line = same.at.span.line;
                self.report
                    .warning("duplicate-filter", &filter.at, "the same filter stands here twice")
                    .label("the second one")
                    .help(format!(
                        "the first one is on line {line}; one event can satisfy both, so remove one"
                    ));
            }
            if let Some(with) = filter.get("with") {
                self.attributes(&with.node);
            }
            self.contradictions(filter);
        }
    }

    /// Attributes that are most likely misspelt.
    fn attributes(&mut self, with: &'n Node) {
        for entry in with.entries().unwrap_or_default() {
            let name = entry.key.as_str();
            if ATTRIBUTES.contains(&name) {
                continue;
            }
            let near = ATTRIBUTES.iter().find(|known| {
                let distance = edits(name, known);
                distance == 1 && known.len() > 2
                    || (distance == 2 && known.len() >= LONG)
                    || same_letters(name, known)
            });
            if let Some(near) = near {
                self.report
                    .warning(
                        "unusual-attribute",
                        &entry.at,
                        format!("`{name}` is no attribute that CloudEvents defines"),
                    )
                    .label("an extension of the sender?")
                    .help(format!("did you mean `{near}`?"));
            }
        }
    }

    /// What one filter asks of the same value in two ways.
    fn contradictions(&mut self, filter: &'n Node) {
        let with = filter.get("with").map(|entry| &entry.node);
        let correlate = filter.get("correlate").and_then(|entry| entry.node.entries());
        let mut seen: Vec<(&'n str, &'n str, Option<&'n Node>)> = Vec::new();
        for entry in correlate.unwrap_or_default() {
            let Some(from) = entry.node.get("from").map(|from| &from.node) else { continue };
            let Some((source, _)) = self.code(from) else { continue };
            let source = source.trim();
            let expect = entry.node.get("expect").map(|expect| &expect.node);
            let wanted = scalar(expect);
            let attribute = source.strip_prefix('.').and_then(|name| with?.get(name));
            let given = scalar(attribute.map(|entry| &entry.node));
            if let (Some(wanted), Some(given), Some(expect)) = (&wanted, &given, expect)
                && !may_meet(source == ".data", given, wanted)
            {
                self.report
                    .error(
                        "unsatisfiable-wait",
                        &expect.at,
                        format!("`with` wants {given} for `{source}`, and this wants {wanted}"),
                    )
                    .label("no event can be both")
                    .help("remove one of the two");
            }
            if let Some((other, _, before)) = seen.iter().find(|(_, known, _)| *known == source) {
                let both = scalar(*before).zip(wanted);
                match (both, expect) {
                    (Some((one, two)), Some(expect)) if differ(&one, &two) => {
                        self.report
                            .error(
                                "unsatisfiable-wait",
                                &expect.at,
                                format!(
                                    "`{other}` wants {one} for `{source}`, and this wants {two}"
                                ),
                            )
                            .label("no event can be both")
                            .help("remove one of the two");
                    }
                    (_, _) => {
                        self.report
                            .warning(
                                "duplicate-filter",
                                &entry.at,
                                format!("`{}` reads the same as `{other}`", entry.key),
                            )
                            .help("remove one of the two correlations");
                    }
                }
            }
            seen.push((entry.key.as_str(), source, expect));
        }
    }

    /// An expectation that is always null meets no event.
    pub(super) fn expectation(&mut self, found: &Shape, node: &'n Node) {
        if self.speaking && found.is_null() {
            self.report
                .error("unsatisfiable-wait", &node.at, "the value to expect is always null")
                .label("no event will ever fit")
                .help(
                    "read it from where it is; `tenure explain` shows what `.` and `$context` hold",
                );
        }
    }
}

/// A text, number or boolean without expressions. An object in `with` asks for some fields only,
/// so nothing is told of those.
fn scalar(node: Option<&Node>) -> Option<Value> {
    let value = node?.to_json();
    let plain = match &value {
        Value::String(text) => !text.contains("${"),
        Value::Bool(_) | Value::Number(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    plain.then_some(value)
}

/// Whether the value that is expected can be one that `with` lets pass.
fn may_meet(data: bool, given: &Value, wanted: &Value) -> bool {
    // Only a whole attribute can be given as a pattern.
    if let Value::String(text) = given
        && !data
        && Pattern::is_meant(text)
    {
        let pattern = Pattern::compile(text).ok().map(Matcher::Pattern);
        return pattern.is_none_or(|pattern| pattern.fits(wanted, &NoVariables));
    }
    !differ(given, wanted)
}

/// Whether no value is both.
fn differ(one: &Value, two: &Value) -> bool {
    match (one.as_f64(), two.as_f64()) {
        // 1 and 1.0 are one number to jq.
        (Some(one), Some(two)) => one.total_cmp(&two).is_ne(),
        (_, _) => one != two,
    }
}

/// A pattern names no variables.
struct NoVariables;

impl Scope for NoVariables {
    fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

fn is_zero(duration: &Duration) -> bool {
    match duration {
        Duration::Fixed(span) => span.is_zero(),
        Duration::Computed(_) => false,
    }
}

fn same_letters(one: &str, two: &str) -> bool {
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(one) == sorted(two)
}
