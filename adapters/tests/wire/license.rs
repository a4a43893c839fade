//! Licenses: the same bytes for the same key, and a verification that refuses everything else.

use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_adapter::Reason;
use tenure_adapters::license::{Issuer, VerifyError, issued, verify, verify_at};

use crate::bench::{Bench, TempDir, rejected};

fn input() -> Value {
    json!({
        "subscription": "S-1", "term": 1, "revision": 1, "purpose": "new",
        "licensee": { "name": "Ada King", "company": "Analytical Engines", "email": "ada@example.com" },
        "plan": "premium", "users": 5, "previous_users": 0, "trueup": 0,
        "starts_on": "2026-11-22", "expires_on": "2027-11-22", "kind": "file",
    })
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_same_key_gives_the_same_bytes() {
    let bench = Bench::start().await;
    let first = bench.done("license.emit", "one", input()).await;
    // Another effect, at another time, after a restart: still the license that was issued.
    let registry = tenure_adapters::registry(bench.settings()).unwrap();
    let mut request = bench.request("license.emit", "two", input());
    request.intent_at = at("2026-12-24T00:00:00Z");
    let again = registry.adapter("license.emit").unwrap().perform(&request).await;
    assert_eq!(crate::bench::done(again), first);
    assert_eq!(issued(&bench.dir.path().join("license")).unwrap().len(), 1);

    let mut changed = input();
    changed["users"] = json!(6);
    let outcome = bench.call("license.emit", "three", changed.clone()).await;
    rejected(&outcome, Reason::Invalid, "next revision");
    changed["revision"] = json!(2);
    let second = bench.done("license.emit", "three", changed).await;
    assert_ne!(second["license_id"], first["license_id"]);
    let all = issued(&bench.dir.path().join("license")).unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn a_license_carries_its_facts_and_verifies() {
    let bench = Bench::start().await;
    let mut offline = input();
    offline["block_on"] = json!("2027-12-06");
    let emitted = bench.done("license.emit", "one", offline).await;
    let jwks = Issuer::open(&bench.dir.path().join("license")).unwrap().jwks();
    let jws = emitted["jws"].as_str().unwrap();
    let claims = verify_at(&format!("  {jws}\n"), &jwks, at("2027-12-05T23:59:59Z")).unwrap();
    assert_eq!(claims["iat"], at("2026-11-22T10:00:00Z").as_second());
    assert_eq!(claims["nbf"], at("2026-11-22T00:00:00Z").as_second());
    assert_eq!(claims["exp"], at("2027-12-06T00:00:00Z").as_second());
    assert_eq!(claims["jti"], emitted["license_id"]);
    assert_eq!((&claims["sub"], &claims["lic"]["users"]), (&json!("S-1"), &json!(5)));
    assert_eq!(emitted["kid"], jwks.keys[0].kid);
    assert_eq!(emitted["expires_on"], "2027-11-22");
}

#[tokio::test]
async fn what_was_changed_or_is_over_does_not_verify() {
    let bench = Bench::start().await;
    let jws = bench.done("license.emit", "one", input()).await["jws"].as_str().unwrap().to_owned();
    let jwks = Issuer::open(&bench.dir.path().join("license")).unwrap().jwks();
    let now = at("2027-01-01T00:00:00Z");
    assert!(verify_at(&jws, &jwks, now).is_ok());
    let parts: Vec<&str> = jws.split('.').collect();
    let forged = |claims: &Value| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("{}.{text}.{}", parts[0], parts[2])
    };
    let more = forged(&json!({ "iss": "tenure", "exp": 4_000_000_000_i64, "nbf": 0 }));
    assert_eq!(verify_at(&more, &jwks, now), Err(VerifyError::BadSignature));
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    assert!(matches!(verify_at(&none, &jwks, now), Err(VerifyError::WrongAlgorithm(_))));
    let late = verify_at(&jws, &jwks, at("2027-11-22T00:00:00Z"));
    assert_eq!(late, Err(VerifyError::Expired(at("2027-11-22T00:00:00Z"))));
    let early = verify_at(&jws, &jwks, at("2026-11-21T23:59:59Z"));
    assert!(matches!(early, Err(VerifyError::NotYetValid(_))));
    for text in ["", "a.b", "a.b.c", "no license at all"] {
        assert!(matches!(verify(text, &jwks), Err(VerifyError::Malformed(_))), "{text}");
    }
    let stranger = TempDir::new();
    let other = Issuer::open(stranger.path()).unwrap().jwks();
    assert!(matches!(verify_at(&jws, &other, now), Err(VerifyError::UnknownKey(_))));
    let mut renamed = other;
    renamed.keys[0].kid = jwks.keys[0].kid.clone();
    assert_eq!(verify_at(&jws, &renamed, now), Err(VerifyError::BadSignature));
}

#[tokio::test]
async fn dates_out_of_order_are_refused() {
    let bench = Bench::start().await;
    let mut backwards = input();
    backwards["expires_on"] = json!("2026-11-22");
    let outcome = bench.call("license.emit", "one", backwards).await;
    rejected(&outcome, Reason::Invalid, "out of order");
    let mut never = input();
    never["expires_on"] = json!("2027-02-30");
    let outcome = bench.call("license.emit", "one", never).await;
    rejected(&outcome, Reason::Invalid, "input of license.emit");
}

#[test]
fn the_private_key_is_private_and_stays() {
    let dir = TempDir::new();
    let folder = dir.path().join("license");
    let first = Issuer::open(&folder).unwrap();
    let path = folder.join("signing-key.pem");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(Issuer::open(&folder).unwrap().kid(), first.kid());
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&path));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Issuer::open(&folder).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "nonsense").unwrap();
    assert!(Issuer::open(&folder).unwrap_err().to_string().contains("not a private key"));
}

/// Node's own OpenSSL knows nothing of our code: it reads the public key as a JWK and the license
/// as the three parts RFC 7515 describes.
#[tokio::test]
async fn an_outside_verifier_accepts_the_license() {
    const PROGRAM: &str = "
        const crypto = require('crypto');
        const [jwk, jws] = process.argv.slice(1);
        const [head, claims, signature] = jws.split('.');
        const key = crypto.createPublicKey({ key: JSON.parse(jwk), format: 'jwk' });
        const text = Buffer.from(head + '.' + claims);
        const good = crypto.verify(null, text, key, Buffer.from(signature, 'base64url'));
        const bad = crypto.verify(null, Buffer.from(head + '.x' + claims), key, Buffer.from(signature, 'base64url'));
        console.log(good, bad, JSON.parse(Buffer.from(claims, 'base64url')).lic.users);
    ";
    let bench = Bench::start().await;
    let emitted = bench.done("license.emit", "one", input()).await;
    let jwks = Issuer::open(&bench.dir.path().join("license")).unwrap().jwks();
    let jwk = serde_json::to_string(&jwks.keys[0]).unwrap();
    let jws = emitted["jws"].as_str().unwrap();
    let run = std::process::Command::new("node").args(["-e", PROGRAM, &jwk, jws]).output();
    let Ok(run) = run else {
        println!("skipped 1: node is not installed");
        return;
    };
    let printed = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert_eq!(printed.trim(), "true false 5", "{errors}");
}
