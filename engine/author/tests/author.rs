//! The author's tools on real definitions: ours, and the examples of the specification.

#[path = "author/docs.rs"]
mod docs;
#[path = "author/format.rs"]
mod format;
#[path = "author/graph.rs"]
mod graph;
#[path = "author/kit.rs"]
mod kit;
#[path = "author/schema.rs"]
mod schema;
