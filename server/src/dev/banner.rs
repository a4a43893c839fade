//! What `tenure dev` says: where everything is, how the purchase went, what to try next.

use std::path::Path;

use crate::hook::Addresses;

use super::play::Played;

/// What is there.
pub(super) fn text(
    addresses: &Addresses,
    root: &Path,
    provider: &str,
    grade: char,
    definitions: &[String],
) -> String {
    let meaning = match grade {
        'A' => "acknowledged work survives the loss of the primary",
        'B' => "acknowledged work survives kill -9 and power loss of this machine",
        _ => "acknowledged work may be lost when this machine loses power",
    };
    let mut text = format!(
        "tenure {} is up\n\n  API        http://{}\n",
        env!("CARGO_PKG_VERSION"),
        addresses.api
    );
    if let Some(portal) = addresses.portal {
        text.push_str(&format!("  Portal     http://{portal}\n"));
    }
    if let Some(sandbox) = addresses.sandbox {
        text.push_str(&format!(
            "  Sandbox    http://{sandbox}  (vendors, their ledgers, the inbox)\n"
        ));
    }
    text.push_str(&format!(
        "  Database   {provider}\n  Durability {grade}: {meaning}\n  Data       {}\n  Reset      \
         tenure dev --data-dir {} --reset --yes\n  Workflows  {}\n",
        root.display(),
        root.display(),
        definitions.join(", ")
    ));
    text
}

/// How the purchase went.
pub(super) fn played(played: &Played, addresses: &Addresses) -> String {
    let href = played.instance.get("href").and_then(serde_json::Value::as_str).unwrap_or_default();
    let id = &played.purchase.purchase_id;
    let mut text = format!("\nPurchase {id}, played through:\n\n{}", played.timeline);
    match (played.is_completed(), played.license()) {
        (true, Some(license)) => {
            text.push_str(&format!(
                "\nLicense (a JWS; verify it with `tenure license verify -`):\n\n{license}\n"
            ));
        }
        (true, None) => text.push_str("\nThe purchase completed without a license.\n"),
        (false, _) => {
            let error = played.instance.get("error").cloned().unwrap_or_default();
            text.push_str(&format!("\nThe purchase did not complete: {error:#}\n"));
        }
    }
    text.push_str(&format!(
        "\n  Instance   http://{api}{href}\n  Journal    http://{api}{href}/journal\n  Keys       \
         http://{api}/.well-known/jwks.json\n",
        api = addresses.api
    ));
    text
}

/// What to try next.
pub(super) fn next(addresses: &Addresses) -> String {
    let mut text = String::from("\nTry next:\n");
    if let Some(portal) = addresses.portal {
        text.push_str(&format!(
            "  buy something yourself, or with a card that declines: http://{portal}\n"
        ));
    }
    if let Some(sandbox) = addresses.sandbox {
        text.push_str(&format!("  read the mails that were sent:  http://{sandbox}\n"));
    }
    text.push_str(&format!(
        "  kill -9 {pid}, run `tenure dev` again, and see that nothing happens twice\n  tenure \
         definition list --server http://{api}\n\nCtrl-C stops.\n",
        pid = std::process::id(),
        api = addresses.api
    ));
    text
}
