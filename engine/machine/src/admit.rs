//! The door of the start: checks an input against a plan and names the run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tenure_adapter::Problem;
use tenure_definition::Plan;

use crate::limit::{BUSINESS_KEY_BYTES_MAX, JSON_DEPTH_MAX};
use crate::outside::is_deeper_than;
use crate::step::scope::StartScope;
use crate::{Identity, Instance, InstanceId, Parent, Status, secret};

/// A start that passed the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The business key, or `None` when the definition has none (the instance id stands in).
    pub business_key: Option<String>,
}

/// Everything a new instance is made of.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its id.
    pub id: InstanceId,
    /// From [`Admission`].
    pub business_key: Option<String>,
    /// The caller's key; `None` lets the instance id stand in.
    pub start_key: Option<String>,
    /// Its input.
    pub input: Value,
    /// Who started it.
    pub parent: Option<Parent>,
    /// When.
    pub at: Timestamp,
}

/// Checks the input against `input.schema` and evaluates `metadata.businessKey`.
///
/// # Errors
/// A `validation` or `expression` problem; `data.errors` lists each violation with its pointer.
pub fn admit(plan: &Plan, input: &Value) -> Result<Admission, Problem> {
    if is_deeper_than(input, JSON_DEPTH_MAX) {
        return Err(Problem::validation(format!(
            "the input is nested deeper than {JSON_DEPTH_MAX}: flatten it"
        )));
    }
    if let Some(schema) = &plan.input.schema {
        schema.check(input).map_err(|violations| {
            let errors: Vec<Value> = violations
                .iter()
                .map(|found| json!({ "pointer": found.pointer, "detail": found.message }))
                .collect();
            let first = violations
                .first()
                .map(|found| format!("{}: {}", at_pointer(&found.pointer), found.message))
                .unwrap_or_default();
            let mut problem = Problem::validation(format!("the input does not fit: {first}"));
            problem.instance = Some("/input".to_owned());
            problem.data = Some(json!({ "errors": errors }));
            problem
        })?;
    }
    let Some(expression) = &plan.extensions.business_key else {
        return Ok(Admission { business_key: None });
    };
    let value = expression.eval(input, &StartScope { input }).map_err(|detail| {
        Problem::expression(format!("metadata.businessKey does not evaluate: {detail}"))
    })?;
    let key = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Problem::validation(
                "metadata.businessKey must give a text or a number for this input",
            ));
        }
    };
    if key.is_empty() || key.len() > BUSINESS_KEY_BYTES_MAX {
        return Err(Problem::validation(format!(
            "metadata.businessKey must give 1 to {BUSINESS_KEY_BYTES_MAX} bytes, not {}",
            key.len()
        )));
    }
    if key.chars().any(char::is_control) {
        return Err(Problem::validation(
            "metadata.businessKey must not give control characters for this input",
        ));
    }
    Ok(Admission { business_key: Some(key) })
}

fn at_pointer(pointer: &str) -> &str {
    if pointer.is_empty() { "/" } else { pointer }
}

impl Start {
    /// The pending instance: revision 0, nothing run yet.
    #[must_use]
    pub fn into_instance(mut self, plan: &Plan) -> Instance {
        secret::disarm(&mut self.input);
        let identity = Identity {
            namespace: plan.document.namespace.clone(),
            definition: plan.document.name.clone(),
            version: plan.document.version.clone(),
            digest: plan.digest.clone(),
            business_key: self.business_key.unwrap_or_else(|| self.id.to_string()),
            start_key: self.start_key.unwrap_or_else(|| self.id.to_string()),
            parent: self.parent,
        };
        Instance {
            id: self.id,
            identity,
            revision: 0,
            status: Status::Pending,
            input: self.input.into(),
            context: Value::Object(Map::new()).into(),
            started_at: self.at,
            timeout: None,
            timers: BTreeMap::new(),
            frames: BTreeMap::new(),
            next_id: 1,
            visits: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            refused: Vec::new(),
            late: None,
            lock: None,
            held_above: Vec::new(),
            compensations: Vec::new(),
            cancelling: None,
            attributes: BTreeMap::new(),
        }
    }
}
