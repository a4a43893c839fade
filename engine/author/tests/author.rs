//! The author's tools on real definitions: ours, and the examples of the specification.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests: a panic is how a test says no"
)]

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
