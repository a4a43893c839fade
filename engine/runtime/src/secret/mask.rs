//! What comes back from the world may repeat a secret that was sent: in an error's words, in an address,
//! in an echoed body. It is masked before anybody writes it down.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use tenure_adapter::{Lookup, Outcome, Problem};

/// What stands in place of a secret.
const MASKED: &str = "[secret]";
/// Shorter values are left: they would be found in words that have nothing to do with them.
const VALUE_BYTES_MIN: usize = 4;
/// Shorter pieces of base64 text are left, for the same reason.
const PIECE_CHARS_MIN: usize = 8;

/// The values of one request, in every form they may come back in.
#[derive(Default)]
pub(crate) struct Mask {
    values: Vec<String>,
    /// In base64: alone, and as it stands within something longer (`user:password`).
    encoded: Vec<String>,
}

/// How a text writes the characters of a value.
#[derive(Clone, Copy)]
enum Spelling {
    Plain,
    /// As in an address or a form: any byte may be `%XX`, a space may be `+`.
    Percent,
    /// As in JSON: a backslash begins an escape.
    Json,
}

impl Mask {
    pub(crate) fn new<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut mask = Self::default();
        for value in values.into_iter().filter(|value| value.len() >= VALUE_BYTES_MIN) {
            mask.values.push(value.to_owned());
            mask.encoded.extend(in_base64(value.as_bytes()));
        }
        mask
    }

    /// The outcome, without the values.
    pub(crate) fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Done { output } => Outcome::Done { output: self.value(output) },
            Outcome::Rejected { reason, detail, retry_after_ms } => {
                Outcome::Rejected { reason, detail: self.text(detail), retry_after_ms }
            }
            Outcome::Declined { class, code, detail } => {
                Outcome::Declined { class, code: self.text(code), detail: self.text(detail) }
            }
            Outcome::Failed { error } => Outcome::Failed { error: self.problem(error) },
            Outcome::NotSent { detail } => Outcome::NotSent { detail: self.text(detail) },
            Outcome::Unknown { detail } => Outcome::Unknown { detail: self.text(detail) },
        }
    }

    /// The result of a look-up, without the values.
    pub(crate) fn lookup(&self, lookup: Lookup) -> Lookup {
        match lookup {
            Lookup::Happened { outcome } => Lookup::Happened { outcome: self.outcome(outcome) },
            Lookup::Absent => Lookup::Absent,
            Lookup::Unknown { detail } => Lookup::Unknown { detail: self.text(detail) },
        }
    }

    fn problem(&self, problem: Problem) -> Problem {
        let Problem { kind, status, title, detail, instance, data } = problem;
        Problem {
            kind: self.text(kind),
            status,
            title: self.text(title),
            detail: detail.map(|detail| self.text(detail)),
            instance: instance.map(|instance| self.text(instance)),
            data: data.map(|data| self.value(data)),
        }
    }

    fn value(&self, value: Value) -> Value {
        if self.values.is_empty() {
            return value;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.value(item)).collect())
            }
            // Keys that differed by a secret only become one: nothing else can be shown of them.
            Value::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, field)| (self.text(name), self.value(field)))
                    .collect(),
            ),
        }
    }

    fn text(&self, text: String) -> String {
        if self.values.is_empty() {
            return text;
        }
        let mut masked = String::new();
        // What was copied or masked so far ends here. Finds may overlap: they are masked as one.
        let mut done = 0;
        for (at, _) in text.char_indices() {
            let Some(end) = text.get(at..).and_then(|rest| self.longest(rest)).map(|len| at + len)
            else {
                continue;
            };
            if at >= done {
                masked.push_str(text.get(done..at).unwrap_or_default());
                masked.push_str(MASKED);
            }
            done = done.max(end);
        }
        if done == 0 {
            return text;
        }
        masked.push_str(text.get(done..).unwrap_or_default());
        masked
    }

    /// The length of the longest form of a value that the text begins with.
    fn longest(&self, text: &str) -> Option<usize> {
        let spelled = self.values.iter().flat_map(|value| {
            [Spelling::Plain, Spelling::Percent, Spelling::Json]
                .into_iter()
                .filter_map(move |spelling| spelling.begins(text, value))
        });
        let encoded = self.encoded.iter().filter(|form| text.starts_with(*form)).map(String::len);
        spelled.chain(encoded).max()
    }
}

