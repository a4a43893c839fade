//! The rules of the protocol, each on a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a panic is a failed test, also in the helpers clippy does not recognize"
)]

mod checkpoint;
mod doctor;
mod extension;
mod kit;
mod lease;
mod meeting;
mod schema;
mod start;
