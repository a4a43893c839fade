//! An indented list: one line a task, with the arcs that do not simply go on to the next line.

use super::{Arc, ArcKind, Graph, Node, Section};

/// Longest detail that is written.
const DETAIL_MAX: usize = 60;

/// The list.
pub(super) fn render(graph: &Graph) -> String {
    let mut lines = vec![(graph.title.clone(), graph.subtitle.clone())];
    let mut writer = Writer { graph, lines: &mut lines };
    writer.block(None, Section::Body, "", false);
    let width = lines.iter().skip(1).map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (row, (left, right)) in lines.into_iter().enumerate() {
        let line =
            if row == 0 { format!("{left}  {right}") } else { format!("{left:width$}  {right}") };
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

struct Writer<'g, 'o> {
    graph: &'g Graph,
    lines: &'o mut Vec<(String, String)>,
}

impl Writer<'_, '_> {
    /// The tasks of a block; `more` says that something of the same task comes below.
    fn block(&mut self, parent: Option<usize>, section: Section, before: &str, more: bool) {
        let all = self.graph.children(parent, section);
        let tasks: Vec<usize> =
            all.into_iter().filter(|at| self.graph.node(*at).kind.is_task()).collect();
        for (place, index) in tasks.iter().enumerate() {
            let last = place + 1 == tasks.len() && !more;
            let (mark, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let node = self.graph.node(*index);
            let condition = if node.is_conditional { " ?" } else { "" };
            let left = format!("{before}{mark}{}{condition}", shown(&node.name));
            self.lines.push((left, self.words(*index, node)));
            let before = format!("{before}{below}");
            self.inside(*index, &before);
        }
    }

    /// The blocks of a task; those beside it below a word of their own.
    fn inside(&mut self, index: usize, before: &str) {
        let sections = self.graph.sections(index);
        let count = sections.len();
        for (place, section) in sections.into_iter().enumerate() {
            let more = place + 1 < count;
            let Some(word) = section.word() else {
                self.block(Some(index), section, before, more);
                continue;
            };
            let (mark, below) = if more { ("├─ ", "│  ") } else { ("└─ ", "   ") };
            let heading = shown(&self.graph.heading(index, section));
            self.lines.push((format!("{before}{mark}{word}"), heading));
            self.block(Some(index), section, &format!("{before}{below}"), false);
        }
    }

    /// Kind, detail and where it leads.
    fn words(&self, index: usize, node: &Node) -> String {
        let detail: String = node.detail.chars().take(DETAIL_MAX).collect();
        let cut = if detail.len() < node.detail.len() { "…" } else { "" };
        let mut words = format!("{} {}{cut}", node.kind.word(), shown(&detail)).trim().to_owned();
        for arc in self.graph.leaving(index) {
            if let Some(way) = self.way(index, arc) {
                words.push_str("  ");
                words.push_str(&way);
            }
        }
        words
    }

    fn way(&self, index: usize, arc: &Arc) -> Option<String> {
        let to = self.graph.node(arc.to);
        let label = shown(&arc.label);
        let target = if to.kind.is_task() { shown(&to.name) } else { to.kind.word().to_owned() };
        match arc.kind {
            ArcKind::Start
            | ArcKind::Next
            | ArcKind::Body
            | ArcKind::Branch
            | ArcKind::Loop
            | ArcKind::Before
            | ArcKind::After
            | ArcKind::Undo => None,
            ArcKind::Catch if to.parent == Some(index) => None,
            ArcKind::Retry => Some(format!("↻ {label}")),
            ArcKind::Case | ArcKind::Catch => Some(format!("{label} → {target}")),
            ArcKind::Then | ArcKind::Exit | ArcKind::End => Some(format!("→ {target}")),
        }
    }
}

/// Author's text in a terminal: no control characters.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
