//! Floor 5: the binary `tenure`: HTTP API and command line, as a library so that tests can embed
//! the whole server.
//!
//! This room decides nothing about processes and speaks no SQL: it reads requests and arguments,
//! asks the engine, and shows what it says. Only here results become HTTP answers ([`problem`])
//! and exit codes ([`exit`]).
//!
//! Reading order: [`cli`] (what can be said), [`serve`] and [`dev`] (what comes up), [`api`] (the
//! door), [`projection`] (what is shown).

pub mod api;
pub mod bind;
pub mod cli;
pub mod client;
pub mod connection;
pub mod core;
pub mod database;
pub mod dev;
pub mod door;
pub mod exit;
pub mod hook;
pub mod limit;
pub mod logging;
pub mod node;
pub mod portal;
pub mod problem;
pub mod projection;
pub mod redaction;
pub mod sandbox;
mod scratch;
pub mod serve;
pub mod stack;
pub mod term;
pub mod workflow;
