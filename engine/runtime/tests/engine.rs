//! The engine on a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the kit of the tests may panic like a test"
)]

#[path = "engine/call.rs"]
mod call;
#[path = "engine/event.rs"]
mod event;
#[path = "engine/evidence.rs"]
mod evidence;
#[path = "engine/extension.rs"]
mod extension;
#[path = "engine/kit.rs"]
mod kit;
#[path = "engine/listen.rs"]
mod listen;
#[path = "engine/ownership.rs"]
mod ownership;
#[path = "engine/run.rs"]
mod run;
#[path = "engine/schedule.rs"]
mod schedule;
