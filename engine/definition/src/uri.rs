//! URI templates, RFC 6570 level 1: `https://example.com/orders/{id}`.
//!
//! A variable is the name of a top-level field of the task's input. A field that is missing or
//! `null` gives nothing; its text is percent-encoded, so no value can change the shape of the URI.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

/// Longest template, in bytes.
const TEMPLATE_MAX: usize = 8_192;

/// A URI with the names of fields in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// A mistake in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriFault {
    /// Bytes of the template's text.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: &'static str,
}

impl UriTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        if text.len() > TEMPLATE_MAX {
            let message = format!("a URI has {TEMPLATE_MAX} bytes at most");
            return Err(UriFault { range: 0..text.len(), message, help: "send the data as body" });
        }
        let mut parts = Vec::new();
        let mut from = 0;
        while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
            let Some(open) = rest.find('{') else {
                parts.push(Part::Text(literal(text, from..text.len())?));
                break;
            };
            if open > 0 {
                parts.push(Part::Text(literal(text, from..from + open)?));
            }
            let start = from + open;
            let Some(length) = rest.get(open + 1..).and_then(|inner| inner.find('}')) else {
                return Err(fault(start..start + 1, "this `{` has no closing `}`", NAME));
            };
            let end = start + length + 2;
            parts.push(Part::Variable(variable(text, start..end)?));
            from = end;
        }
        Ok(Self(parts))
    }

    /// The URI, when it has no variable.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first variable.
    #[must_use]
    pub fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Variable(_)) | None => "",
        }
    }

    /// The names of the variables, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Puts the fields of `input` in their places.
    ///
    /// # Errors
    /// Names the field that is an object or an array, or that would make `.` or `..` of a segment of
    /// the path: whoever reads the URI would take the segment away, and the one before it.
    pub fn expand(&self, input: &Value) -> Result<String, String> {
        let mut uri = String::new();
        let mut filled: Vec<(&str, Range<usize>)> = Vec::new();
        for part in &self.0 {
            let start = uri.len();
            match part {
                Part::Text(text) => uri.push_str(text),
                Part::Variable(name) => match input.get(name) {
                    None | Some(Value::Null) => {}
                    Some(Value::String(text)) => encode(text, &mut uri),
                    Some(value @ (Value::Bool(_) | Value::Number(_))) => {
                        encode(&value.to_string(), &mut uri);
                    }
                    Some(Value::Array(_) | Value::Object(_)) => {
                        return Err(format!(
                            "{{{name}}} of the URI must be a text, a number, true or false"
                        ));
                    }
                },
            }
            if let Part::Variable(name) = part {
                filled.push((name, start..uri.len()));
            }
        }
        match climber(&uri, &filled) {
            None => Ok(uri),
            Some(name) => Err(format!(
                "{{{name}}} makes `.` or `..` of a segment of the URI, which leads to another path"
            )),
        }
    }
}

/// The variable that stands in a segment of the path which means "here" or "one up".
fn climber<'n>(uri: &str, filled: &[(&'n str, Range<usize>)]) -> Option<&'n str> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let mut start = 0;
    for segment in path.split('/') {
        let end = start + segment.len();
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        if matches!(plain.as_str(), "." | "..") {
            let touches = |range: &Range<usize>| range.start <= end && range.end >= start;
            if let Some((name, _)) = filled.iter().find(|(_, range)| touches(range)) {
                return Some(name);
            }
        }
        start = end + 1;
    }
    None
}

const NAME: &str =
    "write the name of a field of the input, like {orderId}; compute other things with `${ }`";

fn fault(range: Range<usize>, message: impl Into<String>, help: &'static str) -> UriFault {
    UriFault { range, message: message.into(), help }
}

/// What stands between the braces at `range`.
fn variable(text: &str, range: Range<usize>) -> Result<String, UriFault> {
    let name = text.get(range.start + 1..range.end - 1).unwrap_or_default();
    if name.is_empty() {
        return Err(fault(range, "`{}` names no field", NAME));
    }
    if name.contains(|c: char| "+#./;?&=,!@|*:".contains(c)) && !is_name(name) {
        return Err(fault(
            range,
            format!(
                "`{{{name}}}` is more than a name, and only {{name}} is known (RFC 6570 level 1)"
            ),
            NAME,
        ));
    }
    if !is_name(name) {
        return Err(fault(range, format!("`{name}` cannot be the name of a field in a URI"), NAME));
    }
    Ok(name.to_owned())
}

