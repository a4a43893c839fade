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

#[test]
fn metadata_has_the_forms_that_register() {
    let schema = jsonschema::draft202012::new(&schema(&Catalog::default())).unwrap();
    let valid = |document: &Value, task: &Value| {
        let mut head = json!({ "dsl": "1.0.3", "namespace": "n", "name": "a", "version": "1.0.0" });
        head["metadata"] = document.clone();
        let task = json!({ "do": [{ "b": { "set": { "n": 1 } } }], "metadata": task });
        schema.is_valid(&json!({ "document": head, "do": [{ "a": task }] }))
    };
    let check = |document: Value, expected| {
        assert_eq!(valid(&document, &json!({})), expected, "{document}");
    };
    check(json!({ "businessKey": "${ .id }" }), true);
    check(json!({ "businessKey": { "key": "${ .id }", "policy": "return-existing" } }), true);
    check(json!({ "businessKey": { "key": "${ .id }", "policy": "refuse" } }), false);
    check(json!({ "businessKey": { "policy": "queue" } }), false);
    check(json!({ "onCancel": "compensate" }), true);
    check(json!({ "onCancel": "undo" }), false);
    check(json!({ "lifecycle": "tasks" }), true);
    check(json!({ "lifecycle": true }), false);
    check(json!({ "sensitive": ["card"] }), true);
    check(json!({ "sensitive": true }), false);
    check(json!({ "searchable": { "plan": "${ .plan }" } }), true);
    check(
        json!({ "schedule": { "overlap": "skip", "dst": { "gap": "next" }, "jitter": "PT5M" } }),
        true,
    );
    check(json!({ "schedule": { "overlap": "never" } }), false);
    check(json!({ "migrateFrom": {} }), false);
    check(json!({ "mine": [1] }), true);
    let check = |task: Value, expected| {
        assert_eq!(valid(&json!({}), &task), expected, "{task}");
    };
    check(json!({ "effect": "at-least-once" }), true);
    check(json!({ "effect": { "keyed": { "header": "Idempotency-Key", "life": "P1D" } } }), true);
    check(json!({ "effect": "twice" }), false);
    check(
        json!({ "compensate": [{ "b": { "set": { "n": 1 } } }], "expect": { "within": "P1D" } }),
        true,
    );
    check(json!({ "compensate": [{ "b": { "sett": { "n": 1 } } }] }), false);
    check(json!({ "silence": [{ "code": "no-delay", "reason": "meant so" }] }), true);
    check(json!({ "silence": [{ "code": "no-delay" }] }), false);
}

#[test]
fn authentication_has_the_fields_of_its_scheme() {
    let check = |policy: Value, expected| {
        let endpoint = json!({ "uri": "https://x.example", "authentication": policy });
        let task = json!({ "call": "http", "with": { "method": "get", "endpoint": endpoint } });
        assert_eq!(is_valid(&json!([{ "a": task }])), expected, "{task}");
    };
    check(json!({ "use": "name" }), true);
    check(json!({ "basic": { "username": "u", "password": "p" } }), true);
    check(json!({ "basic": { "username": "u" } }), false);
    check(json!({ "bearer": { "use": "secret" } }), true);
    check(json!({ "bearer": { "tokn": "t" } }), false);
    let oauth = json!({ "authority": "https://a.example", "grant": "client_credentials", "client": { "id": "c" } });
    check(json!({ "oauth2": oauth }), true);
    check(
        json!({ "oauth2": { "authority": "https://a.example", "grant": "authorization_code" } }),
        false,
    );
    check(json!({ "digest": { "username": "u", "password": "p" } }), false);
}
