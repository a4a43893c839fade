//! Redirects: followed on request, never with credentials to a stranger.

use serde_json::{Value, json};

use super::{Desk, Reply, Seen, Service, fails, get, kind, output, with};

fn hops(seen: &Seen) -> Reply {
    match seen.path.as_str() {
        "/one" => Reply::redirect(302, "/two?x=1"),
        "/two" => Reply::redirect(301, "three"),
        "/three" => Reply::redirect(307, "/end"),
        "/see" => Reply::redirect(303, "/end"),
        "/see-fail" => Reply::redirect(303, "/fail"),
        "/kept" => Reply::redirect(308, "/end"),
        "/kept-fail" => Reply::redirect(308, "/fail"),
        "/kept-refused" => Reply::redirect(307, "/refused"),
        "/see-refused" => Reply::redirect(302, "/refused"),
        "/loop" => Reply::redirect(302, "/loop"),
        "/scheme" => Reply::redirect(302, "ftp://a.example/"),
        "/credentials" => Reply::redirect(302, "http://u:p@a.example/"),
        "/nowhere" => Reply::redirect(302, "http://"),
        "/gone" => Reply::redirect(307, "http://127.0.0.1:1/"),
        "/see-gone" => Reply::redirect(303, "http://127.0.0.1:1/"),
        "/see-scheme" => Reply::redirect(303, "ftp://a.example/"),
        "/see-credentials" => Reply::redirect(301, "http://u:p@a.example/"),
        "/see-nowhere" => Reply::redirect(303, "http://"),
        "/see-plain" => Reply::redirect(303, "http://shop.example/end"),
        "/see-loop" => Reply::redirect(303, "/see-loop"),
        "/see-headers" => large_headers(Reply::redirect(303, "/end")),
        "/kept-headers" => large_headers(Reply::redirect(307, "/end")),
        "/kept-plain" => Reply::redirect(307, "http://shop.example/end"),
        "/choice" => Reply::status(300).body("text/plain", "choose"),
        "/fail" => Reply::status(500),
        "/refused" => Reply::status(404),
        _ => Reply::json(&json!({ "method": seen.method, "body": seen.body })),
    }
}

fn large_headers(reply: Reply) -> Reply {
    (0..5).fold(reply, |reply, n| reply.header(&format!("x-{n}"), &"y".repeat(15 * 1024)))
}

#[tokio::test]
async fn a_redirect_is_an_error_unless_it_is_wanted() {
    let service = Service::start(hops).await;
    let desk = Desk::new();
    let input = get(&format!("{}/one", service.url));
    fails(desk.http(input.clone()).await, "communication 302", "answered 302");
    assert_eq!(service.paths(), ["GET /one"]);
    let input = with(input, json!({ "redirect": true, "output": "response" }));
    let response = output(desk.http(input).await);
    assert_eq!(response["request"]["uri"], format!("{}/end", service.url));
    assert_eq!(service.paths()[1..], ["GET /one", "GET /two", "GET /three", "GET /end"]);
}

