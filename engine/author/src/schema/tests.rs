//! What the schema takes and what not, on small definitions.

use serde_json::{Value, json};
use tenure_adapter::{Catalog, EffectClass, Manifest, RetryDefault};

use super::*;

fn manifest(version: &str) -> Manifest {
    Manifest {
        name: "shop.order".to_owned(),
        version: version.to_owned(),
        summary: "Orders.".to_owned(),
        connection: None,
        input: json!({
            "type": "object",
            "required": ["sku"],
            "additionalProperties": false,
            "properties": { "sku": { "type": "string", "maxLength": 5 }, "count": { "type": "integer" } },
        }),
        output: json!({}),
        errors: Vec::new(),
        class: EffectClass::Natural,
        money: false,
        deadline_ms: 1,
        settle_ms: 0,
        retry: RetryDefault { retries_max: 0, delay_ms: 0 },
    }
}

fn is_valid(tasks: &Value) -> bool {
    let catalog = Catalog::new([manifest("1.0.0"), manifest("2.0.0")]);
    let schema = jsonschema::draft202012::new(&schema(&catalog)).unwrap();
    let document = json!({ "dsl": "1.0.3", "namespace": "n", "name": "a", "version": "1.0.0" });
    schema.is_valid(&json!({ "document": document, "do": tasks }))
}

#[test]
fn one_task_does_one_thing() {
    let check = |task: Value, expected| {
        assert_eq!(is_valid(&json!([{ "a": task }])), expected, "{task}");
    };
    check(json!({ "wait": "PT1S" }), true);
    check(json!({ "wait": { "seconds": 1 } }), true);
    check(json!({ "wait": "1 second" }), false);
    check(json!({ "wait": { "fortnights": 1 } }), false);
    check(json!({ "set": { "a": 1 } }), true);
    check(json!({ "set": { "a": 1 }, "wait": "PT1S" }), false);
    check(json!({}), false);
    check(json!({ "sett": { "a": 1 } }), false);
    check(json!({ "for": { "in": "${ .x }" }, "do": [{ "b": { "set": "${ . }" } }] }), true);
    check(json!({ "for": { "in": "${ .x }" } }), false);
    check(json!({ "try": [{ "b": { "set": "${ . }" } }] }), false);
    check(json!({ "do": [] }), false);
    check(json!({ "listen": { "to": { "one": { "with": { "type": "x" } } } } }), true);
    check(json!({ "listen": { "to": { "one": { "with": {} } } } }), false);
    check(json!({ "switch": [{ "x": { "when": ".a" } }] }), false);
    check(json!({ "metadata": { "mine": 1 }, "set": { "a": 1 } }), true);
    check(json!({ "metadata": { "idempotencyKey": 1 }, "set": { "a": 1 } }), false);
}

#[test]
fn what_is_refused_is_refused_here_too() {
    let check = |task: Value| assert!(!is_valid(&json!([{ "a": task }])), "{task}");
    check(json!({ "run": { "shell": { "command": "ls" } } }));
    check(json!({ "run": { "script": { "language": "js", "code": "1" } } }));
    check(json!({ "run": { "container": { "image": "x" } } }));
    check(json!({ "call": "grpc", "with": {} }));
    check(json!({ "call": "https://example.com/f.yaml" }));
}

#[test]
fn arguments_are_those_of_the_function_or_expressions() {
    let check = |call: &str, with: Value, expected| {
        let task = json!({ "call": call, "with": with });
        assert_eq!(is_valid(&json!([{ "a": task }])), expected, "{task}");
    };
    for call in ["shop.order", "shop.order:1", "shop.order:1.0.0@default", "shop.order:2@default"] {
        check(call, json!({ "sku": "x" }), true);
        check(call, json!({ "sku": "${ .sku_with_a_long_name }", "count": "${ .n }" }), true);
        check(call, json!("${ . }"), true);
        check(call, json!({ "sku": "x", "count": "2" }), false);
        check(call, json!({ "sku": "much too long" }), false);
        check(call, json!({ "count": 2 }), false);
        check(call, json!({ "sku": "x", "extra": 1 }), false);
        assert!(!is_valid(&json!([{ "a": { "call": call } }])), "{call} needs `with`");
    }
    // A function of `use.functions` is not known here.
    check("mine", json!({ "anything": 1 }), true);
    check("http", json!({ "method": "get", "endpoint": "http://x" }), true);
    check("http", json!({ "endpoint": "http://x" }), false);
}

#[test]
fn functions_are_listed_newest_first() {
    let catalog = Catalog::new([manifest("1.0.0"), manifest("10.0.0"), manifest("2.0.0")]);
    let calls = |name| -> Vec<Value> {
        functions(&catalog, name).into_iter().map(|all| all["call"].clone()).collect()
    };
    let all = ["shop.order:10.0.0@default", "shop.order:2.0.0@default", "shop.order:1.0.0@default"];
    assert_eq!(calls(None), all);
    assert_eq!(calls(Some("shop.order:2")), ["shop.order:2.0.0@default"]);
    assert!(calls(Some("shop.orders")).is_empty());
}
