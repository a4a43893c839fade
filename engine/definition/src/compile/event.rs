//! Events to wait for.

use serde_json::{Value, json};

use super::Compiler;
use super::digest::hex;
use super::name::{Position, Variables};
use crate::matcher::{Matcher, Pattern};
use crate::parse::model;
use crate::plan::{
    Correlation, EventFilter, Foreach, Listen, Read, Strategy, TaskId, TaskKind, Until,
};
use crate::read::{Entry, Node, Yaml};
use crate::template::Template;

impl<'n> Compiler<'_, 'n> {
    pub(super) fn listen(
        &mut self,
        (to, until): (&model::Strategy<'n>, Option<&model::Until<'n>>),
        read: Read,
        foreach: Option<&model::Foreach<'n>>,
        own: TaskId,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let to = self.strategy(to, Position::Body, variables);
        let until = until.map(|until| self.until(until, variables));
        // Compiled in any case: the slots of its tasks are counted.
        let foreach = foreach.map(|foreach| {
            let inside = variables.with([&foreach.item, &foreach.at]);
            Foreach {
                item: foreach.item.clone(),
                at: foreach.at.clone(),
                body: self.block(&foreach.body, Some(own), &inside),
                output: self.output(&foreach.output, Position::TaskOutput, &inside),
                export: self.output(&foreach.export, Position::Export, &inside),
            }
        });
        let until = match until {
            Some(until) => Some(until?),
            None => None,
        };
        Some(TaskKind::Listen(Box::new(Listen { to: to?, read, until, foreach })))
    }

    fn until(&mut self, until: &model::Until<'n>, variables: &Variables) -> Option<Until> {
        match until {
            model::Until::Condition(node) => {
                let condition = self.expression(node, Position::Body, variables)?;
                if condition.source.trim() == "false" {
                    return Some(Until::Never);
                }
                Some(Until::Condition(condition))
            }
            model::Until::Events(strategy) => {
                self.strategy(strategy, Position::Body, variables).map(Until::Event)
            }
        }
    }

    pub(super) fn strategy(
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
            // An empty `any` takes every event there is.
            model::Strategy::Any(filters) if filters.is_empty() => {
                Some(Strategy::Any(vec![EventFilter::every()]))
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
            let matcher = self.matcher(&entry.node, entry.key != "data", position, variables)?;
            match matcher.constant().and_then(Value::as_str) {
                Some(constant) if entry.key == "type" => event_type = Some(constant.to_owned()),
                _ => with.push((entry.key.clone(), matcher)),
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
        Some(EventFilter::new(event_type, with, correlate))
    }

    /// The condition on an attribute. Only a whole attribute can be given as a pattern.
    fn matcher(
        &mut self,
        node: &'n Node,
        pattern: bool,
        position: Position,
        variables: &Variables,
    ) -> Option<Matcher> {
        match &node.value {
            Yaml::Map(entries) => {
                let field = |entry: &'n Entry| {
                    let matcher = self.matcher(&entry.node, false, position, variables)?;
                    Some((entry.key.clone(), matcher))
                };
                let fields: Vec<Option<_>> = entries.iter().map(field).collect();
                fields.into_iter().collect::<Option<_>>().map(Matcher::Fields)
            }
            Yaml::List(items) => {
                let item = |item| self.matcher(item, false, position, variables);
                let items: Vec<Option<_>> = items.iter().map(item).collect();
                items.into_iter().collect::<Option<_>>().map(Matcher::Items)
            }
            Yaml::Text(text) if pattern && !text.contains("${") && Pattern::is_meant(text) => {
                match Pattern::compile(text) {
                    Ok(pattern) => Some(Matcher::Pattern(pattern)),
                    Err(reason) => {
                        let message = format!("`{text}` is not a regular expression: {reason}");
                        self.report.error("bad-value", &node.at, message).help(
                            "put `\\` before what stands for itself, or compare with `${ . == \"...\" }`",
                        );
                        None
                    }
                }
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {
                match self.template(node, position, variables)? {
                    Template::Constant(value) => Some(Matcher::Equal(value)),
                    computed => Some(Matcher::Computed(computed)),
                }
            }
        }
    }

    /// An expectation. Before an instance exists there is nothing to evaluate it on.
    fn operand(
        &mut self,
        node: &Node,
        position: Position,
        variables: &Variables,
    ) -> Option<Template> {
        let template = self.template(node, position, variables)?;
        if position == Position::Event && template.constant().is_none() {
            self.report
                .error("bad-value", &node.at, "an `expect` of `schedule.on` must be constant")
                .label("there is no instance yet to evaluate an expression on");
            return None;
        }
        Some(template)
    }
}

impl EventFilter {
    /// A filter of these conditions.
    pub(crate) fn new(
        event_type: Option<String>,
        with: Vec<(String, Matcher)>,
        mut correlate: Vec<Correlation>,
    ) -> Self {
        correlate.sort_by(|one, other| one.name.cmp(&other.name));
        let shape = shape(&correlate);
        Self { event_type, with, correlate, shape }
    }

    /// The filter that every event fits.
    fn every() -> Self {
        Self::new(None, Vec::new(), Vec::new())
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
