//! The picture: one SVG without scripts, fonts or anything else from outside.
//!
//! Every task is a group with a stable `id`, its JSON pointer in `data-pointer` and a class for its
//! kind, so that a page can mark where an instance stands without drawing anew.

use std::fmt::Write as _;

use super::escape::{id, xml};
use super::layout::{self, Area, Line, Panel, Placed};
use super::measure::{fit, width};
use super::{Graph, Highlight, Node, NodeKind};

/// Blank around everything.
const MARGIN: i32 = 24;
/// The title and the line below it.
const HEAD: i32 = 58;
/// Radius of a bent arc.
const BEND: i32 = 6;
/// Widest title before it is cut.
const TITLE_MAX: i32 = 1_200;

const STYLE: &str = "\
svg{font-family:Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif}\
.paper{fill:#fff}\
.title{font-size:18px;font-weight:600;fill:#1f2430}\
.subtitle{font-size:12px;fill:#5b6472}\
.name{font-size:13px;font-weight:600;fill:#1f2430}\
.detail{font-size:11px;fill:#4b5563}\
.label{font-size:11px;fill:#374151;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}\
.letter{font-size:11px;font-weight:700;fill:#fff;text-anchor:middle}\
.shape{stroke-width:1.3}\
.box>.shape{fill-opacity:.35}\
.if>.shape{stroke-dasharray:5 3}\
.panel{fill:#fff7ed;fill-opacity:.6;stroke:#c2803a;stroke-dasharray:4 3}\
.panel.before,.panel.after{fill:#f6f7f9;stroke:#7b8494}\
.panel.undo{fill:#fdf2f8;stroke:#a8457f}\
.arc{fill:none;stroke:#6b7280;stroke-width:1.3;marker-end:url(#tenure-head)}\
.arc.catch{stroke:#b45309;stroke-dasharray:4 3;marker-end:url(#tenure-head-catch)}\
.arc.before,.arc.after,.arc.undo{stroke-dasharray:4 3}\
.arc.end,.arc.exit{stroke:#9aa1ad}\
.head{fill:#6b7280}.head-catch{fill:#b45309}\
.flow{fill:#1f2430;stroke:#1f2430}.ring{fill:#fff;stroke:#1f2430;stroke-width:1.5}\
.done>.shape{stroke:#15803d;stroke-width:2.4}\
.active>.shape{stroke:#1d4ed8;stroke-width:3}\
.failed>.shape{stroke:#b91c1c;stroke-width:3}";

/// The picture, with tasks marked.
pub(super) fn render(graph: &Graph, highlight: &Highlight) -> String {
    let area = layout::drawing(graph);
    let title = fit(&graph.title, 18, TITLE_MAX);
    let subtitle = fit(&graph.subtitle, 12, TITLE_MAX);
    let text = width(&title, 19).max(width(&subtitle, 12));
    let inner = area.width.max(text);
    let (wide, high) = (inner + 2 * MARGIN, area.height + HEAD + 2 * MARGIN);
    let mut out = String::new();
    let mut page = Page { graph, highlight, out: &mut out };
    page.line(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" \
         height=\"{high}\" role=\"img\" aria-label=\"{}\">",
        xml(&graph.title)
    ));
    page.line(&format!("<style>{STYLE}</style>"));
    page.line("<defs>");
    for name in ["head", "head-catch"] {
        page.line(&format!(
            "<marker id=\"tenure-{name}\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" \
             markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
             <path class=\"{name}\" d=\"M0 0.5L8 4L0 7.5Z\"/></marker>"
        ));
    }
    page.line("</defs>");
    page.line(&format!("<rect class=\"paper\" width=\"{wide}\" height=\"{high}\"/>"));
    let at = |class: &str, y: i32, text: &str| {
        format!("<text class=\"{class}\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", xml(text))
    };
    page.line(&at("title", MARGIN + 16, &title));
    page.line(&at("subtitle", MARGIN + 36, &subtitle));
    page.area(area, MARGIN + inner / 2, MARGIN + HEAD);
    page.line("</svg>");
    out
}

struct Page<'g, 'o> {
    graph: &'g Graph,
    highlight: &'g Highlight,
    out: &'o mut String,
}

impl Page<'_, '_> {
    fn line(&mut self, text: &str) {
        writeln!(self.out, "{text}").expect("writing to a string cannot fail");
    }

    fn area(&mut self, mut area: Area, middle: i32, top: i32) {
        area.shift(middle - area.width / 2, top);
        for item in area.boxes.iter().filter(|item| item.is_composite) {
            self.task(item);
        }
        for panel in &area.panels {
            self.panel(panel);
        }
        for line in &area.lines {
            self.arc(line);
        }
        for item in area.boxes.iter().filter(|item| !item.is_composite) {
            self.task(item);
        }
        // Labels last: nothing may lie on a text.
        for line in &area.lines {
            self.label(line);
        }
    }

