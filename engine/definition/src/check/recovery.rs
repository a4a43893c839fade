//! `try`: errors that can never be caught, retries that never end or that should not be.

use super::Checker;
use super::task::field;
use crate::diagnostic::did_you_mean;
use crate::plan::{Retry, TaskId, TaskKind, Try};
use crate::read::{Node, Yaml};

/// Both domains and both paths of the standard error types.
const STANDARD: [&str; 4] = [
    "https://open-workflow-specification.org/spec/1.0.0/errors/",
    "https://open-workflow-specification.org/dsl/errors/types/",
    "https://serverlessworkflow.io/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
];
/// The standard error types.
const NAMES: [&str; 8] = [
    "configuration",
    "validation",
    "expression",
    "authentication",
    "authorization",
    "timeout",
    "communication",
    "runtime",
];
const DECLINED: &str = "urn:tenure:error:declined";

impl<'n> Checker<'n, '_> {
    pub(super) fn recoveries(&mut self) {
        let plan = self.plan;
        for task in &plan.tasks {
            let Some(node) = self.node(task.id) else { continue };
            let Some(catch) = node.get("catch").map(|entry| &entry.node) else { continue };
            if let TaskKind::Try(tried) = &task.kind {
                self.never_caught(tried, node, catch);
                if let (Some(retry), Some(place)) = (&tried.retry, catch.get("retry")) {
                    self.retries(task.id, tried, retry, catch, &place.node);
                }
            }
        }
    }

    fn retries(
        &mut self,
        id: TaskId,
        tried: &Try,
        retry: &Retry,
        catch: &'n Node,
        place: &'n Node,
    ) {
        let filter = &tried.filter;
        let narrow = filter.kind.is_some()
            || filter.status.is_some()
            || filter.instance.is_some()
            || filter.title.is_some()
            || filter.detail.is_some();
        let policy = self.used("retries", place).unwrap_or(place);
        // A condition that is always the same chooses nothing.
        let mut chooses = |node: &'n Node, name: &str, idle: bool| {
            node.get(name).is_some_and(|entry| self.always(&entry.node) != Some(idle))
        };
        let judged = [catch, policy]
            .into_iter()
            .any(|node| chooses(node, "when", true) || chooses(node, "exceptWhen", false));
        let endless = retry.retries_max.is_none() && retry.total_max.is_none();
        if endless && !narrow && !judged {
            // The same place has been warned of when it was read.
            let pointer = place.at.pointer.clone();
            self.report.retain(|item| item.code != "no-limit" || item.pointer != pointer);
            self.report
                .error("no-limit", &place.at, "every error is retried, and without a limit: a mistake would be tried for ever")
                .label("no limit")
                .help("give a limit, for example `limit: {attempt: {count: 5}}`, or name the errors to retry");
        }
        let declined = filter.kind.as_deref() == Some(DECLINED);
        if declined || (!narrow && !judged && self.moves_money(id)) {
            let message = if declined {
                "a declined payment is tried again"
            } else {
                "a declined payment is tried again with every other error"
            };
            self.report
                .warning("retried-decline", &place.at, message)
                .label("banks punish blind retries")
                .help("handle `urn:tenure:error:declined` in a `try` of its own, without `retry`: ask for another card, or wait for days");
        }
    }

    /// Whether a call inside moves money.
    fn moves_money(&self, id: TaskId) -> bool {
        let under = format!("{}/try/", self.plan.task(id).pointer);
        self.plan.tasks.iter().any(|task| {
            task.pointer.starts_with(&under)
                && matches!(&task.kind, TaskKind::Call(call) if call.function.money)
        })
    }

    fn never_caught(&mut self, tried: &Try, node: &'n Node, catch: &'n Node) {
        let Some(kind) = tried.filter.kind.as_deref() else { return };
        let Some(place) = field(catch, &["errors", "with", "type"]) else { return };
        if let Some(name) = standard(kind) {
            if !NAMES.contains(&name) {
                let help = did_you_mean(name, NAMES)
                    .unwrap_or_else(|| format!("the standard types are {}", NAMES.join(", ")));
                self.report
                    .warning(
                        "never-caught",
                        &place.at,
                        format!("there is no standard error `{name}`"),
                    )
                    .help(help);
            }
            return;
        }
        let Some(body) = node.get("try").map(|entry| &entry.node) else { return };
        let mut raised = Vec::new();
        if !self.raises(body, &mut raised) || raised.contains(&kind) {
            return;
        }
        let help = did_you_mean(kind, raised.iter().copied())
            .unwrap_or_else(|| "raise it inside, or remove the filter".to_owned());
        self.report
            .warning("never-caught", &place.at, format!("nothing inside raises `{kind}`"))
            .help(help);
    }

    /// Collects the types that `raise` tasks below give. False when others are possible: by a
    /// call, by another workflow, or computed.
    fn raises(&self, node: &'n Node, found: &mut Vec<&'n str>) -> bool {
        match &node.value {
            Yaml::List(items) => items.iter().all(|item| self.raises(item, found)),
            Yaml::Map(entries) => entries.iter().all(|entry| match entry.key.as_str() {
                "call" | "run" => false,
                "error" => {
                    let error = self.used("errors", &entry.node).unwrap_or(&entry.node);
                    match error.get("type").and_then(|kind| kind.node.text()) {
                        Some(kind) if !kind.contains("${") => {
                            found.push(kind);
                            true
                        }
                        Some(_) | None => false,
                    }
                }
                _ => self.raises(&entry.node, found),
            }),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => true,
        }
    }
}

fn standard(kind: &str) -> Option<&str> {
    STANDARD.iter().find_map(|prefix| kind.strip_prefix(prefix))
}
