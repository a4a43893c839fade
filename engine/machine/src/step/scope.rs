//! What `$context`, `$input` and the other variables hold at a place.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_definition::expression::Scope;
use tenure_definition::plan::TaskKind;
use tenure_definition::{Plan, Task, TaskId};

use super::mover::Mover;
use super::undo::compensated;
use super::visit::turn_name;
use crate::instance::{Activity, ExtendedPhase, TryPhase};
use crate::{FrameId, Instance, Json, secret};

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
    /// `$task` inside an extension: the extended task, whatever runs there.
    extended: Option<TaskVars<'a>>,
    input: Option<&'a Value>,
    output: Option<&'a Value>,
    raw_output: Option<&'a Value>,
}

#[derive(Clone, Copy)]
struct TaskVars<'a> {
    task: &'a Task,
    raw: &'a Value,
    started_at: Timestamp,
    /// What it has given, when it is over.
    output: Option<&'a Value>,
}

impl<'a> TaskVars<'a> {
    /// `$task`.
    fn describe(self, output: Option<&Value>) -> Value {
        let mut map = Map::new();
        map.insert("name".to_owned(), json!(self.task.name));
        map.insert("reference".to_owned(), json!(self.task.pointer));
        map.insert("definition".to_owned(), self.task.definition.clone());
        // Examples of the specification read these two without `definition`.
        for short in ["call", "with"] {
            if let Some(value) =
                self.task.definition.get("call").and(self.task.definition.get(short))
            {
                map.insert(short.to_owned(), value.clone());
            }
        }
        map.insert("input".to_owned(), self.raw.clone());
        if let Some(output) = self.output.or(output) {
            map.insert("output".to_owned(), output.clone());
        }
        map.insert("startedAt".to_owned(), moment(self.started_at));
        Value::Object(map)
    }

    /// A field of `$task` that can be lent.
    fn field(self, key: &str) -> Option<Cow<'a, Value>> {
        match key {
            "name" => Some(Cow::Owned(json!(self.task.name))),
            "reference" => Some(Cow::Owned(json!(self.task.pointer))),
            "definition" => Some(Cow::Borrowed(&self.task.definition)),
            "input" => Some(Cow::Borrowed(self.raw)),
            "startedAt" => Some(Cow::Owned(moment(self.started_at))),
            _ => None,
        }
    }
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
        self.task = Some(TaskVars { task, raw, started_at, output: None });
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
            "task" => match self.extended {
                Some(extended) => Some(Cow::Owned(extended.describe(None))),
                None => self.task.map(|vars| Cow::Owned(vars.describe(self.raw_output))),
            },
            "authorization" => Some(Cow::Owned(self.authorization())),
            _ => None,
        }
    }

    fn field(&self, name: &str, key: &str) -> Option<Cow<'_, Value>> {
        if self.locals.iter().any(|(local, _)| *local == name) {
            return None;
        }
        match name {
            "workflow" => match key {
                "id" => Some(Cow::Owned(Value::String(self.instance.id.to_string()))),
                "definition" => Some(Cow::Borrowed(&self.plan.definition)),
                "input" => Some(Cow::Borrowed(&self.instance.input)),
                "startedAt" => Some(Cow::Owned(moment(self.instance.started_at))),
                _ => None,
            },
            "task" => self.extended.or(self.task)?.field(key),
            "secrets" if self.plan.secrets.iter().any(|name| name == key) => {
                Some(Cow::Owned(Value::String(secret::marker(key))))
            }
            _ => None,
        }
    }
}

