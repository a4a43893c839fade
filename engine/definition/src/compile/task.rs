//! Blocks and tasks: slots, names, and the kinds that need nothing more.

use serde_json::{Value, json};

use super::Compiler;
use super::name::{self, Position, Variables};
use crate::diagnostic::did_you_mean;
use crate::parse::model;
use crate::plan::{Block, Case, Flow, For, Fork, RunWorkflow, Task, TaskId, TaskKind};
use crate::read::{Node, Yaml};
use crate::template::Template;

/// The tasks a `then` can name.
pub(super) struct Siblings<'t> {
    names: Vec<(&'t str, TaskId)>,
    /// Branches of a fork run side by side, so none can follow another.
    branches: bool,
}

impl<'n> Compiler<'_, 'n> {
    /// Compiles a list of tasks that run one after another.
    pub(super) fn block(
        &mut self,
        tasks: &[model::Task<'n>],
        parent: Option<TaskId>,
        variables: &Variables,
    ) -> Block {
        self.tasks_of(tasks, parent, variables, false)
    }

    fn tasks_of(
        &mut self,
        tasks: &[model::Task<'n>],
        parent: Option<TaskId>,
        variables: &Variables,
        branches: bool,
    ) -> Block {
        // Later siblings get their slots after all that is inside the earlier ones.
        let mut slot = self.tasks.len();
        let mut names = Vec::with_capacity(tasks.len());
        for task in tasks {
            names.push((task.entry.key.as_str(), id(slot)));
            slot += name::count(std::slice::from_ref(task));
        }
        let siblings = Siblings { names, branches };
        let mut following = siblings.names.iter().skip(1).map(|(_, id)| *id);
        for task in tasks {
            let next = following.next().filter(|_| !branches);
            self.task(task, parent, next, &siblings, variables);
        }
        siblings.names.iter().map(|(_, id)| *id).collect()
    }

    fn task(
        &mut self,
        task: &model::Task<'n>,
        parent: Option<TaskId>,
        next: Option<TaskId>,
        siblings: &Siblings<'_>,
        variables: &Variables,
    ) {
        let slot = self.tasks.len();
        self.tasks.push(None);
        let own = id(slot);
        let node = &task.entry.node;
        let condition =
            task.condition.and_then(|node| self.expression(node, Position::Condition, variables));
        let input = self.input(&task.input, Position::TaskInput, variables);
        let output = self.output(&task.output, Position::TaskOutput, variables);
        let export = self.output(&task.export, Position::Export, variables);
        let timeout =
            task.timeout.and_then(|timeout| self.timeout(timeout, Position::Body, variables));
        let then = task.then.and_then(|node| self.flow(node, siblings)).unwrap_or(Flow::Continue);
        let exclusive =
            task.own.exclusive.and_then(|node| self.template(node, Position::Body, variables));
        let expect =
            task.own.expect.and_then(|node| self.duration(node, Position::Body, variables));
        let kind = self.kind(task, own, siblings, variables);
        let compensate = task.own.compensate.as_ref().and_then(|undo| self.compensate(undo, own));
        let Some(kind) = kind else { return };
        let compiled = Task {
            id: own,
            name: task.entry.key.clone(),
            pointer: node.at.pointer.clone(),
            parent,
            next,
            condition,
            input,
            output,
            export,
            timeout,
            then,
            definition: node.to_json(),
            metadata: task.metadata.map_or(Value::Null, Node::to_json),
            extensions: Vec::new(),
            exclusive,
            compensate,
            expect,
            kind,
        };
        if let Some(empty) = self.tasks.get_mut(slot) {
            *empty = Some(compiled);
        }
    }

    /// `then`.
    pub(super) fn flow(&mut self, node: &Node, siblings: &Siblings<'_>) -> Option<Flow> {
        let name = node.text()?;
        match name {
            "continue" => return Some(Flow::Continue),
            "exit" => return Some(Flow::Exit),
            "end" => return Some(Flow::End),
            _ => {}
        }
        if siblings.branches {
            self.report
                .error("unknown-task", &node.at, "branches of a fork cannot follow each other")
                .label("they run side by side")
                .help("use `exit` or `end`, or put the tasks into one branch with `do`");
            return None;
        }
        if let Some((_, id)) = siblings.names.iter().find(|(known, _)| *known == name) {
            return Some(Flow::Task(*id));
        }
        let help = if self.task_names.contains(name) {
            format!("`{name}` is in another list; `then` reaches only tasks of its own list")
        } else {
            did_you_mean(name, siblings.names.iter().map(|(known, _)| *known)).unwrap_or_else(
                || "use continue, exit, end, or the name of a task of this list".to_owned(),
            )
        };
        self.report
            .error("unknown-task", &node.at, format!("there is no task `{name}` in this list"))
            .help(help);
        None
    }

    fn kind(
        &mut self,
        task: &model::Task<'n>,
        own: TaskId,
        siblings: &Siblings<'_>,
        variables: &Variables,
    ) -> Option<TaskKind> {
        match &task.kind {
            model::Kind::Call { function, with } => {
                self.call(function, *with, task.own.idempotency_key, variables)
            }
            model::Kind::Do(body) => Some(TaskKind::Do(self.block(body, Some(own), variables))),
            model::Kind::Emit(with) => {
                self.template(with, Position::Body, variables).map(TaskKind::Emit)
            }
            model::Kind::For(looped) => self.for_each(looped, own, variables),
            model::Kind::Fork { branches, compete } => {
                let branches = self.tasks_of(branches, Some(own), variables, true);
                Some(TaskKind::Fork(Fork { branches, compete: *compete }))
            }
            model::Kind::Listen { to, read, until, foreach } => {
                self.listen((to, until.as_ref()), *read, foreach.as_ref(), own, variables)
            }
            model::Kind::Raise(error) => self.raise(error, variables),
            model::Kind::Run(run) => self.run(run, variables),
            model::Kind::Set(value) => {
                self.template(value, Position::Body, variables).map(TaskKind::Set)
            }
            model::Kind::Switch(cases) => self.switch(cases, siblings, variables),
            model::Kind::Try(tried) => self.try_catch(tried, own, siblings, variables),
            model::Kind::Wait(node) => {
                self.duration(node, Position::Body, variables).map(TaskKind::Wait)
            }
            model::Kind::Refused => None,
        }
    }

    fn for_each(
        &mut self,
        looped: &model::For<'n>,
        own: TaskId,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let items = match &looped.items.value {
            Yaml::Text(_) => {
                self.expression(looped.items, Position::Body, variables).map(Template::Expression)
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.template(looped.items, Position::Body, variables)
            }
        };
        let inside = variables.with([&looped.each, &looped.at]);
        let condition = looped.condition.map(|node| self.expression(node, Position::Body, &inside));
        let body = self.block(&looped.body, Some(own), &inside);
        let condition = match condition {
            Some(condition) => Some(condition?),
            None => None,
        };
        Some(TaskKind::For(Box::new(For {
            each: looped.each.clone(),
            at: looped.at.clone(),
            items: items?,
            condition,
            body,
        })))
    }

    fn raise(&mut self, error: &Node, variables: &Variables) -> Option<TaskKind> {
        let computed = error.text().is_some_and(|text| text.trim_start().starts_with("${"));
        let node = if error.text().is_some() && !computed {
            let uses = self.uses;
            let known = uses.errors.iter().map(|(entry, node)| (entry.key.as_str(), *node));
            self.named(error, "errors", known)?
        } else {
            error
        };
        self.template(node, Position::Body, variables).map(TaskKind::Raise)
    }

    fn run(&mut self, run: &model::Run<'n>, variables: &Variables) -> Option<TaskKind> {
        let input = match run.input {
            Some(node) => self.template(node, Position::Body, variables)?,
            None => Template::Constant(json!({})),
        };
        Some(TaskKind::Run(Box::new(RunWorkflow {
            namespace: run.namespace.clone(),
            name: run.name.clone(),
            version: run.version.clone(),
            input,
            wait: run.wait,
        })))
    }

    fn switch(
        &mut self,
        cases: &[model::Case<'n>],
        siblings: &Siblings<'_>,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let compiled: Vec<Option<Case>> = cases
            .iter()
            .map(|case| {
                let when = case.when.map(|node| self.expression(node, Position::Body, variables));
                let then = self.flow(case.then, siblings)?;
                let when = match when {
                    Some(when) => Some(when?),
                    None => None,
                };
                Some(Case { name: case.entry.key.clone(), when, then })
            })
            .collect();
        compiled.into_iter().collect::<Option<_>>().map(TaskKind::Switch)
    }
}

pub(super) fn id(slot: usize) -> TaskId {
    TaskId(u32::try_from(slot).expect("the reader's limit of nodes keeps this far below 2^32"))
}
