//! A Mermaid flowchart. Names are quoted, identifiers are ours; composite tasks are subgraphs with
//! a small circle where they are entered, because an arc from a subgraph into itself is refused.

use std::fmt::Write as _;

use super::escape::mermaid as escape;
use super::{Arc, ArcKind, Graph, Node, NodeKind, Section};

/// The flowchart.
pub(super) fn render(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    let mut writer = Writer { graph, out: &mut out };
    writer.block(None, Section::Body, 1);
    for arc in &graph.arcs {
        writer.arc(arc);
    }
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
                self.line(depth, &format!("n{index}{}", shape(node)));
            }
        }
    }

    fn composite(&mut self, index: usize, node: &Node, depth: usize) {
        self.line(depth, &format!("subgraph n{index}[\"{}\"]", label(node, ": ")));
        self.line(depth + 1, &format!("n{index}i(( ))"));
        self.block(Some(index), Section::Body, depth + 1);
        self.block(Some(index), Section::Branch, depth + 1);
        if !self.graph.children(Some(index), Section::Handler).is_empty() {
            self.line(depth + 1, &format!("subgraph n{index}c[\"catch\"]"));
            self.block(Some(index), Section::Handler, depth + 2);
            self.line(depth + 1, "end");
        }
        self.line(depth, "end");
    }

    fn arc(&mut self, arc: &Arc) {
        let leads_inside = self.graph.node(arc.to).parent == Some(arc.from);
        let from = if leads_inside { format!("n{}i", arc.from) } else { format!("n{}", arc.from) };
        let dashed = matches!(arc.kind, ArcKind::Catch | ArcKind::Retry);
        let line = if dashed { "-.->" } else { "-->" };
        let words = if arc.kind == ArcKind::Catch && leads_inside {
            format!("catch {}", arc.label)
        } else {
            arc.label.clone()
        };
        let words = words.trim();
        let label =
            if words.is_empty() { String::new() } else { format!("|\"{}\"|", escape(words)) };
        self.line(1, &format!("{from} {line}{label} n{}", arc.to));
    }
}

/// The name with what it does; `between` stands between the two.
fn label(node: &Node, between: &str) -> String {
    let condition = if node.is_conditional { "if… " } else { "" };
    let words = if node.detail.is_empty() { node.kind.word() } else { &node.detail };
    let is_block = matches!(node.kind, NodeKind::For | NodeKind::Fork);
    let kind = if is_block && !node.detail.is_empty() {
        format!("{} {words}", node.kind.word())
    } else {
        words.to_owned()
    };
    format!("{condition}{}{between}{}", escape(&node.name), escape(&kind))
}

/// The brackets around a node's text say its kind.
fn shape(node: &Node) -> String {
    let text = label(node, "<br/>");
    match node.kind {
        NodeKind::Start => "([\"start\"])".to_owned(),
        NodeKind::End => "([\"end\"])".to_owned(),
        NodeKind::Exit => "((\"exit\"))".to_owned(),
        NodeKind::Switch => format!("{{{{\"{text}\"}}}}"),
        NodeKind::Listen => format!(">\"{text}\"]"),
        NodeKind::Emit => format!("[/\"{text}\"/]"),
        NodeKind::Wait => format!("([\"{text}\"])"),
        NodeKind::Raise => format!("[\\\"{text}\"/]"),
        NodeKind::Run => format!("[[\"{text}\"]]"),
        NodeKind::Set => format!("(\"{text}\")"),
        NodeKind::Call | NodeKind::Do | NodeKind::For | NodeKind::Fork | NodeKind::Try => {
            format!("[\"{text}\"]")
        }
    }
}
