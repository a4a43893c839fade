//! The machine from outside: definitions as text, events in, decisions out. Each module holds the
//! rules of one family of tasks; the rulings are those of docs/language.md.

#[path = "machine/kit.rs"]
mod kit;

#[path = "machine/call.rs"]
mod call;
#[path = "machine/error.rs"]
mod error;
#[path = "machine/event.rs"]
mod event;
#[path = "machine/flow.rs"]
mod flow;
#[path = "machine/start.rs"]
mod start;
