//! What a scenario names must exist: a name with a slip in it would hold, or fail, for nothing.
//! Functions are looked up in the catalog, tasks and events in the definitions that take part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tenure_adapter::Registry;
use tenure_definition::plan::Lifecycle;
use tenure_definition::schema::Schema;
use tenure_definition::template::Template;
use tenure_definition::tree::did_you_mean;
use tenure_definition::{Plan, Task, TaskKind, builtin};

use super::expect;
use super::field::child;
use super::model::{Scenario, Stub, When};
use super::play::Cast;
use super::property::Happening;
use super::record::{identity, name_of};
use super::result::Failure;

/// Functions, tasks and events that do not exist, and answers that no vendor gives.
pub(super) fn check(scenario: &Scenario, cast: &Cast, registry: &Registry) -> Vec<Failure> {
    let functions = registry.catalog().functions().map(|manifest| manifest.name.as_str());
    let mut names =
        Names { scenario, cast, registry, functions: functions.collect(), failures: Vec::new() };
    names.definitions();
    for stub in &scenario.stubs {
        names.stub(stub);
    }
    for act in scenario.events.iter().chain(&scenario.operator) {
        let pointer = format!("{}/when", act.pointer);
        match &act.when {
            Some(When::Task(task)) => names.task(task, false, &pointer),
            Some(When::Call(function)) => _ = names.function(function, &pointer),
            Some(When::Waiting(_)) | None => {}
        }
    }
    if let Some(expect) = &scenario.expect {
        names.expected(expect, "/expect");
        if let Some(exactly) = expect.get("exactly") {
            names.expected(exactly, "/expect/exactly");
        }
    }
    for selector in scenario.properties.iter().flat_map(|property| property.selectors()) {
        names.happening(&selector.what, &selector.pointer);
    }
    names.failures
}

struct Names<'a> {
    scenario: &'a Scenario,
    cast: &'a Cast,
    registry: &'a Registry,
    functions: BTreeSet<&'a str>,
    failures: Vec<Failure>,
}

