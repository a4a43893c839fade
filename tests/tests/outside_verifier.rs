//! A license is an ordinary JWS: a verifier nobody here wrote accepts it, and refuses a forged one.
//!
//! PyJWT is asked where some Python has it; elsewhere the test says that it was skipped. (The plug's
//! own tests ask Node's cryptography the same.)

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tenure_adapter::{Origin, Outcome, Request};
use tenure_adapters::Settings;
use tenure_adapters::license::Issuer;
use uuid::Uuid;

/// Reads `{"jws", "jwks"}` from its first argument and prints the claims.
const SCRIPT: &str = r#"
import json, sys
import jwt
given = json.loads(sys.argv[1])
header = jwt.get_unverified_header(given["jws"])
key = next(key for key in given["jwks"]["keys"] if key["kid"] == header["kid"])
public = jwt.algorithms.OKPAlgorithm.from_jwk(json.dumps(key))
print(json.dumps(jwt.decode(given["jws"], public, algorithms=["EdDSA"])))
"#;

/// A Python with PyJWT and its cryptography.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let probe = Command::new(python).args(["-c", "import jwt, cryptography"]).output();
        probe.is_ok_and(|output| output.status.success())
    })
}

async fn license(dir: &Path) -> anyhow::Result<String> {
    let settings = Settings { license_dir: Some(dir.to_owned()), ..Settings::default() };
    let registry = tenure_adapters::registry(settings)?;
    let request = Request {
        function: "license.emit".to_owned(),
        key: Uuid::from_u128(7),
        input: json!({
            "subscription": "S-1", "term": 1, "revision": 1, "purpose": "new",
            "licensee": { "name": "Ada", "company": "Engines", "email": "ada@engines.example" },
            "plan": "premium", "users": 25, "previous_users": 0, "trueup": 0,
            "starts_on": "2026-01-01", "expires_on": "2099-01-01", "kind": "file",
        }),
        intent_at: "2026-01-01T10:00:00Z".parse()?,
        deadline_ms: 2_000,
        origin: Origin {
            namespace: "tenure".to_owned(),
            definition: "license-emit".to_owned(),
            business_key: "S-1".to_owned(),
            task: "/do/0/sign".to_owned(),
        },
    };
    let adapter = registry.adapter("license.emit").expect("licenses are always on offer");
    match adapter.perform(&request).await {
        Outcome::Done { output } => {
            let jws = output.get("jws").and_then(serde_json::Value::as_str);
            Ok(jws.expect("the output holds the license").to_owned())
        }
        other @ (Outcome::Rejected { .. }
        | Outcome::Declined { .. }
        | Outcome::Failed { .. }
        | Outcome::NotSent { .. }
        | Outcome::Unknown { .. }) => anyhow::bail!("no license: {other:?}"),
    }
}

#[tokio::test]
async fn an_outside_verifier_accepts_a_license_and_refuses_a_forged_one() -> anyhow::Result<()> {
    let Some(python) = python() else {
        println!("skipped: no Python with PyJWT and cryptography (1 check)");
        return Ok(());
    };
    let dir = std::env::temp_dir().join(format!("tenure-outside-{}", Uuid::now_v7()));
    let jws = license(&dir).await?;
    let jwks = serde_json::to_value(Issuer::open(&dir)?.jwks())?;
    let verify = |jws: &str| {
        let given = json!({ "jws": jws, "jwks": jwks }).to_string();
        Command::new(python).args(["-c", SCRIPT, &given]).output()
    };
    let output = verify(&jws)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let claims: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(claims["sub"], "S-1");
    assert_eq!(claims["lic"]["users"], 25);

    let (head, signature) = jws.rsplit_once('.').expect("a JWS has three parts");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}.{first}{}", signature.get(1..).unwrap_or_default());
    let output = verify(&forged)?;
    assert!(!output.status.success(), "a forged signature was accepted");
    assert!(String::from_utf8_lossy(&output.stderr).contains("InvalidSignatureError"));
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
