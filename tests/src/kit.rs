//! The conformance kit of the specification, run by our engine. Any folder of feature files can be
//! run; the scenarios are upstream's, the steps are ours.
//!
//! `gherkin` reads the files, `phrase` says what a step means, `play` runs the definition, `check`
//! compares, and `services` plays the world the scenarios call.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::tree;

pub mod check;
pub mod gherkin;
pub mod phrase;
pub mod play;
pub mod services;

use check::Ended;
use gherkin::{Feature, Scenario};
use phrase::Phrase;
use play::Player;

/// Names a folder of feature files to run instead of upstream's.
pub const KIT_FOLDER: &str = "TENURE_CTK";
/// Scenarios of upstream's kit at the commit we follow.
pub const UPSTREAM_SCENARIOS: usize = 21;

/// A folder of features.
#[derive(Debug)]
pub struct Kit {
    /// The features, in order of their files' names.
    pub features: Vec<Feature>,
    /// Whether it is upstream's own.
    pub is_upstream: bool,
}

impl Kit {
    /// The kit that is at hand: the one `TENURE_CTK` names, else upstream's. `None` means that the
    /// test has to say what it skips.
    ///
    /// # Errors
    /// When a kit is named and is none.
    pub fn find() -> anyhow::Result<Option<Self>> {
        if let Some(named) = std::env::var_os(KIT_FOLDER) {
            let features = read(Path::new(&named))?;
            return Ok(Some(Self { features, is_upstream: false }));
        }
        let Some(folder) = tree::upstream("serverless-workflow/ctk") else { return Ok(None) };
        Ok(Some(Self { features: read(&folder)?, is_upstream: true }))
    }

    /// Runs every scenario.
    pub async fn run(&self, player: &dyn Player) -> Score {
        let mut results = Vec::new();
        for feature in &self.features {
            for scenario in &feature.scenarios {
                let name = format!("{}: {}", feature.name, scenario.name);
                results.push((name, run(scenario, player).await));
            }
        }
        Score { results }
    }
}

fn read(folder: &Path) -> anyhow::Result<Vec<Feature>> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| Ok(entry?.into_path()))
        .collect::<Result<_, walkdir::Error>>()
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "feature"));
    files.sort();
    ensure!(!files.is_empty(), "no .feature file below {}", folder.display());
    let one = |path: &PathBuf| -> anyhow::Result<Feature> {
        let text = std::fs::read_to_string(path)?;
        gherkin::parse(&text).with_context(|| path.display().to_string())
    };
    files.iter().map(one).collect()
}

/// Runs one scenario; gives what was otherwise than it demands.
async fn run(scenario: &Scenario, player: &dyn Player) -> Vec<String> {
    let mut definition = None;
    let mut input = Value::Null;
    let mut ended: Option<Ended> = None;
    let mut demands = 0;
    for step in &scenario.steps {
        let at = |what: String| vec![format!("line {}: {}: {what}", step.line, step.text)];
        let done = match (Phrase::of(step), &ended) {
            (Err(unknown), _) => Err(unknown),
            (Ok(Phrase::Definition(text)), None) => {
                definition = Some(text);
                Ok(())
            }
            (Ok(Phrase::Input(value)), None) => {
                input = value;
                Ok(())
            }
            (Ok(Phrase::Execute), None) => match &definition {
                None => Err("no definition was given".to_owned()),
                Some(definition) => {
                    let played = player.play(definition, input.clone()).await;
                    played.map(|played| ended = Some(played)).map_err(|error| format!("{error:#}"))
                }
            },
            (Ok(phrase), Some(ended)) => {
                demands += 1;
                check::check(&phrase, ended).map_err(|wrong| format!("{wrong} ({:?})", ended.end))
            }
            (Ok(_), None) => Err("nothing was executed yet".to_owned()),
        };
        if let Err(what) = done {
            return at(what);
        }
    }
    // A scenario that demands nothing would pass whatever we do.
    if demands == 0 { vec!["it demands nothing".to_owned()] } else { Vec::new() }
}

/// What came of a kit.
#[derive(Debug)]
pub struct Score {
    /// Each scenario, with what was otherwise.
    results: Vec<(String, Vec<String>)>,
}

impl Score {
    /// Scenarios.
    #[must_use]
    pub fn total(&self) -> usize {
        self.results.len()
    }

    /// Scenarios in which nothing was otherwise.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.results.iter().filter(|(_, wrong)| wrong.is_empty()).count()
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, wrong) in &self.results {
            writeln!(f, "{} {name}", if wrong.is_empty() { "pass" } else { "FAIL" })?;
            for line in wrong {
                writeln!(f, "     {line}")?;
            }
        }
        write!(f, "{} of {}", self.passed(), self.total())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use check::End;

    /// Completes with its input, whatever the definition says.
    struct Echo;

    #[async_trait]
    impl Player for Echo {
        async fn play(&self, definition: &str, input: Value) -> anyhow::Result<Ended> {
            if definition.starts_with("bad") {
                bail!("refused");
            }
            Ok(Ended { end: End::Completed(input), journal: Vec::new() })
        }
    }

    async fn score(steps: &str) -> Score {
        let text = format!("Feature: f\nScenario: s\n{steps}");
        let features = vec![gherkin::parse(&text).unwrap()];
        Kit { features, is_upstream: false }.run(&Echo).await
    }

    #[tokio::test]
    async fn a_scenario_passes_only_when_every_step_does() {
        let given = "Given a workflow with definition:\n\"\"\"\ngood\n\"\"\"\n";
        let input = "And given the workflow input is:\n\"\"\"\na: 1\n\"\"\"\n";
        let run = "When the workflow is executed\n";
        let cases = [
            (format!("{given}{input}{run}Then the workflow should complete\n"), true, "1 of 1"),
            (format!("{given}{run}Then the workflow should fault\n"), false, "ended otherwise"),
            (format!("{given}{run}Then it should shine\n"), false, "unknown step"),
            (format!("{given}{run}"), false, "demands nothing"),
            (format!("{run}Then the workflow should complete\n"), false, "no definition"),
            (format!("{given}Then the workflow should complete\n"), false, "nothing was executed"),
            (
                format!("{}{run}Then the workflow should complete\n", given.replace("good", "bad")),
                false,
                "refused",
            ),
        ];
        for (steps, passes, part) in cases {
            let score = score(&steps).await;
            let shown = score.to_string();
            assert_eq!(score.passed() == score.total(), passes, "{shown}");
            assert!(shown.contains(part), "{shown}");
        }
        let empty = Kit { features: Vec::new(), is_upstream: false }.run(&Echo).await;
        assert_eq!(empty.to_string(), "0 of 0");
        assert_eq!(json!(empty.total()), json!(0));
    }
}
