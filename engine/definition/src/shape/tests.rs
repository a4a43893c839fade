//! Shapes of expressions and schemas, as an author reads them.

use serde_json::json;

use super::jq::{Env, Remark};
use super::{Rest, Shape, fit, schema};
use crate::expression::syntax;

const STEPS: u32 = 10_000;

fn input() -> Shape {
    let schema = json!({
        "type": "object",
        "required": ["customer", "seats", "plan"],
        "additionalProperties": false,
        "properties": {
            "customer": {
                "type": "object",
                "required": ["email"],
                "additionalProperties": false,
                "properties": {"email": {"type": "string"}, "name": {"type": "string"}},
            },
            "seats": {"type": "integer"},
            "plan": {"enum": ["free", "pro"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"type": ["string", "null"]},
            "extra": {},
        },
    });
    schema::shape(&schema, Rest::Open)
}

fn read(source: &str) -> (Shape, Vec<super::jq::Note>) {
    let env = Env {
        dot: input(),
        path: Some(".".to_owned()),
        vars: vec![
            (
                "context".to_owned(),
                Shape::record([("order", Shape::record([("id", Shape::text())]))]),
            ),
            ("secrets".to_owned(), Shape::record([("token", Shape::text().tainted(true))])),
        ],
    };
    let mut budget = STEPS;
    super::jq::shape(source, &syntax(source).expect(source), &env, &mut budget, true)
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(read(source).0.to_string(), expected, "{source}");
}

#[test]
fn paths_and_constructions_keep_their_types() {
    check(".seats", "integer");
    check(".customer", "{email: text, name?: text}");
    check(".customer.name", "text | null");
    check(".plan", "\"free\" | \"pro\"");
    check(".tags", "[text, ...] | null");
    check(".tags[]", "text | null");
    check(".tags[0]", "text | null");
    check(".extra.deep", "anything");
    check("{seats, n: .note}", "{n: text | null, seats: integer}");
    check("{a: 1} + {b: .seats}", "{a: 1, b: integer}");
    check("$context + {seats}", "{order: {id: text}, seats: integer}");
    check(".customer + {email: null}", "{email: null, name?: text}");
    check("[.seats, .plan]", "[integer, \"free\" | \"pro\"]");
    check("[.seats, .plan][1]", "\"free\" | \"pro\"");
    check("[.tags[]?]", "[text, ...]");
    check("{(.plan): 1}", "{...}");
    check("del(.customer, .tags, .extra, .note)", "{plan: \"free\" | \"pro\", seats: integer}");
}

#[test]
fn operators_and_functions_are_followed() {
    check(".note // \"none\"", "text");
    check(".seats // 1", "integer");
    check(".seats + 1", "integer");
    check(".seats / 2", "number");
    check("\"\\(.seats) seats\"", "text");
    check("if .seats > 1 then \"many\" else \"one\" end", "\"many\" | \"one\"");
    check("if true then 1 else 2 end", "1");
    check(".tags // [] | length", "integer");
    check(".tags // [] | map(ascii_downcase)", "[text, ...]");
    check("[.tags[]? | select(. != \"x\")] | first", "text | null");
    check(".customer | . as {email: $mail} | $mail", "text");
    check(".seats as $n | {n: $n}", "{n: integer}");
    check(".plan == \"free\"", "boolean");
    check("(.customer.name | strings) // \"\"", "text");
    check("reduce .tags[] as $t (0; . + 1)", "anything");
    check("error(\"x\")", "nothing");
    check(".customer.email | split(\"@\") | .[-1]", "text | null");
    check(".unheard | something_new", "anything");
    check("try .a catch .b", "anything");
    check(".seats |= . + 1", "{...}");
    check("{a: 1} | .b = 2", "{a: 1, b: 2}");
    check("{a: 1} * {b: 2}", "{a: anything, b: anything}");
    check(".seats | dateadd(\"seconds\"; 1)", "number");
    check(".seats | datesub(\"seconds\"; 1)", "number");
}

#[test]
fn secrets_leave_a_trace() {
    let secret = |source: &str, expected: bool| {
        assert_eq!(read(source).0.holds_secret(), expected, "{source}");
    };
    secret("$secrets.token", true);
    secret("{a: [$secrets.token]}", true);
    secret("\"Bearer \\($secrets.token)\"", true);
    secret("$secrets.token | . + \"x\"", true);
    secret("$secrets.token | @base64", true);
    secret(".extra + {t: $secrets.token} | .a", false);
    secret(".extra + {t: $secrets.token} | .t", true);
    secret(".extra * {t: {u: $secrets.token}} | .a", false);
    secret(".extra * {t: {u: $secrets.token}} | .t", true);
    secret(".token = $secrets.token | .seats", false);
    secret(".token = $secrets.token", true);
    secret(".extra + $secrets.token", true);
    secret("$secrets.token == \"x\"", false);
    secret("$secrets | length", false);
    secret(".seats", false);
}

/// The fields that cannot be there, and values that are never equal.
#[track_caller]
fn notes(source: &str, expected: &[(&str, bool)]) {
    let found = read(source).1;
    let words: Vec<_> = found
        .iter()
        .map(|note| match &note.what {
            Remark::Absent { .. } => (&source[note.range.clone()], note.tolerant),
            Remark::NeverEqual { .. } => ("==", note.tolerant),
        })
        .collect();
    assert_eq!(words, expected, "{source}");
}

#[test]
fn what_cannot_be_is_noted_at_its_place() {
    notes(".seat", &[("seat", false)]);
    notes(".customer.mail", &[("mail", false)]);
    notes("{seats, sets}", &[("sets", false)]);
    notes("$context.order.no", &[("no", false)]);
    notes("$context | .order | .no", &[("no", false)]);
    notes(".seat // 1", &[("seat", true)]);
    notes(".seat?", &[("seat", true)]);
    notes(".seat == null", &[("seat", true)]);
    notes("if .seat then 1 else 2 end", &[("seat", true)]);
    notes(".extra.x, .note, .tags[0]", &[]);
    notes(".seats == \"3\"", &[("==", false)]);
    notes(".plan == \"prro\"", &[("==", false)]);
    notes(".plan != \"pro\"", &[]);
    notes(".note == null", &[]);
    notes(".customer == null", &[]);
    notes(".tags | map(.x)?", &[]);
}

#[test]
fn shapes_of_schemas_are_never_too_small() {
    let check = |schema: serde_json::Value, expected: &str| {
        assert_eq!(schema::shape(&schema, Rest::Open).to_string(), expected, "{schema}");
    };
    check(json!({}), "anything");
    check(json!({"type": "object"}), "{...}");
    check(
        json!({"type": "object", "properties": {"a": {"type": "integer"}}}),
        "{a?: integer, ...}",
    );
    check(json!({"properties": {"a": {"type": "integer"}}}), "anything");
    check(json!({"oneOf": [{"type": "integer"}, {"type": "null"}]}), "integer | null");
    check(json!({"type": "object", "anyOf": [{"required": ["a"]}]}), "{...}");
    check(
        json!({
            "$ref": "#/$defs/seat",
            "$defs": {"seat": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "additionalProperties": false}, "n": {"type": "number"}},
        }),
        "{n?: number}",
    );
    check(
        json!({"allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}},
            {"type": "object", "required": ["b"], "properties": {"b": {"const": 1}}},
        ]}),
        "{a?: text, b: 1, ...}",
    );
    check(json!({"$ref": "#"}), "anything");
    let a = json!({"a": {"type": "string"}});
    check(
        json!({"type": "object", "allOf": [{"type": "object", "properties": a}], "unevaluatedProperties": false}),
        "{a?: text, ...}",
    );
    check(json!({"type": "object", "properties": a, "unevaluatedProperties": false}), "{a?: text}");
    check(
        json!({"type": "object", "properties": a, "additionalProperties": {}, "unevaluatedProperties": false}),
        "{a?: text, ...}",
    );
    check(json!({"type": "array", "items": {"type": "boolean"}}), "[boolean, ...]");
    check(json!(false), "nothing");
}

