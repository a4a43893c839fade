//! `call: http`, `call: openapi`, authentication and declared effects.

use std::borrow::Cow;

use serde_json::{Value, json};
use tenure_adapter::EffectClass;

use super::{HEAD, check, plan, run};
use crate::expression::Scope;
use crate::plan::{Call, Plan, TaskKind};

/// Marks secrets the way the machine does.
struct Secrets;

impl Scope for Secrets {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        (name == "secrets").then(|| Cow::Owned(json!({"mine": "<mine>"})))
    }
}

fn task(fields: &str) -> String {
    format!("do:\n  - a: {{{fields}}}\n")
}

fn first(plan: &Plan) -> &Call {
    let TaskKind::Call(call) = &plan.tasks[0].kind else { panic!("a call") };
    call
}

/// The arguments, evaluated, and the class of a call.
fn called(head: &str, fields: &str) -> (Value, EffectClass) {
    let plan = plan(&format!("{head}{}", task(fields)));
    let call = first(&plan);
    let input = json!({"id": "a/b", "url": "https://x.example/y", "m": "POST", "key": "k"});
    (call.with.eval(&input, &Secrets).unwrap(), call.function.class)
}

#[test]
fn an_endpoint_in_any_form_becomes_an_object() {
    let check = |endpoint: &str, expected: &str| {
        let (with, _) =
            called("", &format!("call: http, with: {{method: get, endpoint: {endpoint}}}"));
        assert_eq!(with, json!({"method": "GET", "endpoint": {"uri": expected}}), "{endpoint}");
    };
    check("https://x.example/pets", "https://x.example/pets");
    check("'https://x.example/{id}'", "https://x.example/a%2Fb");
    check("'${ .url }'", "https://x.example/y");
    check("'https://x.example/${ .id }'", "https://x.example/a/b");
    check("{uri: 'https://x.example/{id}'}", "https://x.example/a%2Fb");
    check("{uri: '${ .url }'}", "https://x.example/y");
}

#[test]
fn the_class_of_a_call_follows_its_method_or_what_the_author_declares() {
    let check = |method: &str, metadata: &str, expected: EffectClass, more: Value| {
        let fields = format!(
            "call: http, with: {{method: {method}, endpoint: 'https://x.example', body: {{a: 1}}}}{metadata}"
        );
        let (with, class) = called("", &fields);
        assert_eq!(class, expected, "{method} {metadata}");
        let extra = json!([with.get("repeatable"), with.get("idempotency_header")]);
        assert_eq!(extra, more, "{method} {metadata}");
    };
    let none = || json!([null, null]);
    for method in ["get", "HEAD", "Options", "put", "delete"] {
        check(method, "", EffectClass::Natural, none());
    }
    for method in ["post", "PATCH", "'${ .m }'"] {
        check(method, "", EffectClass::AtMostOnce, none());
    }
    let declared = |effect: &str| format!(", metadata: {{effect: {effect}}}");
    let twice = || json!([true, null]);
    check("post", &declared("at-least-once"), EffectClass::AtLeastOnce, twice());
    check("post", &declared("natural"), EffectClass::Natural, twice());
    check("put", &declared("at-most-once"), EffectClass::AtMostOnce, json!([false, null]));
    // A new try has a new key: a keyed effect is not repeatable.
    check(
        "post",
        &declared("{keyed: {header: Idempotency-Key, life: P1D}}"),
        EffectClass::Keyed { key_life_ms: 86_400_000 },
        json!([false, "Idempotency-Key"]),
    );
}

#[test]
fn an_openapi_call_is_sent_once_unless_declared() {
    let with = "call: openapi, with: {document: {name: pets, endpoint: 'https://x.example/{id}'}, operationId: find, parameters: {a: '${ .id }'}, output: raw}";
    let (arguments, class) = called("", with);
    let expected = json!({
        "document": {"endpoint": {"uri": "https://x.example/a%2Fb"}},
        "operationId": "find", "parameters": {"a": "a/b"}, "output": "raw",
    });
    assert_eq!((arguments, class), (expected, EffectClass::AtMostOnce));
    let (arguments, class) = called("", &format!("{with}, metadata: {{effect: natural}}"));
    assert_eq!((arguments["repeatable"].clone(), class), (json!(true), EffectClass::Natural));
}

