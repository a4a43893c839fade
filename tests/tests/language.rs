//! Every row of the language's checklist and every ruling has cases, and every case holds.

#![expect(clippy::panic, reason = "a test may fail anywhere")]

use std::collections::BTreeSet;

use tenure_tests::definition::{findings, read_yaml, upstream_schema};
use tenure_tests::kit::services::Services;
use tenure_tests::language::play::play;
use tenure_tests::language::verdict::verdict;
use tenure_tests::language::{Group, groups};

/// Rows of the checklist a conforming runtime is held against, by their section.
const ROWS: &[&str] = &[
    "2.1 document",
    "2.1 unknown fields",
    "2.1 static checks",
    "2.1 read needs on",
    "2.1 YAML 1.2",
    "2.1 evaluate",
    "2.2 if",
    "2.2 input.schema",
    "2.2 input.from",
    "2.2 output.as",
    "2.2 output.schema",
    "2.2 export",
    "2.2 order",
    "2.2 timeout",
    "2.2 then",
    "2.2 metadata",
    "2.2 one task per item",
    "2.3 call http",
    "2.3 call a function of the catalog",
    "2.3 call a function of use",
    "2.3 call a function by URL",
    "2.3 call openapi",
    "2.3 call grpc, asyncapi, a2a, mcp",
    "2.3 do",
    "2.3 emit",
    "2.3 for",
    "2.3 fork",
    "2.3 listen one",
    "2.3 listen any",
    "2.3 listen all",
    "2.3 listen until",
    "2.3 listen foreach",
    "2.3 listen read",
    "2.3 raise",
    "2.3 run workflow",
    "2.3 run container, script, shell",
    "2.3 set",
    "2.3 switch",
    "2.3 try",
    "2.3 wait",
    "2.4 continue",
    "2.4 exit",
    "2.4 end",
    "2.4 a name",
    "2.4 status",
    "2.5 bare jq",
    "2.5 interpolation",
    "2.5 $context",
    "2.5 $input and $output",
    "2.5 $task",
    "2.5 $workflow",
    "2.5 $runtime",
    "2.5 $secrets",
    "2.5 $authorization",
    "2.5 an error of an expression",
    "2.5 URI templates",
    "2.6 the error object",
    "2.6 instance",
    "2.6 standard types",
    "2.6 what a catch catches",
    "2.6 retry when",
    "2.6 retry delay and backoff",
    "2.6 retry jitter",
    "2.6 retry limits",
    "2.6 retry by name",
    "2.6 timeout of the workflow",
    "2.6 durations",
    "2.7 every",
    "2.7 cron",
    "2.7 after",
    "2.7 on",
    "2.7 filters",
    "2.7 correlate",
    "2.7 lifecycle events",
    "2.8 basic and bearer",
    "2.8 oauth2 and oidc",
    "2.8 digest",
    "2.8 secrets",
    "2.8 catalogs",
    "2.8 extensions",
    "2.8 external resources",
];

/// Rulings where the specification is silent or contradicts itself (docs/language/rulings.md).
const RULINGS: &[&str] = &[
    "$context before the first export",
    "an argument where it has no value",
    "text around an expression",
    "a skipped task",
    "the scope of a variable",
    "exit in a turn",
    "the input of a turn",
    "the outputs of a fork",
    "exports in branches",
    "a branch that faults",
    "branches that compete",
    "end in a branch",
    "retries first, then the handler",
    "the number of retries",
    "how a delay grows",
    "caught, and nothing to do",
    "instance is set by the server",
    "two spellings of the standard types",
    "months and years",
    "children of a cancelled parent",
    "the latest version",
    "an event before its listener",
    "until sees what was consumed",
    "several outputs of an expression",
];

fn all() -> Vec<Group> {
    groups().unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn every_row_and_every_ruling_has_a_case() {
    let expected: BTreeSet<&str> = ROWS.iter().chain(RULINGS).copied().collect();
    assert_eq!(expected.len(), ROWS.len() + RULINGS.len(), "a row is listed twice");
    let groups = all();
    let found: BTreeSet<&str> = groups.iter().map(|group| group.row.as_str()).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "without a case: {missing:#?}\nunknown: {unknown:#?}"
    );
}

#[tokio::test]
async fn every_case_holds() {
    let services = Services::open().await.expect("loopback");
    let (mut held, mut failed) = (0, Vec::new());
    for Group { path, cases, .. } in all() {
        for case in &cases {
            let wrong = match play(case, &services).await {
                Ok(played) => verdict(case, &played),
                Err(error) => vec![format!("{error:#}")],
            };
            if wrong.is_empty() {
                held += 1;
            } else {
                failed.push(format!("{}: {}\n  {}", path.display(), case.name, wrong.join("\n  ")));
            }
        }
    }
    println!("{held} cases hold");
    assert!(
        failed.is_empty(),
        "{} of {} cases:\n{}",
        failed.len(),
        held + failed.len(),
        failed.join("\n")
    );
}

/// What we accept in a case, upstream's editors accept too. What we refuse may be anything.
#[test]
fn every_definition_of_a_case_is_valid_for_upstream() {
    let Some(schema) = upstream_schema() else {
        println!("skipped: the upstream schema is not here; set TENURE_SHARED");
        return;
    };
    let (mut seen, mut wrong) = (0, Vec::new());
    for Group { path, cases, .. } in all() {
        for case in cases.iter().filter(|case| case.expect.refused.is_none()) {
            for text in case.others.iter().cloned().chain([case.text()]) {
                let definition = match read_yaml(&text) {
                    Ok(definition) => definition,
                    Err(error) => panic!("{}: {}: {error}", path.display(), case.name),
                };
                seen += 1;
                let found = findings(&schema, &definition);
                wrong.extend(
                    found.iter().map(|f| format!("{}: {}: {f}", path.display(), case.name)),
                );
            }
        }
    }
    println!("{seen} definitions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
