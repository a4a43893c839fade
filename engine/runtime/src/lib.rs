//! Floor 4: where things happen. Owns buckets, feeds events to [`tenure_machine::step`], commits
//! what it gives, and only then releases the commands.
//!
//! This room decides nothing about processes (that is the machine's) and speaks no SQL (that is
//! the store's). `spine` holds the way of one step and reads like a story; [`local`] is the same
//! story without a database, for `tenure run`.

pub mod engine;
pub mod local;

pub use engine::{Config, Engine};
