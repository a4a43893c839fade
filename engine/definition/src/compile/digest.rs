//! The identity of a definition: its canonical JSON, hashed.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::canonical::canonical;

/// Lowercase hex SHA-256 of the canonical JSON (keys sorted, no blanks): comments, order of keys
/// and quoting do not change what a definition is.
pub(super) fn digest(value: &Value) -> String {
    hex(canonical(value).as_bytes())
}

/// Lowercase hex SHA-256 of bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_values_do() {
        let one = digest(&json!({"a": [1, {"c": "x", "b": null}], "d": true}));
        let same = digest(&json!({"d": true, "a": [1, {"b": null, "c": "x"}]}));
        assert_eq!(one, same);
        assert_ne!(one, digest(&json!({"a": [1, {"c": "x", "b": null}], "d": false})));
        // The digest is stored with every instance: it must never change for the same text.
        assert_eq!(digest(&json!({"b": 1, "a": "é"})), hex("{\"a\":\"é\",\"b\":1}".as_bytes()));
    }
}
