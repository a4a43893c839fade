//! A purchase through the whole house: the good way, a vendor that fails, a card that declines, and
//! everything a portal can get wrong.

use anyhow::Context as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tenure_adapters::sandbox::{Fault, FaultKind, Vendor};
use tenure_tests::house::House;

async fn bought(house: &House, key: &str) -> anyhow::Result<Value> {
    let id = house.start(key, &house.order()).await?;
    let token = house.terms_token().await?;
    assert_eq!(house.licenses()?, 0, "no license before the terms are accepted");
    assert_eq!(house.accept("accept-1", &token).await?.0, StatusCode::ACCEPTED);
    house.end_of(&id).await
}

fn assert_one_of_each(house: &House) -> anyhow::Result<()> {
    for kind in ["account", "order", "subscription", "invoice", "payment"] {
        assert_eq!(house.count(Vendor::Zuora, kind), 1, "{kind}");
    }
    for kind in ["Account", "Contact", "Opportunity"] {
        assert_eq!(house.count(Vendor::Salesforce, kind), 1, "{kind}");
    }
    assert_eq!(house.count(Vendor::Marketo, "lead"), 1);
    // The receipt, the terms and the license.
    assert_eq!(house.count(Vendor::Mailgun, "message"), 3);
    assert_eq!(house.licenses()?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_becomes_a_paid_order_accepted_terms_and_a_license() -> anyhow::Result<()> {
    let house = House::open("purchase").await?;
    let ended = bought(&house, "good").await?;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    assert!(
        ended["output"]["license"]["jws"].as_str().is_some_and(|jws| jws.split('.').count() == 3)
    );
    assert_eq!(ended["output"]["acceptance"]["name"], "Ada Lovelace");
    assert_one_of_each(&house)?;
    // R1: the portal's GBR is GB at CRM and marketing.
    let seen = serde_json::to_string(&house.vendors.ledger(Vendor::Marketo))?;
    assert!(seen.contains("\"GB\"") && !seen.contains("GBR"), "{seen}");
    // R2: new accounts get the default profile.
    assert!(
        serde_json::to_string(&house.vendors.ledger(Vendor::Zuora))?.contains("Default Profile")
    );
    house.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_was_lost_is_found_and_not_repeated() -> anyhow::Result<()> {
    for kind in [
        FaultKind::EffectThenTimeout,
        FaultKind::EffectThenDrop,
        FaultKind::EffectThenGarbage,
        FaultKind::EffectThenStatus { status: 502 },
    ] {
        let house = House::open("lost-answer").await?;
        house.vendors.set_faults(Vendor::Zuora, vec![Fault::once("createOrder", kind.clone())]);
        let ended = bought(&house, "lost").await?;
        assert_eq!(ended["status"], "completed", "{kind:?}: {ended:#}");
        assert_one_of_each(&house).with_context(|| format!("{kind:?}"))?;
        house.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_answer_was_lost_is_looked_up_and_not_sent_twice() -> anyhow::Result<()> {
    let house = House::open("lost-mail").await?;
    let lost = Fault::once("messages", FaultKind::EffectThenTimeout).times(2);
    house.vendors.set_faults(Vendor::Mailgun, vec![lost]);
    let ended = bought(&house, "lost-mail").await?;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    assert_one_of_each(&house)?;
    house.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn vendors_that_are_busy_for_a_while_only_delay_the_purchase() -> anyhow::Result<()> {
    let house = House::open("busy").await?;
    let busy = FaultKind::Status { status: 429, retry_after_s: Some(1) };
    house.vendors.set_faults(Vendor::Zuora, vec![Fault::once("createAccount", busy.clone())]);
    house
        .vendors
        .set_faults(Vendor::Salesforce, vec![Fault::once("upsertAccount", FaultKind::Drop)]);
    house.vendors.set_faults(Vendor::Marketo, vec![Fault::once("upsertLead", FaultKind::Timeout)]);
    let ended = bought(&house, "busy").await?;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    assert_one_of_each(&house)?;
    house.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_gives_no_license_and_a_clear_end() -> anyhow::Result<()> {
    let house = House::open("declined").await?;
    let mut order = house.order();
    order["payment_method"] = json!("card_declined_insufficient_funds");
    let id = house.start("declined", &order).await?;
    let ended = house.end_of(&id).await?;
    assert_eq!(ended["status"], "faulted");
    assert_eq!(ended["error"]["status"], 402);
    assert_eq!(ended["error"]["type"], "urn:tenure:error:declined");
    let words = ended["error"]["detail"].as_str().unwrap_or_default();
    assert!(words.contains("declined"), "{words}");
    assert_eq!(house.licenses()?, 0);
    assert_eq!(house.count(Vendor::Mailgun, "message"), 0, "nothing is promised by mail");
    assert_eq!(house.count(Vendor::Zuora, "order"), 0);
    assert_eq!(house.count(Vendor::Zuora, "subscription"), 0, "no subscription stays active");
    assert_eq!(house.count(Vendor::Zuora, "payment"), 0);
    house.close().await
}

async fn problem(house: &House, key: &str, body: String) -> anyhow::Result<(StatusCode, Value)> {
    let response = house.buy(key, body).await?;
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().map(str::to_owned));
    let status = response.status();
    assert_eq!(kind.transpose()?.as_deref(), Some("application/problem+json"), "{status}");
    Ok((status, response.json().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_a_clear_problem_and_no_vendor_hears_of_it() -> anyhow::Result<()> {
    let house = House::open("bad-input").await?;
    let with = |pointer: &str, value: Value| {
        let mut order = house.order();
        if let Some(place) = order.pointer_mut(pointer) {
            *place = value;
        }
        order
    };
    let mut missing = house.order();
    missing["customer"].as_object_mut().context("an object")?.remove("email");
    let cases = [
        ("unknown country", with("/customer/country", json!("Atlantis")), "/customer/country"),
        ("unknown SKU", with("/sku", json!("free-lunch")), "/sku"),
        ("missing field", missing, "/customer"),
        ("no seats", with("/quantity", json!(0)), "/quantity"),
        ("a card number", with("/payment_method", json!("4111 1111 1111 1111")), "/payment_method"),
    ];
    for (name, body, pointer) in cases {
        let (status, problem) = problem(&house, name, body.to_string()).await?;
        assert!(status.is_client_error(), "{name}: {status}");
        let errors = problem["errors"].to_string();
        assert!(errors.contains(pointer), "{name}: {problem:#}");
        assert!(problem["detail"].as_str().is_some_and(|words| !words.is_empty()), "{name}");
    }
    let (status, malformed) = problem(&house, "malformed", "{\"sku\": ".to_owned()).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        malformed["detail"].as_str().is_some_and(|words| words.contains("line 1")),
        "{malformed}"
    );
    assert_eq!(house.effects(), 0, "no vendor may hear of a refused order");
    house.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_and_a_second_acceptance_answers_like_the_first()
-> anyhow::Result<()> {
    let house = House::open("tokens").await?;
    let id = house.start("tokens", &house.order()).await?;
    let token = house.terms_token().await?;
    let before = house.effects();
    let (status, problem) = house.accept("wrong", "0123456789abcdef").await?;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|words| !words.is_empty()));
    assert_eq!(house.effects(), before, "a wrong token reaches no vendor");

    let first = house.accept("accept-1", &token).await?;
    let ended = house.end_of(&id).await?;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    let effects = house.effects();
    let again = house.accept("accept-1", &token).await?;
    let other = house.accept("accept-2", &token).await?;
    for (status, body) in [&again, &other] {
        assert_eq!(*status, first.0, "{body}");
        assert_eq!(body["id"], "accept-1", "{body}");
        assert_eq!(body["delivered_to"], first.1["delivered_to"], "{body}");
    }
    assert_eq!(house.effects(), effects, "a second acceptance reaches no vendor");
    house.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_purchase_and_never_another_one() -> anyhow::Result<()> {
    let house = House::open("same-key").await?;
    let order = house.order();
    let id = house.start("one-key", &order).await?;
    let again = house.buy("one-key", order.to_string()).await?;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(again.json::<Value>().await?["id"], json!(id));
    let mut other = order;
    other["quantity"] = json!(26);
    let (status, _) = problem(&house, "one-key", other.to_string()).await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let token = house.terms_token().await?;
    house.accept("accept-1", &token).await?;
    house.end_of(&id).await?;
    assert_one_of_each(&house)?;
    house.close().await
}
