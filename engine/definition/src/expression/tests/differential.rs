//! Our answers beside those of the real jq.
//!
//! `tests/jq/cases.jsonl` holds shared inputs, differences with their reasons, and cases with the
//! answer of jq 1.8. It is asked again where Python has the module `jq`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::super::{Expression, STACK_BYTES, Scope};

const CASES: &str = include_str!("../../../tests/jq/cases.jsonl");
const ASK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jq/ask.py");
const MANUAL: &str = include_str!("../../../../../docs/language/expressions.md");

struct Nothing;

impl Scope for Nothing {
    fn get(&self, _name: &str) -> Option<std::borrow::Cow<'_, Value>> {
        None
    }
}

#[derive(Debug)]
struct Case {
    jq: String,
    input: Value,
    /// What jq gives; `None` is an error.
    theirs: Option<Value>,
    /// The name of the difference, if ours is another answer.
    differs: Option<String>,
}

#[derive(Default)]
struct Cases {
    cases: Vec<Case>,
    /// Why answers may differ, by name.
    reasons: BTreeMap<String, String>,
}

fn read() -> Cases {
    let mut inputs = BTreeMap::new();
    let mut all = Cases::default();
    for line in CASES.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line.get(key).map(|text| text.as_str().unwrap().to_owned());
        if let Some(name) = text("input") {
            inputs.insert(name, line["value"].clone());
        } else if let Some(name) = text("difference") {
            assert!(all.reasons.insert(name, text("reason").unwrap()).is_none());
        } else {
            all.cases.push(Case {
                jq: text("jq").unwrap(),
                input: inputs[&text("on").unwrap()].clone(),
                theirs: line.get("out").cloned(),
                differs: text("differs"),
            });
        }
    }
    all
}

fn ours(case: &Case) -> Result<Value, String> {
    let expression = Expression::new(&case.jq, &[]).map_err(|faults| faults.join("; "))?;
    expression.eval(&case.input, &Nothing)
}

/// Numbers by their value: 1 and 1.0 are one number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right
                || left
                    .as_f64()
                    .zip(right.as_f64())
                    .is_some_and(|(left, right)| (left - right).abs() <= f64::EPSILON * left.abs())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        (left, right) => left == right,
    }
}

fn agrees(case: &Case, ours: &Result<Value, String>) -> bool {
    match (&case.theirs, ours) {
        (Some(theirs), Ok(ours)) => same(theirs, ours),
        (None, Err(_)) => true,
        (Some(_), Err(_)) | (None, Ok(_)) => false,
    }
}

#[test]
fn answers_are_those_of_jq_except_for_the_listed_differences() {
    let run = || {
        let all = read();
        let mut wrong = Vec::new();
        let mut used = BTreeSet::new();
        for case in &all.cases {
            let ours = ours(case);
            match (&case.differs, agrees(case, &ours)) {
                (None, true) => {}
                (Some(name), false) => drop(used.insert(name.clone())),
                (None, false) => {
                    let theirs = &case.theirs;
                    wrong.push(format!("{}\n    jq {theirs:?}\n    us {ours:?}", case.jq));
                }
                (Some(name), true) => wrong.push(format!("{} differs no more ({name})", case.jq)),
            }
        }
        assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
        let listed: BTreeSet<String> = all.reasons.keys().cloned().collect();
        assert_eq!(used, listed, "each difference has a case, each case's difference a reason");
        assert!(all.cases.len() >= 400, "{} cases", all.cases.len());
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

#[test]
fn the_manual_lists_the_same_differences() {
    let (_, section) = MANUAL.split_once("## What differs from jq").unwrap();
    let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        Some((name.to_owned(), cells.next()?.strip_suffix(" |")?.to_owned()))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), read().reasons);
}

#[test]
fn the_committed_answers_are_still_those_of_the_real_jq() {
    let python = |args: &[&str]| {
        let mut command = Command::new("python3");
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn()
    };
    let probe = python(&[ASK, "--version"]).and_then(std::process::Child::wait_with_output);
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: python3 with the module `jq` is not here (pip install jq)");
        return;
    }
    let mut child = python(&[ASK]).unwrap();
    let mut asked = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for case in read().cases {
            writeln!(asked, "{}", json!({"jq": case.jq, "in": case.input})).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).unwrap();
    let mut count = 0;
    for (case, answer) in read().cases.iter().zip(answers.lines()) {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let now = answer.get("out").cloned();
        assert_eq!(case.theirs, now, "{}", case.jq);
        count += 1;
    }
    assert_eq!(count, read().cases.len(), "jq answered all");
}

