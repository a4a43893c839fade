//! Conditions that are always the same, loops over nothing, and text that was meant as expression.

use super::Checker;
use super::task::field;
use crate::plan::TaskKind;
use crate::read::{Node, Yaml};
use crate::shape::Shape;
use crate::shape::jq::{Env, is_constant};

/// Steps a constant expression may take.
const STEPS_MAX: u32 = 1_000;

impl<'n> Checker<'n, '_> {
    pub(super) fn conditions(&mut self) {
        let plan = self.plan;
        for task in &plan.tasks {
            let Some(node) = self.node(task.id) else { continue };
            if let Some(condition) = node.get("if") {
                match self.always(&condition.node) {
                    Some(true) => self.constant(&condition.node, "always true", "remove it"),
                    Some(false) => {
                        self.constant(
                            &condition.node,
                            "never true",
                            "the task never runs: remove it",
                        );
                    }
                    None => {}
                }
            }
            if let TaskKind::For(_) = &task.kind {
                self.loop_head(node);
            }
            let cases = node.get("switch").and_then(|entry| entry.node.items()).unwrap_or_default();
            self.cases(cases);
            self.literals(task.id, node);
        }
    }

    fn loop_head(&mut self, node: &'n Node) {
        if let Some(condition) = node.get("while") {
            match self.always(&condition.node) {
                Some(true) => self.constant(
                    &condition.node,
                    "always true",
                    "remove it: the loop ends with its list",
                ),
                Some(false) => {
                    self.constant(&condition.node, "never true", "the loop never runs: remove it");
                }
                None => {}
            }
        }
        let Some(items) = field(node, &["for", "in"]) else { return };
        let empty = match &items.value {
            Yaml::List(items) => items.is_empty(),
            Yaml::Text(_) => self.constant_shape(items).is_some_and(|shape| shape.is_empty_array()),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Map(_) => false,
        };
        if empty {
            self.report
                .warning("constant-condition", &items.at, "this list is empty: the loop never runs")
                .help("give the list, or remove the task");
        }
    }

    fn cases(&mut self, items: &'n [Node]) {
        let mut sure: Option<&'n str> = None;
        for item in items {
            let Some([case]) = item.entries() else { continue };
            if let Some(sure) = sure {
                self.report
                    .warning(
                        "unreachable-case",
                        &case.at,
                        format!("the case `{}` is never tried", case.key),
                    )
                    .label("after a case that always fits")
                    .help(format!("`{sure}` fits whatever comes; put it last"));
                return;
            }
            let Some(when) = case.node.get("when") else { continue };
            match self.always(&when.node) {
                Some(true) => {
                    self.constant(
                        &when.node,
                        "always true",
                        "leave `when` away and put the case last",
                    );
                    sure = Some(&case.key);
                }
                Some(false) => self.constant(&when.node, "never true", "remove the case"),
                None => {}
            }
        }
    }

    fn constant(&mut self, node: &Node, what: &str, help: &str) {
        self.report
            .warning("constant-condition", &node.at, format!("this condition is {what}"))
            .label("reads nothing")
            .help(help);
    }

    /// Whether a condition that reads nothing holds; `None` when it reads something.
    pub(super) fn always(&mut self, node: &'n Node) -> Option<bool> {
        let shape = self.constant_shape(node)?;
        match (shape.may_hold(), shape.may_fail()) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            (true, true) | (false, false) => None,
        }
    }

    fn constant_shape(&mut self, node: &'n Node) -> Option<Shape> {
        let (source, term) = self.code(node)?;
        if !is_constant(&term) {
            return None;
        }
        let env = Env { dot: Shape::any(), path: None, vars: Vec::new() };
        let mut steps = STEPS_MAX;
        Some(crate::shape::jq::shape(source, &term, &env, &mut steps, false).0)
    }

    /// Texts in which an expression stands without its braces.
    fn literals(&mut self, id: crate::TaskId, node: &'n Node) {
        let places: [&[&str]; 5] = [
            &["set"],
            &["with"],
            &["emit", "event", "with"],
            &["raise", "error"],
            &["run", "workflow", "input"],
        ];
        let _: crate::TaskId = id;
        for place in places {
            if let Some(value) = field(node, place) {
                self.literal(value);
            }
        }
    }

    fn literal(&mut self, node: &'n Node) {
        match &node.value {
            Yaml::List(items) => items.iter().for_each(|item| self.literal(item)),
            Yaml::Map(entries) => entries.iter().for_each(|entry| self.literal(&entry.node)),
            Yaml::Text(text) if !text.contains("${") => {
                if let Some((found, help)) = meant(text) {
                    self.report
                        .warning("bare-expression", &node.at, format!("`{found}` is taken as text"))
                        .label("looks like an expression")
                        .help(help);
                }
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {}
        }
    }
}

/// What in a text looks like an expression of this or of another language.
fn meant(text: &str) -> Option<(String, String)> {
    /// Longest part that is shown.
    const SHOWN_MAX: usize = 40;
    let cut = |text: &str| text.chars().take(SHOWN_MAX).collect::<String>();
    if let Some((_, rest)) = text.split_once("{{")
        && let Some((inside, _)) = rest.split_once("}}")
    {
        let inside = cut(inside.trim());
        return Some((
            format!("{{{{ {inside} }}}}"),
            format!("write `${{ .{} }}`", inside.trim_start_matches('.')),
        ));
    }
    // A text that begins with `$` or `.` was told when it was compiled.
    let variables = ["context", "input", "output", "workflow", "task", "error", "item"];
    for (at, _) in text.match_indices('$').filter(|(at, _)| *at > 0) {
        let rest = text.get(at + 1..).unwrap_or("");
        let fits = variables.iter().find(|name| {
            rest.strip_prefix(**name).is_some_and(|after| after.starts_with(['.', '[']))
        });
        if fits.is_some() {
            let word: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '[' | ']'))
                .take(SHOWN_MAX)
                .collect();
            let word = word.trim_end_matches('.');
            return Some((format!("${word}"), format!("write `${{ ${word} }}` inside the text")));
        }
    }
    None
}
