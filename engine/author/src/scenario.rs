//! `tenure test`: scenario files beside a definition, played in memory on a virtual clock.
//!
//! A scenario says how a run begins, what the world answers and when, and what must come of it.
//! It is played on the same machine as production: only the store and the vendors are replaced.
//!
//! Reading order: `model` (what a file says), `file` and `stub` (from text to model), `names` (what
//! it names must exist), `stage` (the world of a run), `record` (what happened), then who judges it:
//! `expect` with `matcher`, `property`, `coverage` with `arc`. `suite` plays many; `update` writes what
//! happened where something else was expected.

mod arc;
mod chance;
mod coverage;
mod expect;
mod field;
mod file;
mod junit;
mod matcher;
mod model;
mod names;
mod play;
mod property;
mod record;
mod result;
mod show;
mod stage;
mod story;
mod stub;
mod suite;
mod update;
mod yaml;

pub use coverage::{Coverage, Missing};
pub use file::read;
pub use junit::junit;
pub use matcher::Mismatch;
pub use model::Scenario;
pub use play::Cast;
pub use result::{Failure, Line, Played};
pub use show::{failure, json, sum, text};
pub use suite::{FILES_MAX, Settings, Summary, test};
pub use update::{Update, Written};
