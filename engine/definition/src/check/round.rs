//! Loops that go round without ever waiting for anything: the machine ends them by force.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use super::Checker;
use crate::plan::{Flow, Plan, Task, TaskId, TaskKind};
use crate::read::Node;
use crate::time::Duration;

/// Names shown of a loop.
const SHOWN_MAX: usize = 5;

impl Checker<'_, '_> {
    pub(super) fn rounds(&mut self) {
        let plan = self.plan;
        let natures = Natures::of(plan);
        self.round(&plan.body, &natures);
        for task in &plan.tasks {
            for block in blocks(task) {
                self.round(block, &natures);
            }
        }
    }

    /// Looks for circles among the tasks of one list that do not pause.
    fn round(&mut self, block: &[TaskId], natures: &Natures) {
        let mut graph = DiGraph::<TaskId, ()>::new();
        let quick = block.iter().copied().filter(|id| !natures.get(*id).pauses);
        let nodes: BTreeMap<TaskId, _> = quick.map(|id| (id, graph.add_node(id))).collect();
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
                self.circle(&tasks, natures);
            }
        }
    }

    fn circle(&mut self, tasks: &[TaskId], natures: &Natures) {
        let Some(first) = tasks.first().copied() else { return };
        if self.visit(first).is_none() {
            return;
        }
        let leaves = tasks.iter().any(|id| {
            let nexts = self.nexts(*id);
            natures.get(*id).leaves
                || nexts.into_iter().any(|next| next.is_none_or(|next| !tasks.contains(&next)))
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
        let endless = format!("the loop of {names} never waits and never ends");
        if leaves {
            let message = format!("nothing in the loop of {names} changes what it decides by");
            self.report
                .warning("endless-loop", &at, message)
                .label("goes round for ever once it goes round")
                .help("change the data in the loop, or wait in it for something new");
        } else if tasks.iter().all(|id| natures.get(*id).leaf) {
            self.report.error("endless-loop", &at, endless).label("begins here").help(help);
        } else {
            // What other tasks do inside is not certain enough to refuse a definition.
            self.report.warning("endless-loop", &at, endless).label("begins here").help(help);
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
}

/// What a task may do besides going on, with all that is inside of it.
#[derive(Debug, Clone, Copy)]
struct Nature {
    /// It may wait for something.
    pauses: bool,
    /// It may end the workflow, or fail on purpose.
    leaves: bool,
    /// It is a single step: nothing is inside of it, and nothing runs beside it.
    leaf: bool,
}

struct Natures(Vec<Nature>);

impl Natures {
    fn of(plan: &Plan) -> Self {
        // Nothing is told of what is not looked at yet; children come after their parents.
        let unknown = Nature { pauses: true, leaves: true, leaf: false };
        let mut all = Self(vec![unknown; plan.tasks.len()]);
        for task in plan.tasks.iter().rev() {
            let mut nature = own(task);
            for inner in inside(task) {
                let inner = all.get(inner);
                nature.pauses |= inner.pauses;
                nature.leaves |= inner.leaves;
            }
            let slot = usize::try_from(task.id.0).ok().and_then(|at| all.0.get_mut(at));
            if let Some(slot) = slot {
                *slot = nature;
            }
        }
        all
    }

    fn get(&self, id: TaskId) -> Nature {
        let found = usize::try_from(id.0).ok().and_then(|at| self.0.get(at)).copied();
        found.unwrap_or(Nature { pauses: true, leaves: true, leaf: false })
    }
}

/// The nature of a task without what is inside.
fn own(task: &Task) -> Nature {
    let mut ends = task.then == Flow::End;
    let (pauses, leaf) = match &task.kind {
        TaskKind::Call(_)
        | TaskKind::Compensate
        | TaskKind::Human(_)
        | TaskKind::Listen(_)
        | TaskKind::Run(_)
        | TaskKind::Wait(Duration::Computed(_)) => (true, true),
        TaskKind::Wait(Duration::Fixed(span)) => (!span.is_zero(), true),
        TaskKind::Do(_) | TaskKind::Function(_) | TaskKind::For(_) | TaskKind::Fork(_) => {
            (false, false)
        }
        TaskKind::Try(tried) => {
            ends |= tried.then == Some(Flow::End);
            (false, false)
        }
        TaskKind::Raise(_) | TaskKind::Rethrow => {
            ends = true;
            (false, true)
        }
        TaskKind::Switch(cases) => {
            ends |= cases.iter().any(|case| case.then == Flow::End);
            (false, true)
        }
        TaskKind::Emit(_) | TaskKind::Set(_) => (false, true),
    };
    // A schema refuses what does not fit it, and so does `error` of jq.
    let refuses = task.input.schema.is_some()
        || task.output.schema.is_some()
        || task.export.schema.is_some()
        || raises(&task.definition.to_string());
    Nature {
        pauses: pauses || task.exclusive.is_some(),
        leaves: ends || refuses,
        leaf: leaf && task.extensions.is_empty(),
    }
}

/// Whether an expression may call jq's `error`.
fn raises(definition: &str) -> bool {
    definition.match_indices("error").any(|(at, word)| {
        let before = definition.get(..at).unwrap_or_default().trim_end();
        let after = definition.get(at + word.len()..).unwrap_or_default();
        after.starts_with('(')
            || before.ends_with(['|', ';', ',', '{', '(', '/'])
            || before.ends_with("then")
            || before.ends_with("else")
    })
}

/// The tasks that run while a task runs.
fn inside(task: &Task) -> Vec<TaskId> {
    let branches = match &task.kind {
        TaskKind::Fork(fork) => fork.branches.as_slice(),
        TaskKind::Call(_)
        | TaskKind::Compensate
        | TaskKind::Do(_)
        | TaskKind::Emit(_)
        | TaskKind::For(_)
        | TaskKind::Function(_)
        | TaskKind::Human(_)
        | TaskKind::Listen(_)
        | TaskKind::Raise(_)
        | TaskKind::Rethrow
        | TaskKind::Run(_)
        | TaskKind::Set(_)
        | TaskKind::Switch(_)
        | TaskKind::Try(_)
        | TaskKind::Wait(_) => &[],
    };
    // What undoes it runs later, if ever: counted all the same, so that doubt stays silent.
    blocks(task).into_iter().flatten().chain(branches).copied().collect()
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
