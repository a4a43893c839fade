//! The calls of a purchase against the sandbox, and the manifests behind them.

use serde_json::json;
use tenure_adapter::contract::check_manifest;
use tenure_adapters::sandbox::{Action, Vendor};

use crate::bench::{self, Bench, done};

#[tokio::test]
async fn every_manifest_keeps_the_contract() {
    let bench = Bench::start().await;
    let mut names = Vec::new();
    for manifest in bench.registry.catalog().functions() {
        assert_eq!(check_manifest(manifest), Ok(()));
        names.push(manifest.name.clone());
    }
    let expected = [
        "catalog.product",
        "country.normalize",
        "http",
        "license.emit",
        "mail.delivery",
        "mail.send",
        "marketo.upsertLead",
        "openapi",
        "salesforce.upsertAccount",
        "salesforce.upsertContact",
        "salesforce.upsertOpportunity",
        "token.issue",
        "zuora.cancelOrder",
        "zuora.cancelSubscription",
        "zuora.createAccount",
        "zuora.createOrder",
        "zuora.getAccount",
        "zuora.getSubscription",
        "zuora.previewOrder",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn formats_refuse_what_no_vendor_should_see() {
    let bench = Bench::start().await;
    let formats = bench.registry.catalog().formats();
    let check = |format: &str, text: &str| formats[format](text);
    assert!(check("country", "Germany") && check("country", "NO") && !check("country", "Atlantis"));
    assert!(check("sku", bench::SKU) && !check("sku", "premium"));
}

#[tokio::test]
async fn a_purchase_goes_through_all_vendors() {
    let bench = Bench::start().await;
    let product = bench.done("catalog.product", "p", json!({ "sku": bench::SKU })).await;
    assert_eq!(product["unit_price"], 34800);
    let country = bench.done("country.normalize", "c", json!({ "country": "DEU" })).await;
    assert_eq!(country["code"], "DE");
    let quote = bench.done("zuora.previewOrder", "q", bench::quote()).await;
    assert_eq!(
        quote,
        json!({ "amount": 174_000, "tax": 33_060, "total": 207_060, "currency": "USD" })
    );
    let account = bench.done("zuora.createAccount", "a", bench::account("A-1")).await;
    assert_eq!(account["account_number"], "A-1");
    let order = bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    assert_eq!(order["amount"], 207_060);
    assert_eq!(order["term_end"], "2027-11-22");
    assert_eq!(order["invoice_number"], "INV-00000001");
    let number = json!({ "subscription_number": "S-1" });
    let subscription = bench.done("zuora.getSubscription", "s", number).await;
    assert_eq!(subscription["status"], "Active");
    assert_eq!(subscription["term_end"], "2027-11-22");

    let sold = bench.done("zuora.getAccount", "ga", json!({ "account_number": "A-1" })).await;
    assert_eq!(sold["communication_profile"], "Default Profile");
    for (function, input) in bench::crm() {
        assert!(bench.done(function, function, input).await["id"].is_string());
    }
    let lead = bench.done("marketo.upsertLead", "l", bench::lead()).await;
    assert_eq!(lead["status"], "created");

    let ledger = bench.sandbox.ledger(Vendor::Zuora);
    let made: Vec<_> = ledger.iter().flat_map(|e| &e.effects).map(|e| e.kind.as_str()).collect();
    assert_eq!(
        made,
        ["account", "order", "subscription", "invoice", "payment", "payment_application"]
    );
}

#[tokio::test]
async fn cancelling_reads_first_and_so_happens_once() {
    let bench = Bench::with_account().await;
    bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    let cancel = json!({
        "subscription_number": "S-1", "effective_date": "2020-01-01", "policy": "SpecificDate",
    });
    for key in ["c1", "c2"] {
        let cancelled = bench.done("zuora.cancelSubscription", key, cancel.clone()).await;
        assert_eq!(cancelled["status"], "Cancelled");
    }
    let ledger = bench.sandbox.ledger(Vendor::Zuora);
    let effects = ledger.iter().flat_map(|entry| &entry.effects);
    assert_eq!(effects.filter(|effect| effect.action == Action::Cancelled).count(), 1);
    let absent = json!({ "subscription_number": "S-9", "policy": "EndOfCurrentTerm" });
    let absent = bench.done("zuora.cancelSubscription", "c3", absent).await;
    assert_eq!(absent["status"], "Absent");
}

#[tokio::test]
async fn orders_are_cancelled_only_while_they_are_open() {
    let bench = Bench::with_account().await;
    bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    let absent = bench.done("zuora.cancelOrder", "c", json!({ "order_number": "O-9" })).await;
    assert_eq!(absent["status"], "Absent");
    let completed = bench.call("zuora.cancelOrder", "d", json!({ "order_number": "O-1" })).await;
    bench::rejected(&completed, tenure_adapter::Reason::Invalid, "cancel its subscription");
}

#[tokio::test]
async fn an_upsert_updates_the_second_time() {
    let bench = Bench::start().await;
    let first = bench.done("marketo.upsertLead", "1", bench::lead()).await;
    let second = bench.done("marketo.upsertLead", "2", bench::lead()).await;
    assert_eq!((&first["id"], &second["status"]), (&second["id"], &json!("updated")));
    for _ in 0..2 {
        for (function, input) in bench::crm() {
            bench.done(function, function, input).await;
        }
    }
    let ledger = bench.sandbox.ledger(Vendor::Salesforce);
    let made = ledger.iter().flat_map(|entry| &entry.effects);
    assert_eq!(made.filter(|effect| effect.action == Action::Created).count(), 3);
}

#[tokio::test]
async fn tokens_repeat_with_their_effect_only() {
    let bench = Bench::start().await;
    let input = json!({ "purpose": "terms", "subject": "S-1/1" });
    let token = |key: &'static str| bench.done("token.issue", key, input.clone());
    let (first, again, other) = (token("a").await, token("a").await, token("b").await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(first["token"].as_str().map(str::len), Some(22));
    // Another start of the same installation gives the same token.
    let restarted = tenure_adapters::registry(bench.settings()).unwrap();
    let adapter = restarted.adapter("token.issue").unwrap();
    let request = bench.request("token.issue", "a", input.clone());
    assert_eq!(done(adapter.perform(&request).await), first);
}
