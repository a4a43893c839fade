//! The author's tools on real definitions: ours, and the examples of the specification.

#[path = "author/graph.rs"]
mod graph;
#[path = "author/kit.rs"]
mod kit;
