//! Expressions: what they give, and what the fences stop.

use std::time::{Duration, Instant};

use serde_json::json;

use hostile::{HOSTILE, LARGE, TOLD};

use super::*;

/// Generous, because tests run unoptimized and side by side; without fences these never end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

struct Names(Value);

impl Scope for Names {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.0.get(name).map(Cow::Borrowed)
    }
}

fn eval(source: &str, input: &Value) -> Result<Value, String> {
    let known = ["context", "item"];
    let expression =
        Expression::compile(source, &known).map_err(|faults| faults[0].message.clone())?;
    expression.eval(input, &Names(json!({"context": {"a": 1}})))
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a table reads better with plain values")]
fn check(source: &str, input: Value, expected: Value) {
    assert_eq!(eval(source, &input), Ok(expected), "{source}");
}

#[test]
fn ordinary_jq_works_inside_the_fences() {
    check(".a.b", json!({"a": {"b": 1}}), json!(1));
    check(".a.b", json!(null), json!(null));
    check("$context + {last: .}", json!(2), json!({"a": 1, "last": 2}));
    check("[.[] | select(.x > 1) | .x]", json!([{"x": 1}, {"x": 2}]), json!([2]));
    check("map(.x) | add", json!([{"x": 1}, {"x": 2}]), json!(3));
    check("{a, b: (.c // 7)}", json!({"a": 1}), json!({"a": 1, "b": 7}));
    check(". as {a: $x} | {$x}", json!({"a": 1}), json!({"x": 1}));
    check(". as [$x, {b: $y}] | $x + $y", json!([1, {"b": 2}]), json!(3));
    check(
        "if . > 1 then \"many\" elif . == 1 then \"one\" else \"none\" end",
        json!(1),
        json!("one"),
    );
    check("\"\\(.a)-\\(.b)\"", json!({"a": 1, "b": "x"}), json!("1-x"));
    check("@base64 \"<\\(.)>\"", json!("a"), json!("<YQ==>"));
    check("{\"k\\(.)\": 1}", json!("x"), json!({"kx": 1}));
    check("reduce .[] as $x (0; . + $x)", json!([1, 2, 3]), json!(6));
    check("[foreach .[] as $x (0; . + $x; [$x, .])]", json!([1, 2]), json!([[1, 1], [2, 3]]));
    check("[limit(3; range(10))]", json!(null), json!([0, 1, 2]));
    check("[range(0; 10; 4)]", json!(null), json!([0, 4, 8]));
    check("[.[] | tostring] | join(\",\")", json!([1, null, "x"]), json!("1,null,x"));
    check("join(\"-\")", json!([1, null, "x"]), json!("1--x"));
    check("try error(\"x\") catch .", json!(null), json!("x"));
    check("label $f | .[] | if . > 1 then ., break $f else empty end", json!([1, 2, 3]), json!(2));
    check("[paths]", json!({"a": [1]}), json!([["a"], ["a", 0]]));
    check("getpath([\"a\", \"b\"])", json!({"a": {"b": 2}}), json!(2));
    check("with_entries(.value += 1)", json!({"a": 1}), json!({"a": 2}));
    check("to_entries", json!({"a": 1}), json!([{"key": "a", "value": 1}]));
    check("del(.a)", json!({"a": 1, "b": 2}), json!({"b": 2}));
    check("map_values(. + 1)", json!({"a": 1}), json!({"a": 2}));
    check(".a |= . * 2", json!({"a": 3}), json!({"a": 6}));
    check(".a *= 2", json!({"a": 3}), json!({"a": 6}));
    check(".[] += 1", json!([1, 2]), json!([2, 3]));
    check(".a //= 5", json!({}), json!({"a": 5}));
    check(
        "walk(if type == \"number\" then . + 1 else . end)",
        json!([1, {"a": 2}]),
        json!([2, {"a": 3}]),
    );
    check("[..] | length", json!([[1], 2]), json!(4));
    check("first(.[] | select(. > 1))", json!([1, 2, 3]), json!(2));
    check("first, last", json!([1, 2]), json!(1));
    check("path(first(.a, .b))", json!({}), json!(["a"]));
    check("sort_by(.x) | map(.x)", json!([{"x": 2}, {"x": 1}]), json!([1, 2]));
    check("group_by(.) | map(length)", json!([1, 2, 1]), json!([2, 1]));
    check("unique | min, max", json!([2, 1, 2]), json!(1));
    check("any(. > 1), all", json!([1, 2]), json!(true));
    check("test(\"^a+$\")", json!("aaa"), json!(true));
    check("sub(\"(?<x>b)\"; \"<\\(.x)>\")", json!("abc"), json!("a<b>c"));
    check("split(\",\") | map(tonumber)", json!("1,2"), json!([1, 2]));
    check("ascii_downcase | ltrimstr(\"a\")", json!("ABC"), json!("bc"));
    check("fromdateiso8601", json!("2026-01-01T00:00:00Z"), json!(1_767_225_600));
    check("todate", json!(1_767_225_600), json!("2026-01-01T00:00:00Z"));
    check("fromjson | .a", json!("{\"a\": 1}"), json!(1));
    check("tojson", json!({"a": [1, 2.5, null]}), json!("{\"a\":[1,2.5,null]}"));
    check("IN(1, 2)", json!(2), json!(true));
    check("INDEX(.id) | .x.n", json!([{"id": "x", "n": 1}]), json!(1));
    check("until(. > 100; . * 2)", json!(1), json!(128));
    check("[recurse(if . < 3 then . + 1 else empty end)]", json!(0), json!([0, 1, 2, 3]));
    check("contains({a: 1}), has(\"a\")", json!({"a": 1}), json!(true));
    check("transpose", json!([[1, 2], [3, 4]]), json!([[1, 3], [2, 4]]));
    check("[combinations]", json!([[1, 2], [3]]), json!([[1, 3], [2, 3]]));
    check("- .", json!(3), json!(-3));
    check("# a comment\n.a", json!({"a": 1}), json!(1));
    check(".[\"a\"]?", json!([1]), json!(null));
    check("[splits(\", *\")]", json!("a, b"), json!(["a", "b"]));
    check("flatten", json!([1, [2, [3]]]), json!([1, 2, 3]));
    check("@json, @text", json!([1]), json!("[1]"));
    check("@uri", json!("a b"), json!("a%20b"));
    check("@sh", json!("it's"), json!("'it'\\''s'"));
}

#[test]
fn numbers_come_out_as_json_has_them() {
    check("4 / 2", json!(null), json!(2));
    check("\"\\(4 / 2)\"", json!(null), json!("2"));
    check("4 / 2 | tostring", json!(null), json!("2"));
    check("1 / 2", json!(null), json!(0.5));
    check(".", json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_993_i64));
    check(". + 1", json!(u64::MAX - 1), json!(u64::MAX));
    check("1.5", json!(null), json!(1.5));
    check("1e3", json!(null), json!(1000));
    check(".", json!(1.0), json!(1));
    for source in
        ["1 / 0", "-1 / 0", "0 / 0", "nan", "infinite", "{a: (1 / 0)}", "18446744073709551615 + 1"]
    {
        assert!(eval(source, &json!(null)).is_err(), "{source}");
    }
}