#[test]
fn joining_and_widening_end() {
    let mut shape = Shape::record([("n", Shape::int(0))]);
    for round in 0..100 {
        shape = shape.join(&Shape::record([("n", Shape::int(round)), ("last", shape.clone())]));
    }
    assert!(shape.is_any() || shape.weight() < 2_000, "{shape}");
    let first = Shape::record([("n", Shape::int(0)), ("kept", Shape::text())]);
    let second = Shape::record([("n", Shape::int(1)), ("kept", Shape::text())]);
    let wide = first.widen(&first.join(&second));
    assert_eq!(wide.to_string(), "{kept: text, n: anything}");
    assert_eq!(wide.widen(&wide.join(&second)), wide);
}

#[test]
fn what_surely_does_not_fit_is_told() {
    let wanted = schema::shape(
        &json!({
            "type": "object",
            "required": ["account", "items"],
            "additionalProperties": false,
            "properties": {
                "account": {"type": "string"},
                "items": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
                "seats": {"type": "integer"},
            },
        }),
        Rest::Open,
    );
    let check = |source: &str, expected: Option<&str>| {
        let found = fit::misfit(&read(source).0, &wanted).map(|misfit| misfit.pointer);
        assert_eq!(found.as_deref(), expected, "{source}");
    };
    check("{account: .customer.email, items: []}", None);
    check("{account: .customer.name, items: []}", None);
    check("{account: .seats, items: []}", Some("/account"));
    check("{account: .customer.email, items: [{}]}", Some("/items/0"));
    check("{account: .customer.email, items: [{sku: 1}]}", None);
    check("{account: .customer.email}", Some(""));
    check("{account: .customer.email, items: [], colour: 1}", Some(""));
    check(".extra", None);
    check("{account: .customer.email} + .extra", None);
    check("$context + .extra", Some(""));
}
