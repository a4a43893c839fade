//! Our extensions under `metadata`, and the calls of the engine itself that belong to them.

use jiff::tz::TimeZone;

use super::Compiler;
use super::name::{Position, Variables};
use crate::expression::Expression;
use crate::parse::model::{Compensate, DocumentMetadata};
use crate::plan::{Block, Extensions, Flow, Input, Output, Task, TaskId, TaskKind};
use crate::read::Node;
use crate::template::Template;

/// The variable of what is undone, inside `metadata.compensate`.
const COMPENSATED: &str = "compensated";

impl<'n> Compiler<'_, 'n> {
    pub(super) fn extensions(&mut self, metadata: &DocumentMetadata<'n>) -> Option<Extensions> {
        let none = Variables::none();
        let zone = metadata
            .zone
            .and_then(Node::text)
            .and_then(|name| TimeZone::get(name).ok())
            .unwrap_or(TimeZone::UTC);
        let business_key =
            metadata.business_key.and_then(|node| self.expression(node, Position::Start, &none));
        let exclusive =
            metadata.exclusive.and_then(|node| self.template(node, Position::Start, &none));
        let expect = metadata.expect.and_then(|node| self.duration(node, Position::Start, &none));
        let searchable = metadata
            .searchable
            .iter()
            .filter_map(|entry| {
                let value = self.expression(&entry.node, Position::Search, &none)?;
                Some((entry.key.clone(), value))
            })
            .collect();
        Some(Extensions {
            business_key,
            business_key_policy: metadata.business_key_policy,
            zone,
            exclusive,
            on_cancel: metadata.on_cancel,
            expect,
            searchable,
            sensitive: metadata.sensitive.clone(),
            lifecycle: metadata.lifecycle,
        })
    }

    /// `metadata.compensate`: tasks of their own, that run long after the loops and catches around
    /// their task are gone.
    pub(super) fn compensate(&mut self, undo: &Compensate<'n>, own: TaskId) -> Option<Block> {
        let variables = Variables::none().with([&COMPENSATED.to_owned()]);
        match undo {
            Compensate::Tasks(tasks) => Some(self.block(tasks, Some(own), &variables)),
            Compensate::Function(node) => {
                let slot = self.tasks.len();
                self.tasks.push(None);
                let id = super::task::id(slot);
                let kind = self.call_with(node, Template::Expression(identity()?))?;
                let compiled = Task {
                    id,
                    name: COMPENSATE.to_owned(),
                    pointer: node.at.pointer.clone(),
                    parent: Some(own),
                    next: None,
                    condition: None,
                    input: Input::default(),
                    output: Output::default(),
                    export: Output::default(),
                    timeout: None,
                    then: Flow::Continue,
                    definition: node.to_json(),
                    metadata: serde_json::Value::Null,
                    extensions: Vec::new(),
                    exclusive: None,
                    compensate: None,
                    expect: None,
                    kind,
                };
                if let Some(empty) = self.tasks.get_mut(slot) {
                    *empty = Some(compiled);
                }
                Some(vec![id])
            }
        }
    }

    /// A call of the engine itself; `None` when it is another call.
    pub(super) fn engine_call(
        &mut self,
        function: &Node,
        with: Option<&'n Node>,
        variables: &Variables,
    ) -> Option<Option<TaskKind>> {
        let name = function.text()?;
        let kind = match name.split([':', '@']).next()? {
            "engine.compensate" => TaskKind::Compensate,
            "engine.rethrow" => TaskKind::Rethrow,
            _ => return None,
        };
        if let Some(with) = with.filter(|with| with.entries().is_none_or(|found| !found.is_empty()))
        {
            self.report
                .error("bad-argument", &with.at, format!("`{name}` takes no arguments"))
                .help("remove `with`");
        }
        if !variables.is_in_catch() {
            self.report
                .error("bad-value", &function.at, format!("`{name}` belongs into a `catch.do`"))
                .label("nothing was caught here")
                .help("call it among the tasks of `catch.do`");
            return Some(None);
        }
        Some(Some(kind))
    }
}

/// The name of the one task that a function's name stands for.
const COMPENSATE: &str = "compensate";

/// `.`
fn identity() -> Option<Expression> {
    Expression::compile(".", &[]).ok()
}
