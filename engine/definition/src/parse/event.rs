//! Events: `emit`, `listen`, and the filters of `schedule.on`.

use super::Parser;
use super::model::{Filter, Foreach, Kind, Strategy, Until};
use crate::plan::Read;
use crate::read::{Entry, Node, Yaml};

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
        let foreach = task.get("foreach").map(|entry| self.foreach(&entry.node));
        if self.object(node, "listen", &["to", "read"]).is_none() {
            return Kind::Refused;
        }
        let read = self.read_mode(node);
        let Some(node) = self.required(node, "to", "listen") else { return Kind::Refused };
        let until = self.until(node);
        let Some(to) = self.strategy(node, &["until"]) else { return Kind::Refused };
        match foreach {
            Some(None) => Kind::Refused,
            Some(foreach @ Some(_)) => Kind::Listen { to, read, until, foreach },
            None => Kind::Listen { to, read, until, foreach: None },
        }
    }

    /// `until`: a condition on what was consumed, or the events that end it.
    fn until<'n>(&mut self, to: &'n Node) -> Option<Until<'n>> {
        let entry = to.get("until")?;
        if to.get("any").is_none() {
            self.report
                .error("bad-value", &entry.at, "`until` belongs to `any`")
                .label("`one` and `all` say themselves when they are over")
                .help("remove it, or listen to `any`");
            return None;
        }
        match &entry.node.value {
            Yaml::Text(_) => Some(Until::Condition(&entry.node)),
            Yaml::Map(_) => self.strategy(&entry.node, &[]).map(Until::Events),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                let expected = "an expression like '${ length >= 3 }' or `one`, `any`, `all`";
                self.wrong_type(&entry.node, "until", expected);
                None
            }
        }
    }

    /// `foreach` of a `listen`.
    fn foreach<'n>(&mut self, node: &'n Node) -> Option<Foreach<'n>> {
        self.object(node, "foreach", &["item", "at", "do", "output", "export"])?;
        let item = self.variable(node, "item", "item");
        let at = self.variable(node, "at", "index");
        if item == at {
            self.report
                .error("bad-value", &node.at, format!("`item` and `at` are both named `{item}`"))
                .label("they need two names");
        }
        let body = node.get("do").map(|entry| self.block(&entry.node, "do")).unwrap_or_default();
        Some(Foreach {
            item,
            at,
            body,
            output: self.data(node, "output", "as"),
            export: self.data(node, "export", "as"),
        })
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

    /// `one`, `any` or `all`, beside the fields `more`.
    pub(super) fn strategy<'n>(&mut self, node: &'n Node, more: &[&str]) -> Option<Strategy<'n>> {
        let known: Vec<&str> = ["one", "any", "all"].iter().chain(more).copied().collect();
        let entries = self.object(node, "what to listen to", &known)?;
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
        if way.key == "all" && way.node.items().is_some_and(<[Node]>::is_empty) {
            self.report
                .error("bad-value", &way.node.at, "an empty `all` waits for nothing")
                .help("name the events to wait for; an empty `any` takes every event");
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
        if let Some(kind) = with.get("type") {
            self.text(&kind.node, "type")?;
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
