//! The ways of the arcs of one block, and with them the heights between its rows.

use std::collections::BTreeMap;

use super::Graph;
use super::layout::{Area, Edge, Line, Member, member};

/// Between two tracks of a channel, and between two lanes.
const TRACK: i32 = 10;
/// From a row to the first lane.
const LANE: i32 = 18;
/// Room for an arrow's head above a task.
const HEAD: i32 = 16;
/// Room for labels below a task.
const LABELS: i32 = 22;
/// Two vertical lines nearer than this would be taken for one.
const NEAR: i32 = 6;

/// What runs horizontally in a channel as one line: everything that reaches one task from there,
/// or one arc on its way to a lane.
#[derive(Debug, Default)]
struct Run {
    left: i32,
    right: i32,
    /// Where it is joined from above and from below.
    above: Vec<i32>,
    below: Vec<i32>,
    track: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RunKey {
    /// To this member.
    To(usize),
    /// From this edge to its lane.
    Lane(usize),
}

/// The lane of an edge that is not between neighboring rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Left,
    Right,
}

/// Sets the rows below each other and draws the arcs.
pub(super) fn block(
    graph: &Graph,
    mut members: Vec<Member>,
    edges: &[Edge],
    rows: &[Vec<usize>],
    entry: Option<(usize, usize)>,
) -> Area {
    let left = members.iter().map(|member| member.x).min().unwrap_or(0);
    let right = members.iter().map(|member| member.x + member.area.width).max().unwrap_or(0);
    let lanes = lanes(&members, edges, left, right);
    // All places at once to the right of the left lanes.
    let outer = |side| lanes.values().filter(move |(at, _)| *at == side).map(|(_, x)| *x);
    let edge_left = outer(Side::Left).min().map_or(left, |lane| lane - LANE / 2);
    let edge_right = outer(Side::Right).max().map_or(right, |lane| lane + LANE / 2);
    for member in &mut members {
        member.x -= edge_left;
    }
    let lanes: BTreeMap<usize, i32> =
        lanes.into_iter().map(|(edge, (_, x))| (edge, x - edge_left)).collect();
    let channels = channels(&members, edges, &lanes, rows.len());
    let sheet = Sheet::new(graph, &members, edges, rows, channels, entry.is_some());

    let mut area = Area { width: edge_right - edge_left, height: sheet.height, ..Area::default() };
    for (at, edge) in edges.iter().enumerate() {
        area.lines.push(sheet.line(graph, &members, at, edge, lanes.get(&at).copied()));
    }
    if let Some((arc, to)) = entry {
        let (x, y) = (member(&members, to).middle(), sheet.row(member(&members, to).rank));
        area.lines.push(Line { points: vec![(x, 0), (x, y)], arc, label: None });
    }
    for member in members {
        let y = sheet.row(member.rank);
        area.take(member.area, member.x, y);
    }
    area
}

/// The lanes beside the rows, by edge. Arcs to the same task share one.
fn lanes(
    members: &[Member],
    edges: &[Edge],
    left: i32,
    right: i32,
) -> BTreeMap<usize, (Side, i32)> {
    let rank = |index| member(members, index).rank;
    // Rows spanned, by side and target.
    let mut groups: BTreeMap<(Side, usize), (usize, usize, Vec<usize>)> = BTreeMap::new();
    for (at, edge) in edges.iter().enumerate() {
        let (from, to) = (rank(edge.from), rank(edge.to));
        if to == from + 1 {
            continue;
        }
        let side = if to <= from { Side::Left } else { Side::Right };
        let (low, high) = ((from + 1).min(to), (from + 1).max(to));
        let group = groups.entry((side, edge.to)).or_insert((low, high, Vec::new()));
        (group.0, group.1) = (group.0.min(low), group.1.max(high));
        group.2.push(at);
    }
    let mut order: Vec<_> = groups.into_iter().collect();
    // Short ones near the tasks, so that they cross less.
    order.sort_by_key(|((side, to), (low, high, _))| (*side, high - low, *to));
    let mut taken: Vec<(Side, usize, usize, usize)> = Vec::new();
    let mut lanes = BTreeMap::new();
    for ((side, _), (low, high, group)) in order {
        let free = |lane: usize| {
            taken.iter().all(|(at, used, from, to)| {
                *at != side || *used != lane || high < *from || *to < low
            })
        };
        let lane = (0..=taken.len()).find(|lane| free(*lane)).unwrap_or(taken.len());
        taken.push((side, lane, low, high));
        let away = LANE + TRACK * i32::try_from(lane).unwrap_or(i32::MAX / TRACK);
        let x = if side == Side::Left { left - away } else { right + away };
        lanes.extend(group.into_iter().map(|edge| (edge, (side, x))));
    }
    lanes
}

type Channel = BTreeMap<RunKey, Run>;

/// What runs between the rows: the channel with an index is above the row with that index.
fn channels(
    members: &[Member],
    edges: &[Edge],
    lanes: &BTreeMap<usize, i32>,
    rows: usize,
) -> Vec<Channel> {
    let mut channels: Vec<Channel> = (0..=rows).map(|_| Channel::new()).collect();
    for (at, edge) in edges.iter().enumerate() {
        let (from, to) = (member(members, edge.from), member(members, edge.to));
        let (out, goal) = (from.x + edge.port, to.middle());
        let mut join = |channel: usize, key, above: Option<i32>, below: Option<i32>, lane| {
            let Some(runs) = channels.get_mut(channel) else { return };
            let ends = above.into_iter().chain(below).chain(lane);
            let (left, right) = (ends.clone().min().unwrap_or(0), ends.max().unwrap_or(0));
            let run = runs.entry(key).or_insert(Run { left, right, ..Run::default() });
            (run.left, run.right) = (run.left.min(left), run.right.max(right));
            run.above.extend(above);
            run.below.extend(below);
        };
        match lanes.get(&at).copied() {
            None => join(to.rank, RunKey::To(edge.to), Some(out), Some(goal), None),
            Some(lane) => {
                join(from.rank + 1, RunKey::Lane(at), Some(out), None, Some(lane));
                join(to.rank, RunKey::To(edge.to), None, Some(goal), Some(lane));
            }
        }
    }
    for channel in &mut channels {
        assign(channel);
    }
    channels
}

