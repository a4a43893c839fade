//! The rules of the protocol, each on a real PostgreSQL.

mod checkpoint;
mod doctor;
mod kit;
mod lease;
mod meeting;
mod schema;
mod start;