/// What goes the short way and is met in definitions, beyond what the cases have.
const SHORT: &[&str] = &[
    ".",
    ".a",
    ".a.b",
    ".[0]",
    ".[-1]",
    ".[0].a",
    ".[\"a\"]",
    ".a?",
    ".a[$context.n]",
    ".[$context.key]",
    "$context",
    "$context.n",
    "$context.none.more",
    "$context + {last: .}",
    "$context + .",
    ". + .",
    ". + . | . + . | . + .",
    ". == .",
    ". < $context.n",
    ". >= \"b\"",
    ". != null",
    "(. // 1) // 2",
    ".a // \"none\"",
    "if . then 1 else 2 end",
    "if .a then .b end",
    ". and true",
    "(. or false) | not",
    "length",
    ". | length",
    "\"<\\(.)> \\($context.n)\"",
    "\"\\ue000forged\\ue001\"",
    "{a: ., b: $context.n, \"c\": [., .]}",
    "{a, $context}",
    "{(\"k\" + $context.key): 1}",
    "{a: 1, b: 2, a: 3}",
    "[]",
    "{}",
    "[1, -2, (. | length)]",
    "1 + 2 * 3 - 4",
    "9223372036854775807 + 1",
    "-9223372036854775807 - 2",
    "1.0",
    "1e3",
    "[1.0, 1.5, 100000000000000000000]",
    "{a: .} | {a: .} | .a.a",
];

struct Known(Value);

impl Scope for Known {
    fn get(&self, name: &str) -> Option<std::borrow::Cow<'_, Value>> {
        (name == "context").then_some(std::borrow::Cow::Borrowed(&self.0))
    }
}

fn any_input() -> Vec<Value> {
    let own = json!([
        null, true, false, 0, 1, -1, 1.0, 1.5, -0.0, 1e300, 9_223_372_036_854_775_807_i64,
        18_446_744_073_709_551_615_u64, "", "a", "b", "\u{e000}x\u{e001}", "\u{7f}é😀\u{0}", [], [1], ["a", null],
        [{"a": 1}, {"a": 2.0}], {}, {"a": 1}, {"a": {"b": "x"}}, {"a": [1, 2, 3], "b": 1.0},
        {"b": 2, "a": 1}, {"a": false, "b": null},
    ]);
    let mut inputs: Vec<Value> = own.as_array().unwrap().clone();
    for line in CASES.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        inputs.extend(line.get("value").cloned());
    }
    inputs
}

#[test]
fn the_short_way_says_what_jq_says() {
    const SEEN_MIN: usize = 5_000;
    /// One of so many pairs is tried together.
    const PAIRS: usize = 7;
    let scope = Known(json!({"n": 2, "key": "a", "deep": {"x": [1, 2.0]}}));
    let inputs = any_input();
    let cases = read().cases;
    let mut sources: BTreeSet<String> = cases.into_iter().map(|case| case.jq).collect();
    for (at, left) in SHORT.iter().enumerate() {
        sources.insert((*left).to_owned());
        for right in SHORT.iter().skip(at % PAIRS).step_by(PAIRS) {
            sources.insert(format!("({left}) | ({right})"));
            sources.insert(format!("{{x: ({left}), y: [{right}]}}"));
            sources.insert(format!("({left}) + ({right})"));
        }
    }
    let mut seen = 0;
    for source in &sources {
        let Ok(expression) = Expression::new(source, &["context"]) else { continue };
        let Some(direct) = &expression.direct else { continue };
        for input in &inputs {
            let Some(short) = direct.eval(input, &scope) else { continue };
            seen += 1;
            let long = expression.eval_in_jq(input, &scope);
            let long = long.unwrap_or_else(|error| panic!("{source} on {input}: {error}"));
            // As text: the order of keys counts too.
            assert_eq!(short.to_string(), long.to_string(), "{source} on {input}");
            let holds = direct.holds(input, &scope).unwrap();
            assert_eq!(holds, !matches!(long, Value::Null | Value::Bool(false)), "{source}");
        }
    }
    assert!(seen > SEEN_MIN, "only {seen} evaluations went the short way");
}
