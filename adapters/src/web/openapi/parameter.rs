//! Where each parameter goes, and how its value is written there.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tenure_adapter::Outcome;

use super::operation::Operation;
use crate::web::proof::configuration;
use crate::web::request::scalar;

/// All but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Headers that OpenAPI 3 keeps out of the parameters.
const NOT_PARAMETERS: [&str; 3] = ["accept", "authorization", "content-type"];

/// The request as far as the declared parameters make it.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// `name=value`.
    pub(crate) cookies: Vec<String>,
}

/// A parameter of the operation.
#[derive(Debug)]
pub(crate) struct Declared<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: &'a str,
    pub(crate) required: bool,
    pub(crate) fields: &'a Value,
}

/// All parameters: those of the operation replace those of its path.
pub(crate) fn declared<'a>(operation: &Operation<'a>) -> Result<Vec<Declared<'a>>, Outcome> {
    let mut all: BTreeMap<(&str, &str), Declared<'a>> = BTreeMap::new();
    for list in [operation.item, operation.fields] {
        let list = list.get("parameters").and_then(Value::as_array);
        for fields in list.into_iter().flatten() {
            let fields = operation.document.resolve(fields)?;
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let (Some(name), Some(place)) = (text("name"), text("in")) else {
                return Err(configuration(format!(
                    "a parameter of the operation `{}` has no name or no `in`",
                    operation.id
                )));
            };
            let ignored = !operation.document.is_swagger
                && place == "header"
                && NOT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str());
            if ignored {
                continue;
            }
            let required = fields.get("required").and_then(Value::as_bool).unwrap_or(false);
            let required = required || place == "path";
            all.insert((place, name), Declared { name, place, required, fields });
        }
    }
    Ok(all.into_values().collect())
}

/// Takes the declared parameters out of what is given and writes them where they belong. Those of
/// a Swagger 2.0 body stay.
pub(crate) fn place(
    operation: &Operation<'_>,
    given: &mut BTreeMap<String, Value>,
) -> Result<Placed, Outcome> {
    let declared = declared(operation)?;
    let missing: Vec<_> = declared
        .iter()
        .filter(|parameter| parameter.required && !given.contains_key(parameter.name))
        .map(|parameter| parameter.name)
        .collect();
    if !missing.is_empty() {
        return Err(configuration(format!(
            "the operation `{}` needs the parameters {}",
            operation.id,
            missing.join(", ")
        )));
    }
    let mut placed = Placed { path: operation.path.to_owned(), ..Placed::default() };
    let mut taken = Vec::new();
    for parameter in &declared {
        let Some(value) = given.get(parameter.name) else { continue };
        let style = Style::of(parameter, operation.document.is_swagger)?;
        match parameter.place {
            "path" => placed.fill(parameter, &style.one(parameter, value, &segment)?)?,
            "query" => placed.query.extend(style.pairs(parameter, value)?),
            "header" => {
                let text = style.one(parameter, value, &str::to_owned)?;
                placed.headers.push((parameter.name.to_ascii_lowercase(), text));
            }
            "cookie" => {
                let text = style.one(parameter, value, &segment)?;
                placed.cookies.push(format!("{}={text}", parameter.name));
            }
            "body" | "formData" => continue,
            other => {
                return Err(configuration(format!(
                    "the parameter `{}` is in `{other}`, which is not supported",
                    parameter.name
                )));
            }
        }
        taken.push(parameter.name);
    }
    for name in taken {
        given.remove(name);
    }
    stays_in_place(operation.path, &placed.path)?;
    if placed.path.contains('{') {
        return Err(configuration(format!(
            "the path {} of the operation `{}` has a part that no parameter fills",
            placed.path, operation.id
        )));
    }
    Ok(placed)
}

/// Refuses a path whose parameters make a segment that a URI parser takes away, also where two of
/// them stand in one segment.
fn stays_in_place(written: &str, filled: &str) -> Result<(), Outcome> {
    // A value cannot bring a slash, so the segments stand side by side.
    for (written, filled) in written.split('/').zip(filled.split('/')) {
        let plain = filled.to_ascii_lowercase().replace("%2e", ".");
        if written.contains('{') && matches!(plain.as_str(), "" | "." | "..") {
            return Err(configuration(format!(
                "the parameters of `{written}` make `{plain}`, which is no part of a path"
            )));
        }
    }
    Ok(())
}

