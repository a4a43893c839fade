//! `tenure migrate`: brings the schema to this binary's version.

use clap::Args;
use serde_json::json;
use tenure_store::migrate::Locking;

use super::{DatabaseOptions, Output};
use crate::database::Database;
use crate::exit::Exit;
use crate::term::{self, Format};

/// Options of `tenure migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  DATABASE_URL=postgres://tenure@db/tenure tenure migrate

A schema newer than this binary is refused with exit code 4.")]
pub(super) struct MigrateOptions {
    #[command(flatten)]
    database: DatabaseOptions,
    /// Take no advisory lock (behind pgbouncer in transaction mode); run it once only
    #[arg(long)]
    no_migration_lock: bool,
    #[command(flatten)]
    output: Output,
}

/// Migrates.
pub(super) async fn run(options: MigrateOptions) -> anyhow::Result<Exit> {
    let database = Database::open(&options.database.data_dir()).await?;
    let locking = if options.no_migration_lock { Locking::None } else { Locking::Advisory };
    let migrated = database.migrate(locking).await;
    database.close().await?;
    let version = migrated?;
    match options.output.format() {
        Format::Json => term::json(&json!({ "schema_version": version }))?,
        Format::Text => term::data(&format!("the schema is at version {version}"))?,
    }
    term::talk("next: tenure serve");
    Ok(Exit::Ok)
}
