//! The sandbox itself: its ledger outlives it, its inbox can be read, its faults can be scripted.

use std::io::Write;

use serde_json::{Value, json};
use tenure_adapters::sandbox::{Sandbox, SandboxOptions, Vendor};

use crate::bench::{self, Bench, TempDir};

async fn get(url: &str) -> (u16, String, String) {
    let response = reqwest::get(url).await.unwrap();
    let policy = response.headers().get("content-security-policy").cloned();
    let policy = policy.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (response.status().as_u16(), policy, response.text().await.unwrap())
}

#[tokio::test]
async fn effects_survive_the_process_and_a_torn_line() {
    let dir = TempDir::new();
    let options = || SandboxOptions { dir: Some(dir.path().join("s")), ..Default::default() };
    let first = Sandbox::start(options()).await.unwrap();
    let bench = Bench {
        registry: tenure_adapters::registry(bench::settings(&first, dir.path())).unwrap(),
        sandbox: first,
        dir: TempDir::new(),
    };
    bench.done("zuora.createAccount", "a", bench::account("A-1")).await;
    let order = bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    let before = bench.sandbox.ledger(Vendor::Zuora);
    let file = dir.path().join("s/zuora.jsonl");
    drop(bench);
    let mut torn = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    torn.write_all(b"{\"seq\":99,\"at\":\"20").unwrap();

    let second = Sandbox::start(options()).await.unwrap();
    let bench = Bench {
        registry: tenure_adapters::registry(bench::settings(&second, dir.path())).unwrap(),
        sandbox: second,
        dir: TempDir::new(),
    };
    assert_eq!(bench.sandbox.ledger(Vendor::Zuora), before);
    // The same key is still known: no second order, the very same answer.
    let again = bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    assert_eq!(again, order);
    bench.done("zuora.createOrder", "o2", bench::order("2", "card_ok")).await;
    drop(bench);
    let third = Sandbox::start(options()).await.unwrap();
    assert_eq!(third.ledger(Vendor::Zuora).len(), before.len() + 1);
}

#[tokio::test]
async fn a_broken_ledger_is_not_taken_for_an_empty_one() {
    let dir = TempDir::new();
    std::fs::write(dir.path().join("marketo.jsonl"), "nonsense\n").unwrap();
    let options = SandboxOptions { dir: Some(dir.path().to_owned()), ..Default::default() };
    let error = Sandbox::start(options).await.unwrap_err().to_string();
    assert!(error.contains("marketo.jsonl, line 1"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = SandboxOptions { dir: None, ports: [(Vendor::Mailgun, port)].into() };
    let error = Sandbox::start(options).await.unwrap_err().to_string();
    assert!(error.contains(&format!("port {port} for the mailgun sandbox")), "{error}");
}

#[tokio::test]
async fn the_inbox_shows_mails_without_trusting_them() {
    let bench = Bench::start().await;
    let mut input = bench::mail();
    input["data"]["name"] = json!("<b onclick=alert(1)>");
    bench.done("mail.send", "m", input).await;
    let url = bench.sandbox.inbox_url();
    let (status, _, list) = get(&url).await;
    assert_eq!(status, 200);
    assert!(list.contains("Hello &lt;b onclick"), "{list}");
    let (_, policy, view) = get(&format!("{url}inbox/1")).await;
    assert!(view.contains("sandbox=\"allow-popups") && !view.contains("<b onclick"), "{view}");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let (_, policy, mail) = get(&format!("{url}inbox/1/html")).await;
    assert!(policy.contains("sandbox") && !policy.contains("allow-scripts"), "{policy}");
    assert!(
        mail.contains("example.com&#x2f;?a=1&amp;b=2") && !mail.contains("<b onclick"),
        "{mail}"
    );
    assert_eq!(get(&format!("{url}inbox/2")).await.0, 404);
}

#[tokio::test]
async fn faults_are_scripted_over_http() {
    let bench = Bench::start().await;
    let base = bench.sandbox.base_url(Vendor::Zuora);
    let client = reqwest::Client::new();
    let plan =
        json!([{ "operation": "createAccount", "kind": "status", "status": 400, "times": 2 }]);
    let url = format!("{base}/sandbox/faults");
    let put = client.put(&url).json(&plan).send().await.unwrap();
    assert_eq!(put.json::<Value>().await.unwrap(), plan);
    for _ in 0..2 {
        bench.call("zuora.createAccount", "a", bench::account("A-1")).await;
    }
    assert_eq!(get(&url).await.2, "[]");
    bench.done("zuora.createAccount", "a", bench::account("A-1")).await;
    let ledger: Value =
        serde_json::from_str(&get(&format!("{base}/sandbox/ledger")).await.2).unwrap();
    assert_eq!(ledger[0]["effects"][0]["kind"], "account");
    client.put(&url).json(&plan).send().await.unwrap();
    client.delete(&url).send().await.unwrap();
    assert_eq!(bench.sandbox.faults(Vendor::Zuora), Vec::new());
}

#[tokio::test]
async fn strangers_get_nothing() {
    let bench = Bench::start().await;
    for (vendor, path, expected) in [
        (Vendor::Zuora, "/v1/accounts/A-1", 401),
        (Vendor::Salesforce, "/services/data/v61.0/sobjects/Account/Tenure_External_Id__c/A", 401),
        (Vendor::Mailgun, "/v3/mail.tenure.example/events", 401),
    ] {
        let url = format!("{}{path}", bench.sandbox.base_url(vendor));
        assert_eq!(get(&url).await.0, expected, "{url}");
    }
    let mut settings = bench.settings();
    for connection in settings.connections.values_mut() {
        connection.secret = "wrong".to_owned();
    }
    let registry = tenure_adapters::registry(settings).unwrap();
    for (function, input) in [
        ("zuora.createAccount", bench::account("A-1")),
        ("salesforce.upsertAccount", bench::crm()[0].1.clone()),
        ("marketo.upsertLead", bench::lead()),
        ("mail.send", bench::mail()),
    ] {
        let request = bench.request(function, "k", input);
        let outcome = registry.adapter(function).unwrap().perform(&request).await;
        bench::rejected(&outcome, tenure_adapter::Reason::Config, "");
        let text = format!("{outcome:?} {registry:?}");
        assert!(!text.contains("wrong"), "a secret leaked: {text}");
    }
}

#[tokio::test]
async fn the_vendors_check_what_they_are_sent() {
    let bench = Bench::with_account().await;
    let check = async |field: &str, value: Value, words: &str| {
        let mut request = bench.request("zuora.createOrder", field, bench::order("9", "card_ok"));
        request.input[field] = value;
        let outcome = bench.registry.adapter("zuora.createOrder").unwrap().perform(&request).await;
        bench::rejected(&outcome, tenure_adapter::Reason::Invalid, words);
    };
    check("account_number", json!("A-404"), "Cannot find account A-404").await;
    check("sku", json!("nothing"), "no product").await;
    check("payment_method", json!("4111111111111111"), "does not exist").await;
    check("quantity", json!(0), "quantity").await;
    assert_eq!(bench.count(Vendor::Zuora, "order"), 0);
}
