//! A compiled JSON Schema (2020-12; remote references refused).

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use tenure_adapter::FormatCheck;

/// Most violations reported at once.
const VIOLATIONS_MAX: usize = 20;
/// Longest violation message, in characters: the checked value may be quoted in it.
const MESSAGE_MAX: usize = 300;

/// A compiled schema.
pub struct Schema {
    /// The schema as written.
    pub source: Value,
    validator: Validator,
}

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the checked value.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schema").field(&self.source).finish()
    }
}

impl Schema {
    /// Compiles a schema. Patterns run in linear time, so they are without look-around; formats
    /// are checked, those of `formats` besides the standard ones.
    ///
    /// # Errors
    /// The place in the schema (JSON pointer) and what is wrong there.
    pub fn compile(
        source: Value,
        formats: &BTreeMap<String, FormatCheck>,
    ) -> Result<Self, Violation> {
        let mut options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .offline();
        for (name, check) in formats {
            let check = check.clone();
            options = options.with_format(name.clone(), move |text: &str| check(text));
        }
        let validator = options.build(&source).map_err(|error| Violation {
            pointer: error.instance_path().to_string(),
            message: shorten(&error.to_string()),
        })?;
        Ok(Self { source, validator })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// All violations (a named limit of them), in document order.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let violations: Vec<_> = self.violations(value).map(|(violation, _)| violation).collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// All violations, and whether each speaks of the keys an object has or lacks (and not of the
    /// values below it).
    pub(crate) fn violations<'v>(
        &'v self,
        value: &'v Value,
    ) -> impl Iterator<Item = (Violation, bool)> + 'v {
        self.validator.iter_errors(value).take(VIOLATIONS_MAX).map(|error| {
            let of_keys = matches!(
                error.kind(),
                ValidationErrorKind::Required { .. }
                    | ValidationErrorKind::AdditionalProperties { .. }
                    | ValidationErrorKind::UnevaluatedProperties { .. }
            );
            let violation = Violation {
                pointer: error.instance_path().to_string(),
                message: shorten(&error.to_string()),
            };
            (violation, of_keys)
        })
    }
}

fn shorten(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => format!("{}...", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn formats() -> BTreeMap<String, FormatCheck> {
        let check: FormatCheck = Arc::new(|text| text.len() == 2);
        BTreeMap::from([("country".to_owned(), check)])
    }

    #[test]
    fn all_violations_are_told_with_their_place() {
        let schema = json!({
            "type": "object",
            "required": ["email", "country"],
            "properties": {
                "email": {"type": "string", "format": "email"},
                "country": {"type": "string", "format": "country"},
                "seats": {"type": "integer", "minimum": 1},
            },
        });
        let schema = Schema::compile(schema, &formats()).unwrap();
        let good = json!({"email": "a@b.de", "country": "NO", "seats": 1});
        assert_eq!(schema.check(&good), Ok(()));
        let bad = json!({"email": "nobody", "country": "Norway", "seats": 0});
        let pointers: Vec<_> =
            schema.check(&bad).unwrap_err().into_iter().map(|found| found.pointer).collect();
        for pointer in ["/email", "/country", "/seats"] {
            assert!(pointers.iter().any(|found| found == pointer), "{pointer}: {pointers:?}");
        }
    }

    #[test]
    fn schemas_that_reach_outside_or_are_wrong_do_not_compile() {
        let check = |schema: Value| {
            assert!(Schema::compile(schema.clone(), &formats()).is_err(), "{schema}");
        };
        check(json!({"$ref": "https://example.com/schema.json"}));
        check(json!({"$ref": "file:///etc/passwd"}));
        check(json!({"type": "nonsense"}));
        check(json!({"pattern": "(?=x)y"}));
        check(json!(7));
    }
}