#[test]
fn authentication_is_resolved_by_name_and_secrets_stay_markers() {
    let uses = "use:\n  secrets: [mine]\n  authentications:\n    shop: {bearer: {token: '${ $secrets.mine }'}}\n    keys: {basic: {use: mine}}\n";
    let check = |policy: &str, expected: Value, scheme: &str| {
        let text = format!(
            "{uses}{}",
            task(&format!(
                "call: http, with: {{method: get, endpoint: {{uri: 'https://x.example', authentication: {policy}}}}}"
            ))
        );
        // Not every entry is used by every policy: that is a warning.
        let (plan, _) = run(&format!("{HEAD}{text}")).unwrap();
        let call = first(&plan);
        let with = call.with.eval(&json!({"key": "k", "realm": "r r"}), &Secrets).unwrap();
        assert_eq!(with["endpoint"]["authentication"], expected, "{policy}");
        assert_eq!(call.scheme, Some(scheme), "{policy}");
    };
    check("{use: shop}", json!({"bearer": {"token": "<mine>"}}), "Bearer");
    check("{use: keys}", json!({"basic": {"secret": "<mine>"}}), "Basic");
    check("{oidc: {use: mine}}", json!({"oidc": {"secret": "<mine>"}}), "Bearer");
    check(
        "{basic: {username: '${ .key }', password: '${ $secrets.mine }'}}",
        json!({"basic": {"username": "k", "password": "<mine>"}}),
        "Basic",
    );
    check(
        "{oauth2: {authority: 'https://id.example/{realm}', grant: client_credentials, endpoints: {token: /t}, client: {id: a, secret: '${ $secrets.mine }'}, scopes: [x]}}",
        json!({"oauth2": {
            "authority": "https://id.example/r%20r", "grant": "client_credentials",
            "endpoints": {"token": "/t"}, "client": {"id": "a", "secret": "<mine>"}, "scopes": ["x"],
        }}),
        "Bearer",
    );
}

#[test]
fn mistakes_of_web_calls_are_found() {
    let http = |with: &str| format!("do:\n  - a:\n      call: http\n      with: {with}\n");
    let ok = "method: get, endpoint: 'https://x.example'";
    check("do:\n  - a: {call: http}\n", &[("missing-field", 2, 8)]);
    check(&http("{}"), &[("missing-field", 4, 13), ("missing-field", 4, 13)]);
    check(&http("'${ .x }'"), &[("wrong-type", 4, 13)]);
    check(&http("{method: gte, endpoint: 'https://x.example'}"), &[("bad-value", 4, 22)]);
    check(&http(&format!("{{{ok}, header: {{}}}}")), &[("unknown-field", 4, 58)]);
    check(&http(&format!("{{{ok}, headers: [a]}}")), &[("wrong-type", 4, 67)]);
    check(&http(&format!("{{{ok}, output: json}}")), &[("bad-value", 4, 66)]);
    check(&http(&format!("{{{ok}, redirect: maybe}}")), &[("wrong-type", 4, 68)]);
    check(&http("{method: get, endpoint: 'https://x.example/{}'}"), &[("bad-uri", 4, 56)]);
    check(&http("{method: get, endpoint: 'https://x.example/{+a}'}"), &[("bad-uri", 4, 56)]);
    check(&http("{method: get, endpoint: /pets}"), &[("bad-uri", 4, 37)]);
    check(
        &http("{method: get, endpoint: {url: 'https://x'}}"),
        &[("missing-field", 4, 37), ("unknown-field", 4, 38)],
    );
    check(&http(&format!("{{{ok}, body: '${{ .x + }}'}}")), &[("bad-expression", 4, 71)]);
    for (name, column) in [("grpc", 15), ("asyncapi", 15), ("a2a", 15), ("mcp", 15)] {
        check(&format!("do:\n  - a: {{call: {name}, with: {{}}}}\n"), &[("refused", 2, column)]);
    }
    check("do:\n  - a: {call: 'http:1.0.0@default'}\n", &[("bad-value", 2, 15)]);
    let openapi = |with: &str| format!("do:\n  - a:\n      call: openapi\n      with: {with}\n");
    check(&openapi("{document: {endpoint: 'https://x.example'}}"), &[("missing-field", 4, 13)]);
    check(
        &openapi("{operationId: x, document: {uri: y}}"),
        &[("missing-field", 4, 40), ("unknown-field", 4, 41)],
    );
}

