//! The language of Graphviz: composite tasks are clusters, entered through a point.

use std::fmt::Write as _;

use super::escape::dot as escape;
use super::{Arc, Graph, Node, NodeKind, Section};

/// The drawing as a `digraph`.
pub(super) fn render(graph: &Graph) -> String {
    let mut out = String::from("digraph {\n");
    let mut writer = Writer { graph, out: &mut out };
    writer.line(1, "compound=true; rankdir=TB; fontname=\"sans-serif\"; labelloc=t;");
    writer.line(1, &format!("label=\"{}\";", escape(&graph.title)));
    writer.line(1, "node [fontname=\"sans-serif\", fontsize=11, shape=box, style=rounded];");
    writer.line(1, "edge [fontname=\"sans-serif\", fontsize=10];");
    writer.block(None, Section::Body, 1);
    for arc in &graph.arcs {
        writer.arc(arc);
    }
    out.push_str("}\n");
    out
}

struct Writer<'g, 'o> {
    graph: &'g Graph,
    out: &'o mut String,
}

impl Writer<'_, '_> {
    fn line(&mut self, depth: usize, text: &str) {
        writeln!(self.out, "{:1$}{text}", "", depth * 2).expect("writing to a string cannot fail");
    }

    fn block(&mut self, parent: Option<usize>, section: Section, depth: usize) {
        for index in self.graph.children(parent, section) {
            let node = self.graph.node(index);
            if self.graph.is_composite(index) {
                self.composite(index, node, depth);
            } else {
                self.line(depth, &format!("n{index} [{}];", attributes(node)));
            }
        }
    }

    fn composite(&mut self, index: usize, node: &Node, depth: usize) {
        self.line(depth, &format!("subgraph cluster_{index} {{"));
        let words = if node.detail.is_empty() { node.kind.word() } else { &node.detail };
        let label = format!("{} ({words})", node.name);
        let tooltip = escape(&node.pointer);
        self.line(
            depth + 1,
            &format!("label=\"{}\"; tooltip=\"{tooltip}\"; style=rounded;", escape(&label)),
        );
        self.line(depth + 1, &format!("n{index} [shape=point, tooltip=\"{tooltip}\"];"));
        for section in self.graph.sections(index) {
            let Some(word) = section.word() else {
                self.block(Some(index), section, depth + 1);
                continue;
            };
            let number = match section {
                Section::Before(number) | Section::After(number) => format!("_{number}"),
                Section::Body | Section::Branch | Section::Handler | Section::Undo => String::new(),
            };
            self.line(depth + 1, &format!("subgraph cluster_{index}_{word}{number} {{"));
            let heading = match section {
                Section::Handler | Section::Undo | Section::Body | Section::Branch => {
                    word.to_owned()
                }
                Section::Before(_) | Section::After(_) => {
                    format!("{word} {}", escape(&self.graph.heading(index, section)))
                }
            };
            self.line(depth + 2, &format!("label=\"{heading}\"; style=\"rounded,dashed\";"));
            self.block(Some(index), section, depth + 2);
            self.line(depth + 1, "}");
        }
        self.line(depth, "}");
    }

    fn arc(&mut self, arc: &Arc) {
        let mut attributes = Vec::new();
        if !arc.label.is_empty() {
            attributes.push(format!("label=\"{}\"", escape(&arc.label)));
        }
        if arc.kind.is_dashed() {
            attributes.push("style=dashed".to_owned());
        }
        // An arc ends at the edge of a cluster, not at the point inside, unless it stays inside.
        let leads_inside = self.graph.node(arc.to).parent == Some(arc.from);
        if self.graph.is_composite(arc.from) && !leads_inside {
            attributes.push(format!("ltail=cluster_{}", arc.from));
        }
        if self.graph.is_composite(arc.to) {
            attributes.push(format!("lhead=cluster_{}", arc.to));
        }
        let attributes = if attributes.is_empty() {
            String::new()
        } else {
            format!(" [{}]", attributes.join(", "))
        };
        self.line(1, &format!("n{} -> n{}{attributes};", arc.from, arc.to));
    }
}

fn attributes(node: &Node) -> String {
    let shape = match node.kind {
        NodeKind::Start => return "shape=circle, style=filled, label=\"\", width=0.2".to_owned(),
        NodeKind::End => return "shape=doublecircle, label=\"\", width=0.2".to_owned(),
        NodeKind::Exit => return "shape=circle, label=\"\", width=0.2".to_owned(),
        NodeKind::Switch => "shape=hexagon, style=\"\"",
        NodeKind::Listen => "shape=cds, style=\"\"",
        NodeKind::Emit => "shape=rarrow, style=\"\"",
        NodeKind::Wait => "shape=oval, style=\"\"",
        NodeKind::Raise => "shape=octagon, style=\"\"",
        NodeKind::Run => "peripheries=2",
        NodeKind::Call
        | NodeKind::Do
        | NodeKind::For
        | NodeKind::Fork
        | NodeKind::Set
        | NodeKind::Try => "shape=box",
    };
    let condition = if node.is_conditional { "if… " } else { "" };
    let words = if node.detail.is_empty() { node.kind.word() } else { &node.detail };
    format!(
        "{shape}, label=\"{condition}{}\\n{}\", tooltip=\"{}\"",
        escape(&node.name),
        escape(words),
        escape(&node.pointer)
    )
}
