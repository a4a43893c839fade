//! One scenario played: its run, what was expected of it, its properties in other orders.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tenure_adapter::{Problem, Registry};
use tenure_definition::Plan;
use tenure_runtime::local::{Options, Report, play as play_local};

use super::chance::Chance;
use super::model::{Begin, Scenario, When};
use super::record::Record;
use super::result::{Failure, Played};
use super::stage::{Stage, event};
use super::{expect, names, property, story};

/// The definitions of a scenario.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The definition it is about.
    pub plan: Arc<Plan>,
    /// Those it may run as children.
    pub with: Vec<Arc<Plan>>,
}

/// Plays a scenario on the calling thread, which needs `tenure_runtime::local::STACK_BYTES` of
/// stack. `seed` plays only that order of its exploration; without one there is nothing to choose
/// from, and it is played as it is.
pub(super) async fn play(
    scenario: &Scenario,
    cast: &Cast,
    registry: &Registry,
    seed: Option<u64>,
) -> (Played, Record) {
    let began = Instant::now();
    let seed = seed.filter(|_| scenario.explore.is_some());
    let mut failures = names::check(scenario, cast, registry);
    let mut record = Record::default();
    let mut covered = jiff::SignedDuration::ZERO;
    let (mut runs, mut failed_seed) = (0, None);
    let mut told = Vec::new();
    if failures.is_empty() && seed.is_none() {
        runs += 1;
        let run = run(scenario, cast, registry, None).await;
        failures.extend(run.failures);
        if !run.is_stopped {
            failures.extend(expect::verify(scenario, &run.report, &run.record));
            failures.extend(property::verify(scenario, &run.record));
        }
        covered = run.report.finished_at.duration_since(run.report.started_at);
        if !failures.is_empty() {
            told = story::tell(&run.record, scenario.at);
        }
        record = run.record;
        record.report = Some(run.report);
    }
    let seeds = match (seed, scenario.explore) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(explore)) => 1..explore.seeds.saturating_add(1),
        (None, None) => 0..0,
    };
    for seed in seeds {
        if !failures.is_empty() {
            break;
        }
        runs += 1;
        let run = run(scenario, cast, registry, Some(seed)).await;
        failures.extend(run.failures);
        failures.extend(property::verify(scenario, &run.record));
        if !failures.is_empty() {
            failed_seed = Some(seed);
            told = story::tell(&run.record, scenario.at);
        }
    }
    let played = Played {
        file: scenario.file.clone(),
        title: scenario.title.clone(),
        definition: cast.plan.document.name.clone(),
        failures,
        seed: failed_seed,
        story: told,
        took: began.elapsed(),
        covered,
        runs,
    };
    (played, record)
}

/// One run of it.
struct Run {
    report: Report,
    record: Record,
    failures: Vec<Failure>,
    is_stopped: bool,
}

async fn run(scenario: &Scenario, cast: &Cast, registry: &Registry, seed: Option<u64>) -> Run {
    let input = match &scenario.start {
        Begin::Input(input) => input.clone(),
        Begin::On(_) => Value::Null,
    };
    let mut stage = Stage::new(scenario, input.clone(), seed.map(Chance::new));
    let mut triggers = Vec::new();
    if let Begin::On(events) = &scenario.start {
        for (number, value) in events.iter().enumerate() {
            match event(value.clone(), scenario.at, number) {
                Ok(event) => triggers.push(event),
                Err(detail) => {
                    let pointer = format!("/start/on/{number}");
                    let failure = Failure::new(scenario, &pointer, format!("the event: {detail}"));
                    let problem = Problem::validation(failure.message.clone());
                    let report = Report::rejected(problem, scenario.at);
                    return Run {
                        report,
                        record: Record::default(),
                        failures: vec![failure],
                        is_stopped: true,
                    };
                }
            }
        }
    }
    let options = Options {
        plan: Arc::clone(&cast.plan),
        others: cast.with.clone(),
        input,
        events: Vec::new(),
        triggers,
        secrets: scenario.secrets.clone(),
        virtual_clock: true,
        start_at: Some(scenario.at),
    };
    let report = play_local(options, registry, &mut stage).await;
    let mut failures = std::mem::take(&mut stage.failures);
    if !stage.is_stopped && seed.is_none() {
        failures.extend(left_over(scenario, &stage));
    }
    Run { report, is_stopped: stage.is_stopped, record: stage.record, failures }
}

/// Acts that never came and stubs that nobody called: the scenario says more than happened.
fn left_over(scenario: &Scenario, stage: &Stage<'_>) -> Vec<Failure> {
    let mut failures = Vec::new();
    for act in stage.left() {
        let why = match &act.when {
            Some(When::Waiting(kind)) => format!("nobody waited for {kind}"),
            Some(When::Task(task)) => format!("the task {task} did not begin (again)"),
            Some(When::Call(function)) => format!("{function} was not called (again)"),
            None => "the run was over before".to_owned(),
        };
        failures.push(Failure::new(scenario, &act.pointer, format!("this never came: {why}")));
    }
    for (stub, used) in scenario.stubs.iter().zip(&stage.used) {
        let missing = stub.times.is_some_and(|times| *used < times);
        if missing || *used == 0 {
            let times =
                stub.times.map_or_else(|| "at all".to_owned(), |times| format!("{times} times"));
            let message =
                format!("{} was to be called {times} and was called {used} times", stub.function);
            failures.push(Failure::new(scenario, &stub.pointer, message));
        }
    }
    failures
}
