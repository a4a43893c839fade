//! The body of an operation, made of the parameters that no other place takes.

use serde_json::{Map, Value};
use tenure_adapter::Outcome;

use super::operation::{Operation, essence};
use super::parameter::{Declared, declared};
use crate::http::Body;
use crate::web::answer::is_json;
use crate::web::proof::configuration;
use crate::web::request::{encode, scalar};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// The name under which a whole OpenAPI 3 body is given, unless the body has such a field.
const WHOLE: &str = "body";

/// Builds the body of what is left of the parameters.
pub(crate) fn build(
    operation: &Operation<'_>,
    rest: Map<String, Value>,
    headers: &mut Vec<(String, String)>,
) -> Result<Body, Outcome> {
    if operation.document.is_swagger {
        swagger(operation, rest, headers)
    } else {
        openapi(operation, rest, headers)
    }
}

/// Swagger 2.0: a parameter that is the body, or some that are fields of a form.
fn swagger(
    operation: &Operation<'_>,
    mut rest: Map<String, Value>,
    headers: &mut Vec<(String, String)>,
) -> Result<Body, Outcome> {
    let declared = declared(operation)?;
    let consumes =
        operation.fields.get("consumes").or_else(|| operation.document.root.get("consumes"));
    let types: Vec<_> = consumes
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if let Some(parameter) = declared.iter().find(|parameter| parameter.place == "body") {
        let value = match rest.remove(parameter.name) {
            Some(value) => {
                refuse_rest(operation, &rest)?;
                value
            }
            None if rest.is_empty() => return Ok(Body::Empty),
            None => rest.into(),
        };
        let kind = types.iter().find(|kind| is_json(essence(kind)));
        let Some(kind) = kind.copied().or_else(|| types.is_empty().then_some("application/json"))
        else {
            return Err(unsupported(operation, &types));
        };
        return Ok(json(&value, kind, headers));
    }
    let fields: Vec<_> =
        declared.iter().filter(|parameter| parameter.place == "formData").collect();
    let (form, rest): (Map<_, _>, Map<_, _>) = rest
        .into_iter()
        .partition(|(name, _)| fields.iter().any(|parameter| parameter.name == name));
    refuse_rest(operation, &rest)?;
    if form.is_empty() {
        return Ok(Body::Empty);
    }
    refuse_files(&fields, &form)?;
    let is_multipart = types.contains(&MULTIPART) && !types.contains(&FORM);
    fill(operation, &form, if is_multipart { MULTIPART } else { FORM }, headers)
}

fn refuse_files(fields: &[&Declared<'_>], form: &Map<String, Value>) -> Result<(), Outcome> {
    let file = fields.iter().find(|parameter| {
        parameter.fields.get("type").and_then(Value::as_str) == Some("file")
            && form.contains_key(parameter.name)
    });
    match file {
        Some(file) => Err(configuration(format!(
            "the parameter `{}` is a file, and files cannot be sent",
            file.name
        ))),
        None => Ok(()),
    }
}

/// OpenAPI 3: `requestBody`.
fn openapi(
    operation: &Operation<'_>,
    mut rest: Map<String, Value>,
    headers: &mut Vec<(String, String)>,
) -> Result<Body, Outcome> {
    let document = operation.document;
    let Some(request) = operation.fields.get("requestBody") else {
        refuse_rest(operation, &rest)?;
        return Ok(Body::Empty);
    };
    let request = document.resolve(request)?;
    if rest.is_empty() {
        let required = request.get("required").and_then(Value::as_bool).unwrap_or(false);
        if required {
            return Err(configuration(format!(
                "the operation `{}` needs a body: give its fields, or all of it as `{WHOLE}`, as parameters",
                operation.id
            )));
        }
        return Ok(Body::Empty);
    }
    let content = request.get("content").and_then(Value::as_object);
    let types: Vec<_> = content.into_iter().flatten().map(|(kind, _)| kind.as_str()).collect();
    let by =
        |wanted: &dyn Fn(&str) -> bool| types.iter().copied().find(|kind| wanted(essence(kind)));
    let kind = by(&is_json)
        .or_else(|| by(&|kind| matches!(kind, "*/*" | "application/*")))
        .or_else(|| by(&|kind| kind == FORM))
        .or_else(|| by(&|kind| kind == MULTIPART))
        .or_else(|| by(&|kind| kind.starts_with("text/")))
        .ok_or_else(|| unsupported(operation, &types))?;
    let schema =
        content.and_then(|content| content.get(kind)).and_then(|media| media.get("schema"));
    let schema = schema.map(|schema| document.resolve(schema)).transpose()?;
    let has_field = schema.is_some_and(|schema| {
        schema.get("properties").is_some_and(|properties| properties.get(WHOLE).is_some())
    });
    let value = if has_field { None } else { rest.remove(WHOLE) };
    let value = match value {
        None => Value::Object(rest),
        Some(whole) => {
            refuse_rest(operation, &rest)?;
            whole
        }
    };
    match (essence(kind), value) {
        ("*/*" | "application/*", value) => Ok(json(&value, "application/json", headers)),
        (name, value) if is_json(name) => Ok(json(&value, kind, headers)),
        (FORM | MULTIPART, Value::Object(fields)) => {
            fill(operation, &fields, essence(kind), headers)
        }
        (name, Value::String(text)) if name.starts_with("text/") => {
            let kind = if name == "text/*" { "text/plain" } else { kind };
            headers.push(("content-type".to_owned(), kind.to_owned()));
            Ok(Body::Bytes(text.into_bytes()))
        }
        (name, _) => Err(configuration(format!(
            "the body of the operation `{}` is `{name}`, which is not made of this value",
            operation.id
        ))),
    }
}

fn json(value: &Value, kind: &str, headers: &mut Vec<(String, String)>) -> Body {
    headers.push(("content-type".to_owned(), kind.to_owned()));
    Body::Bytes(value.to_string().into_bytes())
}

/// A form of either kind; lists repeat their name, objects travel as JSON text.
fn fill(
    operation: &Operation<'_>,
    fields: &Map<String, Value>,
    kind: &str,
    headers: &mut Vec<(String, String)>,
) -> Result<Body, Outcome> {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            let text = scalar(item).unwrap_or_else(|| Some(item.to_string()));
            pairs.extend(text.map(|text| (name.clone(), text)));
        }
    }
    if kind == MULTIPART {
        return Ok(Body::Multipart(pairs));
    }
    if kind != FORM {
        return Err(unsupported(operation, &[kind]));
    }
    headers.push(("content-type".to_owned(), FORM.to_owned()));
    Ok(Body::Bytes(encode(&pairs).into_bytes()))
}

fn refuse_rest(operation: &Operation<'_>, rest: &Map<String, Value>) -> Result<(), Outcome> {
    if rest.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = rest.keys().map(String::as_str).collect();
    Err(configuration(format!(
        "the operation `{}` has no parameters {}, and they have no place in its body",
        operation.id,
        names.join(", ")
    )))
}

fn unsupported(operation: &Operation<'_>, types: &[&str]) -> Outcome {
    configuration(format!(
        "the body of the operation `{}` is {}: only JSON, forms and text can be sent",
        operation.id,
        if types.is_empty() { "of no type".to_owned() } else { types.join(", ") }
    ))
}
