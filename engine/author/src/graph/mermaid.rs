//! A Mermaid flowchart. Names are quoted, identifiers are ours; composite tasks are subgraphs with
//! a small circle where they are entered, because an arc from a subgraph into itself is refused.

use super::escape::mermaid as escape;
use super::outline::{Outline, Page};
use super::{Arc, ArcKind, Graph, Node, NodeKind, Section};

/// The flowchart.
pub(super) fn render(graph: &Graph) -> String {
    let mut page = Page::new(graph, "flowchart TD");
    Mermaid.whole(&mut page);
    page.text
}

struct Mermaid;

impl Outline for Mermaid {
    fn leaf(index: usize, node: &Node) -> String {
        format!("n{index}{}", shape(node))
    }

    fn composite(&self, page: &mut Page<'_>, index: usize, depth: usize) {
        let graph = page.graph;
        let node = graph.node(index);
        page.line(depth, &format!("subgraph n{index}[\"{}\"]", label(node, ": ")));
        page.line(depth + 1, &format!("n{index}i(( ))"));
        for section in graph.sections(index) {
            let Some(frame) = frame(section) else {
                self.block(page, Some(index), section, depth + 1);
                continue;
            };
            let word = section.word().unwrap_or_default();
            page.line(depth + 1, &format!("subgraph n{index}{frame}[\"{word}\"]"));
            self.block(page, Some(index), section, depth + 2);
            page.line(depth + 1, "end");
        }
        page.line(depth, "end");
    }

    fn arc(graph: &Graph, arc: &Arc) -> String {
        let leads_inside = graph.node(arc.to).parent == Some(arc.from);
        let from = if leads_inside { format!("n{}i", arc.from) } else { format!("n{}", arc.from) };
        let line = if arc.kind.is_dashed() { "-.->" } else { "-->" };
        let beside =
            matches!(arc.kind, ArcKind::Catch | ArcKind::Before | ArcKind::After | ArcKind::Undo);
        let words = if beside && leads_inside {
            format!("{} {}", arc.kind.word(), arc.label)
        } else {
            arc.label.clone()
        };
        let words = words.trim();
        let label =
            if words.is_empty() { String::new() } else { format!("|\"{}\"|", escape(words)) };
        format!("{from} {line}{label} n{}", arc.to)
    }
}

/// The end of the identifier of the frame around a block; `None` without a frame.
fn frame(section: Section) -> Option<String> {
    match section {
        Section::Body | Section::Branch => None,
        Section::Before(number) => Some(format!("b{number}")),
        Section::Handler => Some("c".to_owned()),
        Section::After(number) => Some(format!("a{number}")),
        Section::Undo => Some("u".to_owned()),
    }
}

/// The name with what it does; `between` stands between the two.
fn label(node: &Node, between: &str) -> String {
    let condition = if node.is_conditional { "if… " } else { "" };
    let words = if node.detail.is_empty() { node.kind.word() } else { &node.detail };
    let is_block = matches!(node.kind, NodeKind::For | NodeKind::Fork | NodeKind::Listen)
        && between != "<br/>";
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