/// Letters, digits and `_`, with single dots between them.
fn is_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Text outside braces: what a URI may contain, anything beyond ASCII encoded.
fn literal(text: &str, range: Range<usize>) -> Result<String, UriFault> {
    let mut uri = String::new();
    let part = text.get(range.clone()).unwrap_or_default();
    for (offset, c) in part.char_indices() {
        let at = range.start + offset;
        let here = at..at + c.len_utf8();
        match c {
            '}' => return Err(fault(here, "this `}` has no opening `{`", NAME)),
            '%' => {
                let digits = part.get(offset + 1..offset + 3).unwrap_or_default();
                if digits.len() != 2 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    let help = "write the percent sign itself as %25";
                    return Err(fault(here, "`%` begins two hexadecimal digits in a URI", help));
                }
                uri.push(c);
            }
            ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '|' => {
                let help = "percent-encode it, like %20 for a blank";
                return Err(fault(here, format!("`{c}` cannot stand in a URI"), help));
            }
            c if c.is_control() => {
                let help = "remove it, or percent-encode it";
                return Err(fault(here, "a control character cannot stand in a URI", help));
            }
            c if c.is_ascii() => uri.push(c),
            c => encode(c.encode_utf8(&mut [0; 4]), &mut uri),
        }
    }
    Ok(uri)
}

/// Everything but the unreserved characters of RFC 3986 as percent and two digits.
fn encode(text: &str, uri: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_the_input_take_their_places_encoded() {
        let input = json!({
            "id": 7, "name": "a b/ü?", "yes": true, "gone": null, "a.b": "dotted", "deep": {"x": 1},
        });
        let check = |template: &str, expected: Result<&str, &str>| {
            let template = UriTemplate::parse(template).unwrap();
            let found = template.expand(&input);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{template:?}");
        };
        check("https://x.example/pets/{id}", Ok("https://x.example/pets/7"));
        check("/{name}/{yes}", Ok("/a%20b%2F%C3%BC%3F/true"));
        check("/{gone}{missing}/end", Ok("//end"));
        check("/{a.b}", Ok("/dotted"));
        check("/ü?q=1&r=%20#f", Ok("/%C3%BC?q=1&r=%20#f"));
        check("/{deep}", Err("{deep} of the URI must be a text, a number, true or false"));
        assert_eq!(UriTemplate::parse("/{id}").unwrap().expand(&json!(3)), Ok("/".to_owned()));
    }

    #[test]
    fn a_value_cannot_change_the_shape_of_the_uri() {
        let template = UriTemplate::parse("https://{host}.example/{path}?q={q}").unwrap();
        let hostile = json!({"host": "evil.com/#", "path": "../admin", "q": "1&admin=true"});
        assert_eq!(
            template.expand(&hostile).unwrap(),
            "https://evil.com%2F%23.example/..%2Fadmin?q=1%26admin%3Dtrue"
        );
    }

    #[test]
    fn a_value_cannot_climb_out_of_the_path() {
        let check = |template: &str, refused: Option<&str>| {
            let template = UriTemplate::parse(template).unwrap();
            let input = json!({"one": ".", "two": "..", "hex": "%2E%2e", "none": "", "id": "a..b"});
            let found = template.expand(&input);
            let name = refused.map(|name| format!("{{{name}}}"));
            match name {
                Some(name) => assert!(found.unwrap_err().starts_with(&name), "{template:?}"),
                None => assert!(found.is_ok(), "{template:?}: {found:?}"),
            }
        };
        check("https://x.example/a/{two}/b", Some("two"));
        check("https://x.example/a/{one}", Some("one"));
        check("https://x.example/a/{one}{one}?q=1", Some("one"));
        check("https://x.example/a/.{one}/b", Some("one"));
        check("https://x.example/a/%2e{one}/b", Some("one"));
        check("https://x.example/a/..{none}/b", Some("none"));
        // The percent sign is encoded itself, and these are no whole segments.
        check("https://x.example/a/{hex}/b", None);
        check("https://x.example/a/{id}/v{two}", None);
        check("https://x.example/a?up={two}&x=/{two}/#/{two}", None);
        // What the author wrote is the author's.
        check("https://x.example/a/../{id}", None);
    }

    #[test]
    fn mistakes_are_found_at_their_places() {
        let check = |template: &str, expected: Range<usize>| {
            let found = UriTemplate::parse(template).unwrap_err();
            assert_eq!(found.range, expected, "{template}: {}", found.message);
        };
        check("/a/{}", 3..5);
        check("/a/{x", 3..4);
        check("/a}", 2..3);
        check("/{+path}", 1..8);
        check("/{?q*}", 1..6);
        check("/{a,b}", 1..6);
        check("/{a:3}", 1..6);
        check("/{a b}", 1..6);
        check("/a b", 2..3);
        check("/100%", 4..5);
        check("/ü%zz", 3..4);
        assert!(UriTemplate::parse(&"x".repeat(10_000)).is_err());
    }
}
