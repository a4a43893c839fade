//! Credentials: sent where they belong, shown nowhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Desk, Reply, Seen, Service, fails, kind, output};

/// An authority that gives `token-1`, `token-2`, …, and a service at `/api` that refuses the first
/// ones.
async fn authority(refuse: usize, expires_in: u64) -> Service {
    let given = AtomicUsize::new(0);
    Service::start(move |seen: &Seen| match seen.path.as_str() {
        "/api" => {
            let token = seen.header("authorization").rsplit('-').next().unwrap_or_default();
            let number: usize = token.parse().unwrap_or_default();
            if number > refuse { Reply::json(&json!("fine")) } else { Reply::status(401) }
        }
        _ => {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            Reply::json(&json!({
                "access_token": format!("token-{number}"),
                "token_type": "Bearer",
                "expires_in": expires_in,
            }))
        }
    })
    .await
}

fn policy(service: &Service) -> Value {
    json!({
        "authority": service.url, "grant": "client_credentials",
        "client": { "id": "the client", "secret": "s3cret&1" },
    })
}

fn input(service: &Service, scheme: &str, policy: &Value) -> Value {
    json!({
        "method": "post",
        "endpoint": {
            "uri": format!("{}/api", service.url), "authentication": { (scheme): policy },
        },
    })
}

