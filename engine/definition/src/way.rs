//! Where a task leads: the blocks inside it and the ways out of it.
//!
//! The one answer for the graph of the checks, for drawings and for coverage, so that none of them
//! knows an arc that the others do not.

use crate::plan::{Flow, Task, TaskId, TaskKind};

/// What a block is to the task it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `before` of the extension with this number.
    Before(usize),
    /// The tasks it runs one after another: its own, or those of the function it calls.
    Body,
    /// The tasks of each turn of a `for`, or for each event of a `listen`.
    Turn,
    /// The branches of a `fork`, which are no sequence.
    Branches,
    /// `catch.do`.
    Handler,
    /// `after` of the extension with this number.
    After(usize),
    /// `metadata.compensate`.
    Undo,
}

/// Why a way out of a task is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason<'p> {
    /// The task is over.
    Over,
    /// This case of a `switch` held.
    Case(&'p str),
    /// No case of a `switch` held.
    NoCase,
    /// The task's `if` was false, and it can be left in no other way to there.
    Skipped,
    /// An error was caught, and `catch.then` says where to go.
    Caught,
}

/// A way out of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way<'p> {
    /// Why.
    pub reason: Reason<'p>,
    /// Where to.
    pub flow: Flow,
}

impl Task {
    /// The blocks that belong to it and hold something: its own, those of the extensions around it,
    /// and what undoes it.
    #[must_use]
    pub fn blocks(&self) -> Vec<(Part, &[TaskId])> {
        let mut blocks: Vec<(Part, &[TaskId])> = match &self.kind {
            TaskKind::Do(body) => vec![(Part::Body, body)],
            TaskKind::Function(function) => vec![(Part::Body, &function.body)],
            TaskKind::For(looped) => vec![(Part::Turn, &looped.body)],
            TaskKind::Listen(listen) => {
                listen.foreach.iter().map(|each| (Part::Turn, each.body.as_slice())).collect()
            }
            TaskKind::Fork(fork) => vec![(Part::Branches, &fork.branches)],
            TaskKind::Try(tried) => std::iter::once((Part::Body, tried.body.as_slice()))
                .chain(tried.handler.as_deref().map(|handler| (Part::Handler, handler)))
                .collect(),
            TaskKind::Call(_)
            | TaskKind::Compensate
            | TaskKind::Rethrow
            | TaskKind::Human(_)
            | TaskKind::Emit(_)
            | TaskKind::Raise(_)
            | TaskKind::Run(_)
            | TaskKind::Set(_)
            | TaskKind::Switch(_)
            | TaskKind::Wait(_) => Vec::new(),
        };
        for (at, extension) in self.extensions.iter().enumerate() {
            blocks.push((Part::Before(at), &extension.before));
            blocks.push((Part::After(at), &extension.after));
        }
        blocks.extend(self.compensate.as_deref().map(|undo| (Part::Undo, undo)));
        blocks.retain(|(_, block)| !block.is_empty());
        blocks
    }

    /// The ways out of it, in the order in which they are tried.
    #[must_use]
    pub fn ways(&self) -> Vec<Way<'_>> {
        let own = |reason| Way { reason, flow: self.then };
        match &self.kind {
            TaskKind::Switch(cases) => {
                let always = cases.iter().any(|case| case.when.is_none());
                let mut ways: Vec<Way<'_>> = cases
                    .iter()
                    .map(|case| Way { reason: Reason::Case(&case.name), flow: case.then })
                    .collect();
                if !always {
                    ways.push(own(Reason::NoCase));
                } else if self.condition.is_some() {
                    ways.push(own(Reason::Skipped));
                }
                ways
            }
            TaskKind::Raise(_) | TaskKind::Rethrow if self.condition.is_none() => Vec::new(),
            TaskKind::Raise(_) | TaskKind::Rethrow => vec![own(Reason::Skipped)],
            TaskKind::Try(tried) => std::iter::once(own(Reason::Over))
                .chain(tried.then.map(|flow| Way { reason: Reason::Caught, flow }))
                .collect(),
            TaskKind::Call(_)
            | TaskKind::Function(_)
            | TaskKind::Compensate
            | TaskKind::Human(_)
            | TaskKind::Do(_)
            | TaskKind::Emit(_)
            | TaskKind::For(_)
            | TaskKind::Fork(_)
            | TaskKind::Listen(_)
            | TaskKind::Run(_)
            | TaskKind::Set(_)
            | TaskKind::Wait(_) => vec![own(Reason::Over)],
        }
    }

    /// The task a flow leads to from here; `None` where it ends a scope or the workflow.
    #[must_use]
    pub fn target(&self, flow: Flow) -> Option<TaskId> {
        match flow {
            Flow::Continue => self.next,
            Flow::Task(id) => Some(id),
            Flow::Exit | Flow::End => None,
        }
    }
}
