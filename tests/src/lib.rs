//! Floor 6: what the tests of the whole house share. The tests themselves lie in `tests/tests/`, one
//! file per theme.
//!
//! Two kinds of helpers: some read the repository itself, its files ([`tree`]), its Rust code
//! ([`code`]), its documentation ([`markdown`]), its SQL ([`sql`]) and its definitions
//! ([`definition`]); the others play worlds for the engine ([`world`], [`random`]), run the
//! specification's kit on it ([`kit`]), kill it ([`crash`]), or hold the whole house in one process
//! ([`house`]). Nothing depends on this crate.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this crate exists to fail tests; a missing member of a JSON answer reads as null"
)]

pub mod code;
pub mod crash;
pub mod definition;
pub mod house;
pub mod kit;
pub mod language;
pub mod markdown;
pub mod random;
pub mod sql;
pub mod tree;
pub mod world;
