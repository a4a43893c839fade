//! Events to wait for, and what starts instances.

use serde_json::json;

use super::Compiler;
use super::digest::hex;
use super::name::{Position, Variables};
use crate::cron;
use crate::parse::model;
use crate::plan::{Correlation, EventFilter, Listen, Read, Schedule, Strategy, TaskKind};
use crate::read::Node;
use crate::time::Duration;

impl<'n> Compiler<'_, 'n> {
    pub(super) fn listen(
        &mut self,
        to: &model::Strategy<'n>,
        read: Read,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let to = self.strategy(to, Position::Body, variables)?;
        Some(TaskKind::Listen(Box::new(Listen { to, read })))
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
            let template = self.template(&entry.node, position, variables)?;
            match template.constant().and_then(|value| value.as_str()) {
                Some(constant) if entry.key == "type" => event_type = Some(constant.to_owned()),
                _ => with.push((entry.key.clone(), template)),
            }
        }
        let mut correlate = Vec::new();
        for (entry, from, expect) in &filter.correlate {
            let from = self.expression(from, Position::Event, variables);
            let expect = expect.map(|node| self.template(node, position, variables));
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
        if let Some(on) = &on {
            self.constant_only(on, schedule);
        }
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

    /// Before an instance exists there is nothing to evaluate filters on.
    fn constant_only(&mut self, on: &Strategy, schedule: &model::Schedule<'n>) {
        let filters = match on {
            Strategy::One(filter) => std::slice::from_ref(filter),
            Strategy::Any(filters) | Strategy::All(filters) => filters,
        };
        let computed = filters.iter().any(|filter| {
            filter.with.iter().any(|(_, template)| template.constant().is_none())
                || filter.correlate.iter().any(|correlation| {
                    correlation.expect.as_ref().is_some_and(|expect| expect.constant().is_none())
                })
        });
        if !computed {
            return;
        }
        let (model::Strategy::One(_) | model::Strategy::Any(_) | model::Strategy::All(_)) =
            schedule.on.as_ref().expect("it was compiled from there");
        let first = match schedule.on.as_ref() {
            Some(model::Strategy::One(filter)) => filter.with.first(),
            Some(model::Strategy::Any(filters) | model::Strategy::All(filters)) => {
                filters.first().and_then(|filter| filter.with.first())
            }
            None => None,
        };
        if let Some(entry) = first {
            self.report
                .error("bad-value", &entry.at, "filters of `schedule.on` must be constant")
                .label("there is no instance yet to evaluate an expression on");
        }
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
