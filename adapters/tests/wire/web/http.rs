//! Requests, outputs, and what a status means.

use serde_json::{Value, json};

use super::{Desk, Reply, Service, error, fails, get, kind, output, with};

#[tokio::test]
async fn the_request_arrives_as_it_was_written() {
    let service = Service::answering(Reply::json(&json!({ "ok": true }))).await;
    let desk = Desk::new();
    let input = json!({
        "method": "POST",
        "endpoint": { "uri": format!("{}/pets?x=1", service.url) },
        "headers": { "X-Number": 7, "X-Flag": true, "X-Text": "a b" },
        "query": { "tag": ["a", "b&c"], "limit": 10, "none": null },
        "body": { "name": "Ada", "age": 36 },
    });
    assert_eq!(output(desk.http(input).await), json!({ "ok": true }));
    let seen = service.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/pets"));
    assert_eq!(seen.query, "x=1&tag=a&tag=b%26c&limit=10");
    assert_eq!(seen.header("x-number"), "7");
    assert_eq!(seen.header("x-flag"), "true");
    assert_eq!(seen.header("x-text"), "a b");
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.body, r#"{"name":"Ada","age":36}"#);
}

#[tokio::test]
async fn every_method_is_sent_in_either_case() {
    let service = Service::answering(Reply::status(204)).await;
    let desk = Desk::new();
    for method in ["get", "HEAD", "options", "PUT", "delete", "POST", "patch"] {
        let input = json!({ "method": method, "endpoint": { "uri": service.url } });
        assert_eq!(output(desk.http(input).await), Value::Null, "{method}");
        assert_eq!(service.last().method, method.to_uppercase());
    }
}

#[tokio::test]
async fn the_effect_key_travels_in_the_header_the_author_named() {
    let service = Service::answering(Reply::status(200)).await;
    let input = json!({
        "method": "post", "endpoint": { "uri": service.url },
        "idempotency_header": "Idempotency-Key",
    });
    assert_eq!(kind(&Desk::new().http(input).await), "done");
    assert_eq!(service.last().header("idempotency-key"), uuid::Uuid::nil().to_string());
}

#[tokio::test]
async fn outputs_are_raw_content_or_the_whole_response() {
    let service = Service::answering(
        Reply::json(&json!({ "id": 1 })).header("x-many", "a").header("x-many", "b"),
    )
    .await;
    let desk = Desk::new();
    let base = with(
        get(&format!("{}/pet?status=new&api_key=hidden-key", service.url)),
        json!({ "headers": {
            "Accept": "application/json", "X-Api-Key": "hidden-key", "Cookie": "session=hidden-key",
            "Authorization": "Bearer hidden-key", "X-Echo": "has hidden-key",
        } }),
    );
    let of = |output: &str| with(base.clone(), json!({ "output": output }));
    assert_eq!(output(desk.http(of("content")).await), json!({ "id": 1 }));
    assert_eq!(output(desk.http(of("raw")).await), json!("eyJpZCI6MX0="));
    let response = output(desk.http(of("response")).await);
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["content"], json!({ "id": 1 }));
    assert_eq!(response["headers"]["content-type"], "application/json");
    assert_eq!(response["headers"]["x-many"], "a, b");
    assert_eq!(
        response["request"],
        json!({
            "method": "GET",
            "uri": format!("{}/pet?status=new&api_key=***", service.url),
            "headers": { "accept": "application/json", "x-echo": "has ***" },
        })
    );
    assert!(!response.to_string().contains("hidden-key"), "{response}");
    assert!(!desk.records().contains("hidden-key"), "{}", desk.records());
}

