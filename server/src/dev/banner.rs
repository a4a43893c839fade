//! What `tenure dev` says: where everything is, how the purchase went, what to try next.

use std::path::Path;

use crate::hook::Addresses;

use super::place::KeptLicense;
use super::play::Played;

/// What is there.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub(super) addresses: &'a Addresses,
    pub(super) root: &'a Path,
    pub(super) provider: &'a str,
    pub(super) grade: char,
    pub(super) definitions: &'a [String],
    pub(super) vendors: &'a [(&'static str, String)],
    pub(super) live: usize,
}

impl Banner<'_> {
    pub(super) fn text(&self) -> String {
        let mut rows = vec![("API", format!("http://{}", self.addresses.api))];
        if let Some(portal) = self.addresses.portal {
            rows.push(("Portal", format!("http://{portal}  (buy, accept, see the license)")));
        }
        if let Some(inbox) = self.addresses.sandbox {
            rows.push(("Inbox", format!("http://{inbox}  (what the sandbox vendors delivered)")));
        }
        let vendors: Vec<String> =
            self.vendors.iter().map(|(name, url)| format!("{name} {url}")).collect();
        rows.push(("Vendors", vendors.join(", ")));
        let root = self.root.display();
        rows.push(("Database", self.provider.to_owned()));
        rows.push(("Durability", format!("{}: {}", self.grade, meaning(self.grade))));
        rows.push(("Workflows", self.definitions.join(", ")));
        rows.push(("Data", root.to_string()));
        rows.push(("Reset", format!("tenure dev --data-dir {root} --reset --yes")));
        if self.live > 0 {
            rows.push(("Continues", format!("{} instance(s) that were on their way", self.live)));
        }
        let mut text = format!("tenure {} is up\n\n", env!("CARGO_PKG_VERSION"));
        for (name, value) in rows {
            text.push_str(&format!("  {name:<10}  {value}\n"));
        }
        text
    }
}

fn meaning(grade: char) -> &'static str {
    match grade {
        'A' => "acknowledged work survives the loss of the primary",
        'B' => "acknowledged work survives kill -9 and power loss of this machine",
        _ => "acknowledged work may be lost when this machine loses power",
    }
}

/// How the purchase went.
pub(super) fn played(played: &Played, addresses: &Addresses, kept: Option<&KeptLicense>) -> String {
    let id = &played.purchase.purchase_id;
    let mut text = format!("\nPurchase {id}, played through:\n\n{}", played.timeline);
    match (played.is_completed(), played.license()) {
        (true, Some(license)) => text.push_str(&format!("\nLicense:\n\n{license}\n")),
        (true, None) => text.push_str("\nThe purchase completed without a license.\n"),
        (false, _) => {
            let error = played.instance.get("error").cloned().unwrap_or_default();
            text.push_str(&format!("\nThe purchase did not complete: {error:#}\n"));
        }
    }
    if let Some(KeptLicense { license, jwks }) = kept {
        text.push_str(&format!(
            "\n  Verify    tenure license verify {} --jwks {}\n",
            license.display(),
            jwks.display()
        ));
    }
    let href = played.instance.get("href").and_then(serde_json::Value::as_str).unwrap_or_default();
    let api = addresses.api;
    text.push_str(&format!(
        "  Instance  http://{api}{href}\n  Journal   http://{api}{href}/journal\n  Keys      \
         http://{api}/.well-known/jwks.json\n"
    ));
    text
}

/// What to try next.
pub(super) fn next(addresses: &Addresses, zuora: &str) -> String {
    let mut text = String::from("\nTry next:\n");
    if let Some(portal) = addresses.portal {
        text.push_str(&format!(
            "  - buy something, or pay with a card that declines: http://{portal}\n"
        ));
    }
    if let Some(inbox) = addresses.sandbox {
        text.push_str(&format!("  - read the mails that were sent: http://{inbox}\n"));
    }
    text.push_str(&format!(
        "  - let billing lose its next answer after the effect, and buy again:\n      curl -X PUT \
         {zuora}/sandbox/faults -H 'content-type: application/json' -d \
         '[{{\"operation\":\"createOrder\",\"kind\":\"effect_then_timeout\"}}]'\n      what happened \
         there, by key: curl {zuora}/sandbox/ledger\n  - tenure definition list --server http://{api}\n  - kill -9 {pid}, then the same \
         command again: nothing happens twice\n\nCtrl-C stops.\n",
        pid = std::process::id(),
        api = addresses.api
    ));
    text
}
