//! What `$context`, `$input` and the other variables hold at a place.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_definition::expression::Scope;
use tenure_definition::plan::TaskKind;
use tenure_definition::{Plan, Task, TaskId};

use super::mover::Mover;
use super::undo::compensated;
use crate::instance::{Activity, TryPhase};
use crate::{FrameId, Instance, secret};

/// The variables before an instance exists.
pub(crate) struct StartScope<'a> {
    pub(crate) input: &'a Value,
}

impl Scope for StartScope<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        match name {
            "input" => Some(Cow::Borrowed(self.input)),
            "runtime" => Some(Cow::Owned(runtime())),
            _ => None,
        }
    }
}

/// The variables at a place in a running instance.
pub(super) struct Vars<'a> {
    plan: &'a Plan,
    instance: &'a Instance,
    context: &'a Value,
    locals: Vec<(&'a str, Cow<'a, Value>)>,
    task: Option<TaskVars<'a>>,
    input: Option<&'a Value>,
    output: Option<&'a Value>,
    raw_output: Option<&'a Value>,
}

#[derive(Clone, Copy)]
struct TaskVars<'a> {
    task: &'a Task,
    raw: &'a Value,
    started_at: Timestamp,
}

impl<'a> Vars<'a> {
    pub(super) fn input(mut self, input: &'a Value) -> Self {
        self.input = Some(input);
        self
    }

    pub(super) fn output(mut self, output: &'a Value) -> Self {
        self.output = Some(output);
        self
    }

    /// What the task gave before `output.as`: the output `$task` tells.
    pub(super) fn raw_output(mut self, raw: &'a Value) -> Self {
        self.raw_output = Some(raw);
        self
    }

    pub(super) fn task(mut self, task: &'a Task, raw: &'a Value, started_at: Timestamp) -> Self {
        self.task = Some(TaskVars { task, raw, started_at });
        self
    }

    pub(super) fn local(mut self, name: &'a str, value: Value) -> Self {
        self.locals.insert(0, (name, Cow::Owned(value)));
        self
    }
}

impl Scope for Vars<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some((_, value)) = self.locals.iter().find(|(local, _)| *local == name) {
            return Some(Cow::Borrowed(value));
        }
        match name {
            "context" => Some(Cow::Borrowed(self.context)),
            "input" => self.input.map(Cow::Borrowed),
            "output" => self.output.map(Cow::Borrowed),
            "secrets" => Some(Cow::Owned(secrets(self.plan))),
            "runtime" => Some(Cow::Owned(runtime())),
            "workflow" => Some(Cow::Owned(json!({
                "id": self.instance.id.to_string(),
                "definition": self.plan.definition,
                "input": self.instance.input,
                "startedAt": moment(self.instance.started_at),
            }))),
            "task" => self.task.map(|vars| {
                let mut map = Map::new();
                map.insert("name".to_owned(), json!(vars.task.name));
                map.insert("reference".to_owned(), json!(vars.task.pointer));
                map.insert("definition".to_owned(), vars.task.definition.clone());
                map.insert("input".to_owned(), vars.raw.clone());
                if let Some(output) = self.raw_output {
                    map.insert("output".to_owned(), output.clone());
                }
                map.insert("startedAt".to_owned(), moment(vars.started_at));
                Cow::Owned(Value::Object(map))
            }),
            _ => None,
        }
    }
}

/// A date-time descriptor of the language.
fn moment(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": { "seconds": at.as_second(), "milliseconds": at.as_millisecond() },
    })
}

fn runtime() -> Value {
    json!({ "name": "tenure", "version": env!("CARGO_PKG_VERSION"), "metadata": {} })
}

fn secrets(plan: &Plan) -> Value {
    let markers =
        plan.secrets.iter().map(|name| (name.clone(), Value::String(secret::marker(name))));
    Value::Object(markers.collect())
}

