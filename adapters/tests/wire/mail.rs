//! Mails: rendering, look-up, delivery, and what is refused.

use serde_json::json;
use tenure_adapter::{Lookup, Reason};
use tenure_adapters::mail::{TemplateError, Templates};
use tenure_adapters::sandbox::{FaultKind, Vendor};

use crate::bench::{self, Bench, TempDir, rejected};

#[tokio::test]
async fn a_mail_is_rendered_escaped_and_sent() {
    let bench = Bench::start().await;
    let mut input = bench::mail();
    input["data"]["name"] = json!("<script>alert(1)</script>");
    input["to_name"] = json!("Ada \"The Countess\" King");
    let sent = bench.done("mail.send", "m", input).await;
    let inbox = bench.sandbox.inbox();
    let mail = &inbox[0];
    assert_eq!(sent, json!({ "message_id": mail.message_id, "suppressed": false }));
    assert_eq!(mail.to, "\"Ada \\\"The Countess\\\" King\" <ada@example.com>");
    assert_eq!(mail.from, "no-reply@mail.tenure.example");
    assert!(!mail.html.contains("<script>"), "{}", mail.html);
    assert!(mail.html.contains("&lt;script&gt;"), "{}", mail.html);
    assert!(mail.text.contains("<script>"), "{}", mail.text);
    assert!(mail.text.ends_with("USD 1,234.56"), "{}", mail.text);
    assert!(!mail.text.contains("Subject"), "{}", mail.text);
}

#[tokio::test]
async fn a_lost_mail_is_found_by_its_message_id() {
    let bench = Bench::start().await;
    let look_up = || bench.look_up("mail.send", "m", bench::mail());
    assert_eq!(look_up().await, Lookup::Absent);
    bench.fault(Vendor::Mailgun, "messages", FaultKind::EffectThenStatus { status: 500 });
    bench.call("mail.send", "m", bench::mail()).await;
    let Lookup::Happened { outcome } = look_up().await else { panic!("not found") };
    assert_eq!(bench::done(outcome)["message_id"], bench.sandbox.inbox()[0].message_id);
    assert_eq!(bench.sandbox.inbox().len(), 1);
    bench.fault(Vendor::Mailgun, "events", FaultKind::Drop);
    assert!(matches!(look_up().await, Lookup::Unknown { .. }));
}

#[tokio::test]
async fn delivery_tells_arrived_from_bounced() {
    let bench = Bench::start().await;
    let mut bounced = bench::mail();
    bounced["to"] = json!("bounce@example.com");
    for (key, input, status) in [("a", bench::mail(), "delivered"), ("b", bounced, "failed")] {
        let sent = bench.done("mail.send", key, input).await;
        let input = json!({ "message_id": sent["message_id"] });
        let delivery = bench.done("mail.delivery", key, input).await;
        assert_eq!(delivery["status"], status);
    }
    let unknown = json!({ "message_id": "none@mail.tenure.example" });
    assert_eq!(bench.done("mail.delivery", "c", unknown).await["status"], "pending");
}

#[tokio::test]
async fn a_silent_account_gets_nothing() {
    let bench = Bench::start().await;
    for profile in ["Silent", "Silent Profile"] {
        let mut input = bench::mail();
        input["profile"] = json!(profile);
        let sent = bench.done("mail.send", profile, input).await;
        assert_eq!(sent, json!({ "message_id": null, "suppressed": true }));
    }
    assert_eq!(bench.sandbox.inbox(), Vec::new());
}

#[tokio::test]
async fn a_translation_is_taken_where_there_is_one() {
    let bench = Bench::start().await;
    for (language, subject) in [("de", "Hallo Ada"), ("fr", "Hello Ada")] {
        let mut input = bench::mail();
        input["language"] = json!(language);
        bench.done("mail.send", language, input).await;
        assert_eq!(bench.sandbox.inbox().last().unwrap().subject, subject);
    }
}

#[tokio::test]
async fn what_cannot_be_a_mail_is_refused_before_it_is_sent() {
    let bench = Bench::start().await;
    let check = async |field: &str, value: serde_json::Value, words: &str| {
        let mut request = bench.request("mail.send", "m", bench::mail());
        *request.input.pointer_mut(field).unwrap() = value;
        let outcome = bench.registry.adapter("mail.send").unwrap().perform(&request).await;
        rejected(&outcome, Reason::Invalid, words);
    };
    check("/template", json!("nowhere"), "no mail template `nowhere`").await;
    check("/to", json!("a@b\r\nBcc: c@d"), "not one e-mail address").await;
    check("/to", json!("a@b, c@d"), "not one e-mail address").await;
    check("/to_name", json!("A\nBcc: c@d"), "control characters").await;
    check("/data/name", json!("A\nBcc: c@d"), "subject").await;
    check("/data", json!({ "amount": 1 }), "undefined").await;
    check("/data/amount", json!("much"), "minor units").await;
    assert_eq!(bench.sandbox.inbox(), Vec::new());
}

#[test]
fn broken_templates_are_told_at_the_start() {
    let check = |files: &[(&str, &str)], words: &str| {
        let dir = TempDir::new();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let error = Templates::open(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    };
    check(&[("x.txt", "Hello")], "its first line must be");
    check(&[("x.txt", "Subject: X\n")], "x.html is missing");
    check(&[("x.html", "<p>")], "x.txt is missing");
    check(&[("x.txt", "Subject: X\n{{ a"), ("x.html", "")], "x.txt");
}

#[test]
fn the_shipped_templates_compile() {
    let templates = Templates::open(None).unwrap();
    let unknown = templates.render("nowhere", None, &json!({}));
    assert!(matches!(unknown, Err(TemplateError::Unknown { .. })));
}
