//! `tenure explain`: what `.`, `$input` and `$context` hold at each task.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tenure_author::explain::explain;
use tenure_definition::tree::did_you_mean;

use super::{Output, read};
use crate::exit::{Exit, Stop};
use crate::stack;
use crate::term::{self, Format};

/// Options of `tenure explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure explain workflows/eula/workflow.yaml
  tenure explain workflows/eula/workflow.yaml --task decide
  tenure explain -o json f.yaml | jq '.tasks[] | {name, context}'

Exit code 0 when it was explained, 3 when the file or the task is missing, 5 when the definition
does not register.")]
pub(super) struct ExplainOptions {
    /// Definition
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this task, with those inside it: a name or a JSON pointer
    #[arg(long, value_name = "POINTER|NAME")]
    task: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Explains the file.
pub(super) fn run(options: &ExplainOptions) -> anyhow::Result<Exit> {
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default())?;
    let source = read::source(&options.file)?;
    let studied = stack::deep(|| tenure_definition::study(&source, registry.catalog()))?;
    let ((plan, facts), _warnings) = match studied {
        Ok(studied) => studied,
        Err(found) => {
            term::talk(found.render(term::has_color()).trim_end());
            return Ok(Exit::Invalid);
        }
    };
    let explained = explain(&plan, &facts, options.task.as_deref());
    if explained.tasks.is_empty() {
        let task = options.task.as_deref().unwrap_or_default();
        let names = plan.tasks.iter().map(|known| known.name.as_str());
        let near = did_you_mean(task, names).map(|near| format!("; {near}")).unwrap_or_default();
        let message = format!("there is no task `{task}`: give its name or its JSON pointer{near}");
        return Err(Stop::new(Exit::NotFound, message).into());
    }
    match options.output.output {
        Some(Format::Json) => term::json(&json!(explained))?,
        Some(Format::Text) | None => term::data(&explained.text())?,
    }
    Ok(Exit::Ok)
}
