//! The server that tests share: `testdb start` starts or finds it, `testdb stop` stops and removes it.

use anyhow::bail;
use tenure_store::ladder::TestCluster;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("start") => TestCluster::shared().await.map(|_| ())?,
        Some("stop") => TestCluster::stop().await?,
        Some(_) | None => bail!("say start or stop"),
    }
    Ok(())
}
