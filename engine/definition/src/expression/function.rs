//! Native functions of ours: those jaq has not, has unbounded, or has otherwise than jq.
//!
//! Their inputs and arguments were weighed by the fence, so a walk over one of them is paid for.
//! What multiplies two of them pays here.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the types of jq are closed, and what no rule names is one error for all of them"
)]

use jaq_core::box_iter::box_once;
use jaq_core::native::{Fun, v};
use jaq_core::{Bind, Error, Exn, Native};
use jaq_json::{Map, Val};

use super::fence::Fenced;
use super::item::{self, Item, fail};
use super::meter::{self, Limit};
use super::regular::Search;
use super::text::{self, shown};
use super::value;

type Outcome<'a> = Result<Val, Exn<'a, Item>>;

/// A function of the input and of arguments that are values.
macro_rules! native {
    ($name:literal, $count:literal, |$value:ident, $args:pat_param| $body:expr) => {
        (
            $name,
            v($count),
            Native::<Fenced>::new(|mut cv| {
                let mut args: [Val; $count] = std::array::from_fn(|_| cv.0.pop_var().0);
                args.reverse();
                fn body<'a>($value: Val, $args: [Val; $count]) -> Outcome<'a> {
                    $body
                }
                let paid = args.iter().try_for_each(meter::weigh).map_err(Exn::from);
                let outcome = paid.and_then(|()| body(cv.1.0, args));
                box_once(outcome.and_then(|value| {
                    meter::weigh(&value)?;
                    Ok(Item(value))
                }))
            }),
        )
    };
}

/// The functions the prelude calls. No author can: names with two underscores are refused.
pub(super) fn natives() -> Vec<Fun<Fenced>> {
    let mut all = of_text();
    all.extend(of_values());
    all.extend(of_paths());
    all
}

/// Functions of an argument that is a path.
fn of_paths() -> Vec<Fun<Fenced>> {
    /// Each path an argument gives, made into a value by `$make` of the path and what is there.
    macro_rules! paths {
        ($name:literal, $make:expr) => {
            (
                $name,
                [Bind::Fun(())].into(),
                Native::<Fenced>::new(|mut cv| {
                    let (paths, context) = cv.0.pop_fun();
                    let found = paths.paths((context, (cv.1, Default::default())));
                    Box::new(found.map(|found| {
                        let (value, keys) = found?;
                        let make: fn(Val, Item) -> Val = $make;
                        Ok(Item(make(path_of(keys.iter())?, value)))
                    }))
                }),
            )
        };
    }
    vec![
        paths!("path", |path, _| path),
        paths!("path_value", |path, value| [path, value.0].into_iter().collect()),
    ]
}

/// A path whose keys come from the end. In a deep value there are as many paths as keys in each.
fn path_of<'i>(keys: impl Iterator<Item = &'i Item>) -> Result<Val, Limit> {
    let mut keys: Vec<Val> = keys.map(|key| key.0.clone()).collect();
    meter::list(keys.len())?;
    keys.reverse();
    Ok(keys.into_iter().collect())
}

/// Longest format of a date, in bytes.
const FORMAT_MAX: usize = 1_000;

/// Lets a format of dates pass, if it is short: what it makes may be a hundred times as long.
fn format_of_dates(format: Val) -> Result<Val, Error<Item>> {
    match &format {
        Val::TStr(text) if text.len() > FORMAT_MAX => {
            Err(fail(format_args!("a date format may have {FORMAT_MAX} bytes at most")))
        }
        _ => Ok(format),
    }
}

/// The code points of a text.
fn explode(value: &Val) -> Result<Val, Error<Item>> {
    let Val::TStr(bytes) = value else {
        return Err(fail(format_args!("{} cannot be exploded", shown(value))));
    };
    let text = String::from_utf8_lossy(bytes);
    meter::list(text.chars().count())?;
    let code = |char| usize::try_from(u32::from(char)).map_or(Val::Null, Val::from);
    Ok(text.chars().map(code).collect())
}

