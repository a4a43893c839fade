//! The graph of the control flow, and tasks that nothing leads to.

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

use super::Compiler;
use crate::plan::{Block, Flow, Task, TaskId};
use crate::read::Node;
use crate::way::Part;

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
        for (part, block) in task.blocks() {
            let entries =
                if part == Part::Branches { block } else { block.get(..1).unwrap_or(block) };
            for entry in entries {
                edge(Some(*entry), Flow::Continue);
            }
        }
        for way in task.ways() {
            edge(task.target(way.flow), way.flow);
        }
    }
    graph
}

fn index(id: TaskId) -> NodeIndex {
    NodeIndex::new(usize::try_from(id.0).expect("a task id fits an index"))
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
