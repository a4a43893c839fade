//! What a Zuora answer proves. HTTP 200 does not mean success: `success` and `reasons[].code` do.

use serde_json::Value;
use tenure_adapter::{Outcome, Reason};

use crate::classify::{by_status, retry_after_ms, unreadable};
use crate::decline;
use crate::http::Answer;

const VENDOR: &str = "Zuora";

/// The body of a success, or the outcome.
pub(crate) fn read(answer: &Answer) -> Result<Value, Outcome> {
    // Any 5xx is unproven, whatever its body says.
    if answer.status >= 500 || matches!(answer.status, 401 | 408 | 409 | 429) {
        return Err(by_status(VENDOR, answer).unwrap_or_else(|| unreadable(VENDOR, answer)));
    }
    let body = answer.json();
    match body.as_ref().and_then(succeeded) {
        Some(false) => Err(refused(answer, &body.unwrap_or_default())),
        Some(true) if (200..=299).contains(&answer.status) => {
            body.ok_or_else(|| unreadable(VENDOR, answer))
        }
        Some(true) | None => {
            Err(by_status(VENDOR, answer).unwrap_or_else(|| unreadable(VENDOR, answer)))
        }
    }
}

/// Whether the answer proves that the thing does not exist.
pub(crate) fn is_absent(answer: &Answer) -> bool {
    if answer.status == 404 {
        return true;
    }
    let body = answer.json().unwrap_or_default();
    answer.status < 500
        && succeeded(&body) == Some(false)
        && reasons(&body).first().is_some_and(|(code, _)| code % 100 == 40)
}

/// CRUD calls write `Success`, the others `success`.
fn succeeded(body: &Value) -> Option<bool> {
    body.get("success").or_else(|| body.get("Success")).and_then(Value::as_bool)
}

/// Codes (numbers on the wire, text in the vendor's own schema) with their messages.
fn reasons(body: &Value) -> Vec<(u64, String)> {
    let list = body.get("reasons").or_else(|| body.get("Errors")).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|reason| {
            let code = reason.get("code").or_else(|| reason.get("Code"));
            let code = code.and_then(|code| match code {
                Value::Number(number) => number.as_u64(),
                Value::String(text) => text.parse().ok(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            });
            let message = reason.get("message").or_else(|| reason.get("Message"));
            let message = message.and_then(Value::as_str).unwrap_or_default();
            (code.unwrap_or(0), message.to_owned())
        })
        .collect()
}

/// `success: false`: the code's last two digits say of which kind.
fn refused(answer: &Answer, body: &Value) -> Outcome {
    let reasons = reasons(body);
    let detail = reasons
        .iter()
        .map(|(code, message)| format!("{code}: {message}"))
        .collect::<Vec<_>>()
        .join("; ");
    let detail = format!("Zuora refused: {detail}");
    let Some((code, message)) = reasons.first() else {
        return unreadable(VENDOR, answer);
    };
    if let Some(declined) = declined(body, *code, message) {
        return declined;
    }
    let reason = match code % 100 {
        10 | 11 => Reason::Config,
        // 50 a lock, 61 temporary. 60 (internal) and 99 (tax, gateway) come with `success:false`:
        // the transaction was rolled back, and the numbers chosen by the definition keep a new
        // try from doubling it. A new try must take a new key, because Zuora replays the stored
        // refusal for the old one.
        50 | 60 | 61 | 99 => Reason::Transient,
        70 => Reason::Conflict,
        30 if says_exists(message) => return Outcome::Unknown { detail },
        _ => Reason::Invalid,
    };
    Outcome::Rejected { reason, detail, retry_after_ms: retry_after_ms(answer) }
}

/// A number chosen by us that is taken: most likely by an earlier try whose key was forgotten.
/// Only a look-up can tell.
fn says_exists(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("already exist") || message.contains("duplicate")
}

/// A refused payment: in fields of its own, or in the words of reason 99.
fn declined(body: &Value, code: u64, message: &str) -> Option<Outcome> {
    let field = |name: &str| body.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    if let Some(gateway) = field("gatewayResponseCode").or_else(|| field("paymentErrorCode")) {
        let words = field("gatewayResponse").or_else(|| field("paymentErrorMessage"));
        return Some(decline::outcome(gateway, words.unwrap_or(message)));
    }
    if code % 100 != 99 {
        return None;
    }
    let lower = message.to_lowercase();
    match decline::code_in(message) {
        Some(gateway) => Some(decline::outcome(gateway, message)),
        None if lower.contains("declin") => Some(decline::outcome("generic_decline", message)),
        None => None,
    }
}

/// A payment that failed inside an order that was nevertheless made.
pub(crate) fn payment_failure(body: &Value) -> Option<Outcome> {
    let status = body.get("paymentStatus").and_then(Value::as_str)?;
    if !matches!(status, "Error" | "Failed" | "Voided" | "Canceled") {
        return None;
    }
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let code = field("paymentErrorCode").unwrap_or("generic_decline");
    Some(decline::outcome(code, field("paymentErrorMessage").unwrap_or(status)))
}