impl Vars<'_> {
    /// The scheme the task's call has authenticated with; the parameter is a secret and is withheld.
    fn authorization(&self) -> Value {
        let scheme = match self.task.map(|vars| &vars.task.kind) {
            Some(TaskKind::Call(call)) if self.output.is_some() => call.scheme,
            _ => None,
        };
        scheme.map_or(Value::Null, |scheme| json!({ "scheme": scheme }))
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
            extended: self.extended_task(parent),
            input: None,
            output: None,
            raw_output: None,
        }
    }

    /// The variables inside a frame, once its input is transformed.
    pub(super) fn frame_vars(&self, id: FrameId) -> Vars<'_> {
        let frame = self.frame(id);
        let task = self.plan.task(frame.task);
        self.vars(frame.parent, frame.branch).input(frame.input()).task(
            task,
            &frame.raw,
            frame.started_at,
        )
    }

    /// The task whose extension runs at a place; a function that an extension calls is not in it.
    fn extended_task(&self, parent: Option<FrameId>) -> Option<TaskVars<'_>> {
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if let Activity::Function { .. } | Activity::Compensating { .. } = &frame.activity {
                return None;
            }
            if let Activity::Extended { phase, .. } = &frame.activity {
                let output = match phase {
                    ExtendedPhase::Before => None,
                    ExtendedPhase::After { output, .. } => Some(&**output),
                };
                let task = self.plan.task(frame.task);
                let (raw, started_at) = (&frame.raw, frame.started_at);
                return Some(TaskVars { task, raw, started_at, output });
            }
            next = frame.parent;
        }
        None
    }

    /// `$context` as seen at a place: of the innermost fork branch or function, else of the
    /// instance.
    pub(super) fn context(&self, parent: Option<FrameId>, branch: u32) -> &Json {
        let (mut parent, mut branch) = (parent, branch as usize);
        while let Some(id) = parent {
            let frame = self.frame(id);
            if let Activity::Fork { contexts, .. } = &frame.activity
                && let Some(context) = contexts.get(branch)
            {
                return context;
            }
            if let Activity::Function { context } = &frame.activity {
                return context;
            }
            (parent, branch) = (frame.parent, frame.branch as usize);
        }
        &self.instance.context
    }

    /// Replaces `$context` as seen at a place.
    pub(super) fn set_context(&mut self, parent: Option<FrameId>, branch: u32, value: Json) {
        let (mut parent, mut branch) = (parent, branch as usize);
        while let Some(id) = parent {
            let frame = self.frame_mut(id);
            if let Activity::Fork { contexts, .. } = &mut frame.activity
                && let Some(context) = contexts.get_mut(branch)
            {
                *context = value;
                return;
            }
            if let Activity::Function { context } = &mut frame.activity {
                *context = value;
                return;
            }
            (parent, branch) = (frame.parent, frame.branch as usize);
        }
        self.context_changed = true;
        self.instance.context = value;
    }

    /// Loop and catch variables in reach, innermost first. A function sees none of its caller.
    fn locals(&self, parent: Option<FrameId>) -> Vec<(&str, Cow<'_, Value>)> {
        let mut locals = Vec::new();
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if let Activity::Function { .. } = &frame.activity {
                break;
            }
            match (&frame.activity, &self.plan.task(frame.task).kind) {
                (Activity::For { items, index, .. }, TaskKind::For(spec)) => {
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

    /// Where an effect happens: the pointer of the task with the indexes of the loops around it. The
    /// tasks of functions and extensions stand at many places, so the place they run at goes before.
    pub(super) fn position(&self, task: TaskId, parent: Option<FrameId>) -> String {
        let mut places = Vec::new();
        let mut turns = Vec::new();
        let mut pointer = &self.plan.task(task).pointer;
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            if let Activity::For { index, round, .. } = &frame.activity {
                turns.push(turn_name(*round, *index));
            }
            if let Activity::Listen { turns: Some(listen), .. } = &frame.activity
                && let Some(turn) = &listen.current
            {
                turns.push(turn_name(listen.round, turn.index));
            }
            if let Activity::Function { .. } | Activity::Extended { .. } = &frame.activity {
                places.push(place(pointer, std::mem::take(&mut turns)));
                pointer = &self.plan.task(frame.task).pointer;
            }
            if let Activity::Compensating { left, .. } = &frame.activity
                && let Some(first) = left.first()
            {
                // What is undone was done elsewhere; where that was says which undoing this is.
                places.push(place(pointer, turns));
                places.push(first.position.clone());
                places.reverse();
                return places.join(">");
            }
            next = frame.parent;
        }
        places.push(place(pointer, turns));
        places.reverse();
        places.join(">")
    }
}

/// A pointer with the indexes of loops, innermost first.
fn place(pointer: &str, mut turns: Vec<String>) -> String {
    turns.reverse();
    if turns.is_empty() { pointer.to_owned() } else { format!("{pointer}[{}]", turns.join(",")) }
}
