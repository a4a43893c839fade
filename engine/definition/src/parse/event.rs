//! Events: `emit`, `listen`, and the filters of `schedule.on`.

use super::Parser;
use super::model::{Filter, Kind, Strategy};
use crate::plan::Read;
use crate::read::{Entry, Node};

/// CloudEvents attributes are lowercase letters and digits.
fn is_attribute(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

impl Parser<'_> {
    pub(super) fn emit<'n>(&mut self, node: &'n Node) -> Kind<'n> {
        if self.object(node, "emit", &["event"]).is_none() {
            return Kind::Refused;
        }
        let Some(event) = self.required(node, "event", "emit") else { return Kind::Refused };
        if self.object(event, "event", &["with"]).is_none() {
            return Kind::Refused;
        }
        let Some(with) = self.required(event, "with", "event") else { return Kind::Refused };
        let Some(attributes) = self.object_of_any(with, "with") else { return Kind::Refused };
        self.required(with, "type", "an event");
        self.attributes(attributes);
        Kind::Emit(with)
    }

    fn attributes(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| !is_attribute(&entry.key)) {
            self.report
                .error("bad-value", &entry.at, format!("`{}` cannot be an attribute of an event", entry.key))
                .help("CloudEvents attributes are lowercase letters and digits; put the rest under `data`");
        }
    }

    pub(super) fn listen<'n>(&mut self, node: &'n Node, task: &'n Node) -> Kind<'n> {
        if let Some(foreach) = task.get("foreach") {
            let instead = "listen for one event inside a `for`, or handle the list afterwards";
            self.not_yet(&foreach.at, "listen.foreach", instead);
        }
        if self.object(node, "listen", &["to", "read"]).is_none() {
            return Kind::Refused;
        }
        let read = self.read_mode(node);
        let to = self.required(node, "to", "listen").and_then(|to| self.strategy(to));
        to.map_or(Kind::Refused, |to| Kind::Listen { to, read })
    }

    pub(super) fn read_mode(&mut self, parent: &Node) -> Read {
        let Some(entry) = parent.get("read") else { return Read::Data };
        match self.text(&entry.node, "read") {
            Some("envelope") => Read::Envelope,
            Some("raw") => Read::Raw,
            Some("data") | None => Read::Data,
            Some(other) => {
                self.report
                    .error(
                        "bad-value",
                        &entry.node.at,
                        format!("`{other}` is not a way to read an event"),
                    )
                    .help("use data, envelope or raw");
                Read::Data
            }
        }
    }

    /// `one`, `any` or `all`.
    pub(super) fn strategy<'n>(&mut self, node: &'n Node) -> Option<Strategy<'n>> {
        let entries = self.object(node, "to", &["one", "any", "all", "until"])?;
        if let Some(until) = node.get("until") {
            self.not_yet(&until.at, "until", "listen for one event inside a `for` with `while`");
            return None;
        }
        let mut ways =
            entries.iter().filter(|entry| matches!(entry.key.as_str(), "one" | "any" | "all"));
        let Some(way) = ways.next() else {
            self.report
                .error("missing-field", &node.at, "what to listen to is missing")
                .help("give one of one, any, all");
            return None;
        };
        if let Some(second) = ways.next() {
            self.report
                .error(
                    "bad-value",
                    &second.at,
                    format!("`{}` and `{}` exclude each other", way.key, second.key),
                )
                .label("the second one");
        }
        if way.key == "one" {
            return self.filter(&way.node).map(Strategy::One);
        }
        let items = self.list(&way.node, &way.key);
        if way.node.items().is_some_and(<[Node]>::is_empty) {
            // The language lets an empty `any` stand for every event there is.
            let instead = "name the types of the events to wait for";
            self.not_yet(&way.node.at, &format!("an empty `{}`", way.key), instead);
            return None;
        }
        let filters = items.iter().filter_map(|item| self.filter(item)).collect();
        Some(if way.key == "any" { Strategy::Any(filters) } else { Strategy::All(filters) })
    }

    fn filter<'n>(&mut self, node: &'n Node) -> Option<Filter<'n>> {
        self.object(node, "an event filter", &["with", "correlate"])?;
        let with = self.required(node, "with", "an event filter")?;
        let entries = self.object_of_any(with, "with")?;
        if entries.is_empty() {
            self.report
                .error("bad-value", &with.at, "an event filter needs at least one attribute")
                .help("give the event's `type`");
        }
        self.attributes(entries);
        if let Some(data) = with.get("data") {
            let instead =
                "use `correlate` to pick events by a value, or look at the event afterwards";
            self.not_yet(&data.at, "a filter on `data`", instead);
        }
        if let Some(kind) = with.get("type")
            && let Some(text) = self.text(&kind.node, "type")
            && !text.contains("${")
            && text.contains(['*', '+', '?', '[', '(', '|', '^', '$', '\\'])
        {
            let instead = "write one filter under `any` for each type";
            self.not_yet(&kind.node.at, "a regular expression as event type", instead);
        }
        let mut correlate = Vec::new();
        let correlations = node
            .get("correlate")
            .and_then(|entry| self.object_of_any(&entry.node, "correlate"))
            .unwrap_or_default();
        for entry in correlations {
            if self.object(&entry.node, "a correlation", &["from", "expect"]).is_none() {
                continue;
            }
            self.required(&entry.node, "from", "a correlation");
            let expect = entry.node.get("expect").map(|entry| &entry.node);
            if let Some(from) = self.code(&entry.node, "from") {
                correlate.push((entry, from, expect));
            }
        }
        Some(Filter { with: entries, correlate })
    }
}
