//! What starts instances, and its policies.

use super::Compiler;
use super::name::{Position, Variables};
use crate::cron::Cron;
use crate::parse::model;
use crate::plan::Schedule;
use crate::read::Node;
use crate::schedule::{EVERY_MIN, Fold, Gap, Overlap, Policy, has_dates, is_shorter};
use crate::time::Duration;

impl<'n> Compiler<'_, 'n> {
    pub(super) fn schedule(&mut self, schedule: &model::Schedule<'n>) -> Schedule {
        let none = Variables::none();
        let on = schedule
            .on
            .as_ref()
            .and_then(|strategy| self.strategy(strategy, Position::Event, &none));
        let every = self.interval(schedule.every);
        let after = self.fixed(schedule.after);
        let cron = schedule.cron.and_then(|node| self.cron(node));
        let policy = schedule.policy.map_or_else(Policy::default, |node| self.policy(node));
        Schedule { every, cron, after, on, read: schedule.read, policy }
    }

    fn cron(&mut self, node: &Node) -> Option<Cron> {
        let Some(text) = node.text() else {
            let message = format!("a cron schedule is text, not {}", node.describe());
            self.report.error("wrong-type", &node.at, message);
            return None;
        };
        match Cron::parse(text) {
            Ok(cron) if has_dates(&cron) => Some(cron),
            Ok(_) => {
                self.report
                    .error("bad-cron", &node.at, format!("`{text}` has no next date"))
                    .label("no calendar has such a day")
                    .help("check day-of-month against the months");
                None
            }
            Err(error) => {
                self.report
                    .error("bad-cron", &node.at, error.to_string())
                    .help("write five fields: minute hour day-of-month month day-of-week");
                None
            }
        }
    }

    fn interval(&mut self, node: Option<&Node>) -> Option<Duration> {
        let duration = self.fixed(node)?;
        if let (Duration::Fixed(span), Some(node)) = (&duration, node)
            && is_shorter(*span, EVERY_MIN)
        {
            self.report
                .error("bad-duration", &node.at, "`every` must be at least one second")
                .help("a loop that is always busy belongs into one instance");
            return None;
        }
        Some(duration)
    }

    /// A duration that no instance can compute.
    fn fixed(&mut self, node: Option<&Node>) -> Option<Duration> {
        let node = node?;
        let duration = self.duration(node, Position::Event, &Variables::none())?;
        if let Duration::Computed(_) = duration {
            self.report
                .error("bad-duration", &node.at, "a schedule's duration must be constant")
                .label("there is no input yet to compute it from");
            return None;
        }
        Some(duration)
    }

    /// `metadata.schedule`.
    fn policy(&mut self, node: &Node) -> Policy {
        let mut policy = Policy::default();
        if !self.known(node, "metadata.schedule", &["overlap", "catchUp", "dst", "jitter"]) {
            return policy;
        }
        let choices = [
            ("allow", Overlap::Allow),
            ("skip", Overlap::Skip),
            ("buffer-one", Overlap::BufferOne),
            ("cancel-previous", Overlap::CancelPrevious),
        ];
        policy.overlap = self.choice(node, "overlap", &choices).unwrap_or_default();
        let mut span = |key: &str| match self.fixed(node.get(key).map(|entry| &entry.node)) {
            Some(Duration::Fixed(span)) => Some(span),
            Some(Duration::Computed(_)) | None => None,
        };
        policy.catch_up = span("catchUp");
        policy.jitter = span("jitter");
        if let Some(dst) = node.get("dst")
            && self.known(&dst.node, "metadata.schedule.dst", &["gap", "overlap"])
        {
            let gaps = [("next", Gap::Next), ("skip", Gap::Skip)];
            policy.gap = self.choice(&dst.node, "gap", &gaps).unwrap_or_default();
            let folds = [("first", Fold::First), ("both", Fold::Both)];
            policy.fold = self.choice(&dst.node, "overlap", &folds);
        }
        policy
    }

    /// Whether a node is an object, and finds what it may not have.
    fn known(&mut self, node: &Node, what: &str, known: &[&str]) -> bool {
        let Some(entries) = node.entries() else {
            let message = format!("{what} must be an object, not {}", node.describe());
            self.report.error("wrong-type", &node.at, message);
            return false;
        };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = crate::diagnostic::did_you_mean(&entry.key, known.iter().copied());
            self.report
                .error("unknown-field", &entry.at, format!("{what} has no field `{}`", entry.key))
                .label("not known here")
                .help(near.unwrap_or_else(|| format!("known here: {}", known.join(", "))));
        }
        true
    }

    /// One word of several.
    fn choice<T: Copy>(&mut self, parent: &Node, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let node = &parent.get(key)?.node;
        let found = choices.iter().find(|(word, _)| Some(*word) == node.text());
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let given =
                node.text().map_or_else(|| node.describe().to_owned(), |t| format!("`{t}`"));
            self.report
                .error("bad-value", &node.at, format!("{given} is no value of `{key}`"))
                .help(format!("use one of {}", words.join(", ")));
        }
        found.map(|(_, value)| *value)
    }
}
