//! `schedule`, and its policies under `document.metadata`.

use super::Parser;
use super::model::Schedule;
use crate::read::Node;

/// What can start instances. Several stand beside each other: each fires by itself.
const WAYS: [&str; 4] = ["every", "cron", "after", "on"];

impl Parser<'_> {
    pub(super) fn schedule<'n>(&mut self, root: &'n Node) -> Option<Schedule<'n>> {
        let policy = root
            .get("document")
            .and_then(|entry| entry.node.get("metadata"))
            .and_then(|entry| entry.node.get("schedule"));
        let Some(entry) = root.get("schedule") else {
            if let Some(policy) = policy {
                self.report
                    .error("missing-field", &policy.at, "there is no `schedule` to have policies")
                    .label("says how a schedule fires")
                    .help("add a `schedule`, or remove this");
            }
            return None;
        };
        let node = &entry.node;
        self.object(node, "schedule", &["every", "cron", "after", "on", "read"])?;
        let leaf = |key: &str| node.get(key).map(|entry| &entry.node);
        let on = node.get("on").and_then(|entry| {
            if let Some(until) = entry.node.get("until") {
                let why = "an instance starts with a fixed set of events";
                let instead = "start by the first event and `listen` to more inside";
                self.refuse(&until.at, "`until` in `schedule.on`", why, instead);
                return None;
            }
            self.strategy(&entry.node, &[])
        });
        if let (Some(read), None) = (node.get("read"), node.get("on")) {
            self.report
                .error("missing-field", &read.at, "`read` says how the events of `on` are read")
                .label("there is no `on`");
        }
        if WAYS.iter().all(|way| node.get(way).is_none()) {
            self.report
                .error("missing-field", &node.at, "a schedule starts instances by something")
                .help("give one of every, cron, after, on");
        }
        let read = self.read_mode(node);
        Some(Schedule {
            policy: policy.map(|entry| &entry.node),
            every: leaf("every"),
            cron: leaf("cron"),
            after: leaf("after"),
            on,
            read,
        })
    }
}
