//! The results for people and for programs.

use serde_json::{Value, json};

use super::coverage::Missing;
use super::result::{Failure, Played};
use super::suite::Summary;
use super::update::Update;

/// Arcs that are named per definition; the count says how many there are.
const MISSING_MAX: usize = 100;

/// What went wrong in one scenario: each failure with its place and differences, then the story.
#[must_use]
pub fn failure(played: &Played) -> String {
    let mut out = String::new();
    for one in &played.failures {
        out.push_str(&format!("{}:{}: {}\n", played.file, one.line, one.message.trim_end()));
        for miss in &one.mismatches {
            out.push_str(&format!(
                "    {}: expected {}, found {}\n",
                miss.path, miss.expected, miss.found
            ));
        }
        for line in one.diff.lines() {
            out.push_str(&format!("    {line}\n"));
        }
    }
    if let Some(seed) = played.seed {
        out.push_str(&format!("  in the order of seed {seed}; play it alone with --seed {seed}\n"));
    }
    if !played.story.is_empty() {
        out.push_str("  what happened, by the virtual clock:\n");
        let width = played.story.iter().map(|line| line.after.len()).max().unwrap_or(0);
        for line in &played.story {
            out.push_str(&format!("    {:>width$}  {}: {}\n", line.after, line.place, line.what));
        }
    }
    out
}

/// All of it as text: a line per scenario, the failures, the coverage, the sum.
#[must_use]
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    for played in &summary.played {
        let word = if played.passed() { "ok    " } else { "FAILED" };
        let runs = if played.runs > 1 { format!(", {} runs", played.runs) } else { String::new() };
        out.push_str(&format!(
            "{word} {}: {} ({} ms{runs})\n",
            played.definition,
            played.title,
            played.took.as_millis()
        ));
    }
    for played in summary.played.iter().filter(|played| !played.passed()) {
        out.push_str(&format!(
            "\n--- {}: {}\n{}",
            played.definition,
            played.title,
            failure(played)
        ));
    }
    for update in &summary.updates {
        match &update.outcome {
            Ok(written) => out.push_str(&format!(
                "\nupdated {}: {}\n{}",
                update.file,
                written.keys.join(", "),
                written.diff
            )),
            Err(why) => out.push_str(&format!("\nnot updated {}: {why}\n", update.file)),
        }
    }
    if !summary.coverage.is_empty() {
        out.push('\n');
    }
    for coverage in &summary.coverage {
        let gone = coverage.total - coverage.missing.len();
        out.push_str(&format!(
            "coverage of {}: {} % ({gone} of {} tasks and arcs)\n",
            coverage.definition,
            coverage.percent(),
            coverage.total
        ));
        for Missing { line, task, arc } in coverage.missing.iter().take(MISSING_MAX) {
            out.push_str(&format!("  {}:{line}: never {task} {arc}\n", coverage.file));
        }
        let more = coverage.missing.len().saturating_sub(MISSING_MAX);
        if more > 0 {
            out.push_str(&format!("  and {more} more\n"));
        }
    }
    out
}

/// The sum, in one line.
#[must_use]
pub fn sum(summary: &Summary) -> String {
    let failed = summary.played.iter().filter(|played| !played.passed()).count();
    let broken = match summary.broken.len() {
        0 => String::new(),
        count => format!(", {count} unreadable"),
    };
    let runs: u64 = summary.played.iter().map(|played| played.runs).sum();
    format!(
        "{} scenarios: {} passed, {failed} failed{broken}; {runs} runs in {:.2} s",
        summary.played.len(),
        summary.played.len() - failed,
        summary.took.as_secs_f64()
    )
}

/// All of it as one JSON object.
#[must_use]
pub fn json(summary: &Summary) -> Value {
    let failure = |one: &Failure| {
        let miss = |miss: &super::matcher::Mismatch| json!({ "path": miss.path, "expected": miss.expected, "found": miss.found });
        json!({
            "line": one.line,
            "message": one.message,
            "differences": one.mismatches.iter().map(miss).collect::<Vec<_>>(),
            "diff": one.diff,
        })
    };
    let played = |played: &Played| {
        let line = |line: &super::result::Line| json!({ "at": line.at, "after": line.after, "place": line.place, "what": line.what });
        json!({
            "file": played.file,
            "scenario": played.title,
            "definition": played.definition,
            "passed": played.passed(),
            "failures": played.failures.iter().map(failure).collect::<Vec<_>>(),
            "seed": played.seed,
            "story": played.story.iter().map(line).collect::<Vec<_>>(),
            "runs": played.runs,
            "real_ms": u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
            "virtual_seconds": played.covered.as_secs(),
        })
    };
    let missing = |one: &Missing| json!({ "line": one.line, "task": one.task, "arc": one.arc });
    let coverage: Vec<Value> = summary
        .coverage
        .iter()
        .map(|coverage| {
            json!({
                "definition": coverage.definition,
                "file": coverage.file,
                "percent": coverage.percent(),
                "total": coverage.total,
                "missing": coverage.missing.iter().map(missing).collect::<Vec<_>>(),
            })
        })
        .collect();
    let broken: Vec<Value> =
        summary.broken.iter().map(tenure_definition::Diagnostics::to_json).collect();
    let update = |update: &Update| match &update.outcome {
        Ok(written) => {
            json!({ "file": update.file, "changed": written.keys, "diff": written.diff })
        }
        Err(why) => json!({ "file": update.file, "refused": why }),
    };
    json!({
        "passed": summary.passed(),
        "scenarios": summary.played.iter().map(played).collect::<Vec<_>>(),
        "unreadable": broken,
        "updates": summary.updates.iter().map(update).collect::<Vec<_>>(),
        "coverage": coverage,
    })
}
