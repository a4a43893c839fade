//! What a faulty vendor proves: one row per way to fail.

use serde_json::{Value, json};
use tenure_adapter::{DeclineClass, Lookup, Outcome, Reason};
use tenure_adapters::sandbox::{Fault, FaultKind, Vendor};

use crate::bench::{self, Bench, rejected};

/// An outcome without its words.
fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { .. } => "done".to_owned(),
        Outcome::Rejected { reason, retry_after_ms, .. } => match retry_after_ms {
            Some(ms) => format!("{reason:?} after {ms}"),
            None => format!("{reason:?}"),
        },
        Outcome::Declined { class, code, .. } => format!("declined {class:?} {code}"),
        Outcome::Failed { error } => format!("failed {}", error.status),
        Outcome::NotSent { .. } => "not sent".to_owned(),
        Outcome::Unknown { .. } => "unknown".to_owned(),
    }
}

async fn check(vendor: Vendor, function: &str, fault: (&str, FaultKind), expected: &str) {
    let bench = Bench::with_deadline(1_000).await;
    let input = match function {
        "zuora.createAccount" => bench::account("A-1"),
        "zuora.previewOrder" => bench::quote(),
        "salesforce.upsertAccount" => bench::crm()[0].1.clone(),
        "marketo.upsertLead" => bench::lead(),
        "mail.send" => bench::mail(),
        other => panic!("no input for {other}"),
    };
    let (operation, fault) = fault;
    let words = format!("{function} {operation} {fault:?}");
    bench.fault(vendor, operation, fault);
    let outcome = bench.call(function, "key", input).await;
    assert_eq!(kind(&outcome), expected, "{words}: {outcome:?}");
    assert_eq!(bench.sandbox.faults(vendor), Vec::new(), "{words}: the fault was not met");
}

fn status(status: u16) -> FaultKind {
    FaultKind::Status { status, retry_after_s: None }
}

fn refuse(code: &str) -> FaultKind {
    FaultKind::Refuse { code: code.to_owned(), message: "scripted".to_owned() }
}

#[tokio::test]
async fn zuora_is_read_by_status_then_by_reason() {
    let rows = [
        (status(302), "Config"),
        (status(400), "Invalid"),
        (status(403), "Config"),
        (status(404), "Invalid"),
        (status(409), "unknown"),
        (status(422), "Invalid"),
        (FaultKind::Status { status: 429, retry_after_s: Some(7) }, "Throttled after 7000"),
        (status(500), "unknown"),
        (status(503), "unknown"),
        (refuse("53100010"), "Config"),
        (refuse("53100020"), "Invalid"),
        (refuse("53100030"), "Invalid"),
        (refuse("53100040"), "Invalid"),
        (refuse("53100050"), "Transient"),
        (refuse("53100060"), "Transient"),
        (refuse("53100061"), "Transient"),
        (refuse("53100070"), "Conflict"),
        (refuse("53100090"), "Invalid"),
        (refuse("53100099"), "Transient"),
        (FaultKind::Garbage, "unknown"),
        (FaultKind::Drop, "unknown"),
        (FaultKind::Timeout, "unknown"),
        (FaultKind::EffectThenGarbage, "unknown"),
        (FaultKind::EffectThenStatus { status: 502 }, "unknown"),
    ];
    for (fault, expected) in rows {
        check(Vendor::Zuora, "zuora.createAccount", ("createAccount", fault), expected).await;
    }
    check(Vendor::Zuora, "zuora.previewOrder", ("previewOrder", status(500)), "unknown").await;
}

#[tokio::test]
async fn a_session_that_cannot_be_opened_proves_that_nothing_happened() {
    let rows = [
        (status(400), "Config"),
        (FaultKind::Status { status: 429, retry_after_s: Some(1) }, "Throttled after 1000"),
        (status(500), "Transient"),
        (FaultKind::Garbage, "Transient"),
        (FaultKind::Drop, "Transient"),
        (FaultKind::Timeout, "Transient"),
    ];
    for (fault, expected) in rows {
        check(Vendor::Zuora, "zuora.createAccount", ("token", fault), expected).await;
    }
}