    fn panel(&mut self, panel: &Panel) {
        let Panel { word, x, y, width, height, label } = panel;
        self.line(&format!(
            "<rect class=\"panel {word}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
        ));
        self.line(&format!(
            "<text class=\"detail\" x=\"{}\" y=\"{}\">{}</text>",
            x + 10,
            y + 15,
            xml(label)
        ));
    }

    fn arc(&mut self, line: &Line) {
        let Some(arc) = self.graph.arcs.get(line.arc) else { return };
        let (from, to) = (self.graph.node(arc.from), self.graph.node(arc.to));
        let way = format!("{} → {}", from.name, to.name);
        let words = if arc.label.is_empty() { way } else { format!("{way}: {}", arc.label) };
        self.line(&format!(
            "<path class=\"arc {}\" d=\"{}\"><title>{}</title></path>",
            arc.kind.word(),
            path(&line.points),
            xml(&words)
        ));
    }

    fn label(&mut self, line: &Line) {
        let Some(arc) = self.graph.arcs.get(line.arc) else { return };
        if let Some((x, y)) = line.label
            && !arc.label.is_empty()
            && !(arc.kind.is_entry())
        {
            let label = xml(&arc.label);
            let y = y + 4;
            self.line(&format!("<text class=\"label\" x=\"{x}\" y=\"{y}\">{label}</text>"));
        }
    }

    fn task(&mut self, item: &Placed) {
        let node = self.graph.node(item.node);
        if !node.kind.is_task() {
            self.place(item, node);
            return;
        }
        let state = self.highlight.state(&node.pointer).map_or(String::new(), |s| format!(" {s}"));
        let form = if item.is_composite { " box" } else { "" };
        let condition = if node.is_conditional { " if" } else { "" };
        self.line(&format!(
            "<g class=\"task {}{form}{condition}{state}\" id=\"{}\" data-pointer=\"{}\">",
            node.kind.word(),
            self.id(item.node, node),
            xml(&node.pointer)
        ));
        self.line(&format!("<title>{}</title>", xml(&tooltip(node))));
        let (fill, stroke) = colors(node.kind);
        self.line(&format!(
            "<path class=\"shape\" fill=\"{fill}\" stroke=\"{stroke}\" d=\"{}\"/>",
            outline(item, node.kind)
        ));
        let middle = if item.is_composite { item.y + 19 } else { item.y + item.height / 2 };
        self.line(&format!(
            "<circle cx=\"{}\" cy=\"{middle}\" r=\"9\" fill=\"{stroke}\"/>",
            item.x + 22
        ));
        self.line(&format!(
            "<text class=\"letter\" x=\"{}\" y=\"{}\">{}</text>",
            item.x + 22,
            middle + 4,
            letter(node.kind)
        ));
        self.words(item, middle);
        self.line("</g>");
    }

    /// A task of a function or an extension stands at every place it runs at, each with an id of
    /// its own; the first one has the plain id.
    fn id(&self, index: usize, node: &Node) -> String {
        let own = id(&node.pointer);
        let before = self.graph.nodes.iter().take(index);
        let same = |other: &&Node| other.kind.is_task() && other.pointer == node.pointer;
        match before.filter(same).count() {
            0 => own,
            count => format!("{own}--{}", count + 1),
        }
    }

    fn words(&mut self, item: &Placed, middle: i32) {
        let x = item.x + 38;
        let (name, detail) = match (item.detail.is_empty(), item.is_composite) {
            (true, _) => (middle + 5, 0),
            (false, true) => (middle + 1, middle + 16),
            (false, false) => (middle - 2, middle + 13),
        };
        self.line(&format!(
            "<text class=\"name\" x=\"{x}\" y=\"{name}\">{}</text>",
            xml(&item.name)
        ));
        if !item.detail.is_empty() {
            self.line(&format!(
                "<text class=\"detail\" x=\"{x}\" y=\"{detail}\">{}</text>",
                xml(&item.detail)
            ));
        }
    }

    /// Start, end or exit.
    fn place(&mut self, item: &Placed, node: &Node) {
        let (x, y) = (item.x + item.width / 2, item.y + item.height / 2);
        let r = item.height / 2 - 1;
        let words = if node.kind == NodeKind::End {
            "end of the workflow"
        } else if node.kind == NodeKind::Exit {
            "end of this scope"
        } else {
            "start"
        };
        self.line(&format!("<g class=\"{}\"><title>{words}</title>", node.kind.word()));
        if node.kind == NodeKind::Start {
            self.line(&format!("<circle class=\"flow\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"));
        } else {
            self.line(&format!("<circle class=\"ring\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"));
        }
        if node.kind == NodeKind::End {
            let r = r - 4;
            self.line(&format!("<circle class=\"flow\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"));
        }
        if node.kind == NodeKind::Exit {
            let (x, y) = (x + 11, y + 4);
            self.line(&format!("<text class=\"detail\" x=\"{x}\" y=\"{y}\">exit</text>"));
        }
        self.line("</g>");
    }
}

fn tooltip(node: &Node) -> String {
    let condition = if node.is_conditional { ", may be skipped" } else { "" };
    let detail = if node.detail.is_empty() { String::new() } else { format!(": {}", node.detail) };
    format!("{} {}{condition}{detail} ({})", node.kind.word(), node.name, node.pointer)
}

