//! `tenure doctor`: proves that nothing is silently stuck.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;

use super::{DatabaseOptions, Output};
use crate::database::Database;
use crate::exit::Exit;
use crate::term::{self, Format};

/// Options of `tenure doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  DATABASE_URL=postgres://tenure@db/tenure tenure doctor -o json

Exit code 0 when every live instance has runnable work, a timer, a wait, a running child, an
incident or a pause; 1 when one has none.")]
pub(super) struct DoctorOptions {
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(flatten)]
    output: Output,
}

/// Asks the database.
pub(super) async fn run(options: DoctorOptions) -> anyhow::Result<Exit> {
    let database = Database::open(&options.database.data_dir()).await?;
    let asked = async {
        database.check_schema().await?;
        let store = database.connect().await?;
        let durability = store.durability().await?;
        let unsettled = store.unsettled_counts().await?;
        Ok::<_, anyhow::Error>((store.doctor().await?, durability, unsettled))
    }
    .await;
    database.close().await?;
    let (orphans, durability, unsettled) = asked?;
    let unsettled: BTreeMap<String, i64> = unsettled.into_iter().collect();
    match options.output.format() {
        Format::Json => term::json(&json!({
            "healthy": orphans.is_empty(),
            "orphans": orphans,
            "unsettled_effects": unsettled,
            "durability": durability,
        }))?,
        Format::Text => {
            let rows: Vec<Vec<String>> = orphans
                .iter()
                .map(|orphan| {
                    vec![
                        orphan.instance.to_string(),
                        orphan.definition.clone(),
                        orphan.updated_at.to_string(),
                    ]
                })
                .collect();
            if !unsettled.is_empty() {
                let counts: Vec<String> =
                    unsettled.iter().map(|(state, count)| format!("{count} {state}")).collect();
                term::talk(&format!("unsettled effects: {} (`tenure effects`)", counts.join(", ")));
            }
            if rows.is_empty() {
                term::data(&format!("nothing is stuck; durability grade {}", durability.grade))?;
            } else {
                term::data(&term::table(&["INSTANCE", "DEFINITION", "LAST MOVED"], &rows))?;
            }
        }
    }
    if orphans.is_empty() {
        return Ok(Exit::Ok);
    }
    term::talk(&format!(
        "{} instance(s) are live without a reason to live; look at their journals: \
         GET /v1/instances/ID/journal",
        orphans.len()
    ));
    Ok(Exit::Failure)
}
