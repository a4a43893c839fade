//! `call: human.task`.

use serde_json::Value;
use tenure_adapter::Manifest;

use super::Compiler;
use super::name::{Position, Variables};
use crate::builtin;
use crate::expression::Expression;
use crate::plan::{Correlation, EventFilter, Human, TaskKind};
use crate::read::Node;
use crate::schema::Schema;
use crate::template::Template;
use crate::time::read_instant;

/// Where the ticket stands in such an event.
const TICKET: &str = ".data.ticket";

impl<'n> Compiler<'_, 'n> {
    pub(super) fn human(
        &mut self,
        manifest: &Manifest,
        function: &'n Node,
        with: Option<&'n Node>,
        variables: &Variables,
    ) -> Option<TaskKind> {
        // No secrets: what is asked is stored and published.
        let template = match with {
            Some(node) => self.template(node, Position::Body, variables)?,
            None => Template::Constant(Value::Object(serde_json::Map::new())),
        };
        let input = Schema::compile(manifest.input.clone(), self.catalog.formats())
            .expect("the schemas of the built-in functions compile, a test holds it");
        self.arguments(manifest, &input, &template, with.unwrap_or(function));
        let node = |name: &str| with.and_then(|with| with.get(name)).map(|entry| &entry.node);
        let form = match (constant(&template, "form"), node("form")) {
            (Some(Value::Object(_)), Some(node)) => Some(self.schema(node)?),
            _ => None,
        };
        if let (Some(value), Some(node)) = (constant(&template, "due"), node("due"))
            && let Err(message) = read_instant(value)
        {
            self.report.error("bad-duration", &node.at, message).help(
                "write a duration like {days: 3} or P3D, or an instant like 2027-01-31T12:00:00Z",
            );
            return None;
        }
        let from = Expression::compile(TICKET, &[]).expect("a path is jq");
        let ticket = Correlation { name: "ticket".to_owned(), from, expect: None };
        let filter = EventFilter::new(
            Some(builtin::HUMAN_TASK_COMPLETED.to_owned()),
            Vec::new(),
            vec![ticket],
        );
        debug_assert_eq!(manifest.name, builtin::HUMAN_TASK, "no other function comes here");
        Some(TaskKind::Human(Box::new(Human { with: template, input, form, filter })))
    }
}

/// A field of a template, when it is known now.
fn constant<'t>(template: &'t Template, name: &str) -> Option<&'t Value> {
    match template {
        Template::Constant(value) => value.get(name),
        Template::Object(fields) => {
            fields.iter().find(|(field, _)| field == name).and_then(|(_, value)| value.constant())
        }
        Template::Expression(_) | Template::Text(_) | Template::Array(_) => None,
    }
}
