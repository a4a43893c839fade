//! From the plan's task tree to nodes and arcs.

use tenure_definition::Plan;
use tenure_definition::plan::{Flow, Task, TaskId, TaskKind};

use super::{Arc, ArcKind, Graph, Node, NodeKind, Section, detail};

/// Index of the start in [`Graph::nodes`]; the tasks follow it.
const START: usize = 0;

/// The graph of a plan.
pub(super) fn graph(plan: &Plan) -> Graph {
    let document = &plan.document;
    let title = document.title.as_deref().filter(|title| !title.is_empty());
    let mut builder = Builder { plan, nodes: Vec::new(), arcs: Vec::new() };
    builder.place(NodeKind::Start, None, Section::Body);
    for task in &plan.tasks {
        builder.nodes.push(task_node(task));
    }
    for task in &plan.tasks {
        for (section, block) in blocks(task) {
            for child in block {
                if let Some(node) = builder.nodes.get_mut(index(*child)) {
                    node.section = section;
                }
            }
        }
    }
    if let Some(first) = plan.body.first() {
        builder.arc(START, index(*first), ArcKind::Start, "");
    }
    builder.scope(&plan.body, None, Section::Body);
    for task in &plan.tasks {
        builder.inside(task);
    }
    builder.arcs.sort_by_key(|arc| arc.from);
    Graph {
        title: format!("{}:{}", document.name, document.version),
        subtitle: match title {
            Some(title) => format!("{} · {title}", document.namespace),
            None => document.namespace.clone(),
        },
        nodes: builder.nodes,
        arcs: builder.arcs,
    }
}

/// The node of a task: the start comes before them all.
fn index(id: TaskId) -> usize {
    usize::try_from(id.0).expect("a task id fits an index") + 1
}

fn task_node(task: &Task) -> Node {
    let kind = shape(task).kind;
    Node {
        kind,
        name: task.name.clone(),
        detail: detail::of(kind, &task.definition),
        pointer: task.pointer.clone(),
        parent: task.parent.map(index),
        section: Section::Body,
        is_conditional: task.condition.is_some(),
    }
}

/// What the drawing needs to know of a kind of task.
struct Shape<'p> {
    kind: NodeKind,
    blocks: Vec<(Section, &'p [TaskId])>,
}

/// All blocks that belong to a task: its own, those of the extensions around it, and what undoes
/// it.
fn blocks(task: &Task) -> Vec<(Section, &[TaskId])> {
    let mut blocks = shape(task).blocks;
    for (at, extension) in task.extensions.iter().enumerate() {
        blocks.push((Section::Before(at), &extension.before));
        blocks.push((Section::After(at), &extension.after));
    }
    blocks.extend(task.compensate.as_deref().map(|undo| (Section::Undo, undo)));
    blocks.retain(|(_, block)| !block.is_empty());
    blocks
}

/// The one place that knows every kind of task.
fn shape(task: &Task) -> Shape<'_> {
    let leaf = |kind| Shape { kind, blocks: Vec::new() };
    match &task.kind {
        TaskKind::Call(_) | TaskKind::Compensate | TaskKind::Rethrow | TaskKind::Human(_) => {
            leaf(NodeKind::Call)
        }
        TaskKind::Function(function) => {
            Shape { kind: NodeKind::Call, blocks: vec![(Section::Body, &function.body)] }
        }
        TaskKind::Do(block) => Shape { kind: NodeKind::Do, blocks: vec![(Section::Body, block)] },
        TaskKind::Emit(_) => leaf(NodeKind::Emit),
        TaskKind::For(looped) => {
            Shape { kind: NodeKind::For, blocks: vec![(Section::Body, &looped.body)] }
        }
        TaskKind::Fork(fork) => {
            Shape { kind: NodeKind::Fork, blocks: vec![(Section::Branch, &fork.branches)] }
        }
        TaskKind::Listen(listen) => Shape {
            kind: NodeKind::Listen,
            blocks: listen.foreach.iter().map(|each| (Section::Body, &*each.body)).collect(),
        },
        TaskKind::Raise(_) => leaf(NodeKind::Raise),
        TaskKind::Run(_) => leaf(NodeKind::Run),
        TaskKind::Set(_) => leaf(NodeKind::Set),
        TaskKind::Switch(_) => leaf(NodeKind::Switch),
        TaskKind::Try(tried) => Shape {
            kind: NodeKind::Try,
            blocks: std::iter::once((Section::Body, tried.body.as_slice()))
                .chain(tried.handler.as_deref().map(|handler| (Section::Handler, handler)))
                .collect(),
        },
        TaskKind::Wait(_) => leaf(NodeKind::Wait),
    }
}

/// The name of an extension, and whether it asks before it does anything.
fn extension(task: &Task, number: usize) -> String {
    let Some(extension) = task.extensions.get(number) else { return String::new() };
    let asks = if extension.when.is_some() { "?" } else { "" };
    format!("{}{asks}", extension.name)
}

/// A way out of a task.
struct Out {
    flow: Flow,
    kind: ArcKind,
    label: String,
}

struct Builder<'p> {
    plan: &'p Plan,
    nodes: Vec<Node>,
    arcs: Vec<Arc>,
}

