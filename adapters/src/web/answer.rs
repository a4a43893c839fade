//! What an answer says: its content by type, and the object that `output: response` gives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::mask::Mask;
use crate::classify::RETRY_AFTER_MAX_MS;
use crate::http::Answer;

/// Deepest nesting of a content. The machine keeps values 100 deep, and `response` and the
/// definition's own objects around it need some of that.
const CONTENT_DEPTH_MAX: usize = 96;
/// Largest headers of an answer, names and values together, in bytes.
pub(crate) const HEADERS_MAX_BYTES: usize = 64 * 1024;
/// Enough of a body to recognize an error by.
const EXCERPT_MAX_CHARS: usize = 300;

/// The body's bytes in base64.
pub(crate) fn raw(answer: &Answer) -> Value {
    STANDARD.encode(&answer.body).into()
}

/// The body by its content type: JSON as a value, `text/*` as text, anything else in base64, and
/// nothing as `null`.
///
/// # Errors
/// Why it cannot be read as what it says it is.
pub(crate) fn content(answer: &Answer) -> Result<Value, String> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    if let Some(coding) = answer.header("content-encoding")
        && !coding.trim().eq_ignore_ascii_case("identity")
    {
        return Err(format!(
            "the body is encoded as `{coding}`, which was not asked for (`output: raw` gives it as it is)"
        ));
    }
    match Media::of(answer) {
        Media::Json => json(&answer.body),
        Media::Text { latin: true } => {
            Ok(answer.body.iter().map(|byte| char::from(*byte)).collect::<String>().into())
        }
        Media::Text { latin: false } => {
            Ok(String::from_utf8_lossy(&answer.body).into_owned().into())
        }
        Media::Other => Ok(raw(answer)),
    }
}

fn json(body: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice(body)
        .map_err(|error| format!("the body says that it is JSON, and is not: {error}"))?;
    if is_deeper_than(&value, CONTENT_DEPTH_MAX) {
        return Err(format!("the body is nested deeper than {CONTENT_DEPTH_MAX}"));
    }
    Ok(value)
}

