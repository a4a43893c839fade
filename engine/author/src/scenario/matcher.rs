//! Expected against found: partial unless told otherwise, with matchers for what is not constant.

use regex::Regex;
use serde_json::Value;
use tenure_definition::tree::did_you_mean;

use super::field::{Field, Reader};

/// Deepest nesting that is compared; a scenario file is never deeper.
const DEPTH_MAX: usize = 64;
/// Differences told of one comparison.
const MISMATCHES_MAX: usize = 20;
/// The matchers that stand alone, as text.
const WORDS: [&str; 2] = ["$any", "$absent"];
/// The matchers that take a value.
const MATCHERS: [&str; 12] = [
    "$regex",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$contains",
    "$length",
    "$not",
    "$type",
    "$in",
    "$unordered",
    "$exactly",
];
/// What `$type` knows.
const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the compared value, as a JSON pointer.
    pub path: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Checks the matchers of an expected value when the file is read.
pub(super) fn check(reader: &mut Reader<'_>, field: &Field<'_>) {
    if let Some(word) = field.value.as_str().filter(|text| text.starts_with('$')) {
        if !WORDS.contains(&word) && !word.starts_with("${") {
            let known = WORDS.iter().chain(&MATCHERS).copied();
            let help = did_you_mean(word, known)
                .unwrap_or_else(|| format!("known are {}", WORDS.join(", ")));
            reader.wrong(field, format!("there is no matcher `{word}`"), help);
        }
        return;
    }
    if let Some(items) = field.value.as_array() {
        for (index, value) in items.iter().enumerate() {
            check(reader, &Field { value, pointer: format!("{}/{index}", field.pointer) });
        }
    }
    for (key, member) in field.members() {
        if !key.starts_with('$') {
            check(reader, &member);
            continue;
        }
        if !MATCHERS.contains(&key) {
            let help = did_you_mean(key, MATCHERS)
                .unwrap_or_else(|| format!("known are {}", MATCHERS.join(", ")));
            reader.wrong(&member, format!("there is no matcher `{key}`"), help);
            continue;
        }
        if let Err(expected) = argument(key, member.value) {
            reader.wrong(&member, format!("`{key}` takes {expected}"), "see docs/testing.md");
        }
        if matches!(key, "$not" | "$contains" | "$in" | "$unordered" | "$exactly") {
            check(reader, &member);
        }
    }
}

/// Whether a matcher can do with its argument; else what it takes.
fn argument(matcher: &str, value: &Value) -> Result<(), &'static str> {
    let fits = match matcher {
        "$regex" => {
            return match value.as_str().map(Regex::new) {
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => Err("a regular expression"),
            };
        }
        "$gt" | "$gte" | "$lt" | "$lte" => value.is_number() || value.is_string(),
        "$length" => value.is_u64() || value.is_object(),
        "$type" => value.as_str().is_some_and(|name| TYPES.contains(&name)),
        "$in" | "$unordered" => value.is_array(),
        _ => true,
    };
    match (fits, matcher) {
        (true, _) => Ok(()),
        (false, "$length") => Err("a whole number, or a matcher for one"),
        (false, "$type") => Err("null, boolean, number, string, array or object"),
        (false, "$in" | "$unordered") => Err("a list"),
        (false, _) => Err("a number or a text"),
    }
}

/// All differences. `found` is `None` when there is nothing at this place.
pub(super) fn compare(expected: &Value, found: Option<&Value>, is_exact: bool) -> Vec<Mismatch> {
    let mut comparison = Comparison { out: Vec::new() };
    comparison.at("", expected, found, is_exact, 0);
    comparison.out.truncate(MISMATCHES_MAX);
    comparison.out
}

/// Whether an object says what a value must be like, rather than what it is.
pub(super) fn is_matcher(fields: &serde_json::Map<String, Value>) -> bool {
    fields.keys().any(|key| key.starts_with('$'))
}

/// Whether there is no difference.
pub(super) fn fits(expected: &Value, found: Option<&Value>) -> bool {
    compare(expected, found, false).is_empty()
}

struct Comparison {
    out: Vec<Mismatch>,
}

impl Comparison {
    fn miss(&mut self, path: &str, expected: impl Into<String>, found: Option<&Value>) {
        self.out.push(Mismatch {
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            expected: expected.into(),
            found: found.map_or_else(|| "nothing".to_owned(), Value::to_string),
        });
    }

