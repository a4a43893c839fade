//! Any text as a definition: a plan or diagnostics, never an abort. Findings must render.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tenure_adapter::{Catalog, EffectClass, Manifest, RetryDefault};
use tenure_definition::{Source, compile};

fn catalog() -> Catalog {
    Catalog::new([Manifest {
        name: "shop.order".to_owned(),
        version: "1.0.0".to_owned(),
        summary: "Creates an order".to_owned(),
        connection: None,
        input: json!({"type": "object", "properties": {"sku": {"type": "string"}}}),
        output: json!({}),
        errors: Vec::new(),
        class: EffectClass::Natural,
        money: false,
        deadline_ms: 1000,
        settle_ms: 0,
        retry: RetryDefault { retries_max: 0, delay_ms: 0 },
    }])
}

fuzz_target!(|text: String| {
    let found = match compile(&Source { name: "fuzz.yaml".to_owned(), text }, &catalog()) {
        Ok((_, found)) | Err(found) => found,
    };
    drop(found.render(false));
});