/// Functions that read or make text.
fn of_text() -> Vec<Fun<Fenced>> {
    vec![
        native!("__tojson", 0, |value, _| print(&value)),
        native!("__text", 0, |value, _| match value {
            Val::TStr(_) => Ok(value),
            value => print(&value),
        }),
        native!("__fromjson", 0, |value, _| Ok(from_json(&value)?)),
        native!("__join", 1, |value, [by]| Ok(join(&value, &by)?)),
        native!("__sh", 0, |value, _| Ok(Val::utf8_str(text::shell(&value)?))),
        native!("__csv", 0, |value, _| Ok(Val::utf8_str(text::csv(&value)?))),
        native!("__tsv", 0, |value, _| Ok(Val::utf8_str(text::tsv(&value)?))),
        native!("__base32", 0, |value, _| Ok(Val::utf8_str(text::base32(&bytes(&value)?)))),
        native!("__base64d", 0, |value, _| Ok(Val::utf8_str(text::from_base64(&bytes(&value)?)?))),
        native!("__base32d", 0, |value, _| Ok(Val::utf8_str(text::from_base32(&bytes(&value)?)?))),
        native!("__trimstr", 3, |value, [part, left, right]| {
            Ok(trim(&value, &part, left == Val::Bool(true), right == Val::Bool(true))?)
        }),
        native!("__test", 2, |value, [pattern, flags]| {
            Ok(Val::Bool(search(&value, &pattern, &flags)?.found()?))
        }),
        native!("__match", 2, |value, [pattern, flags]| {
            Ok(search(&value, &pattern, &flags)?.objects()?)
        }),
        native!("__capture", 2, |value, [pattern, flags]| {
            Ok(search(&value, &pattern, &flags)?.captures()?)
        }),
        native!("__scan", 2, |value, [pattern, flags]| {
            Ok(search(&value, &pattern, &flags)?.global().texts()?)
        }),
        native!("__split", 2, |value, [pattern, flags]| {
            Ok(search(&value, &pattern, &flags)?.global().between()?)
        }),
        native!("__pieces", 2, |value, [pattern, flags]| {
            Ok(search(&value, &pattern, &flags)?.pieces()?)
        }),
        native!("__format", 0, |value, _| Ok(format_of_dates(value)?)),
        native!("explode", 0, |value, _| Ok(explode(&value)?)),
        native!("__combined", 1, |value, [text]| combined(&value, text)),
    ]
}

/// Functions of arrays, objects and paths.
fn of_values() -> Vec<Fun<Fenced>> {
    vec![
        native!("__length", 0, |value, _| Ok(length(value)?)),
        native!("__has", 1, |value, [key]| Ok(has(&value, &key)?)),
        native!("__contains", 1, |value, [part]| contains(&value, &part).map(Val::Bool)),
        native!("__indices", 1, |value, [part]| indices(&value, &part)),
        native!("__nan", 0, |_value, _| Ok(Val::from(f64::NAN))),
        native!("__infinite", 0, |_value, _| Ok(Val::from(f64::INFINITY))),
        native!("__keys", 0, |value, _| Ok(keys(&value)?)),
        native!("__tonumber", 0, |value, _| Ok(to_number(value)?)),
        native!("__bsearch", 1, |value, [wanted]| Ok(search_sorted(&value, &wanted)?)),
        native!("__add", 0, |value, _| add(value)),
        native!("__from_entries", 0, |value, _| Ok(from_entries(&value)?)),
        native!("__object", 0, |value, _| Ok(object_of_pairs(&value)?)),
        native!("__delpaths", 1, |value, [paths]| match paths {
            Val::Arr(paths) => Ok(item::delete_paths(value, &paths)?),
            _ => Err(fail("Paths must be specified as an array").into()),
        }),
        native!("__stream", 0, |value, _| {
            let mut events = Vec::new();
            stream(&value, &mut Vec::new(), &mut events)?;
            Ok(events.into_iter().collect())
        }),
    ]
}

/// The value as JSON text. Printing is dearer than looking, so it pays several times.
fn print<'a>(value: &Val) -> Outcome<'a> {
    const TIMES: u64 = 8;
    meter::weigh_times(value, TIMES)?;
    Ok(Val::utf8_str(text::json(value)))
}

/// A value as the bytes of its text. Coding them is dearer than looking, so it pays as printing.
fn bytes<'a>(value: &Val) -> Result<Vec<u8>, Exn<'a, Item>> {
    const BYTES_PER_FUEL: u64 = 8;
    let bytes = match value {
        Val::TStr(bytes) => bytes.to_vec(),
        value => match print(value)? {
            Val::TStr(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        },
    };
    meter::spend(meter::wide(bytes.len()) / BYTES_PER_FUEL)?;
    Ok(bytes)
}

fn search<'a>(value: &Val, pattern: &Val, flags: &Val) -> Result<Search, Exn<'a, Item>> {
    Ok(Search::new(value, pattern, flags)?)
}

fn from_json(value: &Val) -> Result<Val, Error<Item>> {
    let Val::TStr(bytes) = value else {
        return Err(fail(format_args!("{} only strings can be parsed", shown(value))));
    };
    let parts = parts_of_json(bytes);
    meter::room(parts)?;
    // A value of the reader is some ten times as large as what stands for it here.
    meter::spend(parts)?;
    let parsed: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| fail(format_args!("{error} (while parsing {})", text::brief(value))))?;
    value::read(&parsed).map_err(fail)
}

