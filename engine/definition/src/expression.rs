//! A compiled jq expression, and its evaluation inside the fences.

use std::borrow::Cow;

use serde_json::Value;

/// Gives the values of `$context`, `$input` and the other variables. Asked only for the names the
/// expression uses, so building a value may be left to that moment.
pub trait Scope {
    /// The value of `$name` (without the `$`), or `None` when there is none here.
    fn get(&self, name: &str) -> Option<Cow<'_, Value>>;
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    /// The text between `${` and `}`, or the bare jq.
    pub source: String,
}

impl Expression {
    /// Evaluates on `input`. The first output counts; none counts as `null`.
    ///
    /// # Errors
    /// The jq error, or the limit that was hit, in words for the author.
    pub fn eval(&self, _input: &Value, _scope: &dyn Scope) -> Result<Value, String> {
        Err("not compiled".to_owned())
    }

    /// Evaluates and reads jq's notion of truth: everything but `false` and `null`.
    ///
    /// # Errors
    /// As [`Expression::eval`].
    pub fn holds(&self, input: &Value, scope: &dyn Scope) -> Result<bool, String> {
        Ok(!matches!(self.eval(input, scope)?, Value::Null | Value::Bool(false)))
    }
}
