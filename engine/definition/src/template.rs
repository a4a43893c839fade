//! JSON values with expressions inside (`with`, `set`, `emit.event.with`, ...).

use serde_json::Value;

use crate::expression::{Expression, Scope};

/// A value that is completed when it is needed.
#[derive(Debug)]
pub enum Template {
    /// No expression anywhere below.
    Constant(Value),
    /// A whole-string `${ }`: keeps the result's type.
    Expression(Expression),
    /// Text around `${ }`: interpolated; strings verbatim, other values as compact JSON.
    Text(Vec<Piece>),
    /// An array with expressions below.
    Array(Vec<Template>),
    /// An object with expressions below.
    Object(Vec<(String, Template)>),
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
    /// As [`Expression::eval`].
    pub fn eval(&self, _input: &Value, _scope: &dyn Scope) -> Result<Value, String> {
        Err("not compiled".to_owned())
    }
}