/// The values in a JSON text, as far as its punctuation tells.
fn parts_of_json(text: &[u8]) -> u64 {
    let (mut parts, mut quoted, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b':' | b'[' | b'{' if !quoted => parts += 1,
            _ => {}
        }
    }
    parts
}

/// jq's `join`: null is empty, numbers and booleans are printed, the rest is an error.
fn join(value: &Val, separator: &Val) -> Result<Val, Error<Item>> {
    let items: Vec<&Val> = match value {
        Val::Arr(items) => items.iter().collect(),
        Val::Obj(fields) => fields.values().collect(),
        other => return Err(fail(format_args!("Cannot iterate over {}", shown(other)))),
    };
    if items.is_empty() {
        return Ok(Val::utf8_str(""));
    }
    let separator: &[u8] = match separator {
        Val::TStr(separator) => separator,
        Val::Null => b"",
        other => return Err(fail(format_args!("{} cannot separate strings", shown(other)))),
    };
    // Counted before any of it is there: the separator comes as often as there are items.
    let texts = items.iter().map(|item| if let Val::TStr(text) = item { text.len() } else { 0 });
    let between = separator.len().saturating_mul(items.len() - 1);
    meter::text(texts.fold(between, usize::saturating_add))?;
    let mut joined = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            joined.extend_from_slice(separator);
        }
        match item {
            Val::Null => {}
            Val::TStr(text) => joined.extend_from_slice(text),
            Val::Bool(_) | Val::Num(_) => joined.extend_from_slice(text::json(item).as_bytes()),
            Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => {
                return Err(fail(format_args!("string and {} cannot be added", shown(item))));
            }
        }
    }
    Ok(Val::utf8_str(joined))
}

fn length(value: Val) -> Result<Val, Error<Item>> {
    Ok(match value {
        Val::Null => Val::from(0_usize),
        Val::Num(_) if value < Val::from(0_isize) => (-Item(value))?.0,
        Val::Num(_) => value,
        Val::TStr(bytes) => Val::from(String::from_utf8_lossy(&bytes).chars().count()),
        Val::BStr(bytes) => Val::from(bytes.len()),
        Val::Arr(items) => Val::from(items.len()),
        Val::Obj(fields) => Val::from(fields.len()),
        Val::Bool(_) => return Err(fail(format_args!("{} has no length", shown(&value)))),
    })
}

/// The keys of an object or the indices of an array.
fn keys(value: &Val) -> Result<Val, Error<Item>> {
    match value {
        Val::Arr(items) => Ok((0..items.len()).map(Val::from).collect()),
        Val::Obj(fields) => Ok(fields.keys().cloned().collect()),
        other => Err(fail(format_args!("{} has no keys", shown(other)))),
    }
}

/// The number a text stands for, written as in JSON, but with leading zeros.
fn to_number(value: Val) -> Result<Val, Error<Item>> {
    if matches!(value, Val::Num(_)) {
        return Ok(value);
    }
    let wrong = || fail(format_args!("{} cannot be parsed as a number", shown(&value)));
    let Val::TStr(bytes) = &value else { return Err(wrong()) };
    let digits =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.as_bytes().iter().all(digits));
    let text = text.ok_or_else(wrong)?;
    match text.parse::<isize>() {
        Ok(integer) => Ok(Val::from(integer)),
        Err(_) => text.parse::<f64>().map(Val::from).map_err(|_| wrong()),
    }
}

fn has(value: &Val, key: &Val) -> Result<Val, Error<Item>> {
    match (value, key) {
        (Val::Obj(fields), Val::TStr(_)) => Ok(Val::Bool(fields.contains_key(key))),
        (Val::Arr(items), Val::Num(number)) => {
            let at = usize::try_from(item::integer(number));
            Ok(Val::Bool(at.is_ok_and(|at| at < items.len())))
        }
        _ => Err(fail(format_args!(
            "Cannot check whether {} has a {} key",
            text::name(value),
            text::name(key)
        ))),
    }
}

