//! Secrets: the machine only ever sees a marker; the value takes its place on the way out, and is masked
//! in what comes back.

mod mask;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenure_machine::secret::{CLOSE, OPEN};

pub(crate) use mask::Mask;

/// What follows the opening character of a marker.
const KIND: &str = "secret:";

/// Values by name. `Debug` shows the names only.
#[derive(Clone, Default)]
pub(crate) struct Secrets(BTreeMap<String, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    pub(crate) fn new(values: BTreeMap<String, String>) -> Self {
        Self(values)
    }

    /// Puts the values in place of all markers of a request, in keys as well. The mask knows the values
    /// that were put there.
    ///
    /// # Errors
    /// The name of the secret that has no value here.
    pub(crate) fn fill(&self, request: &Value) -> Result<(Value, Mask), String> {
        let mut used = BTreeSet::new();
        let filled = self.fill_value(request, &mut used)?;
        Ok((filled, Mask::new(used)))
    }

    fn fill_value<'s>(
        &'s self,
        value: &Value,
        used: &mut BTreeSet<&'s str>,
    ) -> Result<Value, String> {
        Ok(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::String(self.fill_text(text, used)?),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.fill_value(item, used));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, field)| {
                        Ok((self.fill_text(name, used)?, self.fill_value(field, used)?))
                    })
                    .collect::<Result<_, String>>()?,
            ),
        })
    }

    fn fill_text<'s>(&'s self, text: &str, used: &mut BTreeSet<&'s str>) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            filled.push_str(before);
            match after.strip_prefix(KIND).and_then(|after| after.split_once(CLOSE)) {
                Some((name, after)) => {
                    let value = self.0.get(name).ok_or_else(|| name.to_owned())?;
                    used.insert(value);
                    filled.push_str(value);
                    rest = after;
                }
                None => {
                    filled.push(OPEN);
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(request: &Value, expected: Result<Value, &str>) {
        let secrets = Secrets::new(BTreeMap::from([("token".to_owned(), "s3cret".to_owned())]));
        let filled = secrets.fill(request).map(|(filled, _)| filled);
        assert_eq!(filled, expected.map_err(str::to_owned));
    }

    #[test]
    fn markers_are_filled_wherever_they_stand() {
        check(&json!({"a": [1, null, "plain"]}), Ok(json!({"a": [1, null, "plain"]})));
        check(
            &json!({"h": {"Authorization": "Bearer \u{E000}secret:token\u{E001}!"}}),
            Ok(json!({"h": {"Authorization": "Bearer s3cret!"}})),
        );
        check(
            &json!("\u{E000}secret:token\u{E001}\u{E000}secret:token\u{E001}"),
            Ok(json!("s3crets3cret")),
        );
        check(&json!({"\u{E000}secret:token\u{E001}": 1}), Ok(json!({"s3cret": 1})));
    }

    #[test]
    fn an_unknown_secret_is_named_and_a_broken_marker_is_plain_text() {
        check(&json!("\u{E000}secret:other\u{E001}"), Err("other"));
        check(&json!("a\u{E000}b\u{E001}"), Ok(json!("a\u{E000}b\u{E001}")));
        check(&json!("\u{E000}secret:token"), Ok(json!("\u{E000}secret:token")));
    }

    #[test]
    fn debug_shows_no_value() {
        let secrets = Secrets::new(BTreeMap::from([("token".to_owned(), "s3cret".to_owned())]));
        assert_eq!(format!("{secrets:?}"), r#"{"token"}"#);
    }
}
