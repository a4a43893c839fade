//! `tenure test`: the scenarios beside definitions, played on a virtual clock.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tenure_adapter::Registry;
use tenure_adapters::Settings;
use tenure_author::scenario;

use super::Output;
use crate::exit::Exit;
use crate::scratch::Scratch;
use crate::term::{self, Format};

/// Options of `tenure test`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure test                                   all scenarios of workflows/
  tenure test workflows/eula --filter reminder
  tenure test --junit report.xml --coverage-min 90
  tenure test workflows/eula/scenarios/accepted.yaml --seed 7
  tenure test workflows/eula --update             then look at the change before you commit it

Exit codes: 0 all as expected, 1 a scenario failed or too little is covered, 3 no scenario was
found, 5 a scenario file or a definition cannot be read.")]
pub(super) struct TestOptions {
    /// Scenario files, or folders that hold `scenarios/*.yaml` at any depth
    #[arg(value_name = "PATH", default_value = "workflows")]
    paths: Vec<PathBuf>,
    /// Play only scenarios whose file or title contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Play only this order of each exploration
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write what happened into the `expect` of scenarios that expected something else
    #[arg(long, conflicts_with = "seed")]
    update: bool,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Fail when less of a definition's tasks and arcs is covered
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
    #[command(flatten)]
    output: Output,
}

/// Plays them and prints the results.
pub(super) fn run(options: &TestOptions) -> anyhow::Result<Exit> {
    let scratch = Scratch::new("tenure-test")?;
    let registry = |number: usize| plugs(&scratch.path().join(number.to_string()));
    let settings = scenario::Settings {
        paths: options.paths.clone(),
        filter: options.filter.clone(),
        seed: options.seed,
        update: options.update,
        registry: &registry,
    };
    let summary = match scenario::test(&settings) {
        Ok(summary) => summary,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            term::talk(&format!("error: {error}"));
            return Ok(Exit::NotFound);
        }
        Err(error) => return Err(error).context("the scenarios cannot be played"),
    };
    for found in &summary.broken {
        term::talk(found.render(term::has_color()).trim_end());
    }
    match options.output.format() {
        Format::Json => term::json(&scenario::json(&summary))?,
        Format::Text => term::data(scenario::text(&summary).trim_end())?,
    }
    if let Some(path) = &options.junit {
        std::fs::write(path, scenario::junit(&summary))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    term::talk(&scenario::sum(&summary));
    Ok(exit(options, &summary))
}

/// Local functions keep what they make in a folder of this scenario alone.
fn plugs(folder: &Path) -> std::io::Result<Registry> {
    tenure_adapters::registry(Settings {
        license_dir: Some(folder.join("license")),
        ..Settings::default()
    })
}

fn exit(options: &TestOptions, summary: &scenario::Summary) -> Exit {
    if !summary.broken.is_empty() {
        return Exit::Invalid;
    }
    if summary.played.is_empty() {
        term::talk(
            "no scenario was found: they stand in `scenarios/NAME.yaml` beside a definition",
        );
        return Exit::NotFound;
    }
    let wanted = usize::from(options.coverage_min.unwrap_or(0));
    let mut is_enough = true;
    for coverage in summary.coverage.iter().filter(|coverage| coverage.percent() < wanted) {
        is_enough = false;
        term::talk(&format!(
            "{}: {} % is covered, {wanted} % are wanted",
            coverage.definition,
            coverage.percent()
        ));
    }
    if summary.passed() && is_enough { Exit::Ok } else { Exit::Failure }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_covered_or_not_found_has_an_exit_code() {
        let coverage = scenario::Coverage {
            definition: "a/b:1.0.0".to_owned(),
            file: "b.yaml".to_owned(),
            total: 10,
            missing: vec![scenario::Missing {
                line: 3,
                task: "/do/0/a".to_owned(),
                arc: "begins".to_owned(),
            }],
        };
        let played = scenario::Played {
            file: "f".to_owned(),
            title: "t".to_owned(),
            definition: "b".to_owned(),
            failures: Vec::new(),
            seed: None,
            story: Vec::new(),
            took: Duration::ZERO,
            covered: jiff::SignedDuration::ZERO,
            runs: 1,
        };
        let mut summary = scenario::Summary {
            played: vec![played],
            broken: Vec::new(),
            updates: Vec::new(),
            coverage: vec![coverage],
            took: Duration::ZERO,
        };
        let options = |wanted| TestOptions {
            paths: Vec::new(),
            filter: None,
            seed: None,
            update: false,
            junit: None,
            coverage_min: wanted,
            output: Output { output: None },
        };
        for (wanted, expected) in
            [(None, Exit::Ok), (Some(90), Exit::Ok), (Some(91), Exit::Failure)]
        {
            assert_eq!(exit(&options(wanted), &summary), expected, "{wanted:?}");
        }
        summary.played.clear();
        assert_eq!(exit(&options(None), &summary), Exit::NotFound);
    }
}
