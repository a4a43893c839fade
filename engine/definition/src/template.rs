//! JSON values with expressions inside (`with`, `set`, `emit.event.with`, ...).

use serde_json::Value;

use crate::expression::{Expression, Scope};
use crate::uri::UriTemplate;

/// A value that is completed when it is needed.
#[derive(Debug)]
pub enum Template {
    /// No expression anywhere below.
    Constant(Value),
    /// A whole-string `${ }`: keeps the result's type.
    Expression(Expression),
    /// Text around `${ }`: interpolated; strings verbatim, other values as compact JSON.
    Text(Vec<Piece>),
    /// A URI with fields of the input in it; only where the language has URI templates.
    Uri(UriTemplate),
    /// An array with expressions below.
    Array(Vec<Self>),
    /// An object with expressions below.
    Object(Vec<(String, Self)>),
}

/// A part of an interpolated text.
#[derive(Debug)]
pub enum Piece {
    /// Verbatim.
    Text(String),
    /// Evaluated.
    Expression(Expression),
}

impl Template {
    /// Completes the value. Expressions found in *results* are never evaluated.
    ///
    /// # Errors
    /// As [`Expression::eval`] and [`UriTemplate::expand`].
    pub fn eval(&self, input: &Value, scope: &dyn Scope) -> Result<Value, String> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Expression(expression) => expression.eval(input, scope),
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(verbatim) => text.push_str(verbatim),
                        Piece::Expression(expression) => {
                            let value = expression.eval(input, scope)?;
                            match value.as_str() {
                                Some(verbatim) => text.push_str(verbatim),
                                None => text.push_str(&value.to_string()),
                            }
                        }
                    }
                }
                Ok(Value::String(text))
            }
            Self::Uri(template) => template.expand(input).map(Value::String),
            Self::Array(items) => items.iter().map(|item| item.eval(input, scope)).collect(),
            Self::Object(fields) => {
                let field = |(key, value): &(String, Self)| {
                    value.eval(input, scope).map(|value| (key.clone(), value))
                };
                fields.iter().map(field).collect::<Result<_, _>>().map(Value::Object)
            }
        }
    }

    /// The value, when nothing needs to be evaluated.
    #[must_use]
    pub fn constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Expression(_)
            | Self::Text(_)
            | Self::Uri(_)
            | Self::Array(_)
            | Self::Object(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;

    struct Nothing;

    impl Scope for Nothing {
        fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
            None
        }
    }

    fn jq(source: &str) -> Expression {
        Expression::compile(source, &[]).unwrap()
    }

    #[test]
    fn text_interpolates_and_whole_expressions_keep_their_type() {
        let check = |template: Template, expected: Value| {
            assert_eq!(template.eval(&json!({"a": 1, "b": "x"}), &Nothing), Ok(expected));
        };
        check(Template::Expression(jq(".a")), json!(1));
        let text = |text: &str| Piece::Text(text.to_owned());
        let pieces = vec![text("<"), Piece::Expression(jq(".")), text(">")];
        check(Template::Text(pieces), json!(r#"<{"a":1,"b":"x"}>"#));
        let pieces = vec![Piece::Expression(jq(".b")), Piece::Expression(jq(".a"))];
        check(Template::Text(pieces), json!("x1"));
        let object = vec![
            ("k".to_owned(), Template::Array(vec![Template::Expression(jq(".b"))])),
            ("c".to_owned(), Template::Constant(json!(null))),
        ];
        check(Template::Object(object), json!({"k": ["x"], "c": null}));
    }

    #[test]
    fn expressions_in_results_are_data() {
        let template = Template::Expression(jq(".x"));
        let hostile = json!({"x": "${ .y }", "y": "secret"});
        assert_eq!(template.eval(&hostile, &Nothing), Ok(json!("${ .y }")));
    }
}
