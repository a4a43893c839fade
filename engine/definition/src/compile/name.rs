//! Which variables an expression may use at its place, and the names a definition binds.

use std::collections::BTreeSet;

use crate::parse::model::{Compensate, Kind, Task};

/// The variables of the language.
pub(crate) const GLOBALS: [&str; 8] =
    ["context", "input", "output", "secrets", "authorization", "task", "workflow", "runtime"];

/// Where an expression stands: the rows of the specification's table of runtime arguments, and a
/// few places of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// `input.from` of the definition.
    WorkflowInput,
    /// `output.as` of the definition.
    WorkflowOutput,
    /// What is evaluated once, on the input, when an instance starts.
    Start,
    /// `metadata.searchable`: on the input, whenever the context changes.
    Search,
    /// What is evaluated on an event, away from any instance.
    Event,
    /// `if`.
    Condition,
    /// `input.from` of a task.
    TaskInput,
    /// The task's own configuration.
    Body,
    /// `with` of a call, where secrets may go.
    Arguments,
    /// `output.as` of a task.
    TaskOutput,
    /// `export.as` of a task.
    Export,
}

impl Position {
    fn globals(self) -> &'static [&'static str] {
        match self {
            Self::WorkflowInput => &["secrets", "workflow", "runtime"],
            Self::WorkflowOutput => &["context", "workflow", "runtime"],
            Self::Start | Self::Event => &[],
            Self::Search => &["context"],
            Self::Condition => &["context", "task", "workflow", "runtime"],
            Self::TaskInput => &["context", "secrets", "task", "workflow", "runtime"],
            Self::Body | Self::TaskOutput => {
                &["context", "input", "authorization", "task", "workflow", "runtime"]
            }
            Self::Arguments => {
                &["context", "input", "secrets", "authorization", "task", "workflow", "runtime"]
            }
            Self::Export => {
                &["context", "input", "output", "authorization", "task", "workflow", "runtime"]
            }
        }
    }

    /// What a literal text that looks like an expression should have been.
    pub(super) fn is_task(self) -> bool {
        match self {
            Self::WorkflowInput
            | Self::WorkflowOutput
            | Self::Start
            | Self::Search
            | Self::Event => false,
            Self::Condition
            | Self::TaskInput
            | Self::Body
            | Self::Arguments
            | Self::TaskOutput
            | Self::Export => true,
        }
    }
}

/// The variables that loops and catches around a place bind, without `$`.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    names: Vec<String>,
    /// Whether the place is inside a `catch.do`.
    caught: bool,
}

impl Variables {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn with<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Self {
        let names = self.names.iter().cloned().chain(names.into_iter().cloned()).collect();
        Self { names, caught: self.caught }
    }

    /// The same, inside a `catch.do`.
    pub(super) fn in_catch(&self) -> Self {
        Self { names: self.names.clone(), caught: true }
    }

    pub(super) fn is_in_catch(&self) -> bool {
        self.caught
    }

    /// All names an expression at `position` may use.
    pub(super) fn at(&self, position: Position) -> Vec<&str> {
        let bound = self.names.iter().map(String::as_str).filter(|_| position.is_task());
        position.globals().iter().copied().chain(bound).collect()
    }
}

/// Where a variable of the language can be used.
pub(super) fn where_known(name: &str) -> &'static str {
    match name {
        "output" => "`$output` exists in `export.as` only; elsewhere the output is `.`",
        "secrets" => {
            "secrets are given to `input.from` and to the arguments of calls only, so that they are not stored"
        }
        "input" => "`$input` exists once `input.from` has run; here the raw input is `.`",
        "context" | "task" | "authorization" => "it exists inside tasks only",
        _ => "it does not exist at this place",
    }
}

/// The names a definition binds anywhere.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) variables: BTreeSet<String>,
    pub(super) tasks: BTreeSet<String>,
}

impl Found {
    pub(super) fn block(&mut self, tasks: &[Task<'_>]) {
        for task in tasks {
            self.tasks.insert(task.entry.key.clone());
            match &task.kind {
                Kind::For(looped) => {
                    self.variables.extend([looped.each.clone(), looped.at.clone()]);
                }
                Kind::Try(tried) => {
                    self.variables.insert(tried.bind.clone());
                }
                Kind::Listen { foreach: Some(each), .. } => {
                    self.variables.extend([each.item.clone(), each.at.clone()]);
                }
                Kind::Call { .. }
                | Kind::Do(_)
                | Kind::Emit(_)
                | Kind::Fork { .. }
                | Kind::Listen { foreach: None, .. }
                | Kind::Raise(_)
                | Kind::Run(_)
                | Kind::Set(_)
                | Kind::Switch(_)
                | Kind::Wait(_)
                | Kind::Refused => {}
            }
            for block in blocks(&task.kind) {
                self.block(block);
            }
            if let Some(Compensate::Tasks(tasks)) = &task.own.compensate {
                self.block(tasks);
            }
        }
    }
}

/// The blocks inside a task, in document order.
pub(super) fn blocks<'t, 'n>(kind: &'t Kind<'n>) -> Vec<&'t [Task<'n>]> {
    match kind {
        Kind::Do(body) | Kind::Fork { branches: body, .. } => vec![body],
        Kind::For(looped) => vec![&looped.body],
        Kind::Try(tried) => {
            std::iter::once(tried.body.as_slice()).chain(tried.handler.as_deref()).collect()
        }
        Kind::Listen { foreach: Some(each), .. } => vec![&each.body],
        Kind::Call { .. }
        | Kind::Emit(_)
        | Kind::Listen { foreach: None, .. }
        | Kind::Raise(_)
        | Kind::Run(_)
        | Kind::Set(_)
        | Kind::Switch(_)
        | Kind::Wait(_)
        | Kind::Refused => Vec::new(),
    }
}

/// The number of tasks in a block, with all below.
pub(super) fn count(tasks: &[Task<'_>]) -> usize {
    let inside = |task: &Task<'_>| blocks(&task.kind).into_iter().map(count).sum::<usize>();
    tasks.iter().map(|task| 1 + inside(task) + undo(task)).sum()
}

/// The number of tasks of `metadata.compensate`; they follow those inside the task.
fn undo(task: &Task<'_>) -> usize {
    match &task.own.compensate {
        None => 0,
        Some(Compensate::Tasks(tasks)) => count(tasks),
        Some(Compensate::Function(_)) => 1,
    }
}
