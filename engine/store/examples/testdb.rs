//! The server that tests share: `testdb start` starts or finds it, `testdb stop` stops and removes it,
//! `testdb run COMMAND...` runs a command with `DATABASE_URL` set to a fresh, migrated database.

use anyhow::{Context as _, bail, ensure};
use tenure_store::ladder::TestCluster;
use tokio::process::Command;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("start") => TestCluster::shared().await.map(|_| ())?,
        Some("stop") => TestCluster::stop().await?,
        Some("run") => {
            let program = arguments.next().context("say what to run")?;
            let database = TestCluster::shared().await?.database().await?;
            let mut command = Command::new(&program);
            command.args(arguments).env("DATABASE_URL", database.url());
            let status = command.status().await.with_context(|| format!("cannot run {program}"))?;
            ensure!(status.success(), "{program} failed: {status}");
        }
        Some(_) | None => bail!("say start, stop or run COMMAND"),
    }
    Ok(())
}
