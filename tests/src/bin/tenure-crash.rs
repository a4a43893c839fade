//! `tenure dev` with a store that ends the process at a chosen write.
//!
//! `TENURE_CRASH_POINT` (`before:N` or `after:N`) says where; without it the program runs to its
//! end. `TENURE_CRASH_COUNT` names a file that then receives the number of writes.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser as _;
use tenure_server::dev::{self, DevOptions};
use tenure_server::hook::Hooks;
use tenure_tests::crash::{CrashStore, Point};

#[derive(Debug, clap::Parser)]
struct Options {
    #[command(flatten)]
    dev: DevOptions,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let point = match std::env::var("TENURE_CRASH_POINT") {
        Ok(text) => Some(Point::parse(&text).map_err(anyhow::Error::msg)?),
        Err(_) => None,
    };
    let writes = Arc::new(AtomicUsize::new(0));
    let mut hooks = Hooks::signals()?;
    let counted = Arc::clone(&writes);
    hooks.wrap_store =
        Some(Box::new(move |store| Arc::new(CrashStore::new(store, point, counted))));
    let exit = dev::run(options.dev, hooks).await?;
    if let Ok(path) = std::env::var("TENURE_CRASH_COUNT") {
        std::fs::write(path, writes.load(Ordering::SeqCst).to_string())?;
    }
    Ok(exit.into())
}