impl Names<'_> {
    fn fail(&mut self, pointer: &str, message: impl Into<String>) {
        self.failures.push(Failure::new(self.scenario, pointer, message));
    }

    /// Two texts under one name: nobody could say which of them runs.
    fn definitions(&mut self) {
        let mut known = BTreeMap::new();
        for plan in plans(self.cast) {
            let name = identity(&plan.document);
            let first = known.entry(name.clone()).or_insert(&plan.digest);
            if **first != plan.digest {
                let message = format!("two different definitions that take part are both {name}");
                self.fail("/with", message);
            }
        }
    }

    fn stub(&mut self, stub: &Stub) {
        if !self.function(&stub.function, &format!("{}/call", stub.pointer)) {
            return;
        }
        let done = stub.reply.done();
        if let Some(violation) = misfit(done, &stub.function, self.registry) {
            self.fail(&format!("{}/done", stub.pointer), violation);
        }
        if let Some(task) = &stub.task {
            self.task(task, true, &format!("{}/task", stub.pointer));
        }
    }

    /// The names of `expect`, or of its `exactly`.
    fn expected(&mut self, expect: &Value, at: &str) {
        match expect.get("calls") {
            Some(Value::Object(counts)) => {
                for function in counts.keys() {
                    self.function(function, &child(&format!("{at}/calls"), function));
                }
            }
            Some(list) => {
                for (index, item) in list.as_array().into_iter().flatten().enumerate() {
                    let function = item.as_str().or_else(|| item.get("call")?.as_str());
                    // A matcher is no name.
                    if let Some(function) = function.filter(|name| !name.starts_with('$')) {
                        self.function(function, &format!("{at}/calls/{index}"));
                    }
                }
            }
            None => {}
        }
        for key in ["run", "not_run"] {
            let names = expect.get("tasks").and_then(|tasks| tasks.get(key));
            let names = names.and_then(Value::as_array).into_iter().flatten();
            for (index, name) in names.enumerate() {
                let task = name.as_str().unwrap_or_default();
                self.task(task, false, &format!("{at}/tasks/{key}/{index}"));
            }
        }
        let times = expect.get("times").and_then(Value::as_object).into_iter().flatten();
        for (name, _) in times {
            let Ok((what, _)) = expect::happening(name) else { continue };
            if what != expect::END && !self.functions.contains(what) {
                self.moment(what, &child(&format!("{at}/times"), name));
            }
        }
    }

    /// A name of `times` that is no function: then it is a task.
    fn moment(&mut self, what: &str, pointer: &str) {
        let Err(problem) = task_of(what, self.cast, false) else { return };
        let near = self.functions.iter().copied().chain([expect::END]);
        let near = did_you_mean(what, near).filter(|_| !problem.has_help);
        let message = format!("{what} is neither a function nor a task: {}", problem.message);
        self.fail(pointer, with_help(&message, near));
    }

    /// Whether there is such a function.
    fn function(&mut self, function: &str, pointer: &str) -> bool {
        if self.functions.contains(function) {
            return true;
        }
        let bare = function.split([':', '@']).next().unwrap_or_default();
        let help = if self.functions.contains(bare) {
            Some(format!("write `{bare}`, without version and catalog"))
        } else {
            did_you_mean(function, self.functions.iter().copied())
        };
        self.fail(pointer, with_help(&format!("there is no function {function}"), help));
        false
    }

    /// `in_any` looks into all definitions for a plain name.
    fn task(&mut self, task: &str, in_any: bool, pointer: &str) {
        if let Err(problem) = task_of(task, self.cast, in_any) {
            self.fail(pointer, problem.message);
        }
    }

    /// What a property tells of.
    fn happening(&mut self, what: &Happening, at: &str) {
        match what {
            Happening::Call { function, task, .. } => {
                let is_known = self.function(function, &format!("{at}/call"));
                if let (Some(task), true) = (task, is_known) {
                    self.call_of(function, task, &format!("{at}/task"));
                }
            }
            Happening::Task { task, fact } => match task_of(task, self.cast, false) {
                Err(problem) => self.fail(&format!("{at}/task"), problem.message),
                Ok(tasks) => {
                    if !tasks.iter().any(|task| can(task, fact)) {
                        let message = format!("the task `{task}` is never {fact}");
                        self.fail(&format!("{at}/fact"), message);
                    }
                }
            },
            Happening::Emitted { kind, .. } => {
                self.event(kind, emitted(self.cast), "emits", &format!("{at}/emitted"));
            }
            Happening::Received { kind, .. } => {
                self.event(kind, received(self.cast), "listens to", &format!("{at}/received"));
            }
            Happening::Status(_) => {}
        }
    }

    /// A task that never calls the function would make a property hold for nothing.
    fn call_of(&mut self, function: &str, task: &str, pointer: &str) {
        let tasks = match task_of(task, self.cast, true) {
            Ok(tasks) => tasks,
            Err(problem) => return self.fail(pointer, problem.message),
        };
        let calls = |task: &&Task| matches!(&task.kind, TaskKind::Call(call) if call.function.name == function);
        if !tasks.iter().any(calls) {
            self.fail(pointer, format!("the task `{task}` does not call {function}"));
        }
    }

    fn event(&mut self, kind: &str, known: Option<BTreeSet<&str>>, verb: &str, pointer: &str) {
        let Some(known) = known.filter(|known| !known.contains(kind)) else { return };
        let message = format!("no definition that takes part {verb} `{kind}`");
        self.fail(pointer, with_help(&message, did_you_mean(kind, known)));
    }
}

fn plans(cast: &Cast) -> impl Iterator<Item = &Arc<Plan>> {
    std::iter::once(&cast.plan).chain(&cast.with)
}

fn with_help(message: &str, help: Option<String>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}; {help}"))
}

/// Why there is no such task.
struct NoTask {
    message: String,
    /// Whether a nearest name is part of the message.
    has_help: bool,
}

