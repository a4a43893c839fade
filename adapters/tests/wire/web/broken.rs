//! Connections that break, and time that runs out: what that proves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Desk, kind, with};

/// Takes connections, reads a little, writes this, and then closes or keeps silent.
struct Breaker {
    url: String,
    met: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Breaker {
    async fn start(written: &'static str, hangs: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let met = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&met);
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    assert!(stream.read(&mut buffer).await.unwrap() > 0);
                    stream.write_all(written.as_bytes()).await.unwrap();
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { url, met, server }
    }
}

/// A deadline that is met, and long enough for what comes before the silence.
const SHORT_MS: u64 = 1_000;
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
const HALF_ERROR: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\nhalf";
const HALF_FAULT: &str = "HTTP/1.1 503 Oh\r\ncontent-length: 100\r\n\r\nhalf";

#[tokio::test]
async fn a_cut_proves_nothing_unless_the_method_is_safe() {
    // Written, method, outcome.
    let rows = [
        ("", "get", "communication 500"),
        ("", "head", "communication 500"),
        ("", "put", "unknown"),
        ("", "post", "unknown"),
        (HALF, "get", "communication 500"),
        (HALF, "delete", "unknown"),
        (HALF, "post", "unknown"),
        (HALF_ERROR, "get", "communication 404"),
        (HALF_ERROR, "post", "communication 404"),
        (HALF_FAULT, "put", "communication 503"),
        (HALF_FAULT, "post", "unknown"),
        ("nonsense\r\n\r\n", "get", "communication 500"),
        ("nonsense\r\n\r\n", "post", "unknown"),
    ];
    let desk = Desk::new();
    for (written, method, expected) in rows {
        let breaker = Breaker::start(written, false).await;
        let input = json!({ "method": method, "endpoint": { "uri": breaker.url } });
        let outcome = desk.http(input).await;
        assert_eq!(kind(&outcome), expected, "{method} {written:?}: {outcome:?}");
        assert_eq!(breaker.met.load(Ordering::Relaxed), 1, "{method} {written:?}: one attempt");
    }
}

const HALF_SEE_OTHER: &str =
    "HTTP/1.1 303 See Other\r\nlocation: /end\r\ncontent-length: 100\r\n\r\nhalf";
const HALF_KEPT: &str = "HTTP/1.1 307 Kept\r\nlocation: /end\r\ncontent-length: 100\r\n\r\nhalf";

/// It acted: the answer that breaks off said where the result is.
#[tokio::test]
async fn a_post_whose_303_breaks_off_is_unknown() {
    let desk = &Desk::new();
    let wanted = || json!({ "redirect": true });
    let rows = [
        (HALF_SEE_OTHER, "post", wanted(), "unknown"),
        (HALF_SEE_OTHER, "post", with(wanted(), json!({ "idempotency_header": "K" })), "unknown"),
        (HALF_SEE_OTHER, "patch", wanted(), "unknown"),
        (HALF_SEE_OTHER, "put", wanted(), "communication 303"),
        (HALF_SEE_OTHER, "get", wanted(), "communication 303"),
        // Nobody asked for the result: a 303 is an error like any other.
        (HALF_SEE_OTHER, "post", json!({}), "communication 303"),
        // It did not act here.
        (HALF_KEPT, "post", wanted(), "communication 307"),
    ];
    let checks = rows.map(|(written, method, more, expected)| async move {
        for hangs in [false, true] {
            let breaker = Breaker::start(written, hangs).await;
            let input = json!({ "method": method, "endpoint": { "uri": breaker.url } });
            let outcome = desk.call_within("http", with(input, more.clone()), SHORT_MS).await;
            assert_eq!(kind(&outcome), expected, "{method} {more} {hangs}: {outcome:?}");
        }
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn a_keyed_call_without_a_complete_answer_is_unknown() {
    let desk = &Desk::new();
    let rows = [
        ("", "unknown"),
        (HALF, "unknown"),
        (HALF_FAULT, "unknown"),
        (HALF_ERROR, "communication 404"),
        ("nonsense\r\n\r\n", "unknown"),
    ];
    let checks = rows.map(|(written, expected)| async move {
        for (method, hangs) in [("post", false), ("get", false), ("put", false), ("post", true)] {
            if hangs && written.starts_with("nonsense") {
                continue;
            }
            let breaker = Breaker::start(written, hangs).await;
            let input = json!({
                "method": method, "endpoint": { "uri": breaker.url }, "idempotency_header": "K",
            });
            let outcome = desk.call_within("http", input, SHORT_MS).await;
            assert_eq!(kind(&outcome), expected, "{method} {written:?} {hangs}: {outcome:?}");
        }
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn a_time_out_is_one_of_the_language_only_where_nothing_could_change() {
    let rows = [
        ("", "get", "timeout 408"),
        ("", "put", "unknown"),
        ("", "post", "unknown"),
        (HALF, "get", "timeout 408"),
        (HALF, "post", "unknown"),
        (HALF_ERROR, "post", "communication 404"),
    ];
    let desk = &Desk::new();
    let checks = rows.map(|(written, method, expected)| async move {
        let breaker = Breaker::start(written, true).await;
        let input = json!({ "method": method, "endpoint": { "uri": breaker.url } });
        for input in [input.clone(), with(input, json!({ "repeatable": true }))] {
            let outcome = desk.call_within("http", input, SHORT_MS).await;
            assert_eq!(kind(&outcome), expected, "{method} {written:?}: {outcome:?}");
        }
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn a_service_that_is_not_there_was_not_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let desk = Desk::new();
    for method in ["get", "post", "put"] {
        let input = json!({ "method": method, "endpoint": { "uri": url } });
        assert_eq!(kind(&desk.http(input.clone()).await), "not sent", "{method}");
        let keyed = with(input, json!({ "idempotency_header": "K", "repeatable": false }));
        assert_eq!(kind(&desk.http(keyed).await), "not sent", "{method} keyed");
    }
    let document = json!({ "document": { "endpoint": { "uri": url } }, "operationId": "x" });
    assert_eq!(kind(&desk.call("openapi", document).await), "not sent");
    let token = json!({
        "authority": url, "grant": "client_credentials", "client": { "id": "i", "secret": "s" },
    });
    for scheme in ["oauth2", "oidc"] {
        let input = json!({
            "method": "post",
            "endpoint": { "uri": url, "authentication": { (scheme): token } },
        });
        assert_eq!(kind(&desk.http(input).await), "not sent", "{scheme}");
    }
}

#[tokio::test]
async fn a_document_or_token_that_breaks_off_leaves_nothing_unknown() {
    let desk = Desk::new();
    for (written, hangs, expected) in [
        ("", false, "communication 500"),
        (HALF, false, "communication 500"),
        ("", true, "timeout 408"),
    ] {
        let breaker = Breaker::start(written, hangs).await;
        let document =
            json!({ "document": { "endpoint": { "uri": breaker.url } }, "operationId": "x" });
        let outcome = desk.call_within("openapi", document, SHORT_MS).await;
        assert_eq!(kind(&outcome), expected, "{written:?}: {outcome:?}");
        for scheme in ["oauth2", "oidc"] {
            let policy = json!({
                "authority": breaker.url, "grant": "client_credentials",
                "client": { "id": "i", "secret": "s" },
            });
            let input = json!({
                "method": "post",
                "endpoint": { "uri": breaker.url, "authentication": { (scheme): policy } },
            });
            let outcome = desk.call_within("http", input, SHORT_MS).await;
            assert_eq!(kind(&outcome), expected, "{scheme} {written:?}: {outcome:?}");
        }
    }
}