impl Mover<'_> {
    /// The variables for a task at this place, without its own input and output.
    pub(super) fn vars(&self, parent: Option<FrameId>, branch: u32) -> Vars<'_> {
        Vars {
            plan: self.plan,
            instance: &self.instance,
            context: self.context(parent, branch),
            locals: self.locals(parent),
            task: None,
            input: None,
            output: None,
            raw_output: None,
        }
    }

    /// The variables inside a frame, once its input is transformed.
    pub(super) fn frame_vars(&self, id: FrameId) -> Vars<'_> {
        let frame = self.frame(id);
        let task = self.plan.task(frame.task);
        self.vars(frame.parent, frame.branch).input(&frame.input).task(
            task,
            &frame.raw,
            frame.started_at,
        )
    }

    /// `$context` as seen at a place: of the innermost fork branch, else of the instance.
    pub(super) fn context(&self, parent: Option<FrameId>, branch: u32) -> &Value {
        let (mut parent, mut branch) = (parent, branch as usize);
        while let Some(id) = parent {
            let frame = self.frame(id);
            if let Activity::Fork { contexts, .. } = &frame.activity
                && let Some(context) = contexts.get(branch)
            {
                return context;
            }
            (parent, branch) = (frame.parent, frame.branch as usize);
        }
        &self.instance.context
    }

    /// Replaces `$context` as seen at a place.
    pub(super) fn set_context(&mut self, parent: Option<FrameId>, branch: u32, value: Value) {
        let (mut parent, mut branch) = (parent, branch as usize);
        while let Some(id) = parent {
            let frame = self.frame_mut(id);
            if let Activity::Fork { contexts, .. } = &mut frame.activity
                && let Some(context) = contexts.get_mut(branch)
            {
                *context = value;
                return;
            }
            (parent, branch) = (frame.parent, frame.branch as usize);
        }
        self.context_changed = true;
        self.instance.context = value;
    }

    /// Loop and catch variables in reach, innermost first.
    fn locals(&self, parent: Option<FrameId>) -> Vec<(&str, Cow<'_, Value>)> {
        let mut locals = Vec::new();
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            match (&frame.activity, &self.plan.task(frame.task).kind) {
                (Activity::For { items, index }, TaskKind::For(spec)) => {
                    let item = items.get(*index).map_or(Cow::Owned(Value::Null), Cow::Borrowed);
                    locals.push((spec.each.as_str(), item));
                    locals.push((spec.at.as_str(), Cow::Owned(json!(index))));
                }
                (Activity::Listen { turns: Some(turns), .. }, TaskKind::Listen(spec)) => {
                    if let (Some(turn), Some(foreach)) = (&turns.current, &spec.foreach) {
                        locals.push((foreach.item.as_str(), Cow::Borrowed(&turn.item)));
                        locals.push((foreach.at.as_str(), Cow::Owned(json!(turn.index))));
                    }
                }
                (Activity::Try { phase: TryPhase::Handler { error }, .. }, TaskKind::Try(spec)) => {
                    locals.push((spec.bind.as_str(), Cow::Owned(json!(error))));
                }
                (Activity::Compensating { left, .. }, _) => {
                    if let Some(first) = left.first() {
                        let value = compensated(self.plan, first);
                        locals.push(("compensated", Cow::Owned(value)));
                    }
                }
                _ => {}
            }
            next = frame.parent;
        }
        locals
    }

    /// Pointer of a task with the indexes of the loops around it: where an effect happens.
    pub(super) fn position(&self, task: TaskId, parent: Option<FrameId>) -> String {
        let mut turns = Vec::new();
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if let Activity::For { index, .. } = &frame.activity {
                turns.push(index.to_string());
            }
            if let Activity::Listen { turns: Some(listen), .. } = &frame.activity
                && let Some(turn) = &listen.current
            {
                turns.push(turn.index.to_string());
            }
            if let Activity::Compensating { left, .. } = &frame.activity
                && let Some(first) = left.first()
            {
                // Its pointer is inside this task already; the turns are those of what is undone.
                let (_, done) = first.position.split_once('[').unwrap_or_default();
                if let Some(done) = done.strip_suffix(']') {
                    turns.push(done.to_owned());
                }
                break;
            }
            next = frame.parent;
        }
        turns.reverse();
        let pointer = &self.plan.task(task).pointer;
        if turns.is_empty() { pointer.clone() } else { format!("{pointer}[{}]", turns.join(",")) }
    }
}