impl Spelling {
    /// How much of the text spells the value, if it begins with it.
    fn begins(self, text: &str, value: &str) -> Option<usize> {
        let rest = match self {
            Self::Plain => text.strip_prefix(value),
            Self::Percent => {
                value.bytes().try_fold(text.as_bytes(), after_percent).and_then(|rest| {
                    // Cut between characters, or it was none of ours.
                    text.get(text.len() - rest.len()..)
                })
            }
            Self::Json => value.chars().try_fold(text, after_json),
        };
        rest.map(|rest| text.len() - rest.len())
    }
}

/// The text after a byte as an address writes it.
fn after_percent(text: &[u8], wanted: u8) -> Option<&[u8]> {
    match text {
        [b'%', high, low, rest @ ..] => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let byte = digit(*high)? * 16 + digit(*low)?;
            (byte == u32::from(wanted)).then_some(rest)
        }
        [b'+', rest @ ..] => matches!(wanted, b'+' | b' ').then_some(rest),
        [byte, rest @ ..] => (*byte == wanted).then_some(rest),
        [] => None,
    }
}

/// The text after a character as JSON writes it.
fn after_json(text: &str, wanted: char) -> Option<&str> {
    let Some(escape) = text.strip_prefix('\\') else { return text.strip_prefix(wanted) };
    let mut rest = escape.chars();
    let meant = match rest.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return after_unicode(escape, wanted),
        other => other,
    };
    (meant == wanted).then_some(rest.as_str())
}