impl Builder<'_> {
    /// Adds a place where a flow begins or ends.
    fn place(&mut self, kind: NodeKind, parent: Option<usize>, section: Section) -> usize {
        let pointer = parent.and_then(|parent| self.nodes.get(parent));
        let pointer = pointer.map_or_else(String::new, |node| node.pointer.clone());
        self.nodes.push(Node {
            kind,
            name: kind.word().to_owned(),
            detail: String::new(),
            pointer,
            parent,
            section,
            is_conditional: false,
        });
        self.nodes.len() - 1
    }

    fn arc(&mut self, from: usize, to: usize, kind: ArcKind, label: &str) {
        self.arcs.push(Arc { from, to, kind, label: label.to_owned() });
    }

    /// The arcs into a composite task and between the tasks inside.
    fn inside(&mut self, task: &Task) {
        let at = index(task.id);
        for (section, block) in blocks(task) {
            let Some(first) = block.first() else { continue };
            match section {
                Section::Branch => {
                    for branch in block {
                        self.arc(at, index(*branch), ArcKind::Branch, "");
                    }
                    // The branches of a fork are no sequence: each ends by itself.
                    for branch in block {
                        self.scope(std::slice::from_ref(branch), Some(at), section);
                    }
                    continue;
                }
                Section::Handler => {
                    let label = detail::caught(&task.definition);
                    self.arc(at, index(*first), ArcKind::Catch, &label);
                }
                Section::Before(number) => {
                    self.arc(at, index(*first), ArcKind::Before, &extension(task, number));
                }
                Section::After(number) => {
                    self.arc(at, index(*first), ArcKind::After, &extension(task, number));
                }
                Section::Undo => self.arc(at, index(*first), ArcKind::Undo, ""),
                Section::Body => self.body_entry(task, *first),
            }
            self.scope(block, Some(at), section);
        }
    }

    fn body_entry(&mut self, task: &Task, first: TaskId) {
        let (at, to) = (index(task.id), index(first));
        match shape(task).kind {
            NodeKind::For => {
                self.arc(at, to, ArcKind::Loop, &detail::turn(&task.definition));
            }
            NodeKind::Listen => {
                self.arc(at, to, ArcKind::Loop, &detail::each_event(&task.definition));
            }
            NodeKind::Try => {
                self.arc(at, to, ArcKind::Body, "");
                if let Some(retry) = detail::retry(&task.definition, &self.plan.definition) {
                    self.arc(at, to, ArcKind::Retry, &retry);
                }
            }
            NodeKind::Start
            | NodeKind::End
            | NodeKind::Exit
            | NodeKind::Call
            | NodeKind::Do
            | NodeKind::Emit
            | NodeKind::Fork
            | NodeKind::Raise
            | NodeKind::Run
            | NodeKind::Set
            | NodeKind::Switch
            | NodeKind::Wait => self.arc(at, to, ArcKind::Body, ""),
        }
    }

    /// The arcs between the tasks of a block. An end of the scope is a node of its own where more
    /// than falling off the last task leads there; at the top it is the end of the workflow.
    fn scope(&mut self, block: &[TaskId], parent: Option<usize>, section: Section) {
        let (mut leaving, mut ending) = (Vec::new(), Vec::new());
        for id in block {
            let task = self.plan.task(*id);
            for out in ways_out(task) {
                let from = index(*id);
                let (list, kind) = match (out.flow, task.next) {
                    (Flow::Task(to), _) => {
                        self.arc(from, index(to), out.kind, &out.label);
                        continue;
                    }
                    (Flow::Continue, Some(next)) if section != Section::Branch => {
                        self.arc(from, index(next), out.kind, &out.label);
                        continue;
                    }
                    (Flow::End, _) => (&mut ending, ArcKind::End),
                    (Flow::Exit, _) => (&mut leaving, ArcKind::Exit),
                    (Flow::Continue, _) => (&mut leaving, ArcKind::Next),
                };
                let kind = if out.kind == ArcKind::Next || out.kind == ArcKind::Then {
                    kind
                } else {
                    out.kind
                };
                list.push((from, kind, out.label));
            }
        }
        if parent.is_none() {
            leaving.append(&mut ending);
        }
        let falls_off = matches!(leaving.as_slice(), [] | [(_, ArcKind::Next, _)]);
        if parent.is_none() || !(falls_off || section == Section::Branch) {
            let kind = if parent.is_none() { NodeKind::End } else { NodeKind::Exit };
            let to = self.place(kind, parent, section);
            for (from, kind, label) in leaving {
                self.arc(from, to, kind, &label);
            }
        }
        if !ending.is_empty() {
            let to = self.place(NodeKind::End, parent, section);
            for (from, kind, label) in ending {
                self.arc(from, to, kind, &label);
            }
        }
    }
}

/// The ways out of a task, in the order in which they are tried.
fn ways_out(task: &Task) -> Vec<Out> {
    let then = |kind, label: &str| {
        let kind = if kind == ArcKind::Next && matches!(task.then, Flow::Task(_)) {
            ArcKind::Then
        } else {
            kind
        };
        Out { flow: task.then, kind, label: label.to_owned() }
    };
    match &task.kind {
        TaskKind::Switch(cases) => {
            let mut outs: Vec<Out> = cases
                .iter()
                .map(|case| Out { flow: case.then, kind: ArcKind::Case, label: case.name.clone() })
                .collect();
            let always = cases.iter().any(|case| case.when.is_none());
            if !always || task.condition.is_some() {
                outs.push(then(ArcKind::Case, if always { "skipped" } else { "else" }));
            }
            outs
        }
        TaskKind::Raise(_) | TaskKind::Rethrow if task.condition.is_none() => Vec::new(),
        TaskKind::Raise(_) | TaskKind::Rethrow => vec![then(ArcKind::Next, "skipped")],
        TaskKind::Try(tried) => std::iter::once(then(ArcKind::Next, ""))
            .chain(tried.then.map(|flow| Out {
                flow,
                kind: ArcKind::Catch,
                label: "caught".to_owned(),
            }))
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
        | TaskKind::Wait(_) => vec![then(ArcKind::Next, "")],
    }
}
