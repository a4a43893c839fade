//! `tenure graph`: a definition as a drawing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tenure_author::graph::{self, Graph, Highlight};
use tenure_definition::tree::did_you_mean;
use tenure_definition::{Plan, Task};

use super::read;
use crate::exit::{Exit, Stop};
use crate::stack;
use crate::term;

/// Options of `tenure graph`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure graph workflows/eula/workflow.yaml
  tenure graph workflows/eula/workflow.yaml --format svg > eula.svg
  tenure graph flow.yaml --format svg --done /do/0/begin --active pay > live.svg

Exit code 0 when it was drawn, 2 when marks are asked for in another form than svg, 3 when a task to
mark is missing, 5 when the definition does not register.")]
pub(super) struct GraphOptions {
    /// The definition
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    format: GraphFormat,
    /// Mark a task as done (svg only; repeatable)
    #[arg(long, value_name = "POINTER|NAME")]
    done: Vec<String>,
    /// Mark a task as active (svg only; repeatable)
    #[arg(long, value_name = "POINTER|NAME")]
    active: Vec<String>,
    /// Mark a task as failed (svg only; repeatable)
    #[arg(long, value_name = "POINTER|NAME")]
    failed: Vec<String>,
}

/// How a definition is drawn.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum GraphFormat {
    /// A picture
    Svg,
    /// A Mermaid flowchart, for Markdown
    Mermaid,
    /// The language of Graphviz
    Dot,
    /// An indented list
    Text,
}

/// Draws the definition.
pub(super) fn run(options: &GraphOptions) -> anyhow::Result<Exit> {
    let marks = [&options.done, &options.active, &options.failed];
    if !matches!(options.format, GraphFormat::Svg) && marks.iter().any(|list| !list.is_empty()) {
        let message = "only a picture shows marks: add --format svg, or leave them out";
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default())?;
    let source = read::source(&options.file)?;
    let compiled = stack::deep(|| tenure_definition::compile(&source, registry.catalog()))?;
    let plan = match compiled {
        Ok((plan, _warnings)) => plan,
        Err(diagnostics) => {
            term::talk(diagnostics.render(term::has_color()).trim_end());
            term::talk(&format!("{}: does not register, so it is not drawn", source.name));
            return Ok(Exit::Invalid);
        }
    };
    let highlight = Highlight {
        done: marked(&plan, &options.done)?,
        active: marked(&plan, &options.active)?,
        failed: marked(&plan, &options.failed)?,
    };
    let format = match options.format {
        GraphFormat::Svg => graph::Format::Svg,
        GraphFormat::Mermaid => graph::Format::Mermaid,
        GraphFormat::Dot => graph::Format::Dot,
        GraphFormat::Text => graph::Format::Text,
    };
    term::data(&Graph::of(&plan).render(format, &highlight))?;
    Ok(Exit::Ok)
}

/// The pointers of tasks that are given by pointer or by name.
fn marked(plan: &Plan, given: &[String]) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for wanted in given {
        let before = found.len();
        let fits = |task: &&Task| task.pointer == *wanted || task.name == *wanted;
        found.extend(plan.tasks.iter().filter(fits).map(|task| task.pointer.clone()));
        if found.len() == before && !found.contains(wanted) {
            let known = plan.tasks.iter().map(|task| task.name.as_str());
            let hint = did_you_mean(wanted, known).unwrap_or_default();
            let message = format!(
                "there is no task `{wanted}`: give its name or its JSON pointer (/do/0/NAME) {hint}"
            );
            return Err(Stop::new(Exit::NotFound, message.trim_end()).into());
        }
    }
    Ok(found)
}
