//! The shape of the values a JSON Schema admits. What a keyword forbids in a way a shape cannot say
//! (a pattern, a minimum, `not`) is passed over: the shape then has more values, never fewer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{ARRAY, BOOLEAN, Field, NULL, NUMBER, OBJECT, Rest, Shape, TEXT};

/// Most nested or referenced schemas that are followed.
const DEPTH_MAX: u32 = 12;
/// Most schemas that are looked at in all: references can multiply.
const VISITS_MAX: u32 = 2_000;

/// Keywords whose schemas may name further properties of the same object.
const COMPOSED: [&str; 9] =
    ["oneOf", "anyOf", "allOf", "$ref", "$dynamicRef", "if", "then", "else", "dependentSchemas"];

/// What admits a value.
pub(crate) fn shape(schema: &Value, rest: Rest) -> Shape {
    Reader { root: schema, rest, left: VISITS_MAX }.read(schema, DEPTH_MAX)
}

struct Reader<'s> {
    root: &'s Value,
    /// What objects have besides their listed properties when the schema does not say.
    rest: Rest,
    left: u32,
}

impl Reader<'_> {
    fn read(&mut self, schema: &Value, depth: u32) -> Shape {
        let (Some(depth), Some(left)) = (depth.checked_sub(1), self.left.checked_sub(1)) else {
            return Shape::any();
        };
        self.left = left;
        let fields = match schema {
            Value::Bool(false) => return Shape::never(),
            Value::Object(fields) => fields,
            Value::Bool(true)
            | Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => return Shape::any(),
        };
        if let Some(constant) = fields.get("const") {
            return Shape::of(constant);
        }
        if let Some(Value::Array(values)) = fields.get("enum") {
            return values.iter().map(Shape::of).fold(Shape::never(), |all, one| all.join(&one));
        }
        let mut found = self.own(fields, depth);
        if let Some(Value::String(reference)) = fields.get("$ref") {
            let target = reference.strip_prefix('#').and_then(|to| self.root.pointer(to)).cloned();
            let target = target.map_or_else(Shape::any, |target| self.read(&target, depth));
            found = narrower(found, target);
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(Value::Array(ways)) = fields.get(key) {
                let ways = ways.iter().map(|way| self.read(way, depth));
                let ways = ways.fold(Shape::never(), |all, one| all.join(&one));
                found = narrower(found, ways);
            }
        }
        if let Some(Value::Array(all)) = fields.get("allOf") {
            for one in all {
                let one = self.read(one, depth);
                found = narrower(found, one);
            }
        }
        found
    }

    /// What `type`, `properties`, `items` and their like say.
    fn own(&mut self, fields: &Map<String, Value>, depth: u32) -> Shape {
        let kinds = match fields.get("type") {
            Some(Value::String(kind)) => kind_of(kind),
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).map(kind_of).fold(0, |all, one| all | one)
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                return Shape::any();
            }
        };
        let integer = match fields.get("type") {
            Some(Value::String(kind)) => kind == "integer",
            Some(Value::Array(kinds)) => {
                kinds.iter().any(|kind| kind == "integer")
                    && kinds.iter().all(|kind| kind != "number")
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                false
            }
        };
        let mut found = Shape::any_of(kinds & (NULL | BOOLEAN | TEXT));
        if kinds & NUMBER != 0 {
            found = found.join(&if integer { Shape::integer() } else { Shape::number() });
        }
        if kinds & ARRAY != 0 {
            found = found.join(&self.array(fields, depth));
        }
        if kinds & OBJECT != 0 {
            found = found.join(&self.object(fields, depth));
        }
        found
    }

    fn array(&mut self, fields: &Map<String, Value>, depth: u32) -> Shape {
        if fields.contains_key("prefixItems") {
            return Shape::list(Shape::any());
        }
        Shape::list(fields.get("items").map_or_else(Shape::any, |items| self.read(items, depth)))
    }

    fn object(&mut self, fields: &Map<String, Value>, depth: u32) -> Shape {
        let none = Map::new();
        let properties = fields.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required: BTreeSet<&str> = fields
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut known = BTreeMap::new();
        for (name, schema) in properties {
            let shape = self.read(schema, depth);
            // A property that admits nothing is one that must not be there.
            if !shape.is_never() {
                let required = required.contains(name.as_str());
                known.insert(name.clone(), Field { shape, required });
            }
        }
        for name in required {
            known.entry(name.to_owned()).or_insert(Field { shape: Shape::any(), required: true });
        }
        let patterns = fields.contains_key("patternProperties");
        // Neighbors of `properties` may name further ones: `additionalProperties` does not see
        // them, `unevaluatedProperties` does.
        let composed = COMPOSED.iter().any(|key| fields.contains_key(*key));
        let unevaluated = fields.get("unevaluatedProperties").filter(|_| !composed);
        let rest = match fields.get("additionalProperties").or(unevaluated) {
            Some(Value::Bool(false)) if !patterns => Rest::Closed,
            None if !patterns && !composed && !properties.is_empty() => self.rest,
            Some(_) | None => Rest::Open,
        };
        Shape::object(known, rest)
    }
}

fn kind_of(name: &str) -> u8 {
    match name {
        "null" => NULL,
        "boolean" => BOOLEAN,
        "integer" | "number" => NUMBER,
        "string" => TEXT,
        "array" => ARRAY,
        "object" => OBJECT,
        _ => NULL | BOOLEAN | NUMBER | TEXT | ARRAY | OBJECT,
    }
}

/// Both hold; the one that says more stands for both, since either is no smaller than the truth.
fn narrower(one: Shape, two: Shape) -> Shape {
    match (one.is_any(), two.is_any()) {
        (true, _) => two,
        (_, true) => one,
        (false, false) => merged(one, &two),
    }
}

/// Properties of both objects: each schema admits what the other lists.
fn merged(one: Shape, two: &Shape) -> Shape {
    let (Some((left, left_rest)), Some((right, right_rest))) = (one.fields(), two.fields()) else {
        return one;
    };
    if !one.is_object() || !two.is_object() {
        return one;
    }
    let mut known = left.clone();
    for (name, field) in right {
        match known.get_mut(name) {
            None if left_rest == Rest::Closed => {}
            None => {
                known.insert(name.clone(), field.clone());
            }
            Some(own) => {
                own.required |= field.required;
                if own.shape.is_any() {
                    own.shape = field.shape.clone();
                }
            }
        }
    }
    if right_rest == Rest::Closed {
        known.retain(|name, _| right.contains_key(name));
    }
    Shape::object(known, left_rest.min(right_rest))
}