#[test]
fn mistakes_of_authentication_are_found() {
    let auth = |policy: &str| {
        format!(
            "do:\n  - a:\n      call: http\n      with:\n        method: get\n        endpoint:\n          uri: https://x.example\n          authentication: {policy}\n"
        )
    };
    check(&auth("{}"), &[("missing-field", 8, 27)]);
    check(&auth("{use: nobody}"), &[("unknown-reference", 8, 33)]);
    check(&auth("{basic: {use: nothing}}"), &[("unknown-secret", 8, 41)]);
    check(&auth("{basic: {username: a}}"), &[("missing-field", 8, 35)]);
    check(&auth("{basic: {username: a, password: b, pass: c}}"), &[("unknown-field", 8, 62)]);
    check(&auth("{bearer: {token: a}, basic: {use: b}}"), &[("bad-value", 8, 48)]);
    check(&auth("{certificate: {use: b}}"), &[("refused", 8, 28)]);
    check(&auth("{digest: {use: b}}"), &[("refused", 8, 28)]);
    check(&auth("{bearer: {token: '${ $secrets.gone }'}}"), &[("unknown-secret", 8, 57)]);
    check(
        &auth("{oauth2: {authority: 'https://x', grant: authorization_code}}"),
        &[("refused", 8, 68)],
    );
    check(
        &auth("{oauth2: {authority: 'https://x', grant: client_credential}}"),
        &[("bad-value", 8, 68)],
    );
    check(
        "use: {authentications: {a: {basic: {}}}}\ndo:\n  - b: {wait: PT1S}\n",
        &[("missing-field", 1, 36), ("missing-field", 1, 36)],
    );
}

#[test]
fn secrets_that_are_not_listed_are_found() {
    let input = |from: &str| format!("do:\n  - a: {{wait: PT1S, input: {{from: '{from}'}}}}\n");
    check(&input("{a: $secrets.mine}"), &[("unknown-secret", 2, 49)]);
    check(&input("{a: $secrets[\"mine\"]}"), &[("unknown-secret", 2, 50)]);
    check(&input("\"\\($secrets.mine)\""), &[("unknown-secret", 2, 48)]);
    check(&input("\"$secrets.mine\""), &[]);
    check(&format!("use: {{secrets: [mine]}}\n{}", input("$secrets.mine.x")), &[]);
}

#[test]
fn effects_are_declared_where_the_adapter_cannot_know() {
    let call = |name: &str, metadata: &str| {
        format!("do:\n  - a:\n      call: {name}\n      metadata: {{effect: {metadata}}}\n")
    };
    check("do:\n  - a: {call: shop.mail}\n", &[("undeclared-effect", 2, 15)]);
    check(&call("shop.mail", "at-least-once"), &[]);
    check(&call("shop.mail", "natural"), &[("bad-value", 4, 26)]);
    check(&call("shop.mail", "often"), &[("bad-value", 4, 26)]);
    check(&call("shop.mail", "7"), &[("wrong-type", 4, 26)]);
    check(&call("shop.mail", "{key: x}"), &[("bad-value", 4, 26)]);
    check(&call("shop.mail", "{keyed: {header: X}}"), &[("missing-field", 4, 34)]);
    check(&call("shop.mail", "{keyed: {header: 'X Y', life: P1D}}"), &[("bad-value", 4, 43)]);
    check(&call("shop.mail", "{keyed: {header: X, life: P1M}}"), &[("bad-duration", 4, 52)]);
    check("do:\n  - a: {call: shop.pay}\n", &[("unsafe-money", 2, 15)]);
    check(&call("shop.pay", "at-least-once"), &[("unsafe-money", 3, 13)]);
    check(&call("shop.charge", "at-least-once"), &[("unsafe-money", 4, 26)]);
    check("do:\n  - a: {wait: PT1S, metadata: {effect: natural}}\n", &[("unknown-field", 2, 32)]);
}