#[test]
fn the_first_output_counts_and_none_is_null() {
    check("1, 2", json!(null), json!(1));
    check("empty", json!(null), json!(null));
    check(".[]", json!([]), json!(null));
}

#[test]
fn only_variables_in_use_are_asked_for() {
    let expression = Expression::compile("$context.a", &["context", "item"]).unwrap();
    assert_eq!(expression.variables().collect::<Vec<_>>(), ["context"]);
    let expression = Expression::compile("1 as $item | {$context, $item}", &["context"]).unwrap();
    assert_eq!(expression.variables().collect::<Vec<_>>(), ["context"]);
    assert_eq!(eval("$item", &json!(null)), Err("$item has no value here".to_owned()));
}

fn fault(source: &str, code: &str, part: &str) {
    let faults = Expression::compile(source, &["context", "input"]).unwrap_err();
    let fault = faults.first().unwrap();
    assert_eq!((fault.code, &source[fault.range.clone()]), (code, part), "{}", fault.message);
}

#[test]
fn mistakes_point_at_their_place() {
    fault(".a | foo", "unknown-function", "foo");
    fault("map(.x; 1)", "unknown-function", "map");
    fault(".a + $contxt", "unknown-variable", "$contxt");
    fault(".a |", "bad-expression", "|");
    fault(".a ++ 1", "bad-expression", "++");
    fault("{a: (1}", "bad-expression", "}");
    fault("\"abc", "bad-expression", "c");
    fault("now", "unknown-function", "now");
    fault("env.HOME", "unknown-function", "env");
    fault("$ENV.HOME", "unknown-variable", "$ENV");
    fault("input", "unknown-function", "input");
    fault("1 | halt", "unknown-function", "halt");
    fault("halt_error", "unknown-function", "halt_error");
    fault("debug", "unknown-function", "debug");
    fault("__main", "unknown-function", "__main");
    fault("__tick", "unknown-function", "__tick");
    fault("def f: f; f", "refused-expression", "f");
    fault("  ", "bad-expression", "  ");
    fault("import \"a\" as a; 1", "bad-expression", "\"a\"");
    let faults = Expression::compile(". | $x | foo | $y", &[]).unwrap_err();
    assert_eq!(faults.len(), 3, "all mistakes are told: {faults:?}");
    let help = faults_help("slect(.a)");
    assert_eq!(help.as_deref(), Some("did you mean `select`?"));
    assert!(faults_help("now").unwrap().contains("$workflow.startedAt"));
}

fn faults_help(source: &str) -> Option<String> {
    Expression::compile(source, &[]).unwrap_err()[0].help.clone()
}

