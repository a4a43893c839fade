//! The door, knocked at: a real engine on a database of its own, requests without a socket.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::json;
use tenure_adapters::{Settings, registry};
use tenure_machine::CloudEvent;
use tenure_runtime::Config;
use tenure_store::ladder::{TestCluster, TestDatabase};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;
use crate::workflow;

mod bad_input;
mod data;
mod human;
mod life;

/// An API on a database of its own. The database goes away with it.
pub(super) struct Door {
    router: Router,
    engine: Engine,
    database: TestDatabase,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The kind of a problem, without its prefix; checks that it is a whole one.
    pub(super) fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], json!(self.status), "{self:?}");
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{self:?}");
        self.body["type"].as_str().unwrap().strip_prefix("urn:tenure:problem:").unwrap()
    }
}

impl Door {
    pub(super) async fn open(token: Option<&str>) -> Self {
        let database = TestCluster::shared().await.unwrap().database().await.unwrap();
        let store = Arc::new(database.store().await.unwrap());
        let registry = registry(Settings::default()).unwrap();
        let config = Config::new(Uuid::now_v7(), crate::core::NAMESPACE);
        let engine = Engine::start(store, registry, config).await.unwrap();
        let app = App {
            engine: engine.clone(),
            token: token.map(|token| Token::new(token).unwrap()),
            jwks: json!({ "keys": [] }),
            schema_version: 1,
        };
        Self { router: router(Arc::new(app)), engine, database }
    }

    /// One with the shipped processes registered.
    pub(super) async fn with_workflows() -> Self {
        let door = Self::open(None).await;
        let sources = workflow::sources(None).unwrap();
        workflow::register(&door.engine, sources).await.unwrap();
        door
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = to_bytes(response.into_body(), limit::BODY_BYTES_MAX * 4).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).header("host", "localhost").body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(body.into()).unwrap()).await
    }
}

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const YAML: (&str, &str) = ("content-type", "application/yaml");
pub(super) const EVENT: (&str, &str) = ("content-type", "application/cloudevents+json");

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_what_is_there() {
    let door = Door::open(None).await;
    assert_eq!(door.get("/livez").await.status, 200);
    let ready = door.get("/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    let checks = &ready.body["checks"];
    assert_eq!(checks["database"]["ok"], json!(true));
    assert_eq!(checks["lease"]["ok"], json!(true));
    // The test database flushes nothing, and says so.
    assert_eq!(checks["durability"]["grade"], json!("C"));
    assert_eq!(checks["schema"]["version"], json!(1));
    assert_eq!(door.get("/.well-known/jwks.json").await.body, json!({ "keys": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_going_down_is_not_ready() {
    let door = Door::open(None).await;
    door.engine.shutdown().await.unwrap();
    let ready = door.get("/readyz").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    assert_eq!(ready.body["checks"]["lease"]["ok"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_machine_knocks_without_a_token() {
    let door = Door::open(None).await;
    let knock = |host: &str, origin: Option<&str>| {
        let mut request = Request::get("/v1/instances").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        door.ask(request.body(Body::empty()).unwrap())
    };
    assert_eq!(knock("127.0.0.1:8080", None).await.status, 200);
    assert_eq!(knock("[::1]:8080", Some("http://localhost:8081")).await.status, 200);
    assert_eq!(knock("evil.example:8080", None).await.problem(), "foreign-host");
    assert_eq!(knock("localhost", Some("https://evil.example")).await.problem(), "foreign-origin");
    assert_eq!(knock("localhost", Some("null")).await.status, 403);
    let nameless = Request::get("/v1/instances").body(Body::empty()).unwrap();
    assert_eq!(door.ask(nameless).await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_every_route_of_v1_asks_for_it() {
    let door = Door::open(Some("0123456789abcdef")).await;
    let knock = |path: &str, authorization: Option<&str>| {
        let mut request = Request::get(path).header("host", "tenure.example");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        door.ask(request.body(Body::empty()).unwrap())
    };
    for path in ["/v1/instances", "/v1/definitions", "/v1/events?source=a&id=b", "/v1/nothing"] {
        let refused = knock(path, None).await;
        assert_eq!((refused.status, refused.problem()), (401, "unauthorized"), "{path}");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        assert_eq!(knock(path, Some("Bearer wrong-wrong-wrong")).await.status, 401, "{path}");
        let open = knock(path, Some("Bearer 0123456789abcdef")).await;
        assert_ne!(open.status, 401, "{path}");
    }
    assert_eq!(knock("/readyz", None).await.status, 200);
    assert_eq!(knock("/.well-known/jwks.json", None).await.status, 200);
}
