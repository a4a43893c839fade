//! Floor 1: YAML text in, a checked and immutable [`Plan`] out, or diagnostics with line and
//! column.
//!
//! The language is the CNCF Open Workflow Specification, DSL 1.0.3 at upstream commit 4d42471,
//! with jq expressions. This room is pure: no clock, no randomness, no environment, no I/O. It may
//! not know how a plan is executed.
//!
//! The way of a text: [`source`] (positions) → `read` (tree of nodes with spans) → `parse`
//! (language model, one module per task family) → [`plan`] (names resolved, expressions compiled) →
//! `check` (what the data can be at each task, by `shape`, and every mistake that shows).
//!
//! Where to go next: `engine/machine`, which executes plans.

pub mod builtin;
pub mod canonical;
pub mod cron;
pub mod diagnostic;
pub mod expression;
pub mod json;
pub mod matcher;
pub mod plan;
pub mod schedule;
pub mod schema;
pub mod source;
pub mod template;
pub mod time;
pub mod tree;
pub mod uri;
pub mod way;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use plan::{Plan, Task, TaskId, TaskKind};
pub use source::Source;

mod check;
mod compile;
mod parse;
mod read;
mod shape;

pub use check::{Facts, TaskFacts};
pub use compile::{compile, compile_registered, study};
pub use shape::Shape;