/// Runs on a stack of the promised size, and says how long it took.
#[expect(clippy::disallowed_methods, reason = "a test measures how fast hostile input ends")]
fn hostile(source: &str, input: Value) -> (Result<Value, String>, Duration) {
    let source = source.to_owned();
    let run = move || {
        let start = Instant::now();
        let result = eval(&source, &input);
        (result, start.elapsed())
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap()
}

/// Whether an evaluation was ended by a limit of its work, or of the size or depth of a value.
fn is_limit(message: &str) -> bool {
    message.starts_with("the expression takes too much work")
        || message.starts_with("a value grew larger than")
}

#[test]
fn hostile_expressions_are_ended_by_a_limit() {
    let big = json!({"a": "x".repeat(100_000), "b": (0..5_000).collect::<Vec<_>>()});
    let long = hostile::long();
    for source in HOSTILE.iter().copied().chain(long.iter().map(String::as_str)) {
        let (result, took) = hostile(source, big.clone());
        let shown: String = source.chars().take(100).collect();
        let message = result.expect_err(&shown);
        assert!(is_limit(&message), "{shown}: {message}");
        assert!(took < ENDS_WITHIN, "{shown} took {took:?}");
    }
}

#[test]
fn what_reaches_outside_or_cannot_be_is_told_by_name() {
    let big = json!({"a": "x".repeat(100_000), "b": (0..5_000).collect::<Vec<_>>()});
    for (source, part) in TOLD {
        let (result, took) = hostile(source, big.clone());
        let message = result.expect_err(source);
        assert!(message.contains(part), "{source}: {message}");
        assert!(took < ENDS_WITHIN, "{source} took {took:?}");
    }
}

#[test]
fn large_but_legal_work_meets_no_limit() {
    for source in LARGE {
        let (result, took) = hostile(source, json!(null));
        assert!(result.is_ok(), "{source}: {result:?}");
        assert!(took < ENDS_WITHIN, "{source} took {took:?}");
    }
}

#[test]
fn hostile_sources_do_not_compile() {
    let hostile = [
        "[".repeat(10_000),
        "(".repeat(10_000),
        "- ".repeat(100_000),
        format!("{}1{}", "[".repeat(101), "]".repeat(101)),
        ".".repeat(20_000),
        "9".repeat(1_001),
    ];
    for source in hostile {
        assert!(Expression::compile(&source, &[]).is_err());
    }
}

#[test]
fn deep_but_legal_sources_compile_and_run_on_the_promised_stack() {
    for source in [
        format!("1{}", " | .".repeat(4_000)),
        format!("{}1", "-".repeat(8_000)),
        format!("0{}", " + 1".repeat(4_000)),
        format!("{}1", "try ".repeat(4_000)),
    ] {
        let (result, took) = hostile(&source, json!(null));
        assert!(took < ENDS_WITHIN, "took {took:?}");
        // A value or an error, but an end.
        drop(result);
    }
}

#[test]
fn values_that_are_too_deep_are_refused() {
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    assert!(eval(".", &deep).is_err());
    assert!(eval("reduce range(200) as $i (0; [.])", &json!(null)).is_err());
    check("reduce range(100) as $i (0; [.]) | flatten", json!(null), json!([0]));
}

#[test]
fn an_expression_can_be_used_from_any_thread() {
    fn takes<T: Send + Sync>(_: &T) {}
    let expression = Expression::compile(". + 1", &[]).unwrap();
    takes(&expression);
    let sum: i64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let expression = &expression;
                scope.spawn(move || expression.eval(&json!(n), &Names(json!({}))).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap().as_i64().unwrap()).sum()
    });
    assert_eq!(sum, 10);
}

#[test]
fn messages_are_short() {
    let big = json!({"a": "x".repeat(100_000)});
    let message = eval(".a.b", &big).unwrap_err();
    assert!(message.len() < 400 && message.starts_with("Cannot index"), "{message}");
    assert_eq!(eval("error(\"no such seat\")", &big), Err("no such seat".to_owned()));
}

mod differential;
mod facts;
mod hostile;

#[test]
fn a_customer_who_spelled_a_mark_in_another_code_had_a_secret_sent() {
    let mark = |name: &str| format!("{}secret:{name}{}", mark::OPEN, mark::CLOSE);
    let forged = r#""\ue000secret:stripe\ue001""#;
    let input = json!({"text": forged, "codes": [0xE000, 0x73, 0xE001], "own": mark("own")});
    for source in [
        ".text | fromjson",
        ".codes | implode",
        "{k: (.text | fromjson)}",
        "{(.text | fromjson): 1}",
    ] {
        let found = eval(source, &input).unwrap().to_string();
        assert!(!found.contains(mark::OPEN), "{source}: {found}");
    }
    // What the input had is kept: a secret that `input.from` gave must arrive.
    check(".own", input.clone(), json!(mark("own")));
    check("\"Bearer \" + .own", input, json!(format!("Bearer {}", mark("own"))));
}
