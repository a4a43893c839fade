//! Floor 4: where things happen. Owns buckets, feeds events to [`tenure_machine::step`], commits
//! what it gives, and only then releases the commands.
//!
//! This room decides nothing about processes (that is the machine's) and speaks no SQL (that is
//! the store's). `spine` holds the way of one step and reads like a story; [`local`] is the same
//! story without a database, for `tenure run`.
//!
//! Reading order: [`engine`] (the handle), `spine` (one step), `committer` (many steps at once),
//! `call` (what leaves the machine), then the pumps that bring events in: `mailbox`, `timer`,
//! `outbox`, `matcher`, `schedule`; `lease` and `recovery` say for which buckets all of this happens.

pub mod engine;
pub mod local;

mod admission;
mod attempt;
mod call;
mod clock;
mod committer;
mod deadlock;
mod ground;
mod launch;
mod lease;
mod loader;
mod mailbox;
mod matcher;
mod outbox;
mod parker;
mod plans;
mod recovery;
mod refuser;
mod route;
mod schedule;
mod secret;
mod spine;
mod stepper;
mod timer;
mod trigger;

pub use engine::{Config, Engine};