#[tokio::test]
async fn basic_and_bearer_are_sent_inline_and_from_a_secret() {
    let service = Service::answering(Reply::status(200)).await;
    let desk = Desk::new();
    for (policy, expected) in [
        (json!({ "basic": { "username": "ada", "password": "pä:ss" } }), "Basic YWRhOnDDpDpzcw=="),
        (
            json!({ "basic": { "secret": r#"{"username":"ada","password":"pass"}"# } }),
            "Basic YWRhOnBhc3M=",
        ),
        (json!({ "bearer": { "token": "t0" } }), "Bearer t0"),
        (json!({ "bearer": { "secret": r#"{"token":"t1"}"# } }), "Bearer t1"),
    ] {
        let input = json!({
            "method": "get", "endpoint": { "uri": service.url, "authentication": policy },
        });
        assert_eq!(kind(&desk.http(input).await), "done");
        assert_eq!(service.last().header("authorization"), expected);
    }
    let input = json!({
        "method": "get",
        "endpoint": {
            "uri": service.url, "authentication": { "bearer": { "token": "s3cret\r\nx: y" } },
        },
    });
    let before = service.seen().len();
    fails(desk.http(input).await, "configuration 400", "no header can carry");
    assert_eq!(service.seen().len(), before);
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let service = authority(0, 3600).await;
    let desk = Desk::new();
    let input = input(&service, "oauth2", &policy(&service));
    for _ in 0..3 {
        assert_eq!(output(desk.http(input.clone()).await), json!("fine"));
    }
    assert_eq!(service.paths(), ["POST /oauth2/token", "POST /api", "POST /api", "POST /api"]);
    let form = service.seen()[0].form();
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(
        (form["client_id"].as_str(), form["client_secret"].as_str()),
        ("the client", "s3cret&1")
    );
    assert_eq!(service.last().header("authorization"), "Bearer token-1");
    assert!(!desk.records().contains("s3cret"), "{}", desk.records());
}

#[tokio::test]
async fn calls_at_once_share_one_token() {
    let service = authority(0, 3600).await;
    let desk = Desk::new();
    let input = input(&service, "oauth2", &policy(&service));
    let calls = (0..8).map(|_| desk.http(input.clone()));
    for outcome in futures::future::join_all(calls).await {
        assert_eq!(kind(&outcome), "done");
    }
    let fetched = service.paths().iter().filter(|path| path.ends_with("token")).count();
    assert_eq!(fetched, 1);
}

#[tokio::test]
async fn a_token_without_a_life_is_fetched_for_each_call() {
    let service = authority(0, 0).await;
    let desk = Desk::new();
    let input = input(&service, "oauth2", &policy(&service));
    for _ in 0..2 {
        assert_eq!(kind(&desk.http(input.clone()).await), "done");
    }
    assert_eq!(service.last().header("authorization"), "Bearer token-2");
}

#[tokio::test]
async fn another_scope_is_another_token() {
    let service = authority(0, 3600).await;
    let desk = Desk::new();
    for scopes in [json!(["a", "b"]), json!(["a"])] {
        let mut policy = policy(&service);
        policy["scopes"] = scopes;
        policy["audiences"] = json!(["x", "y"]);
        assert_eq!(kind(&desk.http(input(&service, "oauth2", &policy)).await), "done");
    }
    let tokens: Vec<_> =
        service.seen().into_iter().filter(|seen| seen.path.ends_with("token")).collect();
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0].body.contains("scope=a+b&audience=x&audience=y"), "{}", tokens[0].body);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let desk = Desk::new();
    let service = authority(1, 3600).await;
    let outcome = desk.http(input(&service, "oauth2", &policy(&service))).await;
    assert_eq!(kind(&outcome), "done");
    assert_eq!(
        service.paths(),
        ["POST /oauth2/token", "POST /api", "POST /oauth2/token", "POST /api"]
    );
    let service = authority(9, 3600).await;
    let outcome = desk.http(input(&service, "oauth2", &policy(&service))).await;
    assert_eq!(kind(&outcome), "communication 401");
    assert_eq!(service.seen().len(), 4, "once, and no more");
}

#[tokio::test]
async fn the_client_says_who_it_is_as_the_policy_wants() {
    let desk = Desk::new();
    for (client, headers, words) in [
        (
            json!({ "id": "a:b", "secret": "c d", "authentication": "client_secret_basic" }),
            "Basic YSUzQWI6YyUyMGQ=",
            "grant_type=client_credentials",
        ),
        (json!({ "id": "a", "authentication": "none" }), "", "client_id=a"),
        (
            json!({ "id": "a", "assertion": "e30.e30.x", "authentication": "private_key_jwt" }),
            "",
            "client_assertion=e30.e30.x",
        ),
    ] {
        let service = authority(0, 3600).await;
        let mut policy = policy(&service);
        policy["client"] = client;
        policy["endpoints"] = json!({ "token": "/auth/token" });
        assert_eq!(kind(&desk.http(input(&service, "oauth2", &policy)).await), "done");
        let token = &service.seen()[0];
        assert_eq!(token.path, "/auth/token");
        assert_eq!(token.header("authorization"), headers);
        assert!(token.body.contains(words), "{}", token.body);
        assert!(!token.body.contains("client_secret"), "{}", token.body);
    }
}

#[tokio::test]
async fn a_password_grant_and_a_request_in_json() {
    let service = authority(0, 3600).await;
    let mut policy = policy(&service);
    policy["grant"] = json!("password");
    policy["username"] = json!("ada");
    policy["password"] = json!("pass");
    policy["audiences"] = json!(["x", "y"]);
    policy["request"] = json!({ "encoding": "application/json; charset=utf-8" });
    assert_eq!(kind(&Desk::new().http(input(&service, "oauth2", &policy)).await), "done");
    let body: Value = serde_json::from_str(&service.seen()[0].body).unwrap();
    assert_eq!(
        body,
        json!({
            "grant_type": "password", "username": "ada", "password": "pass",
            "audience": ["x", "y"], "client_id": "the client", "client_secret": "s3cret&1",
        })
    );
}

#[tokio::test]
async fn policies_that_cannot_be_served_are_refused_by_name() {
    let service = Service::answering(Reply::status(500)).await;
    let desk = Desk::new();
    let refused = |change: &str, value: Value| {
        let mut policy = policy(&service);
        *policy.pointer_mut(change).unwrap() = value;
        policy
    };
    for (policy, words) in [
        (refused("/grant", json!("authorization_code")), "the grant `authorization_code`"),
        (refused("/grant", json!("refresh_token")), "the grant `refresh_token`"),
        (refused("/grant", json!("password")), "username and password"),
        (refused("/client", json!({ "secret": "s3cret" })), "client.id"),
        (refused("/client", json!({ "id": "a" })), "client.secret"),
        (
            refused("/client", json!({ "id": "a", "authentication": "client_secret_jwt" })),
            "client.assertion",
        ),
    ] {
        for scheme in ["oauth2", "oidc"] {
            let outcome = desk.http(input(&service, scheme, &policy)).await;
            fails(outcome, "configuration 400", words);
        }
    }
    let digest = json!({ "username": "u", "password": "p" });
    fails(desk.http(input(&service, "digest", &digest)).await, "configuration 400", "digest");
    assert_eq!(service.seen().len(), 0);
}

#[tokio::test]
async fn an_authority_that_says_no_is_an_error_of_authentication() {
    let desk = Desk::new();
    let body = json!({ "error": "invalid_client", "error_description": "s3cret&1 is wrong" });
    let no = |status: u16| Reply::status(status).body("application/json", body.to_string());
    for (reply, expected, words) in [
        (no(400), "authentication 401", "answered 400 (invalid_client)"),
        (no(401), "authentication 401", "answered 401"),
        (no(404), "authentication 401", "answered 404"),
        (no(302), "authentication 401", "answered 302"),
        (no(403), "authorization 403", "answered 403"),
        (no(429).header("retry-after", "3"), "communication 429", "answered 429"),
        (no(503), "communication 503", "answered 503"),
        (Reply::json(&json!({})), "authentication 401", "without an `access_token`"),
        (
            Reply::json(&json!({ "access_token": "x", "token_type": "mac" })),
            "authentication 401",
            "no bearer token",
        ),
    ] {
        let service = Service::answering(reply).await;
        for scheme in ["oauth2", "oidc"] {
            if scheme == "oidc" && words.contains("token") {
                continue;
            }
            let outcome = desk.http(input(&service, scheme, &policy(&service))).await;
            assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
            fails(outcome, expected, words);
        }
        assert!(service.paths().iter().all(|path| path != "POST /api"), "nothing was sent");
    }
}

#[tokio::test]
async fn issuers_are_held_against_the_token() {
    let desk = Desk::new();
    for (issuer, expected) in [("https://right", "done"), ("https://wrong", "authentication 401")] {
        let claims = URL_SAFE_NO_PAD.encode(json!({ "iss": issuer }).to_string());
        let token = format!("e30.{claims}.sig");
        let service =
            Service::answering(Reply::json(&json!({ "access_token": token, "expires_in": 60 })))
                .await;
        let mut policy = policy(&service);
        policy["issuers"] = json!(["https://right"]);
        assert_eq!(kind(&desk.http(input(&service, "oauth2", &policy)).await), expected);
    }
}

/// An authority with a discovery document whose parts are given; `HERE` is its own address.
async fn discovered(issuer: &'static str, endpoint: &'static str) -> Service {
    Service::start(move |seen: &Seen| {
        let here = format!("http://{}", seen.header("host"));
        match seen.path.as_str() {
            "/.well-known/openid-configuration" => Reply::json(&json!({
                "issuer": issuer.replace("HERE", &here),
                "token_endpoint": endpoint.replace("HERE", &here),
            })),
            "/found" => Reply::json(&json!({ "access_token": "t", "expires_in": "60" })),
            _ => Reply::json(&json!("fine")),
        }
    })
    .await
}

#[tokio::test]
async fn oidc_finds_its_token_endpoint() {
    let desk = Desk::new();
    let service = discovered("HERE/", "HERE/found").await;
    assert_eq!(kind(&desk.http(input(&service, "oidc", &policy(&service))).await), "done");
    assert_eq!(
        service.paths(),
        ["GET /.well-known/openid-configuration", "POST /found", "POST /api"]
    );
    let service = discovered("https://elsewhere", "HERE/found").await;
    let outcome = desk.http(input(&service, "oidc", &policy(&service))).await;
    fails(outcome, "authentication 401", "was issued by https://elsewhere");
    assert_eq!(service.paths(), ["GET /.well-known/openid-configuration"]);
}

#[tokio::test]
async fn a_token_is_not_shown_in_errors_of_the_service() {
    let service = Service::start(|seen: &Seen| match seen.path.as_str() {
        "/api" => Reply::status(400).body("text/plain", seen.header("authorization").to_owned()),
        _ => Reply::json(&json!({ "access_token": "t0ken-value" })),
    })
    .await;
    let outcome = Desk::new().http(input(&service, "oauth2", &policy(&service))).await;
    assert!(!format!("{outcome:?}").contains("t0ken"), "{outcome:?}");
    fails(outcome, "communication 400", "Bearer ***");
}