fn is_deeper_than(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => {
            limit == 0 || items.iter().any(|item| is_deeper_than(item, limit - 1))
        }
        Value::Object(fields) => {
            limit == 0 || fields.values().any(|field| is_deeper_than(field, limit - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// How a body is read.
#[derive(Debug, PartialEq, Eq)]
enum Media {
    Json,
    Text { latin: bool },
    Other,
}

impl Media {
    fn of(answer: &Answer) -> Self {
        let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let (essence, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
        if is_json(essence) {
            Self::Json
        } else if essence.trim().starts_with("text/") {
            let latin = parameters
                .split(';')
                .filter_map(|parameter| parameter.trim().strip_prefix("charset="))
                .any(|charset| charset.trim_matches('"') == "iso-8859-1");
            Self::Text { latin }
        } else {
            Self::Other
        }
    }
}

/// Whether a media type without parameters is JSON.
pub(crate) fn is_json(essence: &str) -> bool {
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// All headers; several of one name are joined by `, `.
pub(crate) fn headers(headers: &HeaderMap) -> Value {
    let mut object = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        object.insert(name.to_string(), values.join(", ").into());
    }
    object.into()
}

/// Names and values together, in bytes.
pub(crate) fn headers_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// The service's wish for the next try, in milliseconds: seconds or a date.
pub(crate) fn retry_after_ms(answer: &Answer, now: Timestamp) -> Option<u64> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1000).min(RETRY_AFTER_MAX_MS));
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    let ms = u64::try_from(at.duration_since(now).as_millis()).unwrap_or(0);
    Some(ms.min(RETRY_AFTER_MAX_MS))
}

/// The beginning of a readable body, for people: one line, masked before it is cut. All of it is
/// masked, because secrets get shorter by that and would pull an unmasked end into the excerpt.
pub(crate) fn excerpt(answer: &Answer, mask: &Mask) -> String {
    if Media::of(answer) == Media::Other {
        return String::new();
    }
    line(&mask.apply(&String::from_utf8_lossy(&answer.body)), EXCERPT_MAX_CHARS)
}

/// At most this many characters of a text, on one line.
pub(crate) fn line(text: &str, max_chars: usize) -> String {
    let line: String =
        text.chars().map(|c| if is_plain(c) { c } else { ' ' }).take(max_chars).collect();
    line.trim().to_owned()
}

/// Not a character that breaks or reorders a line, or that means something to us (private use).
fn is_plain(c: char) -> bool {
    let odd = matches!(
        c,
        '\u{061C}'
            | '\u{200E}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
            | '\u{E000}'..='\u{F8FF}'
    );
    !odd && !c.is_control()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    fn answer(headers: &[(&'static str, &'static str)], body: &[u8]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .collect();
        Answer { status: 200, headers, body: body.to_vec() }
    }

    fn check(kind: &'static str, body: &[u8], expected: &Result<Value, &str>) {
        let found = content(&answer(&[("content-type", kind)], body));
        match expected {
            Ok(value) => assert_eq!(found.as_ref(), Ok(value), "{kind}"),
            Err(words) => {
                let error = found.unwrap_err();
                assert!(error.contains(words), "{kind}: {error}");
            }
        }
    }

    #[test]
    fn content_is_read_by_its_type() {
        let one = Ok(json!({ "a": 1 }));
        check("application/json", b"{\"a\":1}", &one);
        check("Application/JSON; charset=utf-8", b"{\"a\":1}", &one);
        check("application/problem+json", b"{\"a\":1}", &one);
        check("application/json", b"", &Ok(Value::Null));
        check("application/json", b"<html>", &Err("is not"));
        check("application/json", &[b'['; 100_000], &Err("is not"));
        check("text/plain", b"{\"a\":1}", &Ok(json!("{\"a\":1}")));
        check("text/html; charset=utf-8", "gr\u{fc}n".as_bytes(), &Ok(json!("grün")));
        check("text/plain; charset=ISO-8859-1", b"gr\xfcn", &Ok(json!("grün")));
        check("text/plain", b"gr\xfcn", &Ok(json!("gr\u{fffd}n")));
        check("application/octet-stream", b"\x00\x01", &Ok(json!("AAE=")));
        check("application/xml", b"<a/>", &Ok(json!("PGEvPg==")));
        check("", b"x", &Ok(json!("eA==")));
    }

    #[test]
    fn json_that_the_machine_could_not_keep_is_unreadable() {
        let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json(nested(CONTENT_DEPTH_MAX).as_bytes()).is_ok());
        assert!(json(nested(CONTENT_DEPTH_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn a_coding_that_was_not_asked_for_is_unreadable() {
        let packed =
            answer(&[("content-type", "text/plain"), ("content-encoding", "gzip")], b"\x1f\x8b");
        assert!(content(&packed).unwrap_err().contains("gzip"));
        assert_eq!(raw(&packed), json!("H4s="));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let wish = |text| retry_after_ms(&answer(&[("retry-after", text)], b""), now);
        assert_eq!(wish("7"), Some(7_000));
        assert_eq!(wish("Sun, 22 Nov 2026 10:00:30 GMT"), Some(30_000));
        assert_eq!(wish("Sun, 22 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(wish("99999999999999999999"), None);
        assert_eq!(wish("9999999999999"), Some(RETRY_AFTER_MAX_MS));
        assert_eq!(wish("soon"), None);
    }

    #[test]
    fn an_excerpt_is_masked_before_it_is_cut() {
        let mut mask = Mask::default();
        mask.hide("hunter2-hunter2");
        let body = format!("{}hunter2-hunter2", "x".repeat(EXCERPT_MAX_CHARS - 5));
        let text = excerpt(&answer(&[("content-type", "text/plain")], body.as_bytes()), &mask);
        assert!(text.ends_with("x***"), "{text}");
        let marked = "a\n\u{E000}secret:zuora\u{E001}";
        let text = excerpt(&answer(&[("content-type", "text/plain")], marked.as_bytes()), &mask);
        assert_eq!(text, "a  secret:zuora");
        let odd = "a\u{1b}[31m\r\nb\u{202E}c\u{2028}d\0";
        let text = excerpt(&answer(&[("content-type", "text/plain")], odd.as_bytes()), &mask);
        assert_eq!(text, "a [31m  b c d");
    }

    #[test]
    fn a_secret_that_is_repeated_does_not_pull_a_part_of_itself_into_an_excerpt() {
        let secret = "abcdefghij".repeat(100);
        let mut mask = Mask::default();
        mask.hide(&secret);
        let body = secret.repeat(50);
        let text = excerpt(&answer(&[("content-type", "text/plain")], body.as_bytes()), &mask);
        assert_eq!(text, "***".repeat(50));
    }
}