#[tokio::test]
async fn a_status_means_what_the_method_allows() {
    // Method, status, outcome, outcome when it may be repeated.
    let rows = [
        ("get", 404, "communication 404", "communication 404"),
        ("get", 429, "communication 429", "communication 429"),
        ("get", 503, "communication 503", "communication 503"),
        ("get", 304, "communication 304", "communication 304"),
        ("head", 500, "communication 500", "communication 500"),
        ("options", 500, "communication 500", "communication 500"),
        ("put", 409, "communication 409", "communication 409"),
        ("put", 500, "communication 500", "communication 500"),
        ("delete", 502, "communication 502", "communication 502"),
        ("post", 302, "communication 302", "communication 302"),
        ("post", 400, "communication 400", "communication 400"),
        ("post", 401, "communication 401", "communication 401"),
        ("post", 429, "communication 429", "communication 429"),
        ("post", 500, "unknown", "communication 500"),
        ("post", 503, "unknown", "communication 503"),
        ("patch", 422, "communication 422", "communication 422"),
        ("patch", 504, "unknown", "communication 504"),
    ];
    let desk = Desk::new();
    for (method, status, expected, repeatable) in rows {
        let service = Service::answering(Reply::status(status)).await;
        let input = json!({ "method": method, "endpoint": { "uri": service.url } });
        let outcome = desk.http(input.clone()).await;
        assert_eq!(kind(&outcome), expected, "{method} {status}: {outcome:?}");
        let outcome = desk.http(with(input, json!({ "repeatable": true }))).await;
        assert_eq!(kind(&outcome), repeatable, "{method} {status} repeatable: {outcome:?}");
        assert_eq!(service.seen().len(), 2, "{method} {status}: one attempt each");
    }
}

/// A double charge: the next try after a failure has a new key.
#[tokio::test]
async fn a_keyed_call_that_may_have_acted_is_never_a_failure() {
    let json = |body: &str| Reply::status(200).body("application/json", body);
    let large = || Reply::status(200).body("text/plain", "x".repeat(1024 * 1024 + 1));
    let headers = || {
        (0..5).fold(Reply::status(200), |reply, n| {
            reply.header(&format!("x-{n}"), &"y".repeat(15 * 1024))
        })
    };
    let rows = [
        (Reply::status(500), "unknown"),
        (Reply::status(502), "unknown"),
        (Reply::status(503).header("retry-after", "1"), "unknown"),
        (json("<html>"), "unknown"),
        (large(), "unknown"),
        (headers(), "unknown"),
        (json("1"), "done"),
        // These prove that nothing happened.
        (Reply::status(400), "communication 400"),
        (Reply::status(429), "communication 429"),
    ];
    let desk = Desk::new();
    for (reply, expected) in rows {
        let service = Service::answering(reply.clone()).await;
        for declared in [
            json!({ "idempotency_header": "Idempotency-Key", "repeatable": false }),
            json!({ "idempotency_header": "Idempotency-Key" }),
            // No other word weakens a key.
            json!({ "idempotency_header": "Idempotency-Key", "repeatable": true }),
            // `at-most-once`.
            json!({ "repeatable": false }),
        ] {
            for method in ["post", "patch", "put", "delete", "get"] {
                let input = json!({ "method": method, "endpoint": { "uri": service.url } });
                let outcome = desk.http(with(input, declared.clone())).await;
                let status = reply.status;
                assert_eq!(kind(&outcome), expected, "{method} {status} {declared}");
            }
        }
    }
}

#[tokio::test]
async fn words_of_a_stranger_are_one_line_of_a_bounded_length() {
    let odd = format!("a\u{1b}[31mb\r\nc\u{202E}d\0e {}", "x".repeat(10_000));
    let long = "y".repeat(10_000);
    for (reply, words, most) in [
        (Reply::status(400).body("text/plain", odd.clone()), "a [31mb  c d e x", 400),
        (Reply::status(400).body("application/json", odd), "a [31mb  c d e x", 400),
        (
            Reply::status(200).body("text/plain", "x").header("content-encoding", &long),
            "yyy",
            2_000,
        ),
    ] {
        let service = Service::answering(reply).await;
        let detail = error(Desk::new().http(get(&service.url)).await).detail.unwrap();
        assert!(detail.contains(words), "{detail:?}");
        assert!(!detail.contains(char::is_control), "{detail:?}");
        assert!(detail.chars().count() <= most, "{}", detail.chars().count());
    }
}

