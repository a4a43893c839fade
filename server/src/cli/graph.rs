//! `tenure graph`: a definition as a drawing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tenure_author::graph::{self, Graph, Highlight};

use super::read;
use crate::exit::Exit;
use crate::stack;
use crate::term;

/// Options of `tenure graph`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure graph workflows/eula/workflow.yaml
  tenure graph workflows/eula/workflow.yaml --format svg > eula.svg
  tenure graph flow.yaml --format svg --done /do/0/begin --active /do/1/pay > live.svg

Exit code 0 when it was drawn, 5 when the definition does not register.")]
pub(super) struct GraphOptions {
    /// The definition
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    format: GraphFormat,
    /// Mark a task as done (svg only; repeatable)
    #[arg(long, value_name = "POINTER")]
    done: Vec<String>,
    /// Mark a task as active (svg only; repeatable)
    #[arg(long, value_name = "POINTER")]
    active: Vec<String>,
    /// Mark a task as failed (svg only; repeatable)
    #[arg(long, value_name = "POINTER")]
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
pub(super) fn run(options: GraphOptions) -> anyhow::Result<Exit> {
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
        done: options.done.into_iter().collect(),
        active: options.active.into_iter().collect(),
        failed: options.failed.into_iter().collect(),
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
