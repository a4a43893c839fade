//! Values as text: JSON, how messages show them, and the formats `@csv`, `@tsv`, `@sh`, `@base32`.
//!
//! Nothing here is bounded: callers weigh the value first.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the types of jq are closed, and what no rule names is one error for all of them"
)]

use jaq_core::Error;
use jaq_json::{Num, Val};

use super::item::{Item, fail};
use super::value;

/// Bytes of a value that a message shows.
const SHOWN_MAX: usize = 30;

/// Compact JSON, with integral numbers as integers (`4/2` prints as 2).
pub(super) fn json(value: &Val) -> String {
    let mut text = String::new();
    write_json(value, &mut text);
    text
}

fn write_json(value: &Val, out: &mut String) {
    match value {
        Val::Num(number) => out.push_str(&number_text(number)),
        Val::Arr(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Val::Obj(fields) => {
            out.push('{');
            for (at, (key, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(key, out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
        Val::Null => out.push_str("null"),
        Val::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Val::TStr(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            out.push_str(&serde_json::Value::String(text.into_owned()).to_string());
        }
        Val::BStr(_) => out.push_str(&value.to_string()),
    }
}

/// A number as jq prints it.
pub(super) fn number_text(number: &Num) -> String {
    let Num::Float(float) = number else { return number.to_string() };
    // As jq: text is the one way out for what JSON cannot say.
    if float.is_nan() {
        return "null".to_owned();
    }
    if float.is_infinite() {
        let largest = "1.7976931348623157e+308";
        return if *float < 0.0 { format!("-{largest}") } else { largest.to_owned() };
    }
    match value::integral(*float) {
        Some(integer) => integer.to_string(),
        None => number.to_string(),
    }
}

/// The type's name as jq has it.
pub(super) fn name(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "boolean",
        Val::Num(_) => "number",
        Val::BStr(_) | Val::TStr(_) => "string",
        Val::Arr(_) => "array",
        Val::Obj(_) => "object",
    }
}

/// The beginning of a value as JSON. Looks at no more than it shows.
pub(super) fn brief(value: &Val) -> String {
    let whole = match value {
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) => json(value),
        Val::TStr(bytes) => {
            let start = bytes.get(..bytes.len().min(SHOWN_MAX + 4)).unwrap_or_default();
            serde_json::Value::String(String::from_utf8_lossy(start).into_owned()).to_string()
        }
        Val::Arr(items) if items.is_empty() => "[]".to_owned(),
        Val::Obj(fields) if fields.is_empty() => "{}".to_owned(),
        Val::Arr(items) => format!("[{} items]", items.len()),
        Val::Obj(fields) => {
            let keys = fields.keys().take(4).map(brief).collect::<Vec<_>>().join(", ");
            format!("{{{keys}}}")
        }
    };
    if whole.len() <= SHOWN_MAX {
        return whole;
    }
    let end = (0..=SHOWN_MAX).rev().find(|end| whole.is_char_boundary(*end)).unwrap_or(0);
    whole.get(..end).unwrap_or("").to_owned() + "..."
}

/// The type and the beginning of a value, for messages.
pub(super) fn shown(value: &Val) -> String {
    match value {
        Val::Null => "null (null)".to_owned(),
        _ => format!("{} ({})", name(value), brief(value)),
    }
}

/// What a row of `@csv` and `@tsv` is made of.
fn row<'v>(value: &'v Val, format: &str) -> Result<&'v [Val], Error<Item>> {
    match value {
        Val::Arr(items) => Ok(items.as_slice()),
        _ => Err(fail(format_args!(
            "{} cannot be {format}-formatted, only an array can be",
            shown(value)
        ))),
    }
}

/// One line of comma-separated values.
pub(super) fn csv(value: &Val) -> Result<String, Error<Item>> {
    let mut line = String::new();
    for (at, cell) in row(value, "csv")?.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        match cell {
            Val::Null => {}
            Val::Bool(_) | Val::Num(_) => line.push_str(&json(cell)),
            Val::TStr(bytes) => {
                line.push('"');
                line.push_str(&String::from_utf8_lossy(bytes).replace('"', "\"\""));
                line.push('"');
            }
            Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => {
                let shown = shown(cell);
                return Err(fail(format_args!("{shown} is not valid in a csv row")));
            }
        }
    }
    Ok(line)
}

