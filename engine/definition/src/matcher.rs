//! What an attribute of an event must be.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::expression::Scope;
use crate::template::Template;

/// Most memory a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Most memory a pattern may take while it runs, in bytes.
const PATTERN_CACHE_BYTES_MAX: usize = 1024 * 1024;
/// Longest pattern, in bytes.
const PATTERN_LENGTH_MAX: usize = 1_024;

/// A condition on the value of an attribute, or on a part of `data`.
#[derive(Debug)]
pub enum Matcher {
    /// The value is this.
    Equal(Value),
    /// The text is this, or fits it as a regular expression from its beginning to its end.
    Pattern(Pattern),
    /// Evaluated on the value: a boolean says whether it fits, any other result must equal it.
    Computed(Template),
    /// An object that has at least these fields.
    Fields(Vec<(String, Self)>),
    /// A list of these, one by one.
    Items(Vec<Self>),
}

/// A regular expression of the `regex` crate: linear in the length of the text.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Whether a text of a filter is meant as a pattern: it has a metacharacter other than `.`.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.contains(['*', '+', '?', '[', ']', '(', ')', '{', '}', '|', '^', '$', '\\'])
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_LENGTH_MAX {
            return Err(format!("it is longer than {PATTERN_LENGTH_MAX} bytes"));
        }
        let build = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(PATTERN_BYTES_MAX)
                .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
                    other => last_line(&other.to_string()),
                })
        };
        // Alone first: what is wrong in itself must not become right by what is put around it.
        build(text)?;
        Ok(Self { text: text.to_owned(), regex: build(&format!(r"\A(?:{text})\z"))? })
    }

    fn fits(&self, value: &str) -> bool {
        value == self.text || self.regex.is_match(value)
    }
}

fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or(text).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl Matcher {
    /// Whether a value fits. A value from outside may have any form: an expression that fails on
    /// it says that it does not fit.
    #[must_use]
    pub fn fits(&self, value: &Value, scope: &dyn Scope) -> bool {
        match self {
            Self::Equal(wanted) => wanted == value,
            Self::Pattern(pattern) => value.as_str().is_some_and(|text| pattern.fits(text)),
            Self::Computed(template) => match template.eval(value, scope) {
                Ok(Value::Bool(fits)) => fits,
                Ok(wanted) => wanted == *value,
                Err(_) => false,
            },
            Self::Fields(fields) => value.as_object().is_some_and(|object| {
                fields.iter().all(|(name, matcher)| {
                    object.get(name).is_some_and(|value| matcher.fits(value, scope))
                })
            }),
            Self::Items(items) => value.as_array().is_some_and(|values| {
                values.len() == items.len()
                    && items.iter().zip(values).all(|(item, value)| item.fits(value, scope))
            }),
        }
    }

    /// The value it waits for, when that is a constant.
    #[must_use]
    pub fn constant(&self) -> Option<&Value> {
        match self {
            Self::Equal(value) => Some(value),
            Self::Pattern(_) | Self::Computed(_) | Self::Fields(_) | Self::Items(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;
    use crate::expression::Expression;

    struct Nothing;

    impl Scope for Nothing {
        fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
            None
        }
    }

    fn jq(source: &str) -> Matcher {
        Matcher::Computed(Template::Expression(Expression::compile(source, &[]).unwrap()))
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with plain values")]
    fn check(matcher: &Matcher, value: Value, expected: bool) {
        assert_eq!(matcher.fits(&value, &Nothing), expected, "{matcher:?} on {value}");
    }

    #[test]
    fn a_pattern_fits_the_whole_text_or_is_the_text() {
        let pattern = |text: &str| Matcher::Pattern(Pattern::compile(text).unwrap());
        check(&pattern("com.acme.(paid|refunded)"), json!("com.acme.paid"), true);
        check(&pattern("com.acme.(paid|refunded)"), json!("com.acme.paid.v1"), false);
        check(&pattern("com.acme.(paid|refunded)"), json!("x.com.acme.paid"), false);
        check(&pattern("a|b"), json!("ab"), false);
        check(&pattern("https://x/?q=1"), json!("https://x/?q=1"), true);
        check(&pattern("a.*"), json!("a\nb"), false);
        check(&pattern("a.*"), json!(7), false);
        check(&pattern("^(a+)+$"), json!(format!("{}b", "a".repeat(50_000))), false);
    }

    #[test]
    fn only_texts_with_a_metacharacter_besides_the_dot_are_patterns() {
        for (text, meant) in [("com.acme.paid.v1", false), ("/shop", false), ("a-b_c:d", false)] {
            assert_eq!(Pattern::is_meant(text), meant, "{text}");
        }
        for text in ["com.acme.*", "a|b", "^a", "a$", r"a\.b", "a{2}", "[ab]", "(a)", "a+", "a?"] {
            assert!(Pattern::is_meant(text), "{text}");
        }
    }

    #[test]
    fn a_broken_or_huge_pattern_says_why() {
        for text in ["a)(b", "(a", "[", "a{1000}{1000}{1000}", "(?=a)b"] {
            assert!(Pattern::compile(text).is_err(), "{text}");
        }
        assert!(Pattern::compile(&"a*".repeat(PATTERN_LENGTH_MAX)).is_err());
    }

    #[test]
    fn an_expression_answers_or_gives_the_value() {
        check(&jq(".temperature > 38"), json!({ "temperature": 39 }), true);
        check(&jq(".temperature > 38"), json!({ "temperature": 38 }), false);
        check(&jq(".a.b.c == 1"), json!("text"), false);
        check(&jq("\"pa\" + \"id\""), json!("paid"), true);
        check(&jq("\"pa\" + \"id\""), json!("lost"), false);
    }

    #[test]
    fn an_object_has_at_least_the_fields_and_a_list_exactly_the_items() {
        let matcher = Matcher::Fields(vec![
            ("kind".to_owned(), Matcher::Equal(json!("seat"))),
            ("seats".to_owned(), Matcher::Items(vec![jq(". > 1"), Matcher::Equal(json!(2))])),
        ]);
        check(&matcher, json!({ "kind": "seat", "seats": [5, 2], "more": null }), true);
        check(&matcher, json!({ "kind": "seat", "seats": [5, 2, 3] }), false);
        check(&matcher, json!({ "kind": "seat", "seats": [1, 2] }), false);
        check(&matcher, json!({ "kind": "seat" }), false);
        check(&matcher, json!([]), false);
    }
}
