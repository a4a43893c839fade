//! `tenure validate`: every mistake with file, line, column, label and help.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tenure_adapter::Catalog;
use tenure_definition::Diagnostics;

use super::{Output, read};
use crate::exit::Exit;
use crate::stack;
use crate::term::{self, Format};

/// Options of `tenure validate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure validate workflows/eula/workflow.yaml
  tenure validate -o json workflows/*/workflow.yaml | jq '.files[].diagnostics[]'

Exit code 0 when all definitions register, 5 when one does not.")]
pub(super) struct ValidateOptions {
    /// Definitions
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Checks the files.
pub(super) fn run(options: &ValidateOptions) -> anyhow::Result<Exit> {
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default())?;
    let is_json = options.output.output == Some(Format::Json);
    let mut shown = Vec::new();
    let mut valid = true;
    for path in &options.files {
        let source = read::source(path)?;
        let (registers, diagnostics) = compile(&source, registry.catalog())?;
        valid &= registers;
        let name = path.display();
        if is_json {
            shown.push(json!({
                "file": name.to_string(),
                "valid": registers,
                "diagnostics": diagnostics.to_json(),
            }));
            continue;
        }
        let text = diagnostics.render(term::has_color());
        if !text.is_empty() {
            term::talk(text.trim_end());
        }
        let count = diagnostics.items.len();
        term::talk(&match (registers, count) {
            (true, 0) => format!("{name}: ok"),
            (true, _) => format!("{name}: ok, {count} warning(s)"),
            (false, _) => format!("{name}: {count} finding(s), does not register"),
        });
    }
    if is_json {
        term::json(&json!({ "valid": valid, "files": Value::Array(shown) }))?;
    }
    Ok(if valid { Exit::Ok } else { Exit::Invalid })
}

fn compile(
    source: &tenure_definition::Source,
    catalog: &Catalog,
) -> anyhow::Result<(bool, Diagnostics)> {
    Ok(match stack::deep(|| tenure_definition::compile(source, catalog))? {
        Ok((_plan, diagnostics)) => (true, diagnostics),
        Err(diagnostics) => (false, diagnostics),
    })
}
