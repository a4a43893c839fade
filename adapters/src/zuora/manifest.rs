//! Manifests of the Zuora functions.

use serde_json::{Value, json};
use tenure_adapter::{EffectClass, Manifest, RaisedError};

use crate::manifest::{Remote, amount, country_code, currency, date, email, gives, object, text};

/// Zuora forgets a key after a day.
const KEY_LIFE_MS: u64 = 24 * 60 * 60 * 1000;
/// Zuora's own time-out: after it nothing of a request is still running there.
const VENDOR_TIMEOUT_MS: u64 = 120_000;
/// Longest number of an account (Zuora's limit is 70) that leaves room for prefixes.
const NUMBER_MAX: u32 = 70;

pub(super) fn all(remote: &Remote) -> Vec<Manifest> {
    vec![
        create_account(remote),
        get_account(remote),
        preview_order(remote),
        create_order(remote),
        cancel_order(remote),
        get_subscription(remote),
        cancel_subscription(remote),
    ]
}

fn text_out() -> Value {
    json!({ "type": ["string", "null"] })
}

fn create_account(remote: &Remote) -> Manifest {
    let contact = object(
        &["first_name", "last_name", "email"],
        &json!({ "first_name": text(100), "last_name": text(100), "email": email() }),
    );
    let input = object(
        &["account_number", "name", "currency", "country", "bill_to", "sold_to"],
        &json!({
            "account_number": text(NUMBER_MAX),
            "name": text(255),
            "currency": currency(),
            "country": country_code(),
            "bill_to": contact,
            "sold_to": contact,
            "communication_profile": {
                "enum": ["Default", "Default Profile", "Silent", "Silent Profile", null]
            },
        }),
    );
    let output =
        gives(&json!({ "account_id": text_out(), "account_number": { "type": "string" } }));
    remote.manifest(
        "zuora.createAccount",
        "Opens a billing account under a number of the caller's choice.",
        EffectClass::Keyed { key_life_ms: KEY_LIFE_MS },
        VENDOR_TIMEOUT_MS,
        (input, output),
    )
}

fn get_account(remote: &Remote) -> Manifest {
    let input = object(&["account_number"], &json!({ "account_number": text(NUMBER_MAX) }));
    let output = gives(&json!({
        "account_id": text_out(),
        "account_number": text_out(),
        "name": text_out(),
        "status": text_out(),
        "currency": text_out(),
        "communication_profile": text_out(),
    }));
    let summary = "Reads a billing account.";
    remote.manifest("zuora.getAccount", summary, EffectClass::Natural, 0, (input, output))
}

fn preview_order(remote: &Remote) -> Manifest {
    let input = object(
        &["sku", "quantity", "start_date", "country"],
        &json!({
            "account": { "anyOf": [text(NUMBER_MAX), { "type": "null" }] },
            "sku": { "type": "string", "format": "sku" },
            "quantity": { "type": "integer", "minimum": 1 },
            "start_date": date(),
            "country": country_code(),
        }),
    );
    let output = gives(&json!({
        "amount": amount(), "tax": amount(), "total": amount(), "currency": currency(),
    }));
    let summary = "Quotes a year of a product, with tax, in minor units.";
    remote.manifest("zuora.previewOrder", summary, EffectClass::Natural, 0, (input, output))
}

fn create_order(remote: &Remote) -> Manifest {
    let input = object(
        &[
            "order_number",
            "account_number",
            "subscription_number",
            "sku",
            "quantity",
            "order_date",
            "term_start",
            "term_months",
            "payment_method",
            "amount",
            "currency",
        ],
        &json!({
            "order_number": text(100),
            "account_number": text(NUMBER_MAX),
            "subscription_number": text(100),
            "sku": { "type": "string", "format": "sku" },
            "quantity": { "type": "integer", "minimum": 1 },
            "order_date": date(),
            "term_start": date(),
            "term_months": { "type": "integer", "minimum": 1, "maximum": 120 },
            "payment_method": text(100),
            "amount": amount(),
            "currency": currency(),
        }),
    );
    let output = gives(&json!({
        "order_number": { "type": "string" },
        "subscription_number": { "type": "string" },
        "subscription_id": text_out(),
        "invoice_number": text_out(),
        "payment_id": text_out(),
        "payment_number": text_out(),
        "amount": amount(),
        "currency": currency(),
        "term_start": date(),
        "term_end": date(),
        "status": text_out(),
    }));
    let manifest = remote.manifest(
        "zuora.createOrder",
        "Orders a subscription, bills it and collects the payment; all of it or nothing.",
        EffectClass::Keyed { key_life_ms: KEY_LIFE_MS },
        VENDOR_TIMEOUT_MS,
        (input, output),
    );
    let errors = vec![RaisedError::declined(), RaisedError::rejected()];
    remote.with_deadline(Manifest { money: true, errors, ..manifest }, VENDOR_TIMEOUT_MS)
}

fn cancel_order(remote: &Remote) -> Manifest {
    let input = object(&["order_number"], &json!({ "order_number": text(100) }));
    let output =
        gives(&json!({ "order_number": { "type": "string" }, "status": { "type": "string" } }));
    let summary = "Cancels an order that is not completed; one that is cancelled stays so.";
    remote.manifest("zuora.cancelOrder", summary, EffectClass::Natural, 0, (input, output))
}

fn get_subscription(remote: &Remote) -> Manifest {
    let input = object(&["subscription_number"], &json!({ "subscription_number": text(100) }));
    let output = gives(&json!({
        "subscription_number": text_out(),
        "subscription_id": text_out(),
        "account_number": text_out(),
        "order_number": text_out(),
        "status": text_out(),
        "term_start": text_out(),
        "term_end": text_out(),
        "cancelled_on": text_out(),
        "auto_renew": { "type": ["boolean", "null"] },
    }));
    let summary = "Reads a subscription.";
    remote.manifest("zuora.getSubscription", summary, EffectClass::Natural, 0, (input, output))
}

fn cancel_subscription(remote: &Remote) -> Manifest {
    let input = object(
        &["subscription_number", "policy"],
        &json!({
            "subscription_number": text(100),
            "effective_date": { "anyOf": [date(), { "type": "null" }] },
            "policy": { "enum": ["EndOfCurrentTerm", "EndOfLastInvoicePeriod", "SpecificDate"] },
        }),
    );
    let output = gives(&json!({
        "subscription_number": { "type": "string" },
        "status": { "type": "string" },
        "cancelled_on": text_out(),
    }));
    let summary = "Cancels a subscription unless that happened before.";
    remote.manifest("zuora.cancelSubscription", summary, EffectClass::Natural, 0, (input, output))
}