/// The tasks that a name means. `in_any` looks into all definitions for a plain name.
fn task_of<'c>(task: &str, cast: &'c Cast, in_any: bool) -> Result<Vec<&'c Task>, NoTask> {
    let (of, name) = match task.split_once(':') {
        Some((of, name)) if !task.starts_with('/') => (Some(of), name),
        _ => (None, task),
    };
    let plans: Vec<&Arc<Plan>> = match of {
        None if !in_any => vec![&cast.plan],
        None => plans(cast).collect(),
        Some(of) => plans(cast).filter(|plan| plan.document.name == of).collect(),
    };
    if plans.is_empty() {
        let of = of.unwrap_or(task);
        let message = format!("no definition `{of}` takes part; list it under `with`");
        return Err(NoTask { message, has_help: true });
    }
    let tasks = || plans.iter().flat_map(|plan| &plan.tasks);
    let is_it = |task: &&Task| task.pointer == name || name_of(&task.pointer) == name;
    let found: Vec<&Task> = tasks().filter(is_it).collect();
    if found.is_empty() {
        let names: BTreeSet<String> = tasks().map(|task| name_of(&task.pointer)).collect();
        let help = did_you_mean(name, names.iter().map(String::as_str));
        let has_help = help.is_some();
        let message = with_help(&format!("there is no task `{name}`"), help);
        return Err(NoTask { message, has_help });
    }
    Ok(found)
}

/// Whether a fact can be told of a task at all.
fn can(task: &Task, fact: &str) -> bool {
    match fact {
        "skipped" => task.condition.is_some(),
        "retried" => matches!(&task.kind, TaskKind::Try(tried) if tried.retry.is_some()),
        _ => true,
    }
}

/// The types of the events that can be published, when the definitions say them all.
fn emitted(cast: &Cast) -> Option<BTreeSet<&str>> {
    let mut types = BTreeSet::new();
    for plan in plans(cast) {
        if plan.extensions.lifecycle != Lifecycle::Off {
            return None;
        }
        for task in &plan.tasks {
            if let TaskKind::Emit(template) = &task.kind {
                types.insert(type_of(template)?);
            }
            if let TaskKind::Human(_) = &task.kind {
                types.insert(builtin::HUMAN_TASK_OPENED);
                types.insert(builtin::HUMAN_TASK_WITHDRAWN);
            }
        }
    }
    Some(types)
}

fn type_of(event: &Template) -> Option<&str> {
    match event {
        Template::Constant(event) => event.get("type")?.as_str(),
        Template::Object(fields) => {
            let (_, kind) = fields.iter().find(|(name, _)| name == "type")?;
            kind.constant()?.as_str()
        }
        Template::Expression(_) | Template::Text(_) | Template::Uri(_) | Template::Array(_) => None,
    }
}

/// The types of the events that can be consumed, when the definitions say them all.
fn received(cast: &Cast) -> Option<BTreeSet<&str>> {
    let mut types = BTreeSet::new();
    for task in plans(cast).flat_map(|plan| &plan.tasks) {
        if let TaskKind::Listen(listen) = &task.kind {
            for filter in listen.filters() {
                types.insert(filter.event_type.as_deref()?);
            }
        }
        if let TaskKind::Human(human) = &task.kind {
            types.insert(human.filter.event_type.as_deref()?);
        }
    }
    Some(types)
}

/// Why a constant answer is none that the function gives.
fn misfit(done: Option<&Template>, function: &str, registry: &Registry) -> Option<String> {
    let value = done?.constant()?;
    let manifest = registry.catalog().resolve(function).ok()?;
    let schema = Schema::compile(manifest.output.clone(), registry.catalog().formats()).ok()?;
    let violations = schema.check(value).err()?;
    let first = violations.first()?;
    let pointer = if first.pointer.is_empty() { "/" } else { &first.pointer };
    Some(format!("{function} gives no such answer: {pointer}: {}", first.message))
}