/// One line of values separated by tabs.
pub(super) fn tsv(value: &Val) -> Result<String, Error<Item>> {
    let mut line = String::new();
    for (at, cell) in row(value, "tsv")?.iter().enumerate() {
        if at > 0 {
            line.push('\t');
        }
        match cell {
            Val::Null => {}
            Val::Bool(_) | Val::Num(_) => line.push_str(&json(cell)),
            Val::TStr(bytes) => {
                for char in String::from_utf8_lossy(bytes).chars() {
                    match char {
                        '\t' => line.push_str("\\t"),
                        '\n' => line.push_str("\\n"),
                        '\r' => line.push_str("\\r"),
                        '\\' => line.push_str("\\\\"),
                        char => line.push(char),
                    }
                }
            }
            Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => {
                let shown = shown(cell);
                return Err(fail(format_args!("{shown} is not valid in a tsv row")));
            }
        }
    }
    Ok(line)
}

/// Words for a POSIX shell.
pub(super) fn shell(value: &Val) -> Result<String, Error<Item>> {
    let words = match value {
        Val::Arr(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let word = |word: &Val| match word {
        Val::Null | Val::Bool(_) | Val::Num(_) => Ok(json(word)),
        Val::TStr(bytes) => {
            Ok(format!("'{}'", String::from_utf8_lossy(bytes).replace('\'', "'\\''")))
        }
        Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => {
            Err(fail(format_args!("{} can not be escaped for shell", shown(word))))
        }
    };
    Ok(words.iter().map(word).collect::<Result<Vec<_>, _>>()?.join(" "))
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Bytes that eight characters of base 32 stand for.
const GROUP: usize = 5;

/// RFC 4648 base 32 with padding.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(GROUP) {
        let mut bits = [0_u8; 8];
        bits[3..].iter_mut().zip(group).for_each(|(bit, byte)| *bit = *byte);
        let bits = u64::from_be_bytes(bits);
        let used = (group.len() * 8).div_ceil(5);
        for at in 0..8 {
            if at >= used {
                text.push('=');
                continue;
            }
            let digit = usize::try_from((bits >> (35 - 5 * at)) & 31).unwrap_or(0);
            text.push(BASE32.get(digit).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

/// The text that base 32 stands for.
pub(super) fn from_base32(text: &[u8]) -> Result<String, Error<Item>> {
    let bytes = decoded(text, BASE32, 5, "base32")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text that base 64 stands for, with or without padding.
pub(super) fn from_base64(text: &[u8]) -> Result<String, Error<Item>> {
    let bytes = decoded(text, BASE64, 6, "base64")?;
    if bytes.is_empty() && text.iter().any(|char| *char != b'=') {
        return Err(fail("the text is not valid base64 data"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Digits of so many bits each, most significant first; bits that fill no byte are dropped.
fn decoded(text: &[u8], digits: &[u8], width: u32, name: &str) -> Result<Vec<u8>, Error<Item>> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for char in text.iter().filter(|char| **char != b'=') {
        let digit = digits.iter().position(|digit| digit == char);
        let digit = digit.and_then(|digit| u32::try_from(digit).ok());
        let digit = digit.ok_or_else(|| {
            let shown = char::from(*char);
            fail(format_args!("the text is not valid {name} data: `{shown}`"))
        })?;
        bits = (bits << width) | digit;
        held += width;
        if held >= 8 {
            held -= 8;
            bytes.extend(u8::try_from((bits >> held) & 255));
        }
    }
    Ok(bytes)
}
