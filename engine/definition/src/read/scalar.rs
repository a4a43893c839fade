//! The YAML 1.2 core schema: what an unquoted scalar means.

use granit_parser::Tag;
use serde_json::Number;

use super::Yaml;

/// Why a scalar has no value here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
}

/// What a scalar holds.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Yaml, Fault> {
    if let Some(tag) = tag {
        return match tag.core_suffix() {
            Some("str") => Ok(Yaml::Text(text.to_owned())),
            Some("int" | "float" | "bool" | "null") => untagged(text),
            _ => Err(Fault {
                message: format!("the tag `{}` has no meaning here", tag.original()),
                label: "not a tag of YAML's core schema",
                help: "remove it",
            }),
        };
    }
    if plain { untagged(text) } else { Ok(Yaml::Text(text.to_owned())) }
}

fn untagged(text: &str) -> Result<Yaml, Fault> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Yaml::Null),
        "true" | "True" | "TRUE" => return Ok(Yaml::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Yaml::Bool(false)),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | '-' | '+')) {
        return Ok(Yaml::Text(text.to_owned()));
    }
    number(text)
}

fn number(text: &str) -> Result<Yaml, Fault> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(Fault {
            message: format!("`{text}` is not a JSON number"),
            label: "JSON has neither infinity nor NaN",
            help: "put it in quotes if it is meant as text",
        });
    }
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok();
    if let Some(value) = text.strip_prefix("0x").and_then(|digits| radix(digits, 16)) {
        return Ok(Yaml::Number(value.into()));
    }
    if let Some(value) = text.strip_prefix("0o").and_then(|digits| radix(digits, 8)) {
        return Ok(Yaml::Number(value.into()));
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(unsigned) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Err(Fault {
                message: format!("`{text}` has a leading zero"),
                label: "a number would lose the zero",
                help: "put it in quotes to keep it as text, or remove the zero",
            });
        }
        let text = text.strip_prefix('+').unwrap_or(text);
        let signed = text.parse::<i64>().map(Number::from);
        return signed
            .or_else(|_| text.parse::<u64>().map(Number::from))
            .map(Yaml::Number)
            .map_err(|_| Fault {
                message: format!("`{text}` is too large for a number"),
                label: "numbers have 64 bits",
                help: "put it in quotes to keep it as text",
            });
    }
    let Some(value) = float(unsigned, text) else { return Ok(Yaml::Text(text.to_owned())) };
    Number::from_f64(value).map(Yaml::Number).ok_or_else(|| Fault {
        message: format!("`{text}` is too large for a number"),
        label: "numbers have 64 bits",
        help: "put it in quotes to keep it as text",
    })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, what Rust reads after a shape check.
fn float(unsigned: &str, text: &str) -> Option<f64> {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shaped =
        all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if !shaped || !exponent {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Place;
    use crate::read::Node;

    #[test]
    fn only_the_core_schema_is_known() {
        let check = |text: &str, expected: serde_json::Value| {
            let value = resolve(text, true, None).unwrap();
            let node = Node { at: Place::default(), value };
            assert_eq!(node.to_json(), expected, "{text}");
        };
        check("NO", json!("NO"));
        check("yes", json!("yes"));
        check("off", json!("off"));
        check("true", json!(true));
        check("~", json!(null));
        check("0", json!(0));
        check("-12", json!(-12));
        check("+12", json!(12));
        check("18446744073709551615", json!(u64::MAX));
        check("0x1F", json!(31));
        check("0o17", json!(15));
        check("1.5", json!(1.5));
        check(".5", json!(0.5));
        check("1e3", json!(1000.0));
        check("1.0.3", json!("1.0.3"));
        check("1_000", json!("1_000"));
        check("2026-01-01", json!("2026-01-01"));
        check("-", json!("-"));
        check(".", json!("."));
        check(".foo", json!(".foo"));
        check("1e", json!("1e"));
    }

    #[test]
    fn what_would_lose_meaning_is_refused() {
        let check = |text: &str| assert!(resolve(text, true, None).is_err(), "{text}");
        check("01234");
        check("-007");
        check(".inf");
        check("-.INF");
        check("123456789012345678901234567890");
        check("1e999999");
        check("-1.5e400");
        assert!(resolve("01234", false, None).is_ok(), "quoted text keeps its zero");
    }
}
