//! The machine from outside: definitions as text, events in, decisions out. Each module holds the
//! rules of one family of tasks; the rulings are those of docs/language/rulings.md.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests: a panic is how a test says no, and the kit looks for one variant"
)]

#[path = "machine/kit.rs"]
mod kit;
#[path = "machine/metadata.rs"]
mod metadata;

#[path = "machine/call.rs"]
mod call;
#[path = "machine/error.rs"]
mod error;
#[path = "machine/event.rs"]
mod event;
#[path = "machine/flow.rs"]
mod flow;
#[path = "machine/human.rs"]
mod human;
#[path = "machine/late.rs"]
mod late;
#[path = "machine/lifecycle.rs"]
mod lifecycle;
#[path = "machine/listen.rs"]
mod listen;
#[path = "machine/start.rs"]
mod start;
#[path = "machine/visit.rs"]
mod visit;
#[path = "machine/weave.rs"]
mod weave;