/// Whether `part` is inside: texts by substring, arrays and objects by their parts.
fn contains<'a>(whole: &Val, part: &Val) -> Result<bool, Exn<'a, Item>> {
    meter::spend(1)?;
    match (whole, part) {
        (Val::TStr(whole), Val::TStr(part)) => {
            meter::text(whole.len())?;
            meter::text(part.len())?;
            let whole = String::from_utf8_lossy(whole);
            Ok(whole.contains(String::from_utf8_lossy(part).as_ref()))
        }
        (Val::Arr(whole), Val::Arr(parts)) => {
            'parts: for part in parts.iter() {
                for item in whole.iter() {
                    if text::name(item) == text::name(part) && contains(item, part)? {
                        continue 'parts;
                    }
                }
                return Ok(false);
            }
            Ok(true)
        }
        (Val::Obj(whole), Val::Obj(parts)) => {
            for (key, part) in parts.iter() {
                match whole.get(key) {
                    Some(item) if text::name(item) == text::name(part) => {
                        if !contains(item, part)? {
                            return Ok(false);
                        }
                    }
                    Some(_) | None => return Ok(false),
                }
            }
            Ok(true)
        }
        (whole, part) if text::name(whole) == text::name(part) => Ok(whole == part),
        (whole, part) => Err(fail(format_args!(
            "{} and {} cannot have their containment checked",
            shown(whole),
            shown(part)
        ))
        .into()),
    }
}

/// Where a text or a part of an array begins, or a value is.
fn indices<'a>(whole: &Val, part: &Val) -> Outcome<'a> {
    const BYTES_PER_FUEL: u64 = 32;
    match (whole, part) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::TStr(whole), Val::TStr(part)) => {
            let (whole, part) = (String::from_utf8_lossy(whole), String::from_utf8_lossy(part));
            let each = 1 + meter::wide(part.len()) / BYTES_PER_FUEL;
            let (mut found, mut from, mut chars) = (Vec::new(), 0, 0_usize);
            while let Some(rest) = whole.get(from..).filter(|_| !part.is_empty()) {
                let Some(at) = rest.find(part.as_ref()) else { break };
                meter::spend(each)?;
                chars += rest.get(..at).map_or(0, |skipped| skipped.chars().count());
                found.push(Val::from(chars));
                // Places may overlap.
                from +=
                    at + rest.get(at..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8);
                chars += 1;
            }
            Ok(found.into_iter().collect())
        }
        (Val::Arr(_), Val::Arr(part)) if part.is_empty() => Ok(Val::Arr(jaq_json::Rc::default())),
        (Val::Arr(whole), Val::Arr(part)) => Ok(item::occurrences(whole, part)?),
        (Val::Arr(whole), part) => {
            let found = whole.iter().enumerate().filter(|(_, item)| *item == part);
            Ok(found.map(|(at, _)| Val::from(at)).collect())
        }
        (whole, part) => Ok(item::index(whole, part)?),
    }
}

fn search_sorted(value: &Val, wanted: &Val) -> Result<Val, Error<Item>> {
    let Val::Arr(items) = value else {
        return Err(fail(format_args!("{} cannot be searched from", shown(value))));
    };
    Ok(match items.binary_search(wanted) {
        Ok(at) => Val::from(at),
        Err(at) => (-Item::from(at + 1))?.0,
    })
}

/// The sum of all values.
fn add<'a>(value: Val) -> Outcome<'a> {
    let mut sum = Item(Val::Null);
    // Texts gather here, because adding them one by one copies what is there each time.
    let mut text: Option<Vec<u8>> = None;
    for item in jaq_core::ValT::values(Item(value)) {
        meter::spend(1)?;
        match (&mut text, item?.0) {
            (Some(text), Val::TStr(more)) => {
                meter::text(more.len())?;
                text.extend_from_slice(&more);
            }
            (Some(_), Val::Null) => {}
            (None, Val::TStr(first)) if sum.0 == Val::Null => text = Some(first.to_vec()),
            (gathered, item) => {
                if let Some(text) = gathered.take() {
                    sum = Item(Val::utf8_str(text));
                }
                sum = (sum + Item(item))?;
            }
        }
    }
    Ok(text.map_or(sum.0, Val::utf8_str))
}

fn field<'v>(fields: &'v Map, names: &[&str]) -> Option<&'v Val> {
    names.iter().find_map(|name| fields.get(&Val::utf8_str((*name).to_owned())))
}

