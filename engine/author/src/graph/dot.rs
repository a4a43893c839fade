//! The language of Graphviz: composite tasks are clusters, entered through a point.

use super::escape::dot as escape;
use super::outline::{Outline, Page};
use super::{Arc, Graph, Node, NodeKind, Section};

/// The drawing as a `digraph`.
pub(super) fn render(graph: &Graph) -> String {
    let mut page = Page::new(graph, "digraph {");
    page.line(1, "compound=true; rankdir=TB; fontname=\"sans-serif\"; labelloc=t;");
    page.line(1, &format!("label=\"{}\";", escape(&graph.title)));
    page.line(1, "node [fontname=\"sans-serif\", fontsize=11, shape=box, style=rounded];");
    page.line(1, "edge [fontname=\"sans-serif\", fontsize=10];");
    Dot.whole(&mut page);
    page.line(0, "}");
    page.text
}

struct Dot;

impl Outline for Dot {
    fn leaf(index: usize, node: &Node) -> String {
        format!("n{index} [{}];", attributes(node))
    }

    fn composite(&self, page: &mut Page<'_>, index: usize, depth: usize) {
        let graph = page.graph;
        let node = graph.node(index);
        page.line(depth, &format!("subgraph cluster_{index} {{"));
        let words = if node.detail.is_empty() { node.kind.word() } else { &node.detail };
        let label = format!("{} ({words})", node.name);
        let tooltip = escape(&node.pointer);
        page.line(
            depth + 1,
            &format!("label=\"{}\"; tooltip=\"{tooltip}\"; style=rounded;", escape(&label)),
        );
        page.line(depth + 1, &format!("n{index} [shape=point, tooltip=\"{tooltip}\"];"));
        for section in graph.sections(index) {
            let Some(word) = section.word() else {
                self.block(page, Some(index), section, depth + 1);
                continue;
            };
            let number = match section {
                Section::Before(number) | Section::After(number) => format!("_{number}"),
                Section::Body | Section::Branch | Section::Handler | Section::Undo => String::new(),
            };
            page.line(depth + 1, &format!("subgraph cluster_{index}_{word}{number} {{"));
            let heading = match section {
                Section::Handler | Section::Undo | Section::Body | Section::Branch => {
                    word.to_owned()
                }
                Section::Before(_) | Section::After(_) => {
                    format!("{word} {}", escape(&graph.heading(index, section)))
                }
            };
            page.line(depth + 2, &format!("label=\"{heading}\"; style=\"rounded,dashed\";"));
            self.block(page, Some(index), section, depth + 2);
            page.line(depth + 1, "}");
        }
        page.line(depth, "}");
    }

    fn arc(graph: &Graph, arc: &Arc) -> String {
        let mut attributes = Vec::new();
        if !arc.label.is_empty() {
            attributes.push(format!("label=\"{}\"", escape(&arc.label)));
        }
        if arc.kind.is_dashed() {
            attributes.push("style=dashed".to_owned());
        }
        // An arc ends at the edge of a cluster, not at the point inside, unless it stays inside.
        let leads_inside = graph.node(arc.to).parent == Some(arc.from);
        if graph.is_composite(arc.from) && !leads_inside {
            attributes.push(format!("ltail=cluster_{}", arc.from));
        }
        if graph.is_composite(arc.to) {
            attributes.push(format!("lhead=cluster_{}", arc.to));
        }
        let attributes = if attributes.is_empty() {
            String::new()
        } else {
            format!(" [{}]", attributes.join(", "))
        };
        format!("n{} -> n{}{attributes};", arc.from, arc.to)
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