    fn at(
        &mut self,
        path: &str,
        expected: &Value,
        found: Option<&Value>,
        is_exact: bool,
        depth: usize,
    ) {
        if depth > DEPTH_MAX {
            return self.miss(path, format!("nothing nested deeper than {DEPTH_MAX}"), found);
        }
        match (expected, found) {
            (Value::String(word), _) if word == "$any" => {
                if found.is_none() {
                    self.miss(path, "anything", found);
                }
            }
            (Value::String(word), _) if word == "$absent" => {
                if found.is_some_and(|found| !found.is_null()) {
                    self.miss(path, "nothing", found);
                }
            }
            (Value::Object(fields), _)
                if !fields.is_empty() && fields.keys().all(|key| key.starts_with('$')) =>
            {
                for (matcher, argument) in fields {
                    self.matcher(path, (matcher, argument), found, is_exact, depth);
                }
            }
            (_, None) => self.miss(path, expected.to_string(), None),
            (Value::Object(fields), Some(Value::Object(have))) => {
                for (key, value) in fields {
                    self.at(&child(path, key), value, have.get(key), is_exact, depth + 1);
                }
                for (key, value) in
                    have.iter().filter(|(key, _)| is_exact && !fields.contains_key(*key))
                {
                    self.miss(&child(path, key), "nothing", Some(value));
                }
            }
            (Value::Array(items), Some(Value::Array(have))) => {
                if items.len() != have.len() {
                    self.miss(path, format!("{} items", items.len()), found);
                    return;
                }
                for (index, (item, have)) in items.iter().zip(have).enumerate() {
                    self.at(&format!("{path}/{index}"), item, Some(have), is_exact, depth + 1);
                }
            }
            (_, Some(have)) => {
                if !same(expected, have) {
                    self.miss(path, expected.to_string(), found);
                }
            }
        }
    }

    fn matcher(
        &mut self,
        path: &str,
        (matcher, argument): (&str, &Value),
        found: Option<&Value>,
        is_exact: bool,
        depth: usize,
    ) {
        let fits = match matcher {
            "$exactly" => return self.at(path, argument, found, true, depth + 1),
            "$length" => {
                let length = found.and_then(length_of).map(Value::from);
                let before = self.out.len();
                self.at(path, argument, length.as_ref(), is_exact, depth + 1);
                self.out.truncate(before + 1);
                if let Some(miss) = self.out.get_mut(before) {
                    miss.expected = format!("length {}", miss.expected);
                    miss.found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
                }
                return;
            }
            "$not" => !compare(argument, found, is_exact).is_empty(),
            "$in" => argument
                .as_array()
                .is_some_and(|any| any.iter().any(|one| compare(one, found, is_exact).is_empty())),
            "$regex" => argument
                .as_str()
                .and_then(|pattern| Regex::new(pattern).ok())
                .zip(found.and_then(Value::as_str))
                .is_some_and(|(pattern, text)| pattern.is_match(text)),
            "$type" => found.map(type_of) == argument.as_str(),
            "$contains" => found.is_some_and(|found| contains(argument, found, is_exact)),
            "$unordered" => found.is_some_and(|found| unordered(argument, found, is_exact)),
            _ => found.is_some_and(|found| ordered(matcher, argument, found)),
        };
        if !fits {
            self.miss(path, format!("{matcher} {argument}"), found);
        }
    }
}

fn child(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Equal values; 1 and 1.0 are one number.
fn same(left: &Value, right: &Value) -> bool {
    left == right
        || left
            .as_f64()
            .zip(right.as_f64())
            .is_some_and(|(left, right)| left.total_cmp(&right).is_eq())
}

fn length_of(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(fields) => Some(fields.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn contains(wanted: &Value, found: &Value, is_exact: bool) -> bool {
    match (found, wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), _) => {
            items.iter().any(|item| compare(wanted, Some(item), is_exact).is_empty())
        }
        _ => false,
    }
}

/// Whether two lists pair off, in any order. Greedy: the most particular item is written first.
fn unordered(wanted: &Value, found: &Value, is_exact: bool) -> bool {
    let (Some(wanted), Some(found)) = (wanted.as_array(), found.as_array()) else { return false };
    let mut left: Vec<&Value> = found.iter().collect();
    wanted.len() == found.len()
        && wanted.iter().all(|one| {
            let at = left.iter().position(|have| compare(one, Some(have), is_exact).is_empty());
            at.map(|at| left.swap_remove(at)).is_some()
        })
}

fn ordered(matcher: &str, bound: &Value, found: &Value) -> bool {
    let order = match (found, bound) {
        (Value::String(found), Value::String(bound)) => Some(found.as_str().cmp(bound)),
        _ => found.as_f64().zip(bound.as_f64()).and_then(|(f, b)| f.partial_cmp(&b)),
    };
    order.is_some_and(|order| match matcher {
        "$gt" => order.is_gt(),
        "$gte" => order.is_ge(),
        "$lt" => order.is_lt(),
        _ => order.is_le(),
    })
}

/// What was found, without what nobody asked for: a diff then shows what differs and no more.
pub(super) fn focus(expected: &Value, found: &Value) -> Value {
    if fits(expected, Some(found)) {
        return expected.clone();
    }
    match (expected, found) {
        (Value::Object(fields), Value::Object(have)) if !is_matcher(fields) => {
            let asked = fields
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), focus(value, have.get(key)?))));
            Value::Object(asked.collect())
        }
        (Value::Array(items), Value::Array(have)) if items.len() == have.len() => {
            items.iter().zip(have).map(|(item, have)| focus(item, have)).collect()
        }
        _ => found.clone(),
    }
}

