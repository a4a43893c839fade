//! Places on paper: every block is set in rows by how far its tasks are from the first one, and a
//! composite task is a box around its blocks. Whole numbers only, so equal graphs give equal
//! pictures.
//!
//! An arc never crosses a box: it leaves its task at the bottom, runs in the channel between two
//! rows, and where it skips rows or goes back, in a lane beside all of them.

use super::measure::{fit, width};
use super::route;
use super::{ArcKind, Graph, Node, NodeKind, Section};

/// Blank between neighbors of a row, and between the panels of a box.
pub(super) const GAP: i32 = 28;
/// Blank between a box and what is inside.
const PAD: i32 = 16;
/// Widest text of a task before it is cut.
const TEXT_MAX: i32 = 270;
/// Font sizes, in pixels.
pub(super) const NAME_SIZE: i32 = 13;
/// Of details and labels.
pub(super) const SMALL_SIZE: i32 = 11;

/// Something set on paper; its places are relative to its own corner until it is shifted.
#[derive(Debug, Default)]
pub(super) struct Area {
    pub(super) width: i32,
    pub(super) height: i32,
    /// Boxes around others come first.
    pub(super) boxes: Vec<Placed>,
    pub(super) lines: Vec<Line>,
    pub(super) panels: Vec<Panel>,
}

/// A task's box.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) node: usize,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) is_composite: bool,
    pub(super) name: String,
    pub(super) detail: String,
}

/// The dashed frame of a block beside its task: a handler, an extension, an undoing.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) word: &'static str,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) label: String,
}

/// An arc's way.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) points: Vec<(i32, i32)>,
    pub(super) arc: usize,
    /// The label's middle.
    pub(super) label: Option<(i32, i32)>,
}

impl Area {
    pub(super) fn shift(&mut self, dx: i32, dy: i32) {
        for item in &mut self.boxes {
            (item.x, item.y) = (item.x + dx, item.y + dy);
        }
        for panel in &mut self.panels {
            (panel.x, panel.y) = (panel.x + dx, panel.y + dy);
        }
        for line in &mut self.lines {
            for point in line.points.iter_mut().chain(line.label.as_mut()) {
                *point = (point.0 + dx, point.1 + dy);
            }
        }
    }

    /// Puts another area on this one.
    pub(super) fn take(&mut self, mut other: Self, x: i32, y: i32) {
        other.shift(x, y);
        self.boxes.append(&mut other.boxes);
        self.lines.append(&mut other.lines);
        self.panels.append(&mut other.panels);
    }
}

/// The whole drawing.
pub(super) fn drawing(graph: &Graph) -> Area {
    block(graph, &graph.children(None, Section::Body), None)
}

/// A task of a block with its place.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) area: Area,
    pub(super) rank: usize,
    /// Left edge.
    pub(super) x: i32,
}

impl Member {
    pub(super) fn middle(&self) -> i32 {
        self.x + self.area.width / 2
    }
}

/// An arc between two members of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) arc: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    /// Where it leaves, from the left edge of its origin.
    pub(super) port: i32,
}

/// The member with an index of this block.
pub(super) fn member(members: &[Member], index: usize) -> &Member {
    members.get(index).expect("edges join members of their block")
}

/// A block of tasks. `entry` is the arc that leads in from above.
fn block(graph: &Graph, nodes: &[usize], entry: Option<usize>) -> Area {
    let local = |node: usize| nodes.iter().position(|known| *known == node);
    let mut edges: Vec<Edge> = graph
        .arcs
        .iter()
        .enumerate()
        .filter_map(|(arc, way)| {
            Some(Edge { arc, from: local(way.from)?, to: local(way.to)?, port: 0 })
        })
        .collect();
    let ranks = ranks(nodes.len(), &edges);
    let mut members: Vec<Member> = nodes
        .iter()
        .zip(&ranks)
        .map(|(node, rank)| Member { area: task(graph, *node), rank: *rank, x: 0 })
        .collect();
    let rows = rows(&members, &edges);
    ports(graph, &mut members, &mut edges, &rows);
    spread(&mut members, &edges, &rows);
    let entry = entry.zip(nodes.first().map(|_| 0));
    route::block(graph, members, &edges, &rows, entry)
}

/// The row of each member: one below the lowest that leads to it. Arcs back in the text are loops
/// and do not count; what nothing leads to stays below what is written before it.
fn ranks(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut ranks: Vec<usize> = Vec::with_capacity(count);
    for at in 0..count {
        let above = edges.iter().filter(|edge| edge.to == at && edge.from < at);
        let above = above.filter_map(|edge| ranks.get(edge.from)).max();
        let rank = match above {
            Some(rank) => rank + 1,
            None => ranks.last().map_or(0, |rank| rank + 1),
        };
        ranks.push(rank);
    }
    ranks
}

