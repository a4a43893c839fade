//! From the plan's task tree to nodes and arcs.

use tenure_definition::Plan;
use tenure_definition::plan::{Flow, Task, TaskId, TaskKind};
use tenure_definition::way::{Part, Reason, Way};

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
    let kind = kind(task);
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

/// The blocks of a task, by the section they are drawn in.
fn blocks(task: &Task) -> impl Iterator<Item = (Section, &[TaskId])> {
    task.blocks().into_iter().map(|(part, block)| {
        let section = match part {
            Part::Before(at) => Section::Before(at),
            Part::Body | Part::Turn => Section::Body,
            Part::Branches => Section::Branch,
            Part::Handler => Section::Handler,
            Part::After(at) => Section::After(at),
            Part::Undo => Section::Undo,
        };
        (section, block)
    })
}

/// How a task is drawn.
fn kind(task: &Task) -> NodeKind {
    match &task.kind {
        TaskKind::Call(_)
        | TaskKind::Compensate
        | TaskKind::Rethrow
        | TaskKind::Human(_)
        | TaskKind::Function(_) => NodeKind::Call,
        TaskKind::Do(_) => NodeKind::Do,
        TaskKind::Emit(_) => NodeKind::Emit,
        TaskKind::For(_) => NodeKind::For,
        TaskKind::Fork(_) => NodeKind::Fork,
        TaskKind::Listen(_) => NodeKind::Listen,
        TaskKind::Raise(_) => NodeKind::Raise,
        TaskKind::Run(_) => NodeKind::Run,
        TaskKind::Set(_) => NodeKind::Set,
        TaskKind::Switch(_) => NodeKind::Switch,
        TaskKind::Try(_) => NodeKind::Try,
        TaskKind::Wait(_) => NodeKind::Wait,
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
        match kind(task) {
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

/// The ways out of a task, as they are drawn.
fn ways_out(task: &Task) -> Vec<Out> {
    let out = |way: Way<'_>| {
        let (kind, label) = match way.reason {
            Reason::Over if matches!(way.flow, Flow::Task(_)) => (ArcKind::Then, ""),
            Reason::Over => (ArcKind::Next, ""),
            Reason::Case(name) => (ArcKind::Case, name),
            Reason::NoCase => (ArcKind::Case, "else"),
            Reason::Skipped if matches!(task.kind, TaskKind::Switch(_)) => {
                (ArcKind::Case, "skipped")
            }
            Reason::Skipped if matches!(way.flow, Flow::Task(_)) => (ArcKind::Then, "skipped"),
            Reason::Skipped => (ArcKind::Next, "skipped"),
            Reason::Caught => (ArcKind::Catch, "caught"),
        };
        Out { flow: way.flow, kind, label: label.to_owned() }
    };
    task.ways().into_iter().map(out).collect()
}
