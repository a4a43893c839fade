//! Hostile texts end as clear errors of that registration or that instance, in bounded memory, and
//! the process lives on. Each is given to a process of its own (`tenure-hostile`).

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail anywhere and tells what a text costs; a missing member reads as null"
)]

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Most memory a process may ever have held. One that has compiled and run a small definition has
/// held about 60 MiB; the longest text of these tests is 64 MiB and is there twice.
const PEAK_KIB_MAX: u64 = 512 << 10;
/// The findings of a hostile text, as shown to its author.
const SHOWN_BYTES_MAX: u64 = 1 << 20;
/// Longest a text may take before it counts as one that never ends.
const PATIENCE: Duration = Duration::from_secs(120);

const HEAD: &str = "document: { dsl: '1.0.3', namespace: test, name: hostile, version: '1.0.0' }\n";

/// What a text must come to.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// Refused with this code among the findings.
    Refused(&'static str),
    /// Faulted with an error whose type ends so.
    Faulted(&'static str),
    /// Harmless: it runs to its end.
    Completed,
    /// Refused or faulted, whichever sees it first, but not run to its end.
    Stopped,
    /// Any clear end will do.
    Lives,
}

async fn answer(name: &str, text: String) -> Value {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenure-hostile"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the process starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A process that died early is told of by its exit, not by the broken pipe.
    let feed = tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{name}: no end within {PATIENCE:?}"))
        .expect("an exit");
    drop(feed);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: the process died, {}:\n{stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn check(name: &str, text: impl Into<String>, ends: Ends) {
    let found = answer(name, text.into()).await;
    println!("{name}: {found}");
    let answer = &found["answer"];
    let refused: Vec<&str> =
        answer["refused"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let status = answer["status"].as_str();
    let fits = match ends {
        Ends::Refused(code) => refused.contains(&code),
        Ends::Faulted(kind) => {
            let found = answer["error"]["type"].as_str().unwrap_or_default();
            status == Some("faulted") && found.ends_with(kind)
        }
        Ends::Completed => status == Some("completed"),
        Ends::Stopped => !refused.is_empty() || status == Some("faulted"),
        Ends::Lives => !refused.is_empty() || status.is_some(),
    };
    assert!(fits, "{name}: should be {ends:?}: {found}");
    if let Some(peak) = found["peak_kib"].as_u64() {
        assert!(peak < PEAK_KIB_MAX, "{name}: held {peak} KiB");
    }
    let shown = answer["shown_bytes"].as_u64().unwrap_or(0);
    assert!(shown < SHOWN_BYTES_MAX, "{name}: its findings are {shown} bytes");
}

/// A definition with one `set` of one expression.
fn expression(jq: &str) -> String {
    let jq = serde_json::json!(format!("${{ {jq} }}"));
    format!("{HEAD}do: [ {{ a: {{ set: {{ n: {jq} }} }} }} ]\n")
}

/// A definition that sets a YAML value.
fn value(yaml: &str) -> String {
    format!("{HEAD}do:\n  - a:\n      set:\n        n: {yaml}\n")
}

/// A definition whose input has a schema.
fn schema(yaml: &str) -> String {
    format!(
        "{HEAD}input: {{ schema: {{ document: {yaml} }} }}\ndo: [ {{ a: {{ set: {{ n: 1 }} }} }} ]\n"
    )
}

#[tokio::test]
async fn hostile_yaml_is_refused() {
    let laughs: String = (1..=30)
        .map(|n| {
            let before = vec![format!("*l{}", n - 1); 10].join(", ");
            format!("        l{n}: &l{n} [ {before} ]\n")
        })
        .collect();
    let laughs = format!("{HEAD}do:\n  - a:\n      set:\n        l0: &l0 ha\n{laughs}");
    check("billion laughs", laughs, Ends::Refused("too-large")).await;
    check("an alias of itself", value("&x [ *x ]"), Ends::Refused("syntax")).await;
    check("100,000 deep in lists", value(&"[".repeat(100_000)), Ends::Stopped).await;
    let maps = format!("{}1{}", "{ a: ".repeat(100_000), " }".repeat(100_000));
    check("100,000 deep in maps", value(&maps), Ends::Refused("too-deep")).await;
    check("100,000 deep in dashes", value(&"- ".repeat(100_000)), Ends::Stopped).await;
    let scalar = value(&"x".repeat(64 << 20));
    check("a scalar of 64 MiB", scalar, Ends::Refused("too-large")).await;
    check("a key of 500 KiB", value(&format!("{{ {}: 1 }}", "k".repeat(500 << 10))), Ends::Stopped)
        .await;
    let twice = format!("{{ {} }}", "k: 1, ".repeat(20_000));
    check("20,000 times one key", value(&twice), Ends::Refused("duplicate-key")).await;
    check("a NUL byte", value("\"a\0b\""), Ends::Stopped).await;
    check("a NUL byte escaped", value(r#""a\0b""#), Ends::Lives).await;
    check("a control character", value("\u{7}"), Ends::Stopped).await;
    check("a lone surrogate", value(r#""\ud800""#), Ends::Stopped).await;
    check("a tag", value("!!python/object:os.system x"), Ends::Refused("bad-scalar")).await;
    check("nothing", "", Ends::Stopped).await;
    check("only a comment", "# nothing", Ends::Stopped).await;
    check("a list", "- 1", Ends::Refused("wrong-type")).await;
    check("an anchor without an end", "a: &", Ends::Stopped).await;
    check("an unclosed quote", value("\"open"), Ends::Refused("syntax")).await;
}

#[tokio::test]
async fn hostile_numbers_are_told() {
    check("a number beyond all floats", value("1e999999"), Ends::Stopped).await;
    check("100,000 digits", value(&"9".repeat(100_000)), Ends::Stopped).await;
    check("infinity", value(".inf"), Ends::Stopped).await;
    check("not a number", value(".nan"), Ends::Stopped).await;
    let wait = |yaml: &str| format!("{HEAD}do: [ {{ a: {{ wait: {yaml} }} }} ]\n");
    check("a wait of ages", wait("P999999999999Y"), Ends::Stopped).await;
    check("a wait of 1e300 days", wait("{ days: 1e300 }"), Ends::Stopped).await;
    check("a wait of computed ages", wait("'${ { days: 1e15 } }'"), Ends::Faulted("expression"))
        .await;
    let cron = |cron: &str| {
        format!("{HEAD}schedule: {{ cron: '{cron}' }}\ndo: [ {{ a: {{ set: {{ n: 1 }} }} }} ]\n")
    };
    check("a step of nothing", cron("*/0 * * * *"), Ends::Refused("bad-cron")).await;
    check("a minute of ages", cron("99999999999999999999 * * * *"), Ends::Refused("bad-cron"))
        .await;
    check(
        "a cron of 100,000 parts",
        cron(&format!("{} * * * *", "1,".repeat(100_000))),
        Ends::Refused("bad-cron"),
    )
    .await;
    let retries = "do: [ { a: { try: [ { b: { raise: { error: { type: 'urn:x', status: 500, title: X } } } } ], \
                   catch: { retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 99999999999999999999 } } } } } } ]\n";
    check("a count beyond all numbers", format!("{HEAD}{retries}"), Ends::Refused("wrong-type"))
        .await;
}

#[tokio::test]
async fn hostile_expressions_stop() {
    for (name, jq) in [
        ("an endless recursion", "def f: f; f"),
        ("an endless recursion that grows", "def f: [f]; f"),
        ("a range of a trillion", "[range(1e12)]"),
        ("an endless repeat", "[repeat(1)]"),
        ("an endless until", "0 | until(false; . + 1)"),
        ("an endless recurse", "[1 | recurse(. + 1)]"),
        ("a text of a gigabyte", "\"x\" * 1000000000"),
        ("a text beyond all sizes", "\"x\" * 9223372036854775807"),
        ("a text doubled", "reduce range(60) as $i (\"x\"; . + .)"),
        ("a text doubled inside text", "reduce range(60) as $i (\"x\"; \"\\(.)\\(.)\")"),
        ("a list doubled", "reduce range(60) as $i ([1]; . + .)"),
        ("lists in lists", "reduce range(100000) as $i (0; [.])"),
        ("a product of lists", "[range(10000) as $a | range(10000) as $b | [$a, $b]]"),
        ("a number squared for ever", "reduce range(60) as $i (3; . * .)"),
        ("a product of texts", "[\"a\" * 1000000 | explode[] | tostring] | join(\"\") | . * 1000"),
        ("a division by nothing", "1 / 0"),
        ("a path far out", "[] | .[999999999] = 1"),
        ("a sum of a range", "reduce range(1e10) as $i (0; . + $i)"),
        ("keys by the million", "reduce range(1e7) as $i ({}; . + { \"k\\($i)\": $i })"),
        ("an endless while", "[while(true; .)]"),
        ("a long separator", "[range(90000) | \"\"] | join(\"x\" * 1590000)"),
        ("a text added everywhere", "[range(90000) | \"\"] | .[] += \"x\" * 1590000"),
        (
            "a list put in again and again",
            "[range(90000)] as $x | [] | .[(range(50000) | 0):0] = $x",
        ),
        ("a list without its first, for ever", "[range(90000)] as $x | last(range(1e12) | $x[1:])"),
        ("a text in characters", "\"x\" * 1590000 / \"\""),
        ("paths as deep as they are many", "reduce range(9000) as $i (0; [.]) | [paths]"),
        (
            "a pattern of many groups",
            "\"x\" * 100000 | [match(\"()()()()()()()()()()()()()()()()()()()()()()\"; \"g\")]",
        ),
        ("a pattern that reads on for each match", "\"a\" * 170000 | [match(\"a*b|a\"; \"g\")]"),
        (
            "ever another pattern",
            "last(range(1e12) | tostring as $p | \"a\" | test(\"a{999}\" + $p))",
        ),
        ("a date format without end", "0 | strftime(\"%255d\" * 300000)"),
        ("a Bessel function of a billion", "jn(2000000000; 3e9)"),
        ("a number of 5,000 digits", "9".repeat(5_000).as_str()),
        ("a limit that was caught", "try ([range(90000) | \"\"] | join(\"x\" * 1590000)) catch 1"),
        ("halt", "halt"),
        ("halt_error", "halt_error"),
        ("env", "env"),
        ("$ENV", "$ENV"),
        ("input", "input"),
        ("input_line_number", "input_line_number"),
        ("now", "now"),
        ("debug", "1 | debug"),
        ("a module", "import \"a\" as a; 1"),
        ("a pattern of a million parts", "\"a\" | test(\"(a{1000}){1000}\")"),
    ] {
        check(name, expression(jq), Ends::Stopped).await;
    }
    check(
        "brackets 10,000 deep",
        expression(&format!("{}1{}", "(".repeat(8_000), ")".repeat(8_000))),
        Ends::Stopped,
    )
    .await;
    check("a pipe of 5,000 parts", expression(&vec!["."; 5_000].join("|")), Ends::Stopped).await;
    check(
        "a pattern that backtracks",
        expression("(\"a\" * 30 + \"!\") | test(\"^(a+)+$\")"),
        Ends::Completed,
    )
    .await;
}

#[tokio::test]
async fn hostile_definitions_end() {
    let back = "do: [ { a: { set: '${ . }' } }, { b: { switch: [ { over: { when: '${ type == \"number\" }', then: end } }, { again: { then: a } } ] } } ]\n";
    check("a loop without a wait", format!("{HEAD}{back}"), Ends::Faulted("runtime")).await;
    let turns = "do: [ { a: { for: { each: n, in: '${ [range(30000)] }' }, do: [ { b: { set: { n: 1 } } } ] } } ]\n";
    check("30,000 turns", format!("{HEAD}{turns}"), Ends::Faulted("runtime")).await;
    let nested = |levels: usize| {
        (0..levels).fold("{ set: { n: 1 } }".to_owned(), |inner, n| {
            format!("{{ for: {{ each: v{n}, in: [ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ] }}, do: [ {{ t{n}: {inner} }} ] }}")
        })
    };
    check(
        "a million turns",
        format!("{HEAD}do: [ {{ a: {} }} ]\n", nested(6)),
        Ends::Faulted("runtime"),
    )
    .await;
    let tasks: String =
        (0..5_000).map(|n| format!("  - t{n}: {{ set: {{ n: {n} }} }}\n")).collect();
    let more = format!("{HEAD}do:\n{}", "  - t: { set: { n: 1 } }\n".repeat(10_000));
    check("10,000 tasks", more, Ends::Refused("too-large")).await;
    check("5,000 tasks", format!("{HEAD}do:\n{tasks}"), Ends::Completed).await;
    let deep = (0..40).fold("{ set: { n: 1 } }".to_owned(), |inner, n| {
        format!("{{ do: [ {{ t{n}: {inner} }} ] }}")
    });
    check("tasks 40 deep", format!("{HEAD}do: [ {{ a: {deep} }} ]\n"), Ends::Stopped).await;
    let again = "do: [ { a: { run: { workflow: { namespace: test, name: hostile, version: latest } } } } ]\n";
    check("a definition that runs itself", format!("{HEAD}{again}"), Ends::Stopped).await;
    let grows = "do: [ { a: { set: { x: '${ (.x // []) + [range(1000)] }' } } }, { b: { wait: { seconds: 1 }, then: a } } ]\n";
    check("a state that grows for ever", format!("{HEAD}{grows}"), Ends::Stopped).await;
    let parts = format!("do: [ {{ a: {{ set: {{ n: \"{}\" }} }} }} ]\n", "${ .a }".repeat(10_000));
    check("10,000 expressions in a text", format!("{HEAD}{parts}"), Ends::Lives).await;
}

#[tokio::test]
async fn hostile_schemas_are_refused_or_bounded() {
    check("a schema that is itself", schema("{ $ref: '#' }"), Ends::Lives).await;
    let ring =
        "{ $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }";
    check("a ring of schemas", schema(ring), Ends::Lives).await;
    check(
        "a schema elsewhere",
        schema("{ $ref: 'http://127.0.0.1:1/s.json' }"),
        Ends::Refused("bad-schema"),
    )
    .await;
    check(
        "a schema in a file",
        schema("{ $ref: 'file:///etc/passwd' }"),
        Ends::Refused("bad-schema"),
    )
    .await;
    check("a pattern of a million parts", schema("{ pattern: '(a{1000}){1000}' }"), Ends::Stopped)
        .await;
    check(
        "a pattern that looks ahead",
        schema("{ type: string, pattern: '^(?=(a+)+b)' }"),
        Ends::Stopped,
    )
    .await;
}
