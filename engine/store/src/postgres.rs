//! PostgreSQL.
/// The store on PostgreSQL.
#[derive(Debug)]
pub struct Postgres;
