//! A compiled jq expression, and its evaluation inside the fences.
//!
//! jq runs in this process, so what it may do is fenced from outside: `prelude` chooses the
//! functions (nothing that reads the clock, the environment or a file), `fence` rewrites the
//! parsed program so that every loop and every growing value pays from a fuel tank, and `value`
//! bounds what goes in and out. `program` puts them together. `item` says what operators and paths
//! mean, so that they mean what they do in jq. Evaluation is a pure function of the
//! input and the variables.
//!
//! Deep but legal recursion inside jq needs stack: evaluate on threads with [`STACK_BYTES`].

use std::borrow::Cow;
use std::fmt;

use jaq_core::{Ctx, Vars};
use serde_json::Value;

pub use outputs::Outputs;
pub(crate) use program::{Fault, extent, range_of, syntax, visit};
pub use reads::{Read, Root, Segment};

mod direct;
mod fence;
mod function;
mod item;
pub mod mark;
mod meter;
mod outputs;
mod prelude;
mod program;
mod reads;
mod regular;
pub(crate) mod scan;
mod text;
mod value;

/// Stack an evaluating thread needs.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Gives the values of `$context`, `$input` and the other variables. Asked only for the names the
/// expression uses, so building a value may be left to that moment.
pub trait Scope {
    /// The value of `$name` (without the `$`), or `None` when there is none here.
    fn get(&self, name: &str) -> Option<Cow<'_, Value>>;

    /// The value of `$name.key`, where it can be had without the rest of `$name`. `None` says nothing: the
    /// caller then asks for `$name` as a whole.
    fn field(&self, _name: &str, _key: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

/// A compiled expression.
pub struct Expression {
    /// The text between `${` and `}`, or the bare jq.
    pub source: String,
    /// The variables it uses, without `$`, in the order the program expects them.
    variables: Vec<String>,
    program: program::Program,
    /// What a turn of it costs.
    turn: u64,
    /// The way around jq, for what is simple enough.
    direct: Option<direct::Direct>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl Expression {
    /// Compiles an expression that stands alone, outside a definition. `variables` are the names
    /// (without `$`) that may be used.
    ///
    /// # Errors
    /// Every mistake, in words for the author.
    pub fn new(source: &str, variables: &[&str]) -> Result<Self, Vec<String>> {
        Self::compile(source, variables)
            .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    /// Compiles jq. `variables` are the names (without `$`) that may be used.
    ///
    /// # Errors
    /// Every mistake, with its place in `source`.
    pub(crate) fn compile(source: &str, variables: &[&str]) -> Result<Self, Vec<Fault>> {
        let program::Compiled { program, variables, turn } = program::compile(source, variables)?;
        let direct = program::parse(source).ok().and_then(|term| direct::Direct::read(&term));
        Ok(Self { source: source.to_owned(), variables, program, turn, direct })
    }

    /// Its syntax tree, before the fences were put in: for checks that follow the data. Parsed
    /// again on every call, so that a plan need not keep it.
    pub(crate) fn term(&self) -> jaq_core::load::parse::Term<&str> {
        program::parse(&self.source).unwrap_or_default()
    }

    /// How many outputs it can give.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        outputs::outputs(&self.term())
    }

    /// Every place it may read, as far as the text tells: a place stands for all below it.
    #[must_use]
    pub fn reads(&self) -> Vec<Read> {
        reads::reads(&self.term())
    }

    /// The names of the variables it uses, without `$`.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Evaluates on `input`. The first output counts; none counts as `null`.
    ///
    /// # Errors
    /// The jq error, or the limit that was hit, in words for the author.
    pub fn eval(&self, input: &Value, scope: &dyn Scope) -> Result<Value, String> {
        match self.direct.as_ref().and_then(|direct| direct.eval(input, scope)) {
            Some(value) => Ok(value),
            None => self.eval_in_jq(input, scope),
        }
    }

    fn eval_in_jq(&self, input: &Value, scope: &dyn Scope) -> Result<Value, String> {
        let mut variables = Vec::with_capacity(self.variables.len());
        for name in &self.variables {
            let value = scope.get(name).ok_or_else(|| format!("${name} has no value here"))?;
            variables.push(item::Item(value::read(&value)?));
        }
        let fuel = fence::Fuel::full(self.turn);
        let data = fence::Data::new(&self.program.lut, &fuel);
        let context = Ctx::<fence::Fenced>::new(data, Vars::new(variables));
        let mut outputs = self.program.id.run((context, item::Item(value::read(input)?)));
        match outputs.next() {
            None => Ok(Value::Null),
            Some(Ok(output)) => {
                // A `try` can have caught what an operator said of it.
                if let Some(limit) = meter::met() {
                    return Err(limit.to_string());
                }
                let mut result = value::write(&output.0)?;
                let variables = self.variables.iter().filter_map(|name| scope.get(name));
                mark::keep_known(
                    &mut result,
                    std::iter::once(Cow::Borrowed(input)).chain(variables),
                );
                Ok(result)
            }
            Some(Err(exception)) => Err(fence::explain(exception)),
        }
    }

    /// Evaluates and reads jq's notion of truth: everything but `false` and `null`.
    ///
    /// # Errors
    /// As [`Expression::eval`].
    pub fn holds(&self, input: &Value, scope: &dyn Scope) -> Result<bool, String> {
        if let Some(holds) = self.direct.as_ref().and_then(|direct| direct.holds(input, scope)) {
            return Ok(holds);
        }
        Ok(!matches!(self.eval_in_jq(input, scope)?, Value::Null | Value::Bool(false)))
    }
}

#[cfg(test)]
mod tests;