/// The outline of a task: a shape of its own for each manner of work.
fn outline(item: &Placed, kind: NodeKind) -> String {
    let (x, y, w, h) = (item.x, item.y, item.width, item.height);
    let (r, b, m) = (x + w, y + h, y + h / 2);
    let rounded = |q: i32| {
        format!(
            "M{} {y}H{}Q{r} {y} {r} {}V{}Q{r} {b} {} {b}H{}Q{x} {b} {x} {}V{}Q{x} {y} {} {y}Z",
            x + q,
            r - q,
            y + q,
            b - q,
            r - q,
            x + q,
            b - q,
            y + q,
            x + q
        )
    };
    // The shapes of small things make no good frames around others.
    if item.is_composite {
        return rounded(8);
    }
    match kind {
        NodeKind::Wait => rounded(h / 2),
        NodeKind::Switch => {
            format!("M{} {y}H{}L{r} {m}L{} {b}H{}L{x} {m}Z", x + 10, r - 10, r - 10, x + 10)
        }
        NodeKind::Listen => format!("M{x} {y}H{r}V{b}H{x}L{} {m}Z", x + 9),
        NodeKind::Emit => format!("M{x} {y}H{}L{r} {m}L{} {b}H{x}Z", r - 10, r - 10),
        NodeKind::Raise => format!(
            "M{} {y}H{}L{r} {}V{}L{} {b}H{}L{x} {}V{}Z",
            x + 9,
            r - 9,
            y + 9,
            b - 9,
            r - 9,
            x + 9,
            b - 9,
            y + 9
        ),
        NodeKind::Run => {
            format!("{}M{} {y}V{b}M{} {y}V{b}", rounded(2), x + 6, r - 6)
        }
        NodeKind::Set => rounded(2),
        NodeKind::Start
        | NodeKind::End
        | NodeKind::Exit
        | NodeKind::Call
        | NodeKind::Do
        | NodeKind::For
        | NodeKind::Fork
        | NodeKind::Try => rounded(8),
    }
}

/// Fill and stroke.
fn colors(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Call => ("#e8f0fe", "#3b6fc4"),
        NodeKind::Run => ("#e6f4f1", "#2a7d6b"),
        NodeKind::Emit | NodeKind::Listen => ("#f3e8fd", "#8048b0"),
        NodeKind::Wait => ("#fdf6d8", "#9a7b10"),
        NodeKind::Switch => ("#fdeee0", "#b8661f"),
        NodeKind::Raise => ("#fdeaea", "#b3393c"),
        NodeKind::Try => ("#fbf3ea", "#a0703c"),
        NodeKind::For => ("#eef3e2", "#5f7f26"),
        NodeKind::Fork => ("#e6f2f8", "#2f7ca3"),
        NodeKind::Set | NodeKind::Do | NodeKind::Start | NodeKind::End | NodeKind::Exit => {
            ("#f1f3f5", "#66707f")
        }
    }
}

fn letter(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Call => "C",
        NodeKind::Do => "D",
        NodeKind::Emit => "E",
        NodeKind::For => "F",
        NodeKind::Fork => "Y",
        NodeKind::Listen => "L",
        NodeKind::Raise => "!",
        NodeKind::Run => "R",
        NodeKind::Set => "=",
        NodeKind::Switch => "?",
        NodeKind::Try => "T",
        NodeKind::Wait => "W",
        NodeKind::Start | NodeKind::End | NodeKind::Exit => "",
    }
}

/// Straight lines with bent corners.
fn path(points: &[(i32, i32)]) -> String {
    let mut points: Vec<(i32, i32)> = points.to_vec();
    points.dedup();
    let mut out = String::new();
    let mut before: Option<(i32, i32)> = None;
    let mut all = points.iter().peekable();
    while let Some(&(x, y)) = all.next() {
        match (before, all.peek()) {
            (None, _) => write!(out, "M{x} {y}"),
            (Some(_), None) => write!(out, "L{x} {y}"),
            (Some(from), Some(&&to)) => {
                let (ax, ay) = toward((x, y), from);
                let (bx, by) = toward((x, y), to);
                write!(out, "L{ax} {ay}Q{x} {y} {bx} {by}")
            }
        }
        .expect("writing to a string cannot fail");
        before = Some((x, y));
    }
    out
}

/// The point where a bend begins: some way from a corner to its neighbor, half of it at most.
fn toward(corner: (i32, i32), neighbor: (i32, i32)) -> (i32, i32) {
    let step = |from: i32, to: i32| {
        let reach = BEND.min((to - from).abs() / 2);
        from + reach * (to - from).signum()
    };
    (step(corner.0, neighbor.0), step(corner.1, neighbor.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_bent_and_short_ones_less() {
        assert_eq!(path(&[(0, 0), (0, 20)]), "M0 0L0 20");
        assert_eq!(path(&[(0, 0), (0, 20), (4, 20)]), "M0 0L0 14Q0 20 2 20L4 20");
    }
}