#[tokio::test]
async fn salesforce_is_read_by_error_code() {
    let rows = [
        (status(300), "Invalid"),
        (status(500), "unknown"),
        (refuse("REQUIRED_FIELD_MISSING"), "Invalid"),
        (refuse("UNABLE_TO_LOCK_ROW"), "Transient"),
        (refuse("REQUEST_LIMIT_EXCEEDED"), "Throttled"),
        (refuse("INSUFFICIENT_ACCESS"), "Config"),
        (refuse("DUPLICATE_VALUE"), "Conflict"),
        (FaultKind::Garbage, "unknown"),
        (FaultKind::EffectThenDrop, "unknown"),
    ];
    for (fault, expected) in rows {
        let function = "salesforce.upsertAccount";
        check(Vendor::Salesforce, function, ("upsertAccount", fault), expected).await;
    }
}

#[tokio::test]
async fn marketo_says_200_and_means_something_else() {
    let rows = [
        (refuse("603"), "Config"),
        (refuse("604"), "Transient"),
        (refuse("606"), "Throttled after 20000"),
        (refuse("607"), "Throttled after 3600000"),
        (refuse("609"), "Invalid"),
        (refuse("611"), "Transient"),
        (refuse("701"), "Invalid"),
        (refuse("1003"), "Invalid"),
        (refuse("1007"), "Invalid"),
        (status(413), "Invalid"),
        (status(500), "unknown"),
        (FaultKind::Garbage, "unknown"),
    ];
    for (fault, expected) in rows {
        check(Vendor::Marketo, "marketo.upsertLead", ("upsertLead", fault), expected).await;
    }
}

#[tokio::test]
async fn mailgun_is_read_by_status() {
    let rows = [
        (status(400), "Invalid"),
        (status(401), "Config"),
        (status(404), "Transient"),
        (status(500), "unknown"),
        (FaultKind::Garbage, "unknown"),
        (FaultKind::EffectThenTimeout, "unknown"),
    ];
    for (fault, expected) in rows {
        check(Vendor::Mailgun, "mail.send", ("messages", fault), expected).await;
    }
}

#[tokio::test]
async fn an_expired_session_is_renewed_once() {
    for (vendor, function, operation, fault) in [
        (Vendor::Zuora, "zuora.createAccount", "createAccount", status(401)),
        (
            Vendor::Salesforce,
            "salesforce.upsertAccount",
            "upsertAccount",
            refuse("INVALID_SESSION_ID"),
        ),
        (Vendor::Marketo, "marketo.upsertLead", "upsertLead", refuse("602")),
    ] {
        check(vendor, function, (operation, fault.clone()), "done").await;
        let bench = Bench::start().await;
        bench.sandbox.set_faults(vendor, vec![Fault::once(operation, fault).times(2)]);
        let input = match vendor {
            Vendor::Zuora => bench::account("A-1"),
            Vendor::Salesforce => bench::crm()[0].1.clone(),
            Vendor::Marketo | Vendor::Mailgun => bench::lead(),
        };
        rejected(&bench.call(function, "key", input).await, Reason::Auth, "");
    }
}

#[tokio::test]
async fn a_vendor_that_is_not_there_was_not_reached() {
    let bench = Bench::start().await;
    let mut settings = bench.settings();
    // A port nobody listens on: bound once, then given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for connection in settings.connections.values_mut() {
        connection.base_url = format!("http://{free}");
    }
    let registry = tenure_adapters::registry(settings).unwrap();
    for (function, input) in
        [("zuora.createAccount", bench::account("A-1")), ("mail.send", bench::mail())]
    {
        let request = bench.request(function, "key", input);
        let outcome = registry.adapter(function).unwrap().perform(&request).await;
        assert_eq!(kind(&outcome), "not sent", "{outcome:?}");
    }
}

#[tokio::test]
async fn without_a_connection_calls_say_what_is_missing() {
    let bench = Bench::start().await;
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default()).unwrap();
    for (function, input, words) in [
        ("zuora.previewOrder", bench::quote(), "no connection `zuora`"),
        ("mail.send", bench::mail(), "no connection `mailgun`"),
        ("token.issue", json!({ "purpose": "p", "subject": "s" }), "no license folder"),
    ] {
        let request = bench.request(function, "key", input);
        let outcome = registry.adapter(function).unwrap().perform(&request).await;
        rejected(&outcome, Reason::Config, words);
    }
}