/// Gives each run a track, so that runs on one track do not touch and no vertical line lies on
/// another one: what comes from above at a place is bent away before what goes below from there.
fn assign(channel: &mut Channel) {
    let meets = |one: &Run, other: &Run| {
        one.above.iter().any(|x| other.below.iter().any(|y| (x - y).abs() < NEAR))
    };
    let mut waiting: Vec<RunKey> = channel.keys().copied().collect();
    let mut placed: Vec<RunKey> = Vec::new();
    while !waiting.is_empty() {
        let first = |key: &RunKey| {
            channel.get(key).is_some_and(|run| {
                waiting
                    .iter()
                    .filter(|other| *other != key)
                    .filter_map(|other| channel.get(other))
                    .all(|other| !meets(other, run))
            })
        };
        // A circle of such demands cannot be met; the first in order goes first.
        let next = waiting.iter().position(first).unwrap_or(0);
        let key = waiting.remove(next);
        let Some(run) = channel.get(&key) else { continue };
        let others = placed.iter().filter_map(|other| channel.get(other));
        let lowest = others
            .clone()
            .filter(|other| meets(other, run))
            .map(|other| other.track + 1)
            .max()
            .unwrap_or(0);
        let free = |track: usize| {
            others
                .clone()
                .filter(|other| other.track == track)
                .all(|other| other.right + NEAR < run.left || run.right + NEAR < other.left)
        };
        let track = (lowest..).find(|track| free(*track)).unwrap_or(lowest);
        if let Some(run) = channel.get_mut(&key) {
            run.track = track;
        }
        placed.push(key);
    }
}

/// The vertical places.
struct Sheet {
    rows: Vec<i32>,
    channels: Vec<(i32, Channel)>,
    height: i32,
}

impl Sheet {
    fn new(
        graph: &Graph,
        members: &[Member],
        edges: &[Edge],
        rows: &[Vec<usize>],
        channels: Vec<Channel>,
        has_entry: bool,
    ) -> Self {
        let labeled = |rank: Option<usize>| {
            edges.iter().any(|edge| {
                Some(member(members, edge.from).rank) == rank
                    && graph.arcs.get(edge.arc).is_some_and(|arc| !arc.label.is_empty())
            })
        };
        let mut sheet = Self { rows: Vec::new(), channels: Vec::new(), height: 0 };
        let mut y = 0;
        for (index, channel) in channels.into_iter().enumerate() {
            let bent = channel.values().filter(|run| run.left != run.right);
            let tracks = bent.map(|run| run.track + 1).max().unwrap_or(0);
            let tracks = TRACK * i32::try_from(tracks).unwrap_or(i32::MAX / TRACK);
            let is_first = index == 0;
            let is_last = index == rows.len();
            let top = match (is_first, labeled(index.checked_sub(1))) {
                (true, _) => 0,
                (false, true) => LABELS,
                (false, false) => TRACK,
            };
            let used = !channel.is_empty();
            let height = if is_last && !used {
                0
            } else if is_first && !used {
                if has_entry { HEAD } else { 0 }
            } else {
                top + tracks + if is_last { 4 } else { HEAD }
            };
            sheet.channels.push((y + top, channel));
            y += height;
            if let Some(row) = rows.get(index) {
                sheet.rows.push(y);
                let tall = row.iter().map(|at| member(members, *at).area.height).max();
                y += tall.unwrap_or(0);
            }
        }
        sheet.height = y;
        sheet
    }

    fn row(&self, rank: usize) -> i32 {
        self.rows.get(rank).copied().unwrap_or(0)
    }

    fn track(&self, channel: usize, key: RunKey) -> i32 {
        let Some((top, runs)) = self.channels.get(channel) else { return 0 };
        let track = runs.get(&key).map_or(0, |run| run.track);
        top + TRACK * i32::try_from(track).unwrap_or(0) + TRACK / 2
    }

    fn line(
        &self,
        graph: &Graph,
        members: &[Member],
        at: usize,
        edge: &Edge,
        lane: Option<i32>,
    ) -> Line {
        let (from, to) = (member(members, edge.from), member(members, edge.to));
        let (out, goal) = (from.x + edge.port, to.middle());
        let (start, end) = (self.row(from.rank) + from.area.height, self.row(to.rank));
        let arrive = self.track(to.rank, RunKey::To(edge.to));
        let points = match lane {
            None if out == goal => vec![(out, start), (goal, end)],
            None => vec![(out, start), (out, arrive), (goal, arrive), (goal, end)],
            Some(lane) => {
                let leave = self.track(from.rank + 1, RunKey::Lane(at));
                vec![
                    (out, start),
                    (out, leave),
                    (lane, leave),
                    (lane, arrive),
                    (goal, arrive),
                    (goal, end),
                ]
            }
        };
        let named = graph.arcs.get(edge.arc).is_some_and(|arc| !arc.label.is_empty());
        let bottom = self.row(from.rank) + from.area.height;
        Line { points, arc: edge.arc, label: named.then_some((out, bottom + 12)) }
    }
}
