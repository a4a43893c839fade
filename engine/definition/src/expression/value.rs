//! JSON in and out of the evaluator.

use jaq_json::{Map, Num, Val};
use serde_json::{Number, Value};

/// Deepest nesting of a value that goes in or out.
const DEPTH_MAX: usize = 100;
/// Most values (objects, arrays and scalars) in a result.
const NODES_MAX: usize = 200_000;
/// Most bytes of text in a result.
const TEXT_MAX: usize = 8 * 1024 * 1024;
/// Below this, every integral double is an exact integer.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// JSON to jq's own values.
pub(super) fn read(value: &Value) -> Result<Val, String> {
    read_below(value, DEPTH_MAX)
}

fn read_below(value: &Value, depth: usize) -> Result<Val, String> {
    let Some(depth) = depth.checked_sub(1) else { return Err(too_deep()) };
    Ok(match value {
        Value::Null => Val::Null,
        Value::Bool(value) => Val::Bool(*value),
        Value::Number(number) => Val::Num(read_number(number)),
        Value::String(text) => Val::utf8_str(text.clone()),
        Value::Array(items) => {
            items.iter().map(|item| read_below(item, depth)).collect::<Result<Val, _>>()?
        }
        Value::Object(fields) => {
            let mut map = Map::default();
            for (key, value) in fields {
                map.insert(Val::utf8_str(key.clone()), read_below(value, depth)?);
            }
            Val::obj(map)
        }
    })
}

fn read_number(number: &Number) -> Num {
    if let Some(value) = number.as_i64() {
        return Num::from_integral(value);
    }
    match number.as_u64() {
        Some(value) => Num::from_integral(value),
        None => Num::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// jq's values to JSON. Numbers that JSON cannot say, keys that are not text and values past the
/// limits are errors, in words for the author.
pub(super) fn write(value: &Val) -> Result<Value, String> {
    let mut budget = Budget { nodes: NODES_MAX, text: TEXT_MAX };
    write_below(value, DEPTH_MAX, &mut budget)
}

/// What a result may still cost: values can be shared inside jq, so a small one may be huge.
struct Budget {
    nodes: usize,
    text: usize,
}

impl Budget {
    fn spend(&mut self, nodes: usize, text: usize) -> Result<(), String> {
        let left = self.nodes.checked_sub(nodes).zip(self.text.checked_sub(text));
        let (nodes, text) = left.ok_or_else(|| {
            format!("the result is larger than {NODES_MAX} values or {TEXT_MAX} bytes of text")
        })?;
        (self.nodes, self.text) = (nodes, text);
        Ok(())
    }
}

fn write_below(value: &Val, depth: usize, budget: &mut Budget) -> Result<Value, String> {
    let Some(depth) = depth.checked_sub(1) else { return Err(too_deep()) };
    budget.spend(1, 0)?;
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Num(number) => Value::Number(write_number(number)?),
        Val::TStr(bytes) => Value::String(write_text(bytes, budget)?),
        Val::BStr(_) => return Err("the result holds bytes that are not text".to_owned()),
        Val::Arr(items) => {
            let items = items.iter().map(|item| write_below(item, depth, budget));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Val::Obj(fields) => {
            let mut object = serde_json::Map::new();
            for (key, value) in fields.iter() {
                let Val::TStr(key) = key else {
                    return Err(format!("an object key must be text, not {}", kind(key)));
                };
                object.insert(write_text(key, budget)?, write_below(value, depth, budget)?);
            }
            Value::Object(object)
        }
    })
}

fn write_text(bytes: &[u8], budget: &mut Budget) -> Result<String, String> {
    budget.spend(0, bytes.len())?;
    let text = std::str::from_utf8(bytes);
    Ok(text.map_err(|_| "the result holds text that is not UTF-8".to_owned())?.to_owned())
}

fn write_number(number: &Num) -> Result<Number, String> {
    match number {
        Num::Int(value) => Ok(Number::from(*value)),
        Num::BigInt(value) => {
            let text = value.to_string();
            text.parse::<i64>()
                .map(Number::from)
                .or_else(|_| text.parse::<u64>().map(Number::from))
                .map_err(|_| "an integer of the result does not fit 64 bits".to_owned())
        }
        Num::Float(value) => write_float(*value),
        Num::Dec(text) => match text.parse() {
            Ok(value) => write_float(value),
            Err(_) => Err(format!("`{text}` is not a number")),
        },
    }
}

/// `4/2` is the integer 2, as in jq; infinity and NaN are errors, not a silent `null`.
fn write_float(value: f64) -> Result<Number, String> {
    if let Some(integer) = integral(value) {
        return Ok(Number::from(integer));
    }
    Number::from_f64(value).ok_or_else(|| {
        format!("the result is {value}, which is not a JSON number (a division by zero?)")
    })
}

/// The integer a double stands for exactly.
pub(super) fn integral(value: f64) -> Option<i64> {
    if value.fract().abs() > 0.0 || !value.is_finite() || value.abs() > EXACT_MAX {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "integral and below 2^53, checked above")]
    Some(value as i64)
}

/// What a value is, for messages.
pub(super) fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::BStr(_) => "bytes",
        Val::TStr(_) => "text",
        Val::Arr(_) => "an array",
        Val::Obj(_) => "an object",
    }
}

fn too_deep() -> String {
    format!("a value is nested deeper than {DEPTH_MAX} levels")
}