#[tokio::test]
async fn an_error_tells_the_place_the_words_and_the_wish_of_the_service() {
    let reply = Reply::status(503).body("text/plain", "down for\nmaintenance");
    let service = Service::answering(reply.header("retry-after", "7")).await;
    let problem = error(Desk::new().http(get(&format!("{}/a?key=abcd", service.url))).await);
    assert_eq!(
        problem.kind,
        "https://open-workflow-specification.org/spec/1.0.0/errors/communication"
    );
    assert_eq!(
        problem.detail.unwrap(),
        format!("GET {}/a answered 503: down for maintenance", service.url)
    );
    assert_eq!(problem.data, Some(json!({ "retry_after_ms": 7_000 })));
}

#[tokio::test]
async fn a_service_that_echoes_credentials_does_not_get_them_into_an_error() {
    let service = Service::start(|seen| {
        Reply::status(400).body("application/json", json!(seen.headers).to_string())
    })
    .await;
    let desk = Desk::new();
    for policy in [
        json!({ "basic": { "username": "ada", "password": "s3cret\"pass" } }),
        json!({ "bearer": { "token": "s3cret-token" } }),
    ] {
        let input = json!({
            "method": "get", "endpoint": { "uri": service.url, "authentication": policy },
            "headers": { "X-Api-Key": "s3cret-key" },
        });
        let text = format!("{:?}", desk.http(input).await);
        assert!(text.contains("***"), "{text}");
        for secret in ["s3cret", "YWRhOnMzY3JldCJwYXNz"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn content_that_is_not_what_it_says_is_an_error_or_unknown() {
    let service = Service::answering(Reply::status(200).body("application/json", "<html>")).await;
    let desk = Desk::new();
    for (method, expected) in [
        ("get", "communication 500"),
        ("put", "communication 500"),
        ("post", "unknown"),
        ("patch", "unknown"),
    ] {
        let input = json!({ "method": method, "endpoint": { "uri": service.url } });
        assert_eq!(kind(&desk.http(input.clone()).await), expected, "{method}");
        let raw = with(input, json!({ "output": "raw" }));
        assert_eq!(output(desk.http(raw).await), json!("PGh0bWw+"), "{method}");
    }
}

#[tokio::test]
async fn bodies_have_limits_in_both_directions() {
    let desk = Desk::new();
    let megabyte = 1024 * 1024;
    let large = |status, size| Reply::status(status).body("text/plain", "x".repeat(size));
    for (method, status, size, expected) in [
        ("get", 200, megabyte, "done"),
        ("get", 200, megabyte + 1, "communication 500"),
        ("put", 200, megabyte + 1, "communication 500"),
        ("post", 200, megabyte + 1, "unknown"),
        ("post", 404, megabyte + 1, "communication 404"),
        ("post", 500, megabyte + 1, "unknown"),
    ] {
        let service = Service::answering(large(status, size)).await;
        let input = json!({ "method": method, "endpoint": { "uri": service.url } });
        assert_eq!(kind(&desk.http(input).await), expected, "{method} {status} {size}");
    }
    let service = Service::answering(Reply::status(200)).await;
    let input = json!({
        "method": "post", "endpoint": { "uri": service.url }, "body": "x".repeat(megabyte),
    });
    fails(desk.http(input).await, "configuration 400", "the body exceeds");
    assert_eq!(service.seen().len(), 0, "nothing is sent");
}

#[tokio::test]
async fn large_headers_of_an_answer_are_not_read() {
    let reply = |status| {
        (0..5).fold(Reply::status(status), |reply, n| {
            reply.header(&format!("x-{n}"), &"y".repeat(15 * 1024))
        })
    };
    for (method, status, expected) in [
        ("get", 200, "communication 500"),
        ("post", 200, "unknown"),
        ("post", 400, "communication 400"),
    ] {
        let service = Service::answering(reply(status)).await;
        let input = json!({ "method": method, "endpoint": { "uri": service.url } });
        assert_eq!(kind(&Desk::new().http(input).await), expected, "{method} {status}");
    }
}
