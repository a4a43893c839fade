//! `tenure definition`: asks a running server.

use std::path::PathBuf;

use clap::Subcommand;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::remote::{Remote, ServerOptions};
use super::{Output, read};
use crate::exit::Exit;
use crate::term::{self, Format};

/// Pages read of a list at most.
const PAGES_MAX: usize = 1_000;

/// Subcommands of `tenure definition`.
#[derive(Debug, Subcommand)]
pub(super) enum DefinitionCommand {
    /// Register a definition; registering the same text again changes nothing
    #[command(after_help = "Example:\n  tenure definition register workflows/eula/workflow.yaml")]
    Register {
        /// The definition
        file: PathBuf,
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        output: Output,
    },
    /// List all definitions and their versions
    #[command(after_help = "Example:\n  tenure definition list -o json | jq '.items[].name'")]
    List {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        output: Output,
    },
    /// Show the newest version of a definition, or one version
    #[command(after_help = "Example:\n  tenure definition show purchase-direct > purchase.yaml")]
    Show {
        /// Name of the definition
        name: String,
        /// Semantic version instead of the newest
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        output: Output,
    },
}

/// Asks the server.
pub(super) async fn run(command: DefinitionCommand) -> anyhow::Result<Exit> {
    match command {
        DefinitionCommand::Register { file, server, output } => {
            let text = read::file(&file)?;
            let remote = Remote::new(server)?;
            let request = remote
                .request(Method::POST, "/v1/definitions")
                .header(header::CONTENT_TYPE, "application/yaml")
                .body(text);
            let (status, shown) = remote.json(request).await?;
            registered(status, &shown, output)?;
        }
        DefinitionCommand::List { server, output } => list(&Remote::new(server)?, output).await?,
        DefinitionCommand::Show { name, version, server, output } => {
            let remote = Remote::new(server)?;
            let mut request = remote.request(Method::GET, &format!("/v1/definitions/{name}"));
            if let Some(version) = version {
                request = request.query(&[("version", version)]);
            }
            let (_status, shown) = remote.json(request).await?;
            // The text is the data, so that it can be written to a file again.
            if output.output == Some(Format::Json) {
                term::json(&shown)?;
            } else {
                term::data(text(&shown, "source"))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn registered(status: u16, shown: &Value, output: Output) -> anyhow::Result<()> {
    let (name, version) = (text(shown, "name"), text(shown, "version"));
    for warning in shown.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        let line = warning.get("line").and_then(Value::as_u64).unwrap_or_default();
        term::talk(&format!("warning: line {line}: {}", text(warning, "detail")));
    }
    match output.format() {
        Format::Json => term::json(shown)?,
        Format::Text => term::data(&format!("{name} {version} {}", text(shown, "digest")))?,
    }
    let what = if status == 201 { "registered" } else { "was registered before, with this text" };
    term::talk(&format!(
        "{name} {version} {what}; start it with POST /v1/definitions/{name}/instances"
    ));
    Ok(())
}

async fn list(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    for _page in 0..PAGES_MAX {
        let mut request = remote.request(Method::GET, "/v1/definitions");
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
    match output.format() {
        Format::Json => term::json(&json!({ "items": items }))?,
        Format::Text => {
            let row = |item: &Value| {
                ["name", "version", "digest", "created_at"]
                    .map(|name| text(item, name).chars().take(24).collect())
                    .to_vec()
            };
            let rows: Vec<Vec<String>> = items.iter().map(row).collect();
            term::data(&term::table(&["NAME", "VERSION", "DIGEST", "REGISTERED"], &rows))?;
        }
    }
    Ok(())
}