/// The members of each row from left to right: below the middle of those that lead to them.
fn rows(members: &[Member], edges: &[Edge]) -> Vec<Vec<usize>> {
    let count = members.iter().map(|member| member.rank + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, member) in members.iter().enumerate() {
        if let Some(row) = rows.get_mut(member.rank) {
            row.push(index);
        }
    }
    let mut before: Vec<usize> = Vec::new();
    for row in &mut rows {
        // Twice the mean place of the origins in the row above, in whole numbers.
        let weight = |index: usize| -> usize {
            let places: Vec<usize> = edges
                .iter()
                .filter(|edge| edge.to == index)
                .filter_map(|edge| before.iter().position(|above| *above == edge.from))
                .collect();
            (places.iter().sum::<usize>() * 2).checked_div(places.len()).unwrap_or(0)
        };
        row.sort_by_cached_key(|index| (weight(*index), *index));
        before.clone_from(row);
    }
    rows
}

/// Gives each leaving arc its place at the bottom of its task, and the task the room for it.
fn ports(graph: &Graph, members: &mut [Member], edges: &mut [Edge], rows: &[Vec<usize>]) {
    let place = |index: usize| rows.iter().find_map(|row| row.iter().position(|at| *at == index));
    let rank_of: Vec<usize> = members.iter().map(|member| member.rank).collect();
    let rank = |index: usize| rank_of.get(index).copied().unwrap_or(0);
    for (from, origin) in members.iter_mut().enumerate() {
        let mut leaving: Vec<(i32, usize, usize)> = Vec::new();
        for (at, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.from == from) {
            // Back in a lane on the left, forth over several rows on the right.
            let side = match rank(edge.to) {
                to if to <= rank(from) => -1,
                to if to == rank(from) + 1 => 0,
                _ => 1,
            };
            leaving.push((side, place(edge.to).unwrap_or(0), at));
        }
        leaving.sort_unstable();
        let slot = |at: usize| {
            let label = edges.get(at).and_then(|edge| graph.arcs.get(edge.arc));
            let label = label.map_or("", |arc| arc.label.as_str());
            if label.is_empty() { 22 } else { width(label, SMALL_SIZE) + 14 }
        };
        let slots: Vec<i32> = leaving.iter().map(|(_, _, at)| slot(*at)).collect();
        let total: i32 = slots.iter().sum();
        if slots.len() > 1 && total > origin.area.width {
            widen(&mut origin.area, total);
        }
        let mut left = (origin.area.width - total) / 2;
        for ((_, _, at), slot) in leaving.into_iter().zip(slots) {
            if let Some(edge) = edges.get_mut(at) {
                edge.port = left + slot / 2;
            }
            left += slot;
        }
    }
}

/// Makes a task's box wider; what is inside stays in the middle.
fn widen(area: &mut Area, width: i32) {
    let more = width - area.width;
    area.shift(more / 2, 0);
    area.width = width;
    if let Some(frame) = area.boxes.first_mut() {
        frame.x = 0;
        frame.width = width;
    }
}

/// The horizontal places: below where the arcs come from, without touching each other.
fn spread(members: &mut [Member], edges: &[Edge], rows: &[Vec<usize>]) {
    for row in rows {
        let wanted: Vec<i32> = row
            .iter()
            .map(|index| {
                let above: Vec<i32> = edges
                    .iter()
                    .filter(|edge| edge.to == *index)
                    .filter(|edge| {
                        member(members, edge.from).rank + 1 == member(members, *index).rank
                    })
                    .map(|edge| member(members, edge.from).x + edge.port)
                    .collect();
                let count = i32::try_from(above.len()).unwrap_or(i32::MAX);
                above.iter().sum::<i32>().checked_div(count).unwrap_or(0)
            })
            .collect();
        let mut right = i32::MIN / 2;
        let mut moved = 0;
        for (index, middle) in row.iter().zip(&wanted) {
            let Some(member) = members.get_mut(*index) else { continue };
            member.x = (middle - member.area.width / 2).max(right);
            moved += member.middle() - middle;
            right = member.x + member.area.width + GAP;
        }
        let count = i32::try_from(row.len()).unwrap_or(i32::MAX);
        let back = moved.checked_div(count).unwrap_or(0);
        for index in row {
            if let Some(member) = members.get_mut(*index) {
                member.x -= back;
            }
        }
    }
}

/// A task with what is inside it.
fn task(graph: &Graph, index: usize) -> Area {
    let node = graph.node(index);
    if graph.is_composite(index) { composite(graph, index, node) } else { leaf(index, node) }
}

