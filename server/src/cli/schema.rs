//! `tenure schema`: what editors complete and check by, and what the functions of the catalog take.

use clap::Args;
use serde_json::{Value, json};
use tenure_author::schema;
use tenure_definition::tree::did_you_mean;

use super::Output;
use crate::exit::{Exit, Stop};
use crate::term::{self, Format};

/// Options of `tenure schema`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure schema > tenure.schema.json
  tenure schema --list
  tenure schema --function zuora.createOrder

In an editor with yaml-language-server, begin a definition with
  # yaml-language-server: $schema=./tenure.schema.json")]
pub(super) struct SchemaOptions {
    /// List the functions of the catalog instead
    #[arg(long, conflicts_with = "function")]
    list: bool,
    /// Show one function instead: what it takes, gives and promises (NAME or NAME:VERSION)
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Prints the schema, the list or the function. Schema and function are always JSON.
pub(super) fn run(options: &SchemaOptions) -> anyhow::Result<Exit> {
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default())?;
    let catalog = registry.catalog();
    if options.list {
        list(&schema::functions(catalog, None), options.output.format())?;
        return Ok(Exit::Ok);
    }
    let Some(name) = &options.function else {
        term::json(&schema::schema(catalog))?;
        return Ok(Exit::Ok);
    };
    let found = schema::functions(catalog, Some(name));
    match found.as_slice() {
        [] => {
            let names: Vec<&str> = catalog.functions().map(|known| known.name.as_str()).collect();
            let near = did_you_mean(name, names.iter().copied());
            let near = near.map(|near| format!("{near} ")).unwrap_or_default();
            let message = format!(
                "the catalog has no function `{name}`; {near}`tenure schema --list` shows all"
            );
            Err(Stop::new(Exit::NotFound, message).into())
        }
        [one] => Ok(term::json(one).map(|()| Exit::Ok)?),
        several => Ok(term::json(&Value::Array(several.to_vec())).map(|()| Exit::Ok)?),
    }
}

fn list(functions: &[Value], format: Format) -> anyhow::Result<()> {
    let word = |function: &Value, key: &str| {
        function.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    match format {
        Format::Json => {
            let short = functions.iter().map(|function| {
                json!({
                    "call": word(function, "call"),
                    "class": word(function, "class"),
                    "summary": word(function, "summary"),
                })
            });
            term::json(&json!({ "functions": short.collect::<Vec<_>>() }))?;
        }
        Format::Text => {
            let keys = ["call", "class", "summary"];
            let rows: Vec<Vec<String>> = functions
                .iter()
                .map(|function| keys.map(|key| word(function, key)).to_vec())
                .collect();
            term::data(&term::table(&["CALL", "CLASS", "SUMMARY"], &rows))?;
        }
    }
    Ok(())
}
