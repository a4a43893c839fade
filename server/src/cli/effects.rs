//! `tenure effects`: what nobody has settled.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::Output;
use super::remote::{Remote, ServerOptions};
use crate::exit::Exit;
use crate::term::{self, Format};

/// Pages read at most.
const PAGES_MAX: usize = 1_000;

/// Options of `tenure effects`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tenure effects -o json | jq '.items[] | select(.state == \"late\")'

States: settling, looking_up, stuck (the task is at it), abandoned (an answer may still come), lost (none
will), unknown (none will, and money may have moved), late (it happened after its task was over).")]
pub(super) struct EffectsOptions {
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten)]
    output: Output,
}

/// Asks the server.
pub(super) async fn run(options: EffectsOptions) -> anyhow::Result<Exit> {
    let remote = Remote::new(options.server)?;
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    for _page in 0..PAGES_MAX {
        let mut request = remote.request(Method::GET, "/v1/effects");
        if let Some(cursor) = &cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let (_status, mut page) = remote.json(request).await?;
        if let Some(Value::Array(found)) = page.get_mut("items") {
            items.append(found);
        }
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    match options.output.format() {
        Format::Json => term::json(&json!({ "items": items }))?,
        Format::Text if items.is_empty() => term::data("every effect is settled")?,
        Format::Text => {
            let columns =
                ["state", "instance", "definition", "business_key", "place", "key", "since"];
            let row = |item: &Value| {
                let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
                columns.map(|name| text(name).to_owned()).to_vec()
            };
            let rows: Vec<Vec<String>> = items.iter().map(row).collect();
            let head =
                ["STATE", "INSTANCE", "DEFINITION", "BUSINESS KEY", "PLACE", "EFFECT KEY", "SINCE"];
            term::data(&term::table(&head, &rows))?;
        }
    }
    Ok(Exit::Ok)
}
