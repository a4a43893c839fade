//! A definition as a drawing: first a value of nodes and arcs, then one of four renderers.
//!
//! The value says what leads where and why; it knows nothing of places on paper. Everything is in
//! document order and without randomness, so the same plan gives the same text, and a committed
//! drawing can be compared with what the definition says today.

use std::collections::BTreeSet;

use tenure_definition::Plan;

mod build;
mod detail;
mod dot;
mod escape;
mod layout;
mod measure;
mod mermaid;
mod outline;
mod route;
mod svg;
mod text;

/// What leads where in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// `name:version`.
    pub title: String,
    /// The namespace, and the author's title when there is one.
    pub subtitle: String,
    /// The start first, then every task in document order, then ends and exits.
    pub nodes: Vec<Node>,
    /// Arcs, by their origin in document order.
    pub arcs: Vec<Arc>,
}

/// A task, or a place where a flow begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The task's name; `start`, `end` or `exit` for the others.
    pub name: String,
    /// What it does in a few words: the function, the event's type, the time.
    pub detail: String,
    /// JSON pointer of the task; that of the enclosing task for an end or exit.
    pub pointer: String,
    /// Index of the composite task around it.
    pub parent: Option<usize>,
    /// Which block of the parent holds it.
    pub section: Section,
    /// Whether it has an `if` and may be skipped.
    pub is_conditional: bool,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// Where an instance begins.
    Start,
    /// The end of the workflow.
    End,
    /// The end of one scope.
    Exit,
    /// `call`.
    Call,
    /// `do`.
    Do,
    /// `emit`.
    Emit,
    /// `for`.
    For,
    /// `fork`.
    Fork,
    /// `listen`.
    Listen,
    /// `raise`.
    Raise,
    /// `run`.
    Run,
    /// `set`.
    Set,
    /// `switch`.
    Switch,
    /// `try`.
    Try,
    /// `wait`.
    Wait,
}

impl NodeKind {
    /// The word of the language.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Exit => "exit",
            Self::Call => "call",
            Self::Do => "do",
            Self::Emit => "emit",
            Self::For => "for",
            Self::Fork => "fork",
            Self::Listen => "listen",
            Self::Raise => "raise",
            Self::Run => "run",
            Self::Set => "set",
            Self::Switch => "switch",
            Self::Try => "try",
            Self::Wait => "wait",
        }
    }

    /// Whether it is a task, rather than a place where a flow begins or ends.
    #[must_use]
    pub fn is_task(self) -> bool {
        !matches!(self, Self::Start | Self::End | Self::Exit)
    }
}

/// A block of tasks that belongs to a task, in the order in which they are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `before` of the extension with this number.
    Before(usize),
    /// The tasks it runs one after another: its own, those of the function it calls, or those for
    /// each event.
    Body,
    /// A branch of a fork.
    Branch,
    /// The tasks of `catch.do`.
    Handler,
    /// `after` of the extension with this number.
    After(usize),
    /// What undoes the task: `metadata.compensate`.
    Undo,
}

impl Section {
    /// The word above the frame around it; `None` for what is simply inside its task.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Body | Self::Branch => None,
            Self::Before(_) => Some("before"),
            Self::Handler => Some("catch"),
            Self::After(_) => Some("after"),
            Self::Undo => Some("undo"),
        }
    }
}

/// One way from a node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arc {
    /// Index of the node it leaves.
    pub from: usize,
    /// Index of the node it reaches.
    pub to: usize,
    /// Why it is taken.
    pub kind: ArcKind,
    /// The case's name, the loop's variable, the number of retries; empty where the kind says all.
    pub label: String,
}

/// Why an arc is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArcKind {
    /// From the start to the first task.
    Start,
    /// To the next task of the block, or off its end.
    Next,
    /// To the task that `then` names.
    Then,
    /// A case of a switch.
    Case,
    /// `then: exit`.
    Exit,
    /// `then: end`.
    End,
    /// From a composite task to the first one inside.
    Body,
    /// From a loop to the first task of a turn.
    Loop,
    /// From a fork to a branch.
    Branch,
    /// From a try to its handler, or to where `catch.then` leads.
    Catch,
    /// From a try to its first task once more.
    Retry,
    /// From a task to what an extension does before it.
    Before,
    /// From a task to what an extension does after it.
    After,
    /// From a task to what undoes it.
    Undo,
}

