//! Compiles the definition on its standard input and runs it in memory, in a process of its own, so
//! that whoever started it can see what a hostile text costs and whether the process survives.
//!
//! Writes one line of JSON: what was found, how the run ended, the largest memory and the time.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tenure_adapters::Settings;
use tenure_definition::{Severity, Source, compile};
use tenure_runtime::local::{self, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    // As the server does with a body: text that is not UTF-8 never reaches the compiler.
    let text = String::from_utf8(bytes)?;
    let registry = tenure_adapters::registry(Settings::default())?;
    let began = Instant::now();
    let source = Source { name: "hostile.yaml".to_owned(), text };
    let compiled = compile(&source, registry.catalog());
    let compiled_ms = began.elapsed().as_millis();
    let answer = match compiled {
        Err(found) => {
            let errors = found.items.iter().filter(|item| item.severity == Severity::Error);
            let codes: Vec<_> = errors.map(|item| item.code).collect();
            // What the author would see must not cost more than the text itself.
            let shown = found.render(false).len();
            json!({ "refused": codes, "shown_bytes": shown })
        }
        Ok((plan, _)) => {
            let options = Options {
                plan: Arc::new(plan),
                others: Vec::new(),
                input: json!({}),
                events: Vec::new(),
                triggers: Vec::new(),
                secrets: BTreeMap::new(),
                virtual_clock: true,
                start_at: None,
            };
            let report = local::run(options, &registry).await;
            json!({ "status": report.status, "error": report.error })
        }
    };
    let line = json!({
        "answer": answer,
        "peak_kib": peak_kib(),
        "compiled_ms": compiled_ms,
        "all_ms": began.elapsed().as_millis(),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// The largest memory of this process so far; `None` where the system does not tell.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
