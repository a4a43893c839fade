//! Floor 6: what is proved about the house as a whole.
//!
//! One file per theme under `tests/tests/`. The helpers here read the repository itself: its files
//! ([`tree`]), its Rust code ([`code`]), its documentation ([`markdown`]) and its SQL ([`sql`]).
//! Nothing depends on this crate.

#![expect(clippy::panic, reason = "this crate exists to fail tests, with a clear sentence")]

pub mod code;
pub mod markdown;
pub mod sql;
pub mod tree;