impl Placed {
    fn fill(&mut self, parameter: &Declared<'_>, text: &str) -> Result<(), Outcome> {
        // Such a segment would be dropped by every URI parser, and another resource be called.
        if matches!(text, "" | "." | "..") {
            return Err(configuration(format!(
                "the path parameter `{}` is `{text}`, which is no part of a path",
                parameter.name
            )));
        }
        self.path = self.path.replace(&format!("{{{}}}", parameter.name), text);
        Ok(())
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// How lists and objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `a,b` and `k,v,k,v`, with this separator.
    Joined(char),
    /// `a,b` and `k=v,k=v`.
    SimpleExploded,
    /// `name=a&name=b` and `k=v&k=v`.
    FormExploded,
    /// `name[k]=v`.
    Deep,
    /// JSON text.
    Json,
}

impl Style {
    fn of(parameter: &Declared<'_>, is_swagger: bool) -> Result<Self, Outcome> {
        let text = |name: &str| parameter.fields.get(name).and_then(Value::as_str);
        let refuse = |style: &str| {
            Err(configuration(format!(
                "the parameter `{}` has the style `{style}`, which is not supported here",
                parameter.name
            )))
        };
        if is_swagger {
            return match text("collectionFormat").unwrap_or("csv") {
                "csv" => Ok(Self::Joined(',')),
                "ssv" => Ok(Self::Joined(' ')),
                "tsv" => Ok(Self::Joined('\t')),
                "pipes" => Ok(Self::Joined('|')),
                "multi" => Ok(Self::FormExploded),
                other => refuse(other),
            };
        }
        if parameter.fields.get("content").is_some() {
            return Ok(Self::Json);
        }
        let is_form = matches!(parameter.place, "query" | "cookie");
        let style = text("style").unwrap_or(if is_form { "form" } else { "simple" });
        let explode = parameter.fields.get("explode").and_then(Value::as_bool);
        match (style, explode.unwrap_or(style == "form"), parameter.place) {
            ("simple", false, "path" | "header") => Ok(Self::Joined(',')),
            ("simple", true, "path" | "header") => Ok(Self::SimpleExploded),
            ("form", false, "query" | "cookie") => Ok(Self::Joined(',')),
            ("form", true, "query" | "cookie") => Ok(Self::FormExploded),
            ("spaceDelimited", false, "query") => Ok(Self::Joined(' ')),
            ("pipeDelimited", false, "query") => Ok(Self::Joined('|')),
            ("spaceDelimited" | "pipeDelimited", true, "query") => Ok(Self::FormExploded),
            ("deepObject", _, "query") => Ok(Self::Deep),
            (other, _, _) => refuse(other),
        }
    }

    /// The value as one text, each part of it encoded.
    fn one(
        self,
        parameter: &Declared<'_>,
        value: &Value,
        encode: &dyn Fn(&str) -> String,
    ) -> Result<String, Outcome> {
        if self == Self::Json {
            return Ok(encode(&value.to_string()));
        }
        let part = |value: &Value| part(parameter, value).map(|text| encode(&text));
        let separator = match self {
            Self::Joined(separator) => encode_separator(separator),
            Self::SimpleExploded | Self::FormExploded | Self::Deep | Self::Json => ",".to_owned(),
        };
        match value {
            Value::Array(items) => {
                let parts: Vec<_> = items.iter().map(part).collect::<Result<_, _>>()?;
                Ok(parts.join(&separator))
            }
            Value::Object(fields) => {
                let between = if self == Self::SimpleExploded { "=" } else { &separator };
                let pair = |(name, value): (&String, &Value)| {
                    Ok(format!("{}{between}{}", encode(name), part(value)?))
                };
                let pairs: Vec<_> = fields.iter().map(pair).collect::<Result<_, Outcome>>()?;
                Ok(pairs.join(&separator))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => part(value),
        }
    }

    /// The value as parameters of a query; the query encodes them.
    fn pairs(
        self,
        parameter: &Declared<'_>,
        value: &Value,
    ) -> Result<Vec<(String, String)>, Outcome> {
        let name = parameter.name.to_owned();
        match (self, value) {
            (Self::FormExploded, Value::Array(items)) => {
                items.iter().map(|item| Ok((name.clone(), part(parameter, item)?))).collect()
            }
            (Self::FormExploded, Value::Object(fields)) => {
                let pair =
                    |(key, value): (&String, &Value)| Ok((key.clone(), part(parameter, value)?));
                fields.iter().map(pair).collect()
            }
            (Self::Deep, Value::Object(fields)) => {
                let pair = |(key, value): (&String, &Value)| {
                    Ok((format!("{name}[{key}]"), part(parameter, value)?))
                };
                fields.iter().map(pair).collect()
            }
            _ => {
                let text = match (self, value) {
                    (Self::Joined(separator), Value::Array(items)) => {
                        let parts: Vec<_> = items
                            .iter()
                            .map(|item| part(parameter, item))
                            .collect::<Result<_, _>>()?;
                        parts.join(&separator.to_string())
                    }
                    _ => self.one(parameter, value, &str::to_owned)?,
                };
                Ok(vec![(name, text)])
            }
        }
    }
}

fn encode_separator(separator: char) -> String {
    if separator == ',' { ",".to_owned() } else { segment(&separator.to_string()) }
}

/// A scalar inside a parameter.
fn part(parameter: &Declared<'_>, value: &Value) -> Result<String, Outcome> {
    scalar(value).map(Option::unwrap_or_default).ok_or_else(|| {
        configuration(format!(
            "the parameter `{}` is nested too deeply: it takes texts, numbers, booleans, and a list or an object of them",
            parameter.name
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each parameter alone was looked at, and two of them in one segment made `..`.
    #[test]
    fn parameters_led_out_of_their_path_together() {
        let check = |written: &str, filled: &str, stays: bool| {
            assert_eq!(stays_in_place(written, filled).is_ok(), stays, "{written} {filled}");
        };
        check("/a/{x}{y}/b", "/a/../b", false);
        check("/a/.{x}", "/a/..", false);
        check("/a/%2e{x}", "/a/%2e.", false);
        check("/a/{x}{y}", "/a/", false);
        check("/a/{x}/b", "/a/.../b", true);
        check("/a/{x}", "/a/%252e%252e", true);
        check("/a/{x}.json", "/a/..json", true);
        // What the document says is the document's.
        check("/a/../{x}", "/a/../7", true);
    }

    #[test]
    fn a_value_stays_one_segment_whatever_it_is() {
        let check = |value: &str, expected: &str| assert_eq!(segment(value), expected, "{value}");
        check("a/../b", "a%2F..%2Fb");
        check("%2e%2e", "%252e%252e");
        check("..\\x", "..%5Cx");
        check("?a#b;c", "%3Fa%23b%3Bc");
        check("{petId}", "%7BpetId%7D");
        check("\u{202e}ü", "%E2%80%AE%C3%BC");
    }
}
