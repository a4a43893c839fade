//! Functions of `use.functions` and extensions of `use.extensions`: their tasks are compiled anew
//! at each place they run at. What that makes of a definition is counted before anything is
//! compiled, so that a small text cannot become a huge plan.

use std::collections::{BTreeMap, BTreeSet};

use super::Compiler;
use super::name::{self, Position, Variables};
use crate::parse::model::{self, Kind, Target, Uses};
use crate::plan::{Extension, Function, TaskId, TaskKind};
use crate::read::{Node, Yaml};
use crate::template::Template;

/// Most tasks of a plan, those of functions and extensions counted at each place.
const TASKS_MAX: usize = 20_000;
/// Most bytes of definition those tasks stand for: each keeps its own part of the text.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Deepest chain of functions that call functions.
const CALLS_MAX: usize = 16;

/// What a part of a definition becomes.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    tasks: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, other: Self) {
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The functions and extensions of a definition, and how far they are used.
#[derive(Debug)]
pub(super) struct Weave<'c, 'n> {
    functions: BTreeMap<&'c str, &'c model::Task<'n>>,
    extensions: &'c [model::Extension<'n>],
    /// Functions with a finding that forbids to compile calls of them.
    broken: BTreeSet<&'c str>,
    /// Loads of functions, by name and whether their tasks are extended.
    loads: BTreeMap<(&'c str, bool), Load>,
    /// Loads of extensions, in order.
    woven: Vec<Load>,
    /// Off while something is only looked through for mistakes, or when it would be too much.
    pub(super) off: bool,
    /// Inside an extension: its tasks are not extended.
    inside: bool,
}

impl<'c, 'n> Weave<'c, 'n> {
    pub(super) fn new(uses: &'c Uses<'n>) -> Self {
        Self {
            functions: uses.functions.iter().map(|task| (task.entry.key.as_str(), task)).collect(),
            extensions: &uses.extensions,
            broken: BTreeSet::new(),
            loads: BTreeMap::new(),
            woven: Vec::new(),
            off: false,
            inside: false,
        }
    }

    pub(super) fn function(&self, name: &str) -> Option<&'c model::Task<'n>> {
        self.functions.get(name).copied()
    }

    /// The number of tasks that functions and extensions add to a task of the text.
    pub(super) fn added(&mut self, task: &model::Task<'n>) -> usize {
        if self.off { 0 } else { self.extra(task, !self.inside).tasks }
    }

    fn extra(&mut self, task: &model::Task<'n>, extended: bool) -> Load {
        let mut load = Load::default();
        if extended {
            for (extension, own) in self.extensions.iter().zip(&self.woven) {
                if extends(extension, task) {
                    load.add(*own);
                }
            }
        }
        if let Kind::Call { function, .. } = &task.kind
            && let Some(called) = function.text().and_then(|name| self.function(name))
            && !self.broken.contains(called.entry.key.as_str())
        {
            load.add(self.function_load(called, extended));
        }
        for inner in name::inner(task) {
            load.add(self.extra(inner, extended));
        }
        load
    }

    fn function_load(&mut self, task: &'c model::Task<'n>, extended: bool) -> Load {
        let key = (task.entry.key.as_str(), extended);
        if let Some(load) = self.loads.get(&key) {
            return *load;
        }
        let mut load = text_load(task);
        load.add(self.extra(task, extended));
        self.loads.insert(key, load);
        load
    }

    /// Loads of the extensions' own tasks, which are extended by nothing.
    fn measure_extensions(&mut self) {
        for extension in self.extensions {
            let mut load = Load::default();
            for task in extension.before.iter().chain(&extension.after) {
                load.add(text_load(task));
                load.add(self.extra(task, false));
            }
            self.woven.push(load);
        }
    }
}

/// What the text of a task becomes, without functions and extensions.
fn text_load(task: &model::Task<'_>) -> Load {
    Load { tasks: name::count(std::slice::from_ref(task)), bytes: text_bytes(task) }
}

/// Bytes of the text of a task, and again of each task inside: every one keeps its own part.
fn text_bytes(task: &model::Task<'_>) -> usize {
    weight(&task.entry.node).saturating_add(name::inner(task).map(text_bytes).sum())
}

/// About the bytes a node takes in memory.
fn weight(node: &Node) -> usize {
    const OWN: usize = 32;
    OWN + match &node.value {
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => 0,
        Yaml::Text(text) => text.len(),
        Yaml::List(items) => items.iter().map(weight).sum(),
        Yaml::Map(entries) => {
            entries.iter().map(|entry| entry.key.len() + weight(&entry.node)).sum()
        }
    }
}

/// Whether an extension is for a task.
fn extends(extension: &model::Extension<'_>, task: &model::Task<'_>) -> bool {
    let Some(target) = extension.target else { return false };
    let own: &[Target] = match &task.kind {
        Kind::Call { .. } => &[Target::Call],
        Kind::Do(_) => &[Target::Do, Target::Composite],
        Kind::Emit(_) => &[Target::Emit],
        Kind::For(_) => &[Target::For],
        Kind::Fork { .. } => &[Target::Fork, Target::Composite],
        Kind::Listen { .. } => &[Target::Listen],
        Kind::Raise(_) => &[Target::Raise],
        Kind::Run(_) => &[Target::Run],
        Kind::Set(_) => &[Target::Set],
        Kind::Switch(_) => &[Target::Switch],
        Kind::Try(_) => &[Target::Try],
        Kind::Wait(_) => &[Target::Wait],
        Kind::Refused => &[],
    };
    target == Target::All || own.contains(&target)
}

