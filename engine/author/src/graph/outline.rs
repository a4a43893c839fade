//! What the two languages of nested blocks share: lines that are indented, and the walk through the
//! blocks.

use std::fmt::Write as _;

use super::{Arc, Graph, Node, Section};

/// A drawing as text, in which composite tasks are blocks in blocks.
pub(super) trait Outline {
    /// The line of a task that has nothing inside.
    fn leaf(index: usize, node: &Node) -> String;

    /// Writes a composite task with what is inside.
    fn composite(&self, page: &mut Page<'_>, index: usize, depth: usize);

    /// The line of an arc.
    fn arc(graph: &Graph, arc: &Arc) -> String;

    /// Writes the tasks of a section.
    fn block(&self, page: &mut Page<'_>, parent: Option<usize>, section: Section, depth: usize) {
        let graph = page.graph;
        for index in graph.children(parent, section) {
            if graph.is_composite(index) {
                self.composite(page, index, depth);
            } else {
                page.line(depth, &Self::leaf(index, graph.node(index)));
            }
        }
    }

    /// Writes everything.
    fn whole(&self, page: &mut Page<'_>) {
        self.block(page, None, Section::Body, 1);
        for arc in &page.graph.arcs {
            page.line(1, &Self::arc(page.graph, arc));
        }
    }
}

/// What is written so far.
pub(super) struct Page<'g> {
    pub(super) graph: &'g Graph,
    pub(super) text: String,
}

impl<'g> Page<'g> {
    /// A page that begins with a line.
    pub(super) fn new(graph: &'g Graph, first: &str) -> Self {
        Self { graph, text: format!("{first}\n") }
    }

    /// Writes a line, two blanks in for each level.
    pub(super) fn line(&mut self, depth: usize, text: &str) {
        writeln!(self.text, "{:1$}{text}", "", depth * 2).expect("writing to a string cannot fail");
    }
}