#[tokio::test]
async fn methods_and_bodies_survive_as_the_status_says() {
    let service = Service::start(hops).await;
    let desk = Desk::new();
    for (method, path, expected) in [
        ("post", "/one", json!({ "method": "GET", "body": "" })),
        ("post", "/three", json!({ "method": "POST", "body": "[1]" })),
        ("post", "/see", json!({ "method": "GET", "body": "" })),
        ("put", "/see", json!({ "method": "GET", "body": "" })),
        ("put", "/two", json!({ "method": "PUT", "body": "[1]" })),
        ("patch", "/kept", json!({ "method": "PATCH", "body": "[1]" })),
        ("post", "/choice", json!("choose")),
    ] {
        let input = json!({
            "method": method, "endpoint": { "uri": format!("{}{path}", service.url) },
            "body": [1], "redirect": true,
        });
        assert_eq!(output(desk.http(input).await), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn what_a_failure_after_a_redirect_proves() {
    let service = Service::start(hops).await;
    let desk = Desk::new();
    for (method, path, expected, repeatable) in [
        ("get", "/loop", "communication 302", "communication 302"),
        ("get", "/scheme", "communication 302", "communication 302"),
        ("get", "/credentials", "communication 302", "communication 302"),
        ("get", "/nowhere", "communication 302", "communication 302"),
        ("get", "/gone", "not sent", "not sent"),
        ("get", "/see-fail", "communication 500", "communication 500"),
        // The service said where the result of the request is: the request has acted.
        ("post", "/see-fail", "unknown", "communication 500"),
        ("post", "/see-refused", "unknown", "communication 404"),
        ("post", "/see-gone", "unknown", "not sent"),
        ("post", "/loop", "unknown", "communication 302"),
        // The request itself moved on: what the last one says counts.
        ("post", "/kept-fail", "unknown", "communication 500"),
        ("post", "/kept-refused", "communication 404", "communication 404"),
        ("post", "/gone", "not sent", "not sent"),
    ] {
        let input = json!({
            "method": method, "endpoint": { "uri": format!("{}{path}", service.url) },
            "redirect": true,
        });
        assert_eq!(kind(&desk.http(input.clone()).await), expected, "{method} {path}");
        // A key protects no other try: keyed is judged like once.
        if method == "post" {
            let keyed = with(input.clone(), json!({ "idempotency_header": "Idempotency-Key" }));
            assert_eq!(kind(&desk.http(keyed).await), expected, "{method} {path} keyed");
        }
        let input = with(input, json!({ "repeatable": true }));
        assert_eq!(kind(&desk.http(input).await), repeatable, "{method} {path} repeatable");
    }
}

/// A double effect: it acted, and the redirect to its result was taken for a failure.
#[tokio::test]
async fn a_post_whose_303_cannot_be_followed_is_unknown() {
    let service = Service::start(hops).await;
    let desk = Desk::with_shop(&service);
    for (method, path, expected, unfollowed) in [
        ("post", "/see-scheme", "unknown", "communication 303"),
        ("post", "/see-credentials", "unknown", "communication 301"),
        ("post", "/see-nowhere", "unknown", "communication 303"),
        ("post", "/see-plain", "unknown", "communication 303"),
        ("post", "/see-headers", "unknown", "communication 303"),
        ("post", "/see-loop", "unknown", "communication 303"),
        ("post", "/scheme", "unknown", "communication 302"),
        ("patch", "/see-plain", "unknown", "communication 303"),
        // The request itself would have moved on, so it has not acted here.
        ("patch", "/scheme", "communication 302", "communication 302"),
        ("post", "/kept-headers", "communication 307", "communication 307"),
        ("post", "/kept-plain", "communication 307", "communication 307"),
        // Twice is once.
        ("put", "/see-plain", "communication 303", "communication 303"),
        ("get", "/see-plain", "communication 303", "communication 303"),
    ] {
        let input = json!({
            "method": method, "endpoint": { "uri": format!("https://shop.example{path}") },
        });
        assert_eq!(kind(&desk.http(input.clone()).await), unfollowed, "{method} {path}");
        let input = with(input, json!({ "redirect": true }));
        let outcome = desk.http(input).await;
        assert_eq!(kind(&outcome), expected, "{method} {path} followed: {outcome:?}");
    }
}

#[tokio::test]
async fn only_so_many_redirects_are_followed() {
    let service = Service::start(hops).await;
    let input = with(get(&format!("{}/loop", service.url)), json!({ "redirect": true }));
    fails(Desk::new().http(input).await, "communication 302", "more than 10 redirects");
    assert_eq!(service.seen().len(), 11);
}

#[tokio::test]
async fn credentials_stay_with_the_origin_they_were_meant_for() {
    let stranger = Service::answering(Reply::json(&Value::Null)).await;
    let target = stranger.url.clone();
    let home = Service::start(move |seen| match seen.path.as_str() {
        "/inside" => Reply::redirect(302, "/leave"),
        _ => Reply::redirect(307, &format!("{target}/landed")),
    })
    .await;
    let input = json!({
        "method": "post",
        "endpoint": {
            "uri": format!("{}/inside2", home.url),
            "authentication": { "bearer": { "token": "s3cret-token" } },
        },
        "headers": { "X-Api-Key": "s3cret-key", "Cookie": "a=s3cret", "Accept": "application/json" },
        "body": [1],
        "redirect": true,
        "idempotency_header": "Idempotency-Key",
    });
    assert_eq!(kind(&Desk::new().http(input).await), "done");
    assert_eq!(home.last().header("authorization"), "Bearer s3cret-token");
    let seen = stranger.last();
    assert_eq!((seen.path.as_str(), seen.body.as_str()), ("/landed", "[1]"));
    assert_eq!(seen.header("accept"), "application/json");
    assert_eq!(seen.header("idempotency-key"), uuid::Uuid::nil().to_string());
    assert!(!format!("{seen:?}").contains("s3cret"), "{seen:?}");
}

#[tokio::test]
async fn credentials_go_along_within_one_origin() {
    let service = Service::start(hops).await;
    let input = json!({
        "method": "get",
        "endpoint": {
            "uri": format!("{}/one", service.url),
            "authentication": { "basic": { "username": "u", "password": "p" } },
        },
        "redirect": true,
    });
    assert_eq!(kind(&Desk::new().http(input).await), "done");
    for seen in service.seen() {
        assert_eq!(seen.header("authorization"), "Basic dTpw", "{}", seen.path);
    }
}
