//! The graph of the control flow, and tasks that nothing leads to.

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

use super::Compiler;
use crate::plan::{Block, Flow, Task, TaskId, TaskKind};
use crate::read::Node;

/// An edge from each task to those that can come next, and from a task to where its blocks begin.
/// Node indexes are task ids. Ends (`exit`, `end`) have no edge.
pub(super) fn graph(tasks: &[Task]) -> DiGraph<TaskId, Flow> {
    let mut graph = DiGraph::with_capacity(tasks.len(), tasks.len());
    for task in tasks {
        graph.add_node(task.id);
    }
    for task in tasks {
        let mut edge = |to: Option<TaskId>, flow: Flow| {
            if let Some(to) = to {
                graph.add_edge(index(task.id), index(to), flow);
            }
        };
        let beside = task.extensions.iter().flat_map(|extension| {
            [extension.before.first(), extension.after.first()].into_iter().flatten()
        });
        let undo = task.compensate.iter().filter_map(|block| block.first());
        for entry in entries(&task.kind).into_iter().chain(beside.copied()).chain(undo.copied()) {
            edge(Some(entry), Flow::Continue);
        }
        for flow in exits(task) {
            edge(target(task, flow), flow);
        }
    }
    graph
}

fn index(id: TaskId) -> NodeIndex {
    NodeIndex::new(usize::try_from(id.0).expect("a task id fits an index"))
}

/// The task a flow leads to, if any.
fn target(task: &Task, flow: Flow) -> Option<TaskId> {
    match flow {
        Flow::Continue => task.next,
        Flow::Task(id) => Some(id),
        Flow::Exit | Flow::End => None,
    }
}

/// Where the blocks inside a task begin.
fn entries(kind: &TaskKind) -> Vec<TaskId> {
    let first = |block: &Block| block.first().copied();
    match kind {
        TaskKind::Do(body) => first(body).into_iter().collect(),
        TaskKind::For(looped) => first(&looped.body).into_iter().collect(),
        TaskKind::Fork(fork) => fork.branches.clone(),
        TaskKind::Try(tried) => {
            first(&tried.body).into_iter().chain(tried.handler.as_ref().and_then(first)).collect()
        }
        TaskKind::Function(function) => first(&function.body).into_iter().collect(),
        TaskKind::Listen(listen) => {
            listen.foreach.as_ref().and_then(|each| first(&each.body)).into_iter().collect()
        }
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
    }
}

/// The ways out of a task.
fn exits(task: &Task) -> Vec<Flow> {
    match &task.kind {
        TaskKind::Switch(cases) => {
            let mut flows: Vec<Flow> = cases.iter().map(|case| case.then).collect();
            let always = cases.iter().any(|case| case.when.is_none());
            if !always || task.condition.is_some() {
                flows.push(task.then);
            }
            flows
        }
        TaskKind::Raise(_) | TaskKind::Rethrow if task.condition.is_none() => Vec::new(),
        TaskKind::Try(tried) => std::iter::once(task.then).chain(tried.then).collect(),
        TaskKind::Call(_)
        | TaskKind::Function(_)
        | TaskKind::Compensate
        | TaskKind::Rethrow
        | TaskKind::Human(_)
        | TaskKind::Do(_)
        | TaskKind::Emit(_)
        | TaskKind::For(_)
        | TaskKind::Fork(_)
        | TaskKind::Listen(_)
        | TaskKind::Raise(_)
        | TaskKind::Run(_)
        | TaskKind::Set(_)
        | TaskKind::Wait(_) => vec![task.then],
    }
}

impl Compiler<'_, '_> {
    /// Warns of tasks that nothing leads to; of those inside an unreachable one, only the outer.
    pub(super) fn unreachable(
        &mut self,
        tasks: &[Task],
        body: &Block,
        flow: &DiGraph<TaskId, Flow>,
        root: &Node,
    ) {
        let Some(start) = body.first() else { return };
        let mut reached = vec![false; tasks.len()];
        let mut search = Dfs::new(flow, index(*start));
        while let Some(found) = search.next(flow) {
            if let Some(seen) = reached.get_mut(found.index()) {
                *seen = true;
            }
        }
        let is_reached = |id: TaskId| reached.get(index(id).index()).copied().unwrap_or(false);
        for task in tasks {
            if is_reached(task.id) || task.parent.is_some_and(|parent| !is_reached(parent)) {
                continue;
            }
            let Some(node) = root.at_pointer(&task.pointer) else { continue };
            let parent = task.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            let at = root
                .at_pointer(parent)
                .and_then(|item| item.get(&task.name))
                .map_or(&node.at, |entry| &entry.at);
            self.report
                .warning(
                    "unreachable-task",
                    at,
                    format!("nothing leads to the task `{}`", task.name),
                )
                .label("never runs")
                .help("remove it, or lead to it with a `then`");
        }
    }
}