async fn lost_order(fault: FaultKind) -> (Bench, Value) {
    let bench = Bench::with_account().await;
    let input = bench::order("1", "card_ok");
    bench.fault(Vendor::Zuora, "createOrder", fault);
    let outcome = bench.call("zuora.createOrder", "o", input.clone()).await;
    assert_eq!(kind(&outcome), "unknown");
    (bench, input)
}

#[tokio::test]
async fn a_lost_answer_after_the_effect_is_found_again() {
    let (bench, input) = lost_order(FaultKind::EffectThenStatus { status: 504 }).await;
    let found = bench.look_up("zuora.createOrder", "o", input.clone()).await;
    let Lookup::Happened { outcome } = found else { panic!("{found:?}") };
    let found = bench::done(outcome);
    // The same key gives the very answer that was lost, and the look-up told the same.
    let repeated = bench.done("zuora.createOrder", "o", input).await;
    assert_eq!(found, repeated);
    assert_eq!(bench.count(Vendor::Zuora, "order"), 1);
    assert_eq!(bench.count(Vendor::Zuora, "payment"), 1);
}

#[tokio::test]
async fn a_lost_request_without_effect_is_absent() {
    let (bench, input) = lost_order(FaultKind::Drop).await;
    assert_eq!(bench.look_up("zuora.createOrder", "o", input).await, Lookup::Absent);
    let account = bench::account("A-2");
    assert_eq!(bench.look_up("zuora.createAccount", "a", account).await, Lookup::Absent);
}

#[tokio::test]
async fn a_taken_number_is_looked_up_when_the_key_is_forgotten() {
    let bench = Bench::with_account().await;
    let again = bench.call("zuora.createAccount", "another key", bench::account("A-1")).await;
    assert_eq!(kind(&again), "unknown");
    let found = bench.look_up("zuora.createAccount", "another key", bench::account("A-1")).await;
    assert!(matches!(found, Lookup::Happened { .. }), "{found:?}");
    let mut stranger = bench::account("A-1");
    stranger["name"] = json!("Somebody Else");
    let found = bench.look_up("zuora.createAccount", "third key", stranger).await;
    assert!(matches!(found, Lookup::Unknown { .. }), "{found:?}");
    bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
}

#[tokio::test]
async fn an_order_of_another_purchase_was_adopted_when_its_number_was_used_again() {
    let bench = Bench::with_account().await;
    bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    for (field, value) in [
        ("subscription_number", json!("S-2")),
        ("quantity", json!(6)),
        ("sku", json!(bench::OTHER_SKU)),
    ] {
        let mut other = bench::order("1", "card_ok");
        other[field] = value;
        let found = bench.look_up("zuora.createOrder", "x", other).await;
        let Lookup::Happened { outcome } = found else { panic!("{field}: {found:?}") };
        rejected(&outcome, Reason::Invalid, "belongs to another purchase");
    }
    let same = bench.look_up("zuora.createOrder", "x", bench::order("1", "card_ok")).await;
    assert!(
        matches!(same, Lookup::Happened { outcome: Outcome::Done { .. } }),
        "the same purchase is adopted: {same:?}"
    );
}

#[tokio::test]
async fn a_key_used_for_something_else_is_refused() {
    let bench = Bench::with_account().await;
    let outcome = bench.call("zuora.createAccount", "account", bench::account("A-2")).await;
    rejected(&outcome, Reason::Invalid, "422");
    assert_eq!(bench.count(Vendor::Zuora, "account"), 1);
}

#[tokio::test]
async fn a_second_request_while_the_first_is_at_work_is_unknown() {
    let bench = Bench::start().await;
    bench.fault(Vendor::Zuora, "createAccount", FaultKind::Delay { delay_ms: 400 });
    let call = || bench.call("zuora.createAccount", "a", bench::account("A-1"));
    let (one, two) = tokio::join!(call(), call());
    let mut kinds = [kind(&one), kind(&two)];
    kinds.sort();
    assert_eq!(kinds, ["done", "unknown"]);
    assert_eq!(bench.count(Vendor::Zuora, "account"), 1);
}

