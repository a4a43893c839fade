//! Floor 3: the only room that speaks SQL. Concrete PostgreSQL behind one small port.
//!
//! The SQL lies in `queries/`, one statement a file, named by its verb; the schema lies in
//! `migrations/` at the top of the repository. This room decides nothing about processes: it
//! compares epochs, versions and keys, and says what it found.
//!
//! Reading order: [`port`] (what the runtime asks for), [`Postgres`] (how it is done),
//! [`ladder`] (where the database comes from).

pub mod ladder;
pub mod migrate;
pub mod port;

mod postgres;
mod sqlstate;

pub use port::{Error, Store};
pub use postgres::{Options, Postgres};