/// The functions a task calls, in its text.
fn callees<'t>(task: &'t model::Task<'_>, found: &mut BTreeSet<&'t str>) {
    if let Kind::Call { function, .. } = &task.kind {
        found.extend(function.text());
    }
    for inner in name::inner(task) {
        callees(inner, found);
    }
}

/// How far the search for endless calls is with a function.
#[derive(Debug, Clone, Copy)]
enum Visit {
    Open,
    /// With the length of the longest chain of calls that begins here.
    Done(usize),
}

impl<'n> Compiler<'_, 'n> {
    /// Looks at all functions and extensions before anything of the plan is compiled.
    pub(super) fn weave(&mut self, body: &[model::Task<'n>], root: &Node) {
        let names: Vec<&str> = self.weave.functions.keys().copied().collect();
        let mut visits = BTreeMap::new();
        for name in names {
            self.chain(name, &mut Vec::new(), &mut visits);
        }
        self.weave.measure_extensions();
        let mut total = Load::default();
        for task in body {
            total.add(text_load(task));
            total.add(self.weave.extra(task, true));
        }
        if total.tasks > TASKS_MAX || total.bytes > BYTES_MAX {
            self.weave.off = true;
            let at = root.get("use").map_or(&root.at, |entry| &entry.at);
            let message =
                "with its functions and extensions at every place, the definition is too large";
            self.report
                .error("too-large", at, message)
                .label(format!("at most {TASKS_MAX} tasks, {} MiB", BYTES_MAX / 1024 / 1024))
                .help(
                    "call a function from fewer places, or make it a workflow of its own (`run`)",
                );
        }
    }

    /// The length of the longest chain of calls from a function; 0 when it is broken.
    fn chain(
        &mut self,
        name: &str,
        path: &mut Vec<String>,
        visits: &mut BTreeMap<String, Visit>,
    ) -> usize {
        let Some(task) = self.weave.function(name) else { return 0 };
        let own = task.entry.key.as_str();
        match visits.get(name) {
            Some(Visit::Done(length)) => return *length,
            Some(Visit::Open) => {
                let begin = path.iter().position(|known| known == name).unwrap_or(0);
                let mut cycle: Vec<&str> = path.iter().skip(begin).map(String::as_str).collect();
                cycle.push(name);
                let message = format!("the function `{name}` calls itself");
                self.report
                    .error("recursive-function", &task.entry.at, message)
                    .label(cycle.join(" -> "))
                    .help("use `for` or `then` for what repeats, or `run` a workflow");
                self.weave.broken.insert(own);
                return 0;
            }
            None => {}
        }
        visits.insert(name.to_owned(), Visit::Open);
        path.push(name.to_owned());
        let mut called = BTreeSet::new();
        callees(task, &mut called);
        let mut longest = 0;
        for callee in called {
            longest = longest.max(self.chain(callee, path, visits));
            if self.weave.broken.contains(callee) {
                self.weave.broken.insert(own);
            }
        }
        path.pop();
        let length = longest + 1;
        if length > CALLS_MAX {
            self.weave.broken.insert(own);
            if length == CALLS_MAX + 1 {
                let message = format!(
                    "the function `{name}` begins a chain of more than {CALLS_MAX} functions that call each other"
                );
                self.report
                    .error("too-deep", &task.entry.at, message)
                    .help("make some of them one function");
            }
        }
        visits.insert(name.to_owned(), Visit::Done(length));
        length
    }

    /// Compiles the extensions of a task, in declared order.
    pub(super) fn extensions_of(&mut self, task: &model::Task<'n>, own: TaskId) -> Vec<Extension> {
        if self.weave.off || self.weave.inside {
            return Vec::new();
        }
        let extensions = self.weave.extensions;
        self.weave.inside = true;
        let woven = extensions
            .iter()
            .filter(|extension| extends(extension, task))
            .map(|extension| self.extension(extension, Some(own)))
            .collect();
        self.weave.inside = false;
        woven
    }

    fn extension(&mut self, extension: &model::Extension<'n>, own: Option<TaskId>) -> Extension {
        let none = Variables::none();
        let when =
            extension.when.and_then(|node| self.expression(node, Position::Condition, &none));
        Extension {
            name: extension.entry.key.clone(),
            when,
            before: self.block(&extension.before, own, &none),
            after: self.block(&extension.after, own, &none),
        }
    }

    /// A call of a function of the definition.
    pub(super) fn function_call(
        &mut self,
        called: &model::Task<'n>,
        with: Option<&'n Node>,
        own: TaskId,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let with = match with {
            Some(node) => self.template(node, Position::Body, variables),
            None => Some(Template::Constant(serde_json::json!({}))),
        };
        let name = called.entry.key.as_str();
        if self.weave.off || self.weave.broken.contains(name) {
            return None;
        }
        // The variables around the call are not those of the function.
        let body = self.block(std::slice::from_ref(called), Some(own), &Variables::none());
        Some(TaskKind::Function(Box::new(Function { name: name.to_owned(), with: with?, body })))
    }

    /// Functions and extensions are compiled where they run; here each is looked through once, so
    /// that a mistake does not wait for the first use.
    pub(super) fn check_woven(&mut self) {
        let uses = self.uses;
        let (slots, off) = (self.tasks.len(), self.weave.off);
        self.weave.off = true;
        for task in &uses.functions {
            self.block(std::slice::from_ref(task), None, &Variables::none());
        }
        for extension in &uses.extensions {
            self.extension(extension, None);
        }
        self.tasks.truncate(slots);
        self.weave.off = off;
    }
}