impl ArcKind {
    /// A word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Next => "next",
            Self::Then => "then",
            Self::Case => "case",
            Self::Exit => "exit",
            Self::End => "end",
            Self::Body => "body",
            Self::Loop => "loop",
            Self::Branch => "branch",
            Self::Catch => "catch",
            Self::Retry => "retry",
            Self::Before => "before",
            Self::After => "after",
            Self::Undo => "undo",
        }
    }

    /// Whether it is drawn dashed: taken only when something went wrong, or beside the task.
    #[must_use]
    pub fn is_dashed(self) -> bool {
        matches!(self, Self::Catch | Self::Retry | Self::Before | Self::After | Self::Undo)
    }

    /// Whether it leads into a composite task.
    #[must_use]
    pub fn is_entry(self) -> bool {
        matches!(
            self,
            Self::Body
                | Self::Loop
                | Self::Branch
                | Self::Retry
                | Self::Before
                | Self::After
                | Self::Undo
        )
    }
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A picture.
    Svg,
    /// A flowchart for Markdown.
    Mermaid,
    /// The language of Graphviz.
    Dot,
    /// An indented list for terminals.
    Text,
}

/// Tasks to mark in a picture, by JSON pointer: where an instance stands. A pointer in several
/// sets is shown as the strongest: failed, then active, then done. Unknown pointers mark nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highlight {
    /// Tasks that have run.
    pub done: BTreeSet<String>,
    /// Tasks that run or wait now.
    pub active: BTreeSet<String>,
    /// Tasks that failed.
    pub failed: BTreeSet<String>,
}

impl Highlight {
    /// The word for a task's state, if it has one.
    #[must_use]
    pub fn state(&self, pointer: &str) -> Option<&'static str> {
        let marks = [(&self.failed, "failed"), (&self.active, "active"), (&self.done, "done")];
        marks.into_iter().find(|(set, _)| set.contains(pointer)).map(|(_, word)| word)
    }
}

impl Graph {
    /// The graph of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        build::graph(plan)
    }

    /// Writes it. Only the picture shows `highlight`.
    #[must_use]
    pub fn render(&self, format: Format, highlight: &Highlight) -> String {
        match format {
            Format::Svg => svg::render(self, highlight),
            Format::Mermaid => mermaid::render(self),
            Format::Dot => dot::render(self),
            Format::Text => text::render(self),
        }
    }

    /// The node with this index.
    fn node(&self, index: usize) -> &Node {
        self.nodes.get(index).expect("arcs and parents refer to nodes of their graph")
    }

    /// The nodes of one block, in order.
    fn children(&self, parent: Option<usize>, section: Section) -> Vec<usize> {
        let inside = |node: &Node| node.parent == parent && node.section == section;
        self.nodes.iter().enumerate().filter(|(_, node)| inside(node)).map(|(at, _)| at).collect()
    }

    /// Whether a task has tasks inside.
    fn is_composite(&self, index: usize) -> bool {
        self.nodes.iter().any(|node| node.parent == Some(index))
    }

    /// The blocks of a task that hold something.
    fn sections(&self, index: usize) -> BTreeSet<Section> {
        let inside = self.nodes.iter().filter(|node| node.parent == Some(index));
        inside.filter(|node| node.kind.is_task()).map(|node| node.section).collect()
    }

    /// The words above the frame around a block.
    fn heading(&self, index: usize, section: Section) -> String {
        let leads = |arc: &&Arc| {
            let to = self.node(arc.to);
            to.parent == Some(index) && to.section == section
        };
        self.leaving(index).find(leads).map(|arc| arc.label.clone()).unwrap_or_default()
    }

    /// The arcs that leave a node.
    fn leaving(&self, index: usize) -> impl Iterator<Item = &Arc> {
        self.arcs.iter().filter(move |arc| arc.from == index)
    }
}

#[cfg(test)]
mod tests;
