//! Amounts: integer minor units inside, decimal numbers at the vendors. No floating-point
//! arithmetic: numbers go through their text.

use serde_json::Value;

/// Digits after the point of a currency. ISO 4217; two unless listed.
#[must_use]
pub fn digits(currency: &str) -> usize {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Reads a vendor's amount (a JSON number, or text as Zuora also sends it). `None` when it is
/// not a plain decimal number or has more digits than the currency.
#[must_use]
pub fn minor(value: &Value, currency: &str) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.as_str()),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = digits(currency);
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse::<i64>().ok().map(|amount| sign * amount)
}

/// Writes an amount as a vendor's decimal text.
#[must_use]
pub fn major(amount: i64, currency: &str) -> String {
    let digits = digits(currency);
    let sign = if amount < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", amount.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Writes an amount as a vendor's JSON number.
#[must_use]
pub fn number(amount: i64, currency: &str) -> Value {
    major(amount, currency).parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value, currency: &str, expected: Option<i64>) {
        assert_eq!(minor(value, currency), expected, "{value} {currency}");
    }

    #[test]
    fn amounts_are_read_without_rounding() {
        check(&json!(348), "USD", Some(34800));
        check(&json!(348.0), "USD", Some(34800));
        check(&json!(0.29), "USD", Some(29));
        check(&json!("1740.50"), "USD", Some(174_050));
        check(&json!("1740.500"), "USD", Some(174_050));
        check(&json!(-3.5), "USD", Some(-350));
        check(&json!(348), "JPY", Some(348));
        check(&json!(1.5), "JPY", None);
        check(&json!(1.005), "USD", None);
        check(&json!(1e30), "USD", None);
        check(&json!("12,50"), "USD", None);
        check(&json!(null), "USD", None);
    }

    #[test]
    fn amounts_are_written_and_read_back() {
        for (amount, currency, text) in [
            (34800, "USD", "348.00"),
            (5, "USD", "0.05"),
            (-350, "USD", "-3.50"),
            (348, "JPY", "348"),
            (1, "KWD", "0.001"),
        ] {
            assert_eq!(major(amount, currency), text);
            assert_eq!(minor(&number(amount, currency), currency), Some(amount));
        }
    }
}
