//! A sandbox, the plugs connected to it, and the inputs the tests share.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_adapter::{Lookup, Origin, Outcome, Reason, Registry, Request};
use tenure_adapters::Settings;
use tenure_adapters::sandbox::{Fault, FaultKind, Sandbox, SandboxOptions, Vendor};
use uuid::Uuid;

/// A product that needs terms, at 348.00 USD per seat and year.
pub(crate) const SKU: &str = "premium-self-managed-annual";
/// Another product, of another rate plan.
pub(crate) const OTHER_SKU: &str = "ultimate-self-managed-annual";

/// What every test has.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: Registry,
    pub(crate) dir: TempDir,
}

/// A folder that goes away with the test.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tenure-{}", Uuid::now_v7()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            println!("{} stays behind: {error}", self.0.display());
        }
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with_deadline(5_000).await
    }

    /// Plugs that give up after this time.
    pub(crate) async fn with_deadline(deadline_ms: u64) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let dir = TempDir::new();
        let mut settings = settings(&sandbox, dir.path());
        for connection in settings.connections.values_mut() {
            connection.deadline_ms = Some(deadline_ms);
        }
        let registry = tenure_adapters::registry(settings).unwrap();
        Self { sandbox, registry, dir }
    }

    /// With the account `A-1`.
    pub(crate) async fn with_account() -> Self {
        let bench = Self::start().await;
        bench.done("zuora.createAccount", "account", account("A-1")).await;
        bench
    }

    pub(crate) fn settings(&self) -> Settings {
        settings(&self.sandbox, self.dir.path())
    }

    pub(crate) fn request(&self, function: &str, key: &str, input: Value) -> Request {
        let manifest = self.registry.catalog().resolve(function).unwrap();
        let schema = jsonschema::validator_for(&manifest.input).unwrap();
        let errors: Vec<_> = schema.iter_errors(&input).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{function}: {errors:?}");
        Request {
            function: function.to_owned(),
            key: Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()),
            input,
            intent_at: "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap(),
            deadline_ms: manifest.deadline_ms,
            origin: Origin {
                namespace: "test".to_owned(),
                definition: "test".to_owned(),
                business_key: key.to_owned(),
                task: "/do/0".to_owned(),
            },
        }
    }

    pub(crate) async fn call(&self, function: &str, key: &str, input: Value) -> Outcome {
        let request = self.request(function, key, input);
        self.registry.adapter(function).unwrap().perform(&request).await
    }

    /// The output of a call that must succeed, checked against its manifest.
    pub(crate) async fn done(&self, function: &str, key: &str, input: Value) -> Value {
        let output = done(self.call(function, key, input).await);
        let manifest = self.registry.catalog().resolve(function).unwrap();
        jsonschema::validate(&manifest.output, &output).unwrap();
        output
    }

    pub(crate) async fn look_up(&self, function: &str, key: &str, input: Value) -> Lookup {
        let request = self.request(function, key, input);
        self.registry.adapter(function).unwrap().look_up(&request).await
    }

    pub(crate) fn fault(&self, vendor: Vendor, operation: &str, kind: FaultKind) {
        self.sandbox.set_faults(vendor, vec![Fault::once(operation, kind)]);
    }

    /// How many things of a kind a vendor has made.
    pub(crate) fn count(&self, vendor: Vendor, kind: &str) -> usize {
        let ledger = self.sandbox.ledger(vendor);
        ledger.iter().flat_map(|entry| &entry.effects).filter(|effect| effect.kind == kind).count()
    }
}

/// Connections to a sandbox, with this folder for keys and overriding templates.
pub(crate) fn settings(sandbox: &Sandbox, dir: &Path) -> Settings {
    let templates = dir.join("templates");
    std::fs::create_dir_all(&templates).unwrap();
    let files = [
        (
            "hello.txt",
            "Subject: Hello {{ name }}\n\nDear {{ name }}, {{ amount | money(\"USD\") }}",
        ),
        ("hello.html", "<p>Dear {{ name }}, see <a href=\"{{ link }}\">{{ data.link }}</a></p>"),
        ("hello.de.txt", "Subject: Hallo {{ name }}\n\nGuten Tag {{ name }}"),
        ("hello.de.html", "<p>Guten Tag {{ name }}</p>"),
    ];
    for (name, text) in files {
        std::fs::write(templates.join(name), text).unwrap();
    }
    Settings {
        templates: Some(templates),
        license_dir: Some(dir.join("license")),
        ..sandbox.settings()
    }
}

pub(crate) fn done(outcome: Outcome) -> Value {
    let Outcome::Done { output } = outcome else { panic!("expected done, got {outcome:?}") };
    output
}

/// The outcome must be a rejection for this reason, in words that contain these.
pub(crate) fn rejected(outcome: &Outcome, expected: Reason, words: &str) {
    let Outcome::Rejected { reason, detail, .. } = outcome else {
        panic!("expected rejected as {expected:?}, got {outcome:?}")
    };
    assert_eq!(*reason, expected, "{detail}");
    assert!(detail.contains(words), "{detail:?} does not say {words:?}");
}

pub(crate) fn quote() -> Value {
    json!({ "sku": SKU, "quantity": 5, "start_date": "2026-11-22", "country": "DE" })
}

pub(crate) fn account(number: &str) -> Value {
    let contact = json!({ "first_name": "Ada", "last_name": "King", "email": "ada@example.com" });
    json!({
        "account_number": number,
        "name": "Analytical Engines",
        "currency": "USD",
        "country": "DE",
        "bill_to": contact,
        "sold_to": contact,
        "communication_profile": "Default Profile",
    })
}

/// An order of account `A-1`.
pub(crate) fn order(number: &str, card: &str) -> Value {
    json!({
        "order_number": format!("O-{number}"),
        "account_number": "A-1",
        "subscription_number": format!("S-{number}"),
        "sku": SKU,
        "quantity": 5,
        "order_date": "2026-11-22",
        "term_start": "2026-11-22",
        "term_months": 12,
        "payment_method": card,
        "amount": 207_060,
        "currency": "USD",
    })
}

pub(crate) fn crm() -> [(&'static str, Value); 3] {
    [
        (
            "salesforce.upsertAccount",
            json!({ "external_id": "A-1", "name": "Analytical Engines", "country": "DE" }),
        ),
        (
            "salesforce.upsertContact",
            json!({
                "external_id": "A-1/ada@example.inc", "account_external_id": "A-1",
                "email": "ada@example.inc", "first_name": "Ada", "last_name": "King",
                "role": "sold_to",
            }),
        ),
        (
            "salesforce.upsertOpportunity",
            json!({
                "external_id": "O-1", "account_external_id": "A-1", "name": "5 x Premium",
                "stage": "Closed Won", "amount": 207_060, "currency": "USD",
                "close_date": "2026-11-22",
            }),
        ),
    ]
}

pub(crate) fn lead() -> Value {
    json!({
        "email": "ada@example.com", "first_name": "Ada", "last_name": "King",
        "company": "Analytical Engines", "country": "DE", "program": "purchase",
    })
}

pub(crate) fn mail() -> Value {
    json!({
        "template": "hello",
        "to": "ada@example.com",
        "to_name": "Ada King",
        "profile": "Default Profile",
        "data": { "name": "Ada", "amount": 123_456, "link": "https://example.com/?a=1&b=2" },
    })
}