fn leaf(index: usize, node: &Node) -> Area {
    let (name, detail) = texts(node, TEXT_MAX);
    let (width, height) = match node.kind {
        NodeKind::Start | NodeKind::End => (20, 20),
        NodeKind::Exit => (70, 14),
        NodeKind::Call
        | NodeKind::Do
        | NodeKind::Emit
        | NodeKind::For
        | NodeKind::Fork
        | NodeKind::Listen
        | NodeKind::Raise
        | NodeKind::Run
        | NodeKind::Set
        | NodeKind::Switch
        | NodeKind::Try
        | NodeKind::Wait => {
            // Icon at the left; slanted sides need room at both.
            let text = width(&name, NAME_SIZE + 1).max(width(&detail, SMALL_SIZE));
            ((text + 58).max(120) / 2 * 2, if detail.is_empty() { 32 } else { 44 })
        }
    };
    let own = Placed { node: index, x: 0, y: 0, width, height, is_composite: false, name, detail };
    Area { width, height, boxes: vec![own], ..Area::default() }
}

/// What is written on a task.
fn texts(node: &Node, max: i32) -> (String, String) {
    let name = if node.is_conditional { format!("{}?", node.name) } else { node.name.clone() };
    (fit(&name, NAME_SIZE + 1, max), fit(&node.detail, SMALL_SIZE, max))
}

fn composite(graph: &Graph, index: usize, node: &Node) -> Area {
    let inside = inside(graph, index);
    let (name, mut detail) = texts(node, TEXT_MAX);
    let retry = graph.leaving(index).find(|arc| arc.kind == ArcKind::Retry);
    if let Some(retry) = retry {
        detail = fit(&retry.label, SMALL_SIZE, TEXT_MAX);
    }
    let turn = graph.leaving(index).find(|arc| arc.kind == ArcKind::Loop);
    if let Some(turn) = turn {
        let between = if node.kind == NodeKind::Listen { ": " } else { " " };
        detail = fit(&format!("{}{between}{}", turn.label, node.detail), SMALL_SIZE, TEXT_MAX);
    }
    let title = if detail.is_empty() { 34 } else { 46 };
    let text = width(&name, NAME_SIZE + 1).max(width(&detail, SMALL_SIZE)) + 56;
    let width = (inside.width + 2 * PAD).max(text) / 2 * 2;
    let height = title + inside.height + PAD;
    let own = Placed { node: index, x: 0, y: 0, width, height, is_composite: true, name, detail };
    let mut area = Area { width, height, boxes: vec![own], ..Area::default() };
    let left = (width - inside.width) / 2;
    area.take(inside, left, title);
    area
}

/// The blocks of a composite task, side by side.
fn inside(graph: &Graph, index: usize) -> Area {
    let mut all = Area::default();
    let add = |area: Area, all: &mut Area| {
        let left = if all.width == 0 { 0 } else { all.width + GAP };
        all.width = left + area.width;
        all.height = all.height.max(area.height);
        all.take(area, left, 0);
    };
    let entry = |to: usize| {
        let leads = |arc: &&super::Arc| arc.from == index && arc.to == to;
        graph.arcs.iter().position(|arc| leads(&arc))
    };
    for section in graph.sections(index) {
        let nodes = graph.children(Some(index), section);
        let Some(first) = nodes.first() else { continue };
        if section == Section::Branch {
            for branch in nodes.iter().filter(|at| graph.node(**at).kind.is_task()) {
                // An end of the workflow inside a branch belongs to the branch that leads there.
                let ends = graph.leaving(*branch).map(|arc| arc.to).filter(|to| nodes.contains(to));
                let own: Vec<usize> = std::iter::once(*branch).chain(ends).collect();
                add(block(graph, &own, entry(*branch)), &mut all);
            }
        } else if let Some(word) = section.word() {
            let heading = graph.heading(index, section);
            add(panel(block(graph, &nodes, entry(*first)), word, &heading), &mut all);
        } else {
            add(block(graph, &nodes, entry(*first)), &mut all);
        }
    }
    all
}

/// The frame of a block beside its task.
fn panel(inside: Area, word: &'static str, heading: &str) -> Area {
    let label = fit(format!("{word} {heading}").trim(), SMALL_SIZE, TEXT_MAX);
    let wide = (inside.width + 2 * PAD).max(width(&label, SMALL_SIZE) + 24);
    let height = inside.height + 22 + PAD;
    let frame = Panel { word, x: 0, y: 4, width: wide, height: height - 4, label };
    let mut area = Area { width: wide, height, panels: vec![frame], ..Area::default() };
    let left = (wide - inside.width) / 2;
    area.take(inside, left, 22);
    area
}