#[tokio::test]
async fn a_declined_card_leaves_nothing_active() {
    for (card, class, code) in [
        ("card_declined_insufficient_funds", DeclineClass::Soft, "insufficient_funds"),
        ("card_declined_stolen", DeclineClass::Hard, "stolen_card"),
        ("card_expired", DeclineClass::NeedsCustomer, "expired_card"),
        ("card_declined_never_heard_of", DeclineClass::Soft, "generic_decline"),
    ] {
        let bench = Bench::with_account().await;
        let outcome = bench.call("zuora.createOrder", "o", bench::order("1", card)).await;
        assert_eq!(kind(&outcome), format!("declined {class:?} {code}"), "{outcome:?}");
        assert_eq!(bench.count(Vendor::Zuora, "subscription"), 0);
        let number = json!({ "subscription_number": "S-1" });
        let read = bench.call("zuora.getSubscription", "s", number).await;
        rejected(&read, Reason::Invalid, "no subscription S-1");
        // The next generation of the effect may use the same numbers with another card.
        bench.done("zuora.createOrder", "o2", bench::order("1", "card_ok")).await;
    }
}

#[tokio::test]
async fn an_order_kept_in_spite_of_its_decline_is_cancelled() {
    let kept = || FaultKind::DeclineKept { code: "stolen_card".to_owned() };
    let number = json!({ "subscription_number": "S-1" });
    let bench = Bench::with_account().await;
    bench.fault(Vendor::Zuora, "createOrder", kept());
    let outcome = bench.call("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    assert_eq!(kind(&outcome), "declined Hard stolen_card");
    let read = bench.done("zuora.getSubscription", "s", number.clone()).await;
    assert_eq!(read["status"], "Cancelled");

    // Cancelling fails too: nothing is claimed, and the look-up brings it to the end.
    let bench = Bench::with_account().await;
    let broken = Fault::once("cancelSubscription", status(500));
    bench.sandbox.set_faults(Vendor::Zuora, vec![Fault::once("createOrder", kept()), broken]);
    let outcome = bench.call("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    assert_eq!(kind(&outcome), "unknown");
    let found = bench.look_up("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    let Lookup::Happened { outcome } = found else { panic!("{found:?}") };
    assert_eq!(kind(&outcome), "declined Hard stolen_card");
    let read = bench.done("zuora.getSubscription", "s", number).await;
    assert_eq!(read["status"], "Cancelled");
}

#[tokio::test]
async fn the_gateway_may_decline_any_card() {
    let bench = Bench::with_account().await;
    let decline = FaultKind::Decline { code: "do_not_honor".to_owned() };
    bench.fault(Vendor::Zuora, "createOrder", decline);
    let outcome = bench.call("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    assert_eq!(kind(&outcome), "declined Soft do_not_honor");
    // Zuora remembers refusals too: the same key gets the same answer.
    let again = bench.call("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    assert_eq!(again, outcome);
}

#[tokio::test]
async fn countries_are_iso2_at_crm_and_marketing() {
    let bench = Bench::start().await;
    let mut lead = bench.request("marketo.upsertLead", "l", bench::lead());
    lead.input["country"] = json!("DEU");
    let outcome = bench.registry.adapter("marketo.upsertLead").unwrap().perform(&lead).await;
    rejected(&outcome, Reason::Invalid, "alpha-2");
    let mut account = bench.request("salesforce.upsertAccount", "s", bench::crm()[0].1.clone());
    account.input["country"] = json!("UK");
    let plug = bench.registry.adapter("salesforce.upsertAccount").unwrap();
    rejected(&plug.perform(&account).await, Reason::Invalid, "alpha-2");
    assert_eq!(bench.sandbox.ledger(Vendor::Salesforce).len(), 0);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_unknown() {
    let router = axum::Router::new().fallback(|| async { "x".repeat(2 * 1024 * 1024) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let bench = Bench::start().await;
    let mut settings = bench.settings();
    settings.connections.get_mut("mailgun").unwrap().base_url = "https://api.example".to_owned();
    settings.resolve.insert("api.example".to_owned(), address);
    let recorder = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    settings.recorder = Some(std::sync::Arc::clone(&recorder));
    let registry = tenure_adapters::registry(settings).unwrap();
    let request = bench.request("mail.send", "key", bench::mail());
    let outcome = registry.adapter("mail.send").unwrap().perform(&request).await;
    let Outcome::Unknown { detail } = &outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("exceeds"), "{detail}");
    let records = recorder.lock().unwrap();
    assert_eq!(records[0].url, "https://api.example/v3/mail.tenure.example/messages");
    server.abort();
}
