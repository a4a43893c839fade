//! What our plug sends and our sandbox answers, against the vendor's own schemas. They lie outside
//! of the repository; without them the check is skipped, and says so.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tenure_adapters::sandbox::Vendor;

use crate::bench::{self, Bench};

/// The folder `vendor-openapi/zuora` of the shared material.
fn schemas() -> Option<PathBuf> {
    if let Some(shared) = std::env::var_os("TENURE_SHARED") {
        let folder = Path::new(&shared).join("vendor-openapi/zuora");
        assert!(folder.is_dir(), "TENURE_SHARED is set, but {} is missing", folder.display());
        return Some(folder);
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|folder| folder.join("shared/vendor-openapi/zuora"))
        .find(|folder| folder.is_dir())
}

fn check(folder: &Path, name: &str, instance: &Value) {
    let path = folder.join(format!("{name}.schema.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {instance}");
    // The vendor's schemas allow any further field, so a misspelt one has to be caught by name.
    let known = schema["properties"].as_object().unwrap();
    for field in instance.as_object().unwrap().keys() {
        assert!(known.contains_key(field), "{name} has no field {field}");
    }
}

/// Reason codes are numbers on the wire and texts in the vendor's schema.
fn as_documented(mut reply: Value) -> Value {
    if let Some(reasons) = reply.get_mut("reasons").and_then(Value::as_array_mut) {
        for reason in reasons {
            reason["code"] = json!(reason["code"].to_string());
        }
    }
    reply
}

#[tokio::test]
async fn zuora_is_spoken_as_its_vendor_documents_it() {
    let Some(folder) = schemas() else {
        println!("skipped 1: the vendor's schemas are not here (set TENURE_SHARED)");
        return;
    };
    let bench = Bench::with_account().await;
    bench.done("zuora.createOrder", "o", bench::order("1", "card_ok")).await;
    bench.call("zuora.createOrder", "d", bench::order("2", "card_expired")).await;
    let cancel = json!({
        "subscription_number": "S-1", "effective_date": "2026-11-22", "policy": "SpecificDate",
    });
    bench.done("zuora.cancelSubscription", "c", cancel).await;
    let ledger = bench.sandbox.ledger(Vendor::Zuora);
    assert_eq!(ledger.len(), 4);
    for entry in &ledger {
        let name = match entry.operation.as_str() {
            "createAccount" => "CreateAccount",
            "createOrder" => "CreateOrder",
            "cancelSubscription" => "CancelSubscription",
            other => panic!("{other} is not checked"),
        };
        check(&folder, &format!("{name}Request"), &entry.request);
        check(&folder, &format!("{name}Response"), &as_documented(entry.reply.clone()));
        for effect in entry.effects.iter().filter(|effect| effect.kind == "subscription") {
            let mut read = effect.document.clone();
            read["success"] = json!(true);
            check(&folder, "GetSubscriptionResponse", &read);
        }
    }
}

#[tokio::test]
async fn previews_are_spoken_as_documented() {
    let Some(folder) = schemas() else {
        println!("skipped 1: the vendor's schemas are not here (set TENURE_SHARED)");
        return;
    };
    // A preview leaves no ledger entry, so this stands in between and keeps what passes.
    let bench = Bench::start().await;
    let target = bench.sandbox.base_url(Vendor::Zuora);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&seen);
    let relay = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let (keep, target) = (std::sync::Arc::clone(&keep), target.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let url = format!("{target}{}", parts.uri);
            let mut onward = reqwest::Client::new().request(parts.method, url).body(body.to_vec());
            for name in ["authorization", "content-type"] {
                if let Some(value) = parts.headers.get(name) {
                    onward = onward.header(name, value);
                }
            }
            let answer = onward.send().await.unwrap().bytes().await.unwrap();
            keep.lock().unwrap().push((
                parts.uri.path().to_owned(),
                body.to_vec(),
                answer.to_vec(),
            ));
            ([("content-type", "application/json")], answer)
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = bench.settings();
    let connection = settings.connections.get_mut("zuora").unwrap();
    connection.base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, relay).await });
    let registry = tenure_adapters::registry(settings).unwrap();
    let request = bench.request("zuora.previewOrder", "q", bench::quote());
    bench::done(registry.adapter("zuora.previewOrder").unwrap().perform(&request).await);
    server.abort();
    let seen = seen.lock().unwrap();
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let token = seen.iter().find(|(path, ..)| path == "/oauth/token").unwrap();
    check(&folder, "TokenResponse", &json(&token.2));
    let preview = seen.iter().find(|(path, ..)| path == "/v1/orders/preview").unwrap();
    check(&folder, "PreviewOrderRequest", &json(&preview.1));
    check(&folder, "PreviewOrderResponse", &json(&preview.2));
}
