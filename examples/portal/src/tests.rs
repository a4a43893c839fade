//! The pages against an API that is played on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::*;

const TOKEN: &str = "abcdefghijklmnopqrstuv";

/// A request the API received.
#[derive(Debug, Clone)]
struct Call {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Value,
}

#[derive(Default)]
struct Script {
    calls: Vec<Call>,
    answers: VecDeque<(u16, Value)>,
}

/// An API that says what the test wants, in order, and remembers what it was asked.
#[derive(Clone, Default)]
struct FakeApi(Arc<Mutex<Script>>);

impl FakeApi {
    fn then(&self, status: u16, body: Value) -> &Self {
        self.0.lock().unwrap().answers.push_back((status, body));
        self
    }

    fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.clone()
    }
}

async fn play(State(api): State<FakeApi>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let mut script = api.0.lock().unwrap();
    script.calls.push(Call {
        method: parts.method,
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    });
    let (status, body) = script.answers.pop_front().expect("the test scripted too few answers");
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

struct Portal {
    router: Router,
    api: FakeApi,
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Portal {
    async fn open() -> Self {
        let api = FakeApi::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = PortalConfig {
            api_url: format!("http://{}/", listener.local_addr().unwrap()),
            token: Some("s3cret".to_owned()),
            inbox_url: "http://127.0.0.1:9/inbox".to_owned(),
        };
        let service = Router::new().fallback(play).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        let app = App::new(&config, "127.0.0.1:8081".parse().unwrap()).unwrap();
        Self { router: router(Arc::new(app)), api }
    }

    async fn send(&self, mut request: Request) -> Page {
        let peer: SocketAddr = "127.0.0.1:50000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes: Bytes = to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str) -> Page {
        let request = Request::get(path).header("host", "127.0.0.1:8081");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str) -> Page {
        let request = Request::post(path)
            .header("host", "127.0.0.1:8081")
            .header("origin", "http://127.0.0.1:8081")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

impl Page {
    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    #[track_caller]
    fn check(&self, status: u16, text: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        // The templates escape slashes too, which no reader of these tests wants to see.
        let shown = self.text.replace("&#x2f;", "/");
        assert!(shown.contains(text), "{text:?} is not in {shown}");
    }
}

fn order(changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("purchase_id", "0193f3a0-0000-7000-8000-000000000001"),
        ("sku", "premium-self-managed-annual"),
        ("quantity", "10"),
        ("company", "Analytical+Engines"),
        ("first_name", "Ada"),
        ("last_name", "Lovelace"),
        ("email", "ada%40engines.example"),
        ("country", "United+Kingdom"),
        ("card", "card_ok"),
    ];
    for (name, value) in changes {
        for field in &mut fields {
            if field.0 == *name {
                field.1 = value;
            }
        }
    }
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn purchase(status: &str) -> Value {
    json!({
        "id": "p-1", "status": status, "definition": {"name": "purchase-direct"},
        "input": {"sku": "ultimate-self-managed-annual", "quantity": 3, "payment_method": "card_ok",
                  "customer": {"company": "A<b>", "first_name": "Ada", "last_name": "L",
                               "email": "ada@engines.example", "country": "GB"}},
        "context": {}, "started_at": "2026-11-22T10:29:21Z",
    })
}

#[tokio::test]
async fn the_shop_gives_each_form_a_number_of_its_own() {
    let portal = Portal::open().await;
    let number = |page: &Page| {
        let (_, rest) = page.text.split_once("name=\"purchase_id\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (one, two) = (portal.get("/").await, portal.get("/").await);
    one.check(200, "348.00 USD");
    assert_ne!(number(&one), number(&two));
    assert!(portal.api.calls().is_empty());
}

#[tokio::test]
async fn every_page_forbids_scripts_frames_and_caching() {
    let portal = Portal::open().await;
    for path in ["/", "/nowhere", "/terms/short"] {
        let page = portal.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store", "{path}");
        assert!(!page.text.contains("<script") && !page.text.contains(" style="), "{path}");
    }
}

#[tokio::test]
async fn a_form_sent_twice_carries_the_same_key_and_leads_to_the_same_purchase() {
    let portal = Portal::open().await;
    portal.api.then(201, purchase("live")).then(200, purchase("live"));
    for _ in 0..2 {
        let page = portal.post("/purchases", &order(&[])).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        assert_eq!(page.location(), "/purchases/p-1");
    }
    let calls = portal.api.calls();
    let key = "0193f3a0-0000-7000-8000-000000000001";
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!(call.method, Method::POST);
        assert_eq!(call.uri, "/v1/definitions/purchase-direct/instances");
        assert_eq!(call.headers["idempotency-key"], key);
        assert_eq!(call.headers["authorization"], "Bearer s3cret");
        assert_eq!(call.body, calls[0].body);
    }
    let input = &calls[0].body;
    assert_eq!(input["purchase_id"], key);
    assert_eq!(input["quantity"], 10);
    assert_eq!(input["customer"]["email"], "ada@engines.example");
    assert_eq!(input["portal_url"], "http://127.0.0.1:8081");
    assert!(input["terms"]["hash"].as_str().unwrap().starts_with("sha256:"));
}

#[tokio::test]
async fn mistakes_are_shown_beside_their_fields_without_asking_the_api() {
    let portal = Portal::open().await;
    for (name, value, text) in [
        ("company", "+", "Please enter the company."),
        ("email", "ada", "name@company.com"),
        ("email", "a%0Ab%40c.de", "name@company.com"),
        ("quantity", "0", "from 1 to 100000"),
        ("quantity", "-1", "from 1 to 100000"),
        ("quantity", "100001", "from 1 to 100000"),
        ("sku", "gold", "Please choose a product."),
        ("card", "gold", "Please choose a card."),
    ] {
        let page = portal.post("/purchases", &order(&[(name, value)])).await;
        page.check(422, text);
        page.check(422, &format!("id=\"{name}-problem\""));
        page.check(422, "value=\"Lovelace\"");
    }
    assert!(portal.api.calls().is_empty());
}

#[tokio::test]
async fn findings_of_the_api_are_shown_beside_their_fields() {
    let portal = Portal::open().await;
    portal.api.then(
        400,
        json!({
            "type": "urn:tenure:problem:refused-input", "title": "Refused", "status": 400,
            "detail": "2 violations", "errors": [
                {"pointer": "/customer/country", "detail": "\"Atlantis\" is not a \"country\""},
                {"pointer": "/portal_url", "detail": "odd <url>"},
            ],
        }),
    );
    let page = portal.post("/purchases", &order(&[("country", "Atlantis")])).await;
    page.check(422, "We do not know this country.");
    page.check(422, "id=\"country-problem\"");
    page.check(422, "odd &lt;url&gt;");
    page.check(422, "value=\"Atlantis\"");
}

#[tokio::test]
async fn a_changed_form_with_a_used_number_points_to_the_earlier_purchase() {
    let portal = Portal::open().await;
    portal.api.then(
        422,
        json!({"type": "urn:tenure:problem:key-reused", "started": "/v1/instances/p-1"}),
    );
    let page = portal.post("/purchases", &order(&[])).await;
    page.check(422, "href=\"/purchases/p-1\"");
    assert!(!page.text.contains("0193f3a0-0000-7000-8000-000000000001"), "a new number is needed");
}

#[tokio::test]
async fn an_api_that_fails_is_told_without_its_words() {
    let portal = Portal::open().await;
    portal.api.then(503, json!({"detail": "database at 10.0.0.7 refuses"}));
    let page = portal.post("/purchases", &order(&[])).await;
    page.check(503, "Please try again in a moment");
    assert!(!page.text.contains("10.0.0.7"));
}

#[tokio::test]
async fn foreign_hosts_and_forms_are_refused() {
    let portal = Portal::open().await;
    let send = |origin: Option<&str>, host: &str| {
        let mut request = Request::post("/purchases")
            .header("host", host)
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        portal.send(request.body(Body::from(order(&[]))).unwrap())
    };
    assert_eq!(send(Some("http://evil.example"), "127.0.0.1:8081").await.status, 403);
    assert_eq!(send(Some("null"), "127.0.0.1:8081").await.status, 403);
    assert_eq!(send(Some("http://evil.example"), "evil.example").await.status, 421);
    assert!(portal.api.calls().is_empty());
}

#[tokio::test]
async fn the_page_of_a_purchase_says_what_to_do() {
    let portal = Portal::open().await;
    let mut waiting = purchase("live");
    waiting["context"] = json!({
        "product": {"name": "Premium <x>", "eula_required": true},
        "customer": {"email": "ada@engines.example"},
        "order": {"amount": 1_000, "currency": "USD"},
    });
    waiting["children"] = json!([{"id": "e-1"}]);
    let mut child = purchase("live");
    child["definition"]["name"] = json!("eula");
    portal.api.then(200, waiting).then(200, child);
    let page = portal.get("/purchases/p-1").await;
    page.check(200, "Please accept the terms");
    page.check(200, "href=\"http://127.0.0.1:9/inbox\"");
    page.check(200, "http-equiv=\"refresh\"");
    page.check(200, "Premium &lt;x&gt;, 3 seats");

    let mut declined = purchase("faulted");
    declined["error"] = json!({"type": "urn:tenure:error:declined", "detail": "No funds."});
    portal.api.then(200, declined);
    let page = portal.get("/purchases/p-1").await;
    page.check(200, "No funds.");
    page.check(200, "href=\"/?again=p-1\"");
    assert!(!page.text.contains("http-equiv=\"refresh\""));
}

#[tokio::test]
async fn buying_again_fills_in_the_earlier_form_under_a_new_number() {
    let portal = Portal::open().await;
    portal.api.then(200, purchase("faulted"));
    let page = portal.get("/?again=p-1").await;
    page.check(200, "value=\"A&lt;b&gt;\"");
    page.check(200, "value=\"ultimate-self-managed-annual\" checked");
}

#[tokio::test]
async fn only_purchases_are_shown_as_such() {
    let portal = Portal::open().await;
    let mut other = purchase("live");
    other["definition"]["name"] = json!("eula");
    portal.api.then(200, other).then(404, json!({}));
    portal.get("/purchases/p-1").await.check(404, "no purchase with this number");
    portal.get("/purchases/none").await.check(404, "no purchase with this number");
}

#[tokio::test]
async fn the_license_is_shown_and_downloaded() {
    let portal = Portal::open().await;
    let mut done = purchase("completed");
    done["output"] = json!({"license": {
        "license_id": "l-1", "kid": "k", "jws": "aaa.bbb.ccc", "users": 3,
        "starts_on": "2026-11-22", "expires_on": "2027-11-22",
    }});
    portal.api.then(200, done.clone()).then(200, done).then(200, purchase("live"));
    portal.get("/purchases/p-1/license").await.check(200, "2026-11-22 to 2027-11-22");
    let file = portal.get("/purchases/p-1/license.jwt").await;
    assert_eq!((file.status, file.text.as_str()), (StatusCode::OK, "aaa.bbb.ccc"));
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"license.jwt\"");
    portal.get("/purchases/p-1/license").await.check(404, "no license yet");
}

#[tokio::test]
async fn an_acceptance_is_sent_strictly_and_leads_to_its_answer() {
    let portal = Portal::open().await;
    let path = format!("/terms/{TOKEN}");
    portal.get(&path).await.check(200, "8. Acceptance</h2>");
    portal.api.then(202, json!({"id": "first", "delivered_to": []}));
    let page = portal.post(&path, "name=Ada&email=Ada%40engines.example&agree=yes").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(page.location(), format!("/terms/{TOKEN}/answer?event=first"));
    let calls = portal.api.calls();
    assert_eq!(calls[0].uri, "/v1/events");
    assert_eq!(calls[0].headers["prefer"], "handling=strict");
    assert_eq!(calls[0].headers["content-type"], "application/cloudevents+json");
    let event = &calls[0].body;
    assert_eq!(event["type"], "com.tenure.terms.accepted.v1");
    assert_eq!(event["source"], "/portal");
    assert_eq!(event["data"]["token"], TOKEN);
    assert_eq!(event["data"]["email"], "ada@engines.example");
    assert_eq!(event["data"]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn a_wrong_token_and_a_half_filled_form_are_clear_and_accept_nothing() {
    let portal = Portal::open().await;
    let path = format!("/terms/{TOKEN}");
    portal.post(&path, "name=&email=x").await.check(422, "Please enter your name.");
    portal.post(&path, "name=A&email=a%40b.de").await.check(422, "confirm that you accept");
    assert!(portal.api.calls().is_empty());
    portal.api.then(404, json!({"type": "urn:tenure:problem:nobody-waits"}));
    let page = portal.post(&path, "name=A&email=a%40b.de&agree=yes").await;
    page.check(404, "This link is not valid");
    portal.get("/terms/short").await.check(404, "This link is not valid");
}

#[tokio::test]
async fn the_answer_tells_acceptance_refusal_and_the_wait_for_either() {
    let portal = Portal::open().await;
    let receipt = json!({"id": "e", "delivered_to": [{"id": "i-1"}]});
    let mut eula = purchase("live");
    eula["definition"]["name"] = json!("eula");
    eula["context"] = json!({"token": TOKEN});
    let path = format!("/terms/{TOKEN}/answer?event=e");

    portal.api.then(200, receipt.clone()).then(200, eula.clone()).then(200, json!({"items": []}));
    let page = portal.get(&path).await;
    page.check(200, "We have received your acceptance");
    page.check(200, "http-equiv=\"refresh\"");

    let refused = json!({"items": [{"entries": [{"fact": "event_emitted", "event": {
        "type": "com.tenure.terms.refused.v1", "data": {"event": "e", "reason": "only <the> user"},
    }}]}]});
    portal.api.then(200, receipt.clone()).then(200, eula.clone()).then(200, refused);
    portal.get(&path).await.check(200, "only &lt;the&gt; user");

    let mut accepted = eula.clone();
    accepted["context"]["acceptance"] =
        json!({"name": "Ada", "email": "a@b.de", "at": "2026-11-22T10:29:21Z", "version": "v"});
    portal.api.then(200, receipt.clone()).then(200, accepted);
    portal.get(&path).await.check(200, "2026-11-22 10:29 UTC");

    eula["context"]["token"] = json!("another");
    portal.api.then(200, receipt).then(200, eula);
    portal.get(&path).await.check(404, "This link is not valid");
}

#[test]
fn links_in_mails_lead_to_an_address_a_browser_can_open() {
    for (bound, expected) in [
        ("0.0.0.0:8081", "127.0.0.1:8081"),
        ("[::]:8081", "[::1]:8081"),
        ("10.0.0.5:80", "10.0.0.5:80"),
    ] {
        assert_eq!(reachable(bound.parse().unwrap()).to_string(), expected);
    }
}

#[test]
fn the_token_is_not_shown_in_debug_output() {
    let config = PortalConfig {
        api_url: String::new(),
        token: Some("s3cret".to_owned()),
        inbox_url: String::new(),
    };
    assert!(!format!("{config:?}").contains("s3cret"));
}
