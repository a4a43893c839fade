//! Events to wait for, and what starts instances.

use serde_json::json;

use super::Compiler;
use super::digest::hex;
use super::name::{Position, Variables};
use crate::cron;
use crate::parse::model;
use crate::plan::{Correlation, EventFilter, Listen, Read, Schedule, Strategy, TaskKind};
use crate::read::Node;
use crate::template::Template;
use crate::time::Duration;

impl<'n> Compiler<'_, 'n> {
    pub(super) fn listen(
        &mut self,
        to: &model::Strategy<'n>,
        read: Read,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let to = self.strategy(to, Position::Body, variables)?;
        Some(TaskKind::Listen(Box::new(Listen { to, read, until: None, foreach: None })))
    }

    fn strategy(
        &mut self,
        strategy: &model::Strategy<'n>,
        position: Position,
        variables: &Variables,
    ) -> Option<Strategy> {
        let mut all = |filters: &[model::Filter<'n>]| {
            let filters: Vec<_> =
                filters.iter().map(|filter| self.filter(filter, position, variables)).collect();
            filters.into_iter().collect::<Option<Vec<_>>>()
        };
        match strategy {
            model::Strategy::One(filter) => {
                all(std::slice::from_ref(filter)).and_then(|mut one| one.pop()).map(Strategy::One)
            }
            model::Strategy::Any(filters) => all(filters).map(Strategy::Any),
            model::Strategy::All(filters) => all(filters).map(Strategy::All),
        }
    }

    fn filter(
        &mut self,
        filter: &model::Filter<'n>,
        position: Position,
        variables: &Variables,
    ) -> Option<EventFilter> {
        let mut event_type = None;
        let mut with = Vec::new();
        for entry in filter.with {
            let template = self.operand(&entry.node, position, variables)?;
            match template.constant().and_then(|value| value.as_str()) {
                Some(constant) if entry.key == "type" => event_type = Some(constant.to_owned()),
                _ => with.push((entry.key.clone(), template)),
            }
        }
        let mut correlate = Vec::new();
        for (entry, from, expect) in &filter.correlate {
            let from = self.expression(from, Position::Event, variables);
            let expect = expect.map(|node| self.operand(node, position, variables));
            let expect = match expect {
                Some(expect) => Some(expect?),
                None => None,
            };
            correlate.push(Correlation { name: entry.key.clone(), from: from?, expect });
        }
        correlate.sort_by(|one, other| one.name.cmp(&other.name));
        let shape = shape(&correlate);
        Some(EventFilter { event_type, with, correlate, shape })
    }

    pub(super) fn schedule(&mut self, schedule: &model::Schedule<'n>) -> Schedule {
        let none = Variables::none();
        let on = schedule
            .on
            .as_ref()
            .and_then(|strategy| self.strategy(strategy, Position::Event, &none));
        let cron = schedule.cron.and_then(|node| {
            let text = node.text();
            if text.is_none() {
                let message = format!("a cron schedule is text, not {}", node.describe());
                self.report.error("wrong-type", &node.at, message);
            }
            let text = text?;
            match cron::Cron::parse(text) {
                Ok(_) => Some(text.to_owned()),
                Err(error) => {
                    self.report
                        .error("bad-cron", &node.at, error.to_string())
                        .help("write five fields: minute hour day-of-month month day-of-week");
                    None
                }
            }
        });
        Schedule {
            every: self.fixed(schedule.every),
            cron,
            after: self.fixed(schedule.after),
            on,
            read: schedule.read,
        }
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

    /// The value of an attribute or an expectation. Before an instance exists there is nothing to
    /// evaluate it on.
    fn operand(
        &mut self,
        node: &Node,
        position: Position,
        variables: &Variables,
    ) -> Option<Template> {
        let template = self.template(node, position, variables)?;
        if position == Position::Event && template.constant().is_none() {
            self.report
                .error("bad-value", &node.at, "filters of `schedule.on` must be constant")
                .label("there is no instance yet to evaluate an expression on");
            return None;
        }
        Some(template)
    }
}

/// The identity of what is extracted from an event, so that each event is evaluated once per shape
/// and not once per waiting instance.
fn shape(correlate: &[Correlation]) -> String {
    if correlate.is_empty() {
        return String::new();
    }
    let pairs: Vec<_> = correlate
        .iter()
        .map(|correlation| json!([correlation.name, correlation.from.source.trim()]))
        .collect();
    hex(json!(pairs).to_string().as_bytes())
}
