//! A start, before anything is written: the input is checked, and the request gets a fingerprint.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tenure_adapter::Problem;
use tenure_definition::Plan;
use tenure_definition::canonical::canonical;
use tenure_definition::plan::KeyPolicy;
use tenure_machine::{Admission, InstanceId, admit};

use crate::engine::Error;
use crate::ground::Ground;

use crate::stepper::Undone;

/// SHA-256 of name and input: a repeated key must come with an equal request.
pub(crate) fn fingerprint(name: &str, input: &Value) -> String {
    let digest = Sha256::digest(canonical(&json!([name, input])).as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 0x0f), 16).unwrap_or('0'));
        text
    })
}

/// Checks an input on a thread with a large stack (the business key is an expression).
pub(crate) async fn admitted(
    ground: &Ground,
    plan: &Arc<Plan>,
    input: &Value,
) -> Result<Result<Admission, Problem>, Error> {
    let (plan, input) = (Arc::clone(plan), input.clone());
    match ground.steppers.run(move || admit(&plan, &input)).await {
        Ok(result) => Ok(result),
        Err(Undone::Full) => Err(Error::Busy),
        Err(Undone::Panicked) => Ok(Err(Problem::runtime("the input could not be checked"))),
    }
}

/// Whether its business key may have one live instance only.
pub(crate) fn claims_key(plan: &Plan) -> bool {
    match plan.extensions.business_key_policy {
        KeyPolicy::Reject | KeyPolicy::ReturnExisting => true,
        KeyPolicy::Allow | KeyPolicy::Queue => false,
    }
}

/// Why a child with a business key that is taken does not start.
pub(crate) fn taken(by: InstanceId) -> Problem {
    let detail = format!("instance {by} runs for this business key, and only one may");
    Problem::standard("runtime", 409, "Business Key Taken", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_requests_have_equal_fingerprints() {
        let one = fingerprint("buy", &json!({"a": 1, "b": [2, 3]}));
        assert_eq!(one, fingerprint("buy", &json!({"b": [2, 3], "a": 1})));
        assert_ne!(one, fingerprint("buy", &json!({"a": 1, "b": [3, 2]})));
        assert_ne!(one, fingerprint("sell", &json!({"a": 1, "b": [2, 3]})));
        assert_eq!(one.len(), 64);
    }
}
