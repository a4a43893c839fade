//! Loops that go round without ever waiting for anything: the machine ends them by force.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use super::Checker;
use crate::plan::{Flow, Task, TaskId, TaskKind};
use crate::read::Node;
use crate::time::Duration;

/// Names shown of a loop.
const SHOWN_MAX: usize = 5;

impl Checker<'_, '_> {
    pub(super) fn rounds(&mut self) {
        let plan = self.plan;
        self.round(&plan.body);
        for task in &plan.tasks {
            for block in blocks(task) {
                self.round(block);
            }
        }
    }

    /// Looks for circles among the tasks of one list that do not pause.
    fn round(&mut self, block: &[TaskId]) {
        let mut graph = DiGraph::<TaskId, ()>::new();
        let quick: Vec<TaskId> = block.iter().copied().filter(|id| !self.pauses(*id)).collect();
        let nodes: BTreeMap<TaskId, _> =
            quick.iter().map(|id| (*id, graph.add_node(*id))).collect();
        for (id, node) in &nodes {
            for next in self.nexts(*id).into_iter().flatten() {
                if let Some(to) = nodes.get(&next) {
                    graph.add_edge(*node, *to, ());
                }
            }
        }
        for circle in tarjan_scc(&graph) {
            let mut tasks: Vec<TaskId> =
                circle.iter().filter_map(|node| graph.node_weight(*node)).copied().collect();
            tasks.sort_unstable();
            let round = tasks.len() > 1
                || circle.first().is_some_and(|node| graph.contains_edge(*node, *node));
            if round {
                self.circle(&tasks);
            }
        }
    }

    fn circle(&mut self, tasks: &[TaskId]) {
        let Some(first) = tasks.first().copied() else { return };
        if self.visit(first).is_none() {
            return;
        }
        let leaves = tasks.iter().any(|id| {
            let task = self.plan.task(*id);
            let raises = matches!(task.kind, TaskKind::Raise(_) | TaskKind::Rethrow);
            let out = self
                .nexts(*id)
                .into_iter()
                .any(|next| next.is_none_or(|next| !tasks.contains(&next)));
            raises || out
        });
        let still = tasks.iter().all(|id| {
            let task = self.plan.task(*id);
            matches!(task.kind, TaskKind::Switch(_))
                && task.input.from.is_none()
                && task.output.transform.is_none()
                && task.export.transform.is_none()
        });
        if leaves && !still {
            return;
        }
        let names: Vec<&str> =
            tasks.iter().take(SHOWN_MAX).map(|id| self.plan.task(*id).name.as_str()).collect();
        let dots = if tasks.len() > SHOWN_MAX { ", ..." } else { "" };
        let names = names.join(", ") + dots;
        let Some(at) = self.key(first) else { return };
        let help =
            "let the loop wait (`wait`, `listen`, a call), or lead out of it with a `switch`";
        if leaves {
            self.report
                .warning(
                    "endless-loop",
                    &at,
                    format!("nothing in the loop of {names} changes what it decides by"),
                )
                .label("goes round for ever once it goes round")
                .help("change the data in the loop, or wait in it for something new");
        } else {
            self.report
                .error(
                    "endless-loop",
                    &at,
                    format!("the loop of {names} never waits and never ends"),
                )
                .label("begins here")
                .help(help);
        }
    }

    /// The place of a task's name.
    pub(super) fn key(&self, id: TaskId) -> Option<crate::diagnostic::Place> {
        let task = self.plan.task(id);
        let (item, _) = task.pointer.rsplit_once('/')?;
        let node: &Node = self.root.at_pointer(item)?;
        Some(node.get(&task.name)?.at.clone())
    }

    /// The tasks of the same list that can follow; `None` where the list is left.
    fn nexts(&self, id: TaskId) -> Vec<Option<TaskId>> {
        let task = self.plan.task(id);
        let mut flows = Vec::new();
        let mut falls = true;
        if let TaskKind::Switch(cases) = &task.kind {
            flows.extend(cases.iter().map(|case| case.then));
            falls = task.condition.is_some() || cases.iter().all(|case| case.when.is_some());
        }
        if let TaskKind::Try(tried) = &task.kind {
            flows.extend(tried.then);
        }
        if matches!(task.kind, TaskKind::Raise(_) | TaskKind::Rethrow) && task.condition.is_none() {
            falls = false;
        }
        if falls {
            flows.push(task.then);
        }
        let next = |flow| match flow {
            Flow::Continue => task.next,
            Flow::Task(next) => Some(next),
            Flow::Exit | Flow::End => None,
        };
        flows.into_iter().map(next).collect()
    }

    /// Whether every way through a task waits for something.
    fn pauses(&self, id: TaskId) -> bool {
        let task = self.plan.task(id);
        if task.condition.is_some() {
            return false;
        }
        match &task.kind {
            TaskKind::Call(_) | TaskKind::Human(_) | TaskKind::Listen(_) | TaskKind::Run(_) => true,
            TaskKind::Function(function) => self.block_pauses(&function.body),
            TaskKind::Wait(Duration::Fixed(span)) => !span.is_zero(),
            TaskKind::Wait(Duration::Computed(_)) => true,
            TaskKind::Do(body) => self.block_pauses(body),
            TaskKind::Try(tried) => self.block_pauses(&tried.body),
            TaskKind::Fork(fork) if fork.compete => fork.branches.iter().all(|id| self.pauses(*id)),
            TaskKind::Fork(fork) => fork.branches.iter().any(|id| self.pauses(*id)),
            TaskKind::Compensate
            | TaskKind::Emit(_)
            | TaskKind::For(_)
            | TaskKind::Raise(_)
            | TaskKind::Rethrow
            | TaskKind::Set(_)
            | TaskKind::Switch(_) => false,
        }
    }

    fn block_pauses(&self, block: &[TaskId]) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let mut open: Vec<TaskId> = block.first().copied().into_iter().collect();
        while let Some(id) = open.pop() {
            if !seen.insert(id) || self.pauses(id) {
                continue;
            }
            for next in self.nexts(id) {
                match next {
                    Some(next) => open.push(next),
                    None => return false,
                }
            }
        }
        true
    }
}

/// The lists of tasks inside a task; branches of a fork do not follow each other.
fn blocks(task: &Task) -> Vec<&[TaskId]> {
    let beside = task.extensions.iter().flat_map(|extension| [&extension.before, &extension.after]);
    let mut all: Vec<&[TaskId]> = beside.chain(&task.compensate).map(Vec::as_slice).collect();
    all.extend(match &task.kind {
        TaskKind::Do(body) => vec![body.as_slice()],
        TaskKind::Function(function) => vec![function.body.as_slice()],
        TaskKind::Listen(listen) => {
            listen.foreach.iter().map(|each| each.body.as_slice()).collect()
        }
        TaskKind::For(looped) => vec![looped.body.as_slice()],
        TaskKind::Try(tried) => {
            std::iter::once(tried.body.as_slice()).chain(tried.handler.as_deref()).collect()
        }
        TaskKind::Call(_)
        | TaskKind::Emit(_)
        | TaskKind::Fork(_)
        | TaskKind::Compensate
        | TaskKind::Human(_)
        | TaskKind::Raise(_)
        | TaskKind::Rethrow
        | TaskKind::Run(_)
        | TaskKind::Set(_)
        | TaskKind::Switch(_)
        | TaskKind::Wait(_) => Vec::new(),
    });
    all
}
