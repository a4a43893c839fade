//! Derived keys: business identity, never the random instance id.

use uuid::Uuid;

use crate::Identity;

/// Name space of all effect keys. Drawn once; changing it would make every vendor see new effects.
const EFFECT_SPACE: Uuid = Uuid::from_u128(0x6c2d_6f0e_5c1b_5f5e_9d1b_6a9d_5f2b_7e31);

/// The key of an effect: UUID v5 over (namespace, definition, business key, start key, position,
/// visit, generation). A re-submission after a lossy fail-over meets the vendor with the same key.
#[must_use]
pub fn effect_key(identity: &Identity, position: &str, visit: u32, generation: u32) -> Uuid {
    let name = serde_json::json!([
        identity.namespace,
        identity.definition,
        identity.business_key,
        identity.start_key,
        position,
        visit,
        generation
    ]);
    Uuid::new_v5(&EFFECT_SPACE, name.to_string().as_bytes())
}

/// A key the author computed (`metadata.idempotencyKey`), made unique to namespace and function.
/// The generation takes part, so that a new try after a rejection is a new effect.
#[must_use]
pub fn authored_key(namespace: &str, function: &str, key: &str, generation: u32) -> Uuid {
    let name = serde_json::json!(["authored", namespace, function, key, generation]);
    Uuid::new_v5(&EFFECT_SPACE, name.to_string().as_bytes())
}

/// Eight derived bytes for the id of a child.
#[must_use]
pub fn child_entropy(identity: &Identity, position: &str, visit: u32) -> [u8; 8] {
    let key = effect_key(identity, &format!("child:{position}"), visit, 0);
    let (high, low) = key.as_u64_pair();
    (high ^ low).to_be_bytes()
}
