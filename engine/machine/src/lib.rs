//! Floor 2: the durable state machine as a pure function.
//!
//! [`step`] takes a plan, an instance and one event, and gives the next instance with the commands
//! that may be released once it is committed. No clock, no randomness, no I/O: time comes in with
//! the event, keys and jitter are derived, so a repeated step asks for the same call with the same
//! key. Live running, recovery, simulation, `tenure test` and `tenure run` all use this function.
//!
//! Reading order: [`event`] (what comes in), [`instance`] (what is kept), [`transition`] (what goes
//! out), then `step` (who moves what).

pub mod abandoned;
pub mod bucket;
pub mod cloud_event;
pub mod event;
pub mod id;
pub mod instance;
pub mod json;
pub mod key;
pub mod limit;
pub mod payload;
pub mod secret;
pub mod transition;

mod admit;
mod lifecycle;
mod outside;
mod step;

pub use admit::{Admission, Start, admit};
pub use cloud_event::CloudEvent;
pub use event::{ChildResult, Event};
pub use id::{CallId, FrameId, InstanceId, LockId, TimerId, WaitId};
pub use instance::{Identity, Instance, Parent, Status};
pub use json::Json;
pub use step::lock::{AwaitedLock, awaited_locks};
pub use step::step;
pub use transition::{
    ChildStart, Command, Entry, Fact, Intent, Purpose, Stale, Step, Transition, Wait,
};