/// The text after `uXXXX`, which stands behind a backslash; two of them for a character beyond 16 bits.
fn after_unicode(escape: &str, wanted: char) -> Option<&str> {
    let mut units = [0; 2];
    let units = wanted.encode_utf16(&mut units);
    let mut rest = escape;
    for (number, unit) in units.iter().enumerate() {
        if number > 0 {
            rest = rest.strip_prefix('\\')?;
        }
        let (digits, after) = rest.strip_prefix('u')?.split_at_checked(4)?;
        if u16::from_str_radix(digits, 16).ok()? != *unit {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// A value in both alphabets, without padding: alone, and the characters that are the same whatever
/// stands before and behind it, for each of the three places it may begin at.
fn in_base64(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        forms.push(alphabet.encode(value));
        // A character holds six bits: those it shares with a neighbor are not known.
        for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
            let mut shifted = vec![0; before];
            shifted.extend_from_slice(value);
            let whole = shifted.len() * 8 / 6;
            let text = alphabet.encode(shifted);
            forms.extend(
                text.get(shared..whole)
                    .filter(|piece| piece.len() >= PIECE_CHARS_MIN)
                    .map(str::to_owned),
            );
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use serde_json::json;
    use tenure_adapter::{DeclineClass, Reason};

    use super::*;

    const SECRET: &str = "p\"a\\ß/+ %w\u{1F511}";

    fn check(secret: &str, text: &str, expected: &str) {
        assert_eq!(Mask::new([secret]).text(text.to_owned()), expected, "{secret} in {text}");
    }

    #[test]
    fn a_secret_is_masked_however_it_is_spelled() {
        check("s3cret", "no word of it", "no word of it");
        check("s3cret", "a s3cret, s3crets3cret", "a [secret], [secret][secret]");
        check("s3cret", "s3cre", "s3cre");
        check("s/c=et", "https://x/s%2Fc%3Det?q=s%2fc=et", "https://x/[secret]?q=[secret]");
        check("two words", "q=two+words&r=two%20words", "q=[secret]&r=[secret]");
        check("50%25", "50%25 and 50%2525", "[secret] and [secret]");
        check("a\"b\\c", r#"{"k":"a\"b\\c"}"#, r#"{"k":"[secret]"}"#);
        check("straße", r"stra\u00dfe, stra%C3%9Fe, straße", "[secret], [secret], [secret]");
        check("key\u{1F511}", r"key\ud83d\uDD11!", "[secret]!");
        check("stra%", "stra%C3", "[secret]C3");
        check("stra%", "stra%é", "[secret]é");
    }

    #[test]
    fn a_secret_is_masked_in_base64_wherever_it_begins() {
        for before in ["", "u", "us", "user:"] {
            for behind in ["", "x", "xy", "xyz"] {
                let whole = format!("{before}correct horse?>{behind}");
                for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                    let mask = Mask::new(["correct horse?>"]);
                    let masked = mask.text(format!("Basic {encoded}."));
                    assert!(masked.contains(MASKED), "{whole}: {masked}");
                    assert!(masked.len() <= "Basic ".len() + MASKED.len() + 16, "{masked}");
                }
            }
        }
        check("abcd", "YWJjZA==", "[secret]==");
    }

    #[test]
    fn short_values_are_left_and_finds_that_overlap_are_one() {
        check("abc", "abc", "abc");
        let mask = Mask::new(["abcdef", "defghi", "abcd"]);
        assert_eq!(mask.text("abcdefghi abcdx".to_owned()), "[secret] [secret]x");
        assert_eq!(Mask::default().text("plain".to_owned()), "plain");
    }

    /// All spellings of the secret, in one text.
    fn echo() -> String {
        let json = serde_json::to_string(SECRET).unwrap();
        let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("{SECRET} {json} {percent} {}", STANDARD.encode(SECRET))
    }

    fn holds_no_secret(record: &impl serde::Serialize) {
        let value = serde_json::to_value(record).unwrap();
        let mut texts = vec![value];
        let mut seen = 0;
        while let Some(value) = texts.pop() {
            match value {
                Value::String(text) => {
                    seen += usize::from(text.contains(MASKED));
                    let encoded = STANDARD_NO_PAD.encode(SECRET);
                    for form in [SECRET, "p\\\"a", "%22", &encoded] {
                        assert!(!text.contains(form), "{text}");
                    }
                }
                Value::Array(items) => texts.extend(items),
                Value::Object(fields) => {
                    for (name, field) in fields {
                        texts.extend([Value::String(name), field]);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        assert!(seen > 0, "nothing was masked");
    }

    #[test]
    fn a_secret_in_a_uri_or_body_reached_the_journal_through_every_outcome() {
        let mask = Mask::new([SECRET]);
        let mut error = Problem::standard("communication", 404, &echo(), echo());
        error.kind = echo();
        error.instance = Some(echo());
        error.data = Some(json!({ echo(): { "deep": [echo()] } }));
        let done = Outcome::Done { output: json!({ echo(): [echo(), 1], "n": null }) };
        for outcome in [
            done.clone(),
            Outcome::Failed { error },
            Outcome::Rejected { reason: Reason::Auth, detail: echo(), retry_after_ms: Some(1) },
            Outcome::Declined { class: DeclineClass::Hard, code: echo(), detail: echo() },
            Outcome::NotSent { detail: echo() },
            Outcome::Unknown { detail: echo() },
        ] {
            holds_no_secret(&mask.outcome(outcome));
        }
        holds_no_secret(&mask.lookup(Lookup::Happened { outcome: done }));
        holds_no_secret(&mask.lookup(Lookup::Unknown { detail: echo() }));
        assert_eq!(mask.lookup(Lookup::Absent), Lookup::Absent);
    }
}