/// An object of `{key, value}`, also under the names that jq accepts.
fn from_entries(value: &Val) -> Result<Val, Error<Item>> {
    let entries: Vec<&Val> = match value {
        Val::Arr(items) => items.iter().collect(),
        Val::Obj(fields) => fields.values().collect(),
        other => return Err(fail(format_args!("Cannot iterate over {}", shown(other)))),
    };
    let mut object = Map::default();
    for entry in entries {
        let Val::Obj(fields) = entry else {
            return Err(fail(format_args!("Cannot index {} with \"key\"", text::name(entry))));
        };
        let truth = |value: &&Val| !matches!(value, Val::Null | Val::Bool(false));
        let names = ["key", "k", "name", "Name", "Key", "K"];
        let key = names.iter().filter_map(|name| field(fields, &[name])).find(truth);
        let key = key.or_else(|| {
            let given = names.iter().filter_map(|name| field(fields, &[name]));
            given.into_iter().find(|key| matches!(key, Val::Bool(false)))
        });
        let key = match key.unwrap_or(&Val::Null) {
            key @ Val::TStr(_) => key.clone(),
            key @ (Val::Null | Val::Bool(_) | Val::Num(_)) => Val::utf8_str(text::json(key)),
            key => {
                return Err(fail(format_args!("Cannot use {} as object key", shown(key))));
            }
        };
        let value = field(fields, &["value", "v", "Value", "V"]).cloned().unwrap_or_default();
        object.insert(key, value);
    }
    Ok(Val::obj(object))
}

/// An object of `[key, value]`.
fn object_of_pairs(value: &Val) -> Result<Val, Error<Item>> {
    let Val::Arr(pairs) = value else { return Err(fail("pairs must come in an array")) };
    let mut object = Map::default();
    for pair in pairs.iter() {
        if let Val::Arr(pair) = pair
            && let [key, value] = pair.as_slice()
        {
            object.insert(key.clone(), value.clone());
        }
    }
    Ok(Val::obj(object))
}

fn trim(value: &Val, part: &Val, left: bool, right: bool) -> Result<Val, Error<Item>> {
    let (Val::TStr(text), Val::TStr(part)) = (value, part) else {
        let function = if left { "startswith" } else { "endswith" };
        return Err(fail(format_args!("{function}() requires string inputs")));
    };
    let (mut text, part): (&[u8], &[u8]) = (text, part);
    if left {
        text = text.strip_prefix(part).unwrap_or(text);
    }
    if right {
        text = text.strip_suffix(part).unwrap_or(text);
    }
    Ok(Val::utf8_str(text.to_vec()))
}

/// The texts made of pieces, where an array stands for the outputs at one match: the first text has
/// the first outputs, the second the second, as in jq. Without any output nothing is replaced.
fn combined<'a>(pieces: &Val, text: Val) -> Outcome<'a> {
    let Val::Arr(pieces) = pieces else { return Ok(Val::Null) };
    let outputs = |piece: &Val| if let Val::Arr(outputs) = piece { outputs.len() } else { 0 };
    let matched = pieces.iter().any(|piece| matches!(piece, Val::Arr(_)));
    let most = pieces.iter().map(outputs).max().unwrap_or(0);
    if !matched || most == 0 {
        return Ok(std::iter::once(text).collect());
    }
    let mut texts = Vec::new();
    for nth in 0..most {
        let mut whole = Vec::new();
        for piece in pieces.iter() {
            meter::spend(1)?;
            let part = if let Val::Arr(outputs) = piece { outputs.get(nth) } else { Some(piece) };
            append(&mut whole, part.unwrap_or(&Val::Null))?;
        }
        meter::spend(u64::try_from(whole.len()).unwrap_or(u64::MAX) / 64)?;
        texts.push(Val::utf8_str(whole));
    }
    Ok(texts.into_iter().collect())
}

fn append(text: &mut Vec<u8>, piece: &Val) -> Result<(), Error<Item>> {
    match piece {
        Val::Null => {}
        Val::TStr(piece) => text.extend_from_slice(piece),
        Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => {
            let so_far = Val::utf8_str(text.clone());
            let (left, right) = (shown(&so_far), shown(piece));
            return Err(fail(format_args!("{left} and {right} cannot be added")));
        }
    }
    Ok(())
}

/// The events of `tostream`: each leaf with its path, and the end of each array and object.
fn stream<'a>(
    value: &Val,
    path: &mut Vec<Val>,
    events: &mut Vec<Val>,
) -> Result<(), Exn<'a, Item>> {
    // Each event repeats its path.
    meter::spend(1 + meter::wide(path.len()) / 2)?;
    let at = |path: &[Val]| path.iter().cloned().collect::<Val>();
    let children: Vec<(Val, &Val)> = match value {
        Val::Arr(items) => {
            items.iter().enumerate().map(|(at, item)| (Val::from(at), item)).collect()
        }
        Val::Obj(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => Vec::new(),
    };
    let Some((last, _)) = children.last() else {
        events.push([at(path), value.clone()].into_iter().collect());
        return Ok(());
    };
    let last = last.clone();
    for (key, child) in children {
        path.push(key);
        stream(child, path, events)?;
        path.pop();
    }
    path.push(last);
    events.push(std::iter::once(at(path)).collect());
    path.pop();
    Ok(())
}