/// What of a list of expected things is not found in this order. Others may stand between them,
/// unless it is exact. An empty list says that there are none: as a part it would say nothing.
pub(super) fn sequence(expected: &[Value], found: &[Value], is_exact: bool) -> Vec<Mismatch> {
    if is_exact || expected.is_empty() {
        let (expected, found) = (Value::Array(expected.to_vec()), Value::Array(found.to_vec()));
        return compare(&expected, Some(&found), false);
    }
    let mut from = 0;
    for (index, wanted) in expected.iter().enumerate() {
        let rest = found.get(from..).unwrap_or_default();
        match rest.iter().position(|have| fits(wanted, Some(have))) {
            Some(at) => from += at + 1,
            None => {
                // The one that differs least says most.
                let nearest = rest
                    .iter()
                    .map(|have| compare(wanted, Some(have), false))
                    .min_by_key(Vec::len)
                    .filter(|differences| differences.len() < 3);
                let mut out = vec![Mismatch {
                    path: format!("/{index}"),
                    expected: wanted.to_string(),
                    found: format!("nothing like it after the first {from} of {}", found.len()),
                }];
                for mut near in nearest.unwrap_or_default() {
                    near.path = format!("/{index}{} (of the nearest)", near.path);
                    out.push(near);
                }
                return out;
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with plain values")]
    fn check(expected: Value, found: Value, differs_at: &[&str]) {
        let paths: Vec<String> =
            compare(&expected, Some(&found), false).into_iter().map(|miss| miss.path).collect();
        assert_eq!(paths, differs_at, "{expected} against {found}");
    }

    #[test]
    fn objects_are_compared_in_part_and_lists_item_by_item() {
        check(json!({"a": 1}), json!({"a": 1.0, "b": 2}), &[]);
        check(json!({"a": {"b": 1}}), json!({"a": {"b": 2}}), &["/a/b"]);
        check(json!({"a": 1, "c": 2}), json!({"a": 2}), &["/a", "/c"]);
        check(json!([1, 2]), json!([1, 2, 3]), &["/"]);
        check(json!([{"x": 1}]), json!([{"x": 1, "y": 1}]), &[]);
        check(json!({"$exactly": {"a": 1}}), json!({"a": 1, "b": 2}), &["/b"]);
        check(json!(null), json!(false), &["/"]);
    }

    #[test]
    fn matchers_match_what_is_not_constant() {
        check(json!({"a": "$any", "b": "$absent"}), json!({"a": null}), &[]);
        check(json!({"a": "$any", "b": "$absent"}), json!({"b": 1}), &["/a", "/b"]);
        check(json!({"$regex": "^S-"}), json!("S-1"), &[]);
        check(json!({"$regex": "^S-"}), json!("O-1"), &["/"]);
        check(json!({"$gt": 1, "$lte": 3}), json!(3), &[]);
        check(json!({"$gt": 3}), json!(3), &["/"]);
        check(json!({"$gte": "2026-01-01"}), json!("2026-02-01"), &[]);
        check(json!({"$length": 2}), json!("ab"), &[]);
        check(json!({"$length": {"$gt": 2}}), json!([1, 2]), &["/"]);
        check(json!({"$not": {"a": 1}}), json!({"a": 1}), &["/"]);
        check(json!({"$in": [1, 2]}), json!(2), &[]);
        check(json!({"$contains": {"x": 1}}), json!([{"y": 1}, {"x": 1, "y": 2}]), &[]);
        check(json!({"$contains": "b"}), json!("abc"), &[]);
        check(json!({"$unordered": [2, 1]}), json!([1, 2]), &[]);
        check(json!({"$unordered": [2, 2]}), json!([1, 2]), &["/"]);
        check(json!({"$type": "array"}), json!([]), &[]);
        check(json!({"$type": "array"}), json!({}), &["/"]);
    }

    #[test]
    fn a_diff_shows_only_what_was_asked_for() {
        let expected = json!({"a": {"$gt": 1}, "b": [{"c": 1}], "d": 1});
        let found = json!({"a": 2, "b": [{"c": 2, "x": 0}], "y": 0});
        assert_eq!(focus(&expected, &found), json!({"a": {"$gt": 1}, "b": [{"c": 2}]}));
    }

    #[test]
    fn a_sequence_may_have_others_between() {
        let found = [json!({"n": 1}), json!({"n": 2}), json!({"n": 3})];
        assert_eq!(sequence(&[json!({"n": 1}), json!({"n": 3})], &found, false), []);
        let missed = sequence(&[json!({"n": 3}), json!({"n": 1})], &found, false);
        assert_eq!(missed[0].path, "/1");
        assert!(!sequence(&[json!({"n": 1})], &found, true).is_empty());
    }

    #[test]
    fn an_empty_sequence_is_none_at_all() {
        for is_exact in [true, false] {
            assert_eq!(sequence(&[], &[], is_exact), []);
            assert_eq!(sequence(&[], &[json!({"n": 1})], is_exact)[0].path, "/");
        }
    }
}
