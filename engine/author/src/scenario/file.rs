//! From the text of a scenario file to a scenario, or to findings with line and column.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tenure_definition::tree::Tree;
use tenure_definition::{Diagnostics, Source};

use super::field::{Field, Reader};
use super::model::{Act, Begin, Explore, Scenario, What, When};
use super::{expect, property, stub};

/// Where the clock stands when a scenario does not say.
const START: &str = "2026-01-01T00:00:00Z";
/// Seeds of one exploration.
const SEEDS_MAX: u64 = 10_000;
/// Variables of expressions in stubs.
pub(super) const CALL_VARIABLES: [&str; 1] = ["call"];

const KNOWN: [&str; 17] = [
    "scenario",
    "definition",
    "with",
    "input",
    "start",
    "at",
    "until",
    "zone",
    "secrets",
    "local",
    "calls",
    "events",
    "operator",
    "expect",
    "properties",
    "explore",
    "description",
];

/// Reads a scenario.
///
/// # Errors
/// All mistakes, with their places.
pub fn read(source: &Source) -> Result<Scenario, Diagnostics> {
    let tree = Tree::read(source)?;
    let value = tree.value();
    let root = Field::root(&value);
    let mut reader = Reader::new(&tree);
    let scenario = match root.get("document").filter(|_| root.get("scenario").is_none()) {
        None => scenario(&mut reader, &root),
        Some(document) => {
            let help = "give its folder: its scenarios stand in `scenarios/NAME.yaml` beside it";
            reader.wrong(&document, "this is a definition, not a scenario", help);
            None
        }
    };
    let mut items = reader.found;
    match scenario {
        Some(scenario) if items.is_empty() => Ok(scenario),
        Some(_) | None => {
            items.sort_by_key(|item| item.span.offset);
            Err(Diagnostics { source: source.clone(), items })
        }
    }
}

fn scenario(reader: &mut Reader<'_>, root: &Field<'_>) -> Option<Scenario> {
    reader.object(root, "a scenario", &KNOWN)?;
    let title = reader.required(root, "scenario", "a scenario");
    let title = title.and_then(|field| reader.text(&field, "the title"));
    if let Some(zone) = root.get("zone") {
        let name = reader.text(&zone, "zone");
        match name.as_deref().map(TimeZone::get) {
            Some(Ok(found)) => reader.zone = found,
            Some(Err(_)) => {
                reader.wrong(&zone, "this is no time zone", "use an IANA name like Europe/Berlin");
            }
            None => {}
        }
    }
    let at = match root.get("at") {
        Some(field) => reader.instant(&field),
        None => START.parse::<Timestamp>().ok(),
    };
    let text = |reader: &mut Reader<'_>, key: &str| {
        root.get(key).and_then(|field| reader.text(&field, key))
    };
    let definition = text(reader, "definition").unwrap_or_else(|| "../workflow.yaml".to_owned());
    let with = root.get("with").map(|field| reader.texts(&field, "with")).unwrap_or_default();
    let start = begin(reader, root);
    let secrets = secrets(reader, root);
    let is_local_real = is_local_real(reader, root);
    let stubs = match root.get("calls") {
        Some(field) => {
            let items = reader.items(&field, "calls");
            items.iter().filter_map(|item| stub::read(reader, item)).collect()
        }
        None => Vec::new(),
    };
    let events = acts(reader, root, "events", "send");
    let operator = acts(reader, root, "operator", "cancel");
    let until = root.get("until").and_then(|field| reader.span(&field));
    let expect = root.get("expect").map(|field| {
        expect::check(reader, &field);
        field.value.clone()
    });
    let properties = match root.get("properties") {
        Some(field) => {
            let items = reader.items(&field, "properties");
            items.iter().filter_map(|item| property::read(reader, item)).collect()
        }
        None => Vec::new(),
    };
    let explore = root.get("explore").and_then(|field| explored(reader, root, &field));
    Some(Scenario {
        file: reader.tree.source().name.clone(),
        title: title?,
        definition,
        with,
        start,
        at: at?,
        until,
        zone: reader.zone.clone(),
        secrets,
        is_local_real,
        stubs,
        events,
        operator,
        expect,
        properties,
        explore,
        lines: lines(reader, root),
    })
}

/// `explore`, which checks the properties: without any it would be green for nothing.
fn explored(reader: &mut Reader<'_>, root: &Field<'_>, field: &Field<'_>) -> Option<Explore> {
    if root.get("properties").is_none_or(|list| list.value == &Value::Array(Vec::new())) {
        let help = "give `properties`, or remove `explore`";
        reader.wrong(field, "`explore` checks the properties, and there are none", help);
    }
    explore(reader, field)
}

/// `local`: whether functions without a vendor do their work.
fn is_local_real(reader: &mut Reader<'_>, root: &Field<'_>) -> bool {
    let Some(field) = root.get("local") else { return true };
    match reader.text(&field, "local").as_deref() {
        None | Some("real") => true,
        Some("stub") => false,
        Some(_) => {
            reader.wrong(&field, "`local` is `real` or `stub`", "real is the default");
            true
        }
    }
}

fn begin(reader: &mut Reader<'_>, root: &Field<'_>) -> Begin {
    let Some(start) = root.get("start") else {
        return Begin::Input(root.get("input").map_or(Value::Null, |field| field.value.clone()));
    };
    if root.get("input").is_some() {
        reader.wrong(&start, "`start` and `input` exclude each other", "remove one of them");
    }
    reader.object(&start, "start", &["on"]);
    let Some(on) = reader.required(&start, "on", "start") else { return Begin::On(Vec::new()) };
    Begin::On(reader.items(&on, "start.on").into_iter().map(|item| item.value.clone()).collect())
}

fn secrets(reader: &mut Reader<'_>, root: &Field<'_>) -> BTreeMap<String, String> {
    let Some(field) = root.get("secrets") else { return BTreeMap::new() };
    if !field.value.is_object() {
        reader.wrong_type(&field, "secrets", "an object");
    }
    let members = field.members().into_iter();
    members
        .filter_map(|(name, field)| Some((name.to_owned(), reader.text(&field, "a secret")?)))
        .collect()
}

/// The acts of one list: events, or what an operator does.
fn acts(reader: &mut Reader<'_>, root: &Field<'_>, list: &str, verb: &str) -> Vec<Act> {
    let Some(field) = root.get(list) else { return Vec::new() };
    let items = reader.items(&field, list);
    items.iter().filter_map(|item| act(reader, item, list, verb)).collect()
}

fn act(reader: &mut Reader<'_>, item: &Field<'_>, list: &str, verb: &str) -> Option<Act> {
    let what = format!("an item of `{list}`");
    reader.object(item, &what, &["when", "after", "at", verb])?;
    let when = item.get("when").and_then(|field| when(reader, &field));
    let after = item.get("after").and_then(|field| reader.span(&field));
    let at = item.get("at").and_then(|field| reader.instant(&field));
    if let (Some(_), Some(field)) = (at, item.get("after").or_else(|| item.get("when"))) {
        reader.wrong(&field, "`at` is an instant of its own", "remove `at`, or the others");
    }
    let done = reader.required(item, verb, &what)?;
    let what = if verb == "send" {
        if !done.value.is_object() {
            reader.wrong_type(&done, "an event", "an object");
            return None;
        }
        reader.required(&done, "type", "an event");
        What::Send(reader.template(&done, &[])?)
    } else {
        What::Cancel(reader.text(&done, "cancel (the reason)")?)
    };
    Some(Act { pointer: item.pointer.clone(), when, after, at, what })
}

fn when(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<When> {
    let map = reader.object(field, "when", &["waiting", "task", "call"])?;
    if map.len() != 1 {
        reader.wrong(field, "`when` waits for one thing", "give one of waiting, task, call");
        return None;
    }
    let (key, member) = field.members().into_iter().next()?;
    let text = reader.text(&member, key)?;
    match key {
        "waiting" => Some(When::Waiting(text)),
        "task" => Some(When::Task(text)),
        _ => Some(When::Call(text)),
    }
}

fn explore(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Explore> {
    reader.object(field, "explore", &["seeds", "loses", "doubles"])?;
    let seeds = reader.required(field, "seeds", "explore")?;
    let seeds = reader.count(&seeds, "explore.seeds", SEEDS_MAX)?;
    let flag = |reader: &mut Reader<'_>, key: &str| {
        field.get(key).is_none_or(|field| reader.truth(&field, key).unwrap_or(true))
    };
    Some(Explore { seeds, loses: flag(reader, "loses"), doubles: flag(reader, "doubles") })
}

/// The lines of everything that can fail later.
fn lines(reader: &Reader<'_>, root: &Field<'_>) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(field) = open.pop() {
        lines.insert(field.pointer.clone(), reader.tree.key_span(&field.pointer).line);
        open.extend(field.members().into_iter().map(|(_, member)| member));
        for (index, value) in field.value.as_array().into_iter().flatten().enumerate() {
            open.push(Field { value, pointer: format!("{}/{index}", field.pointer) });
        }
    }
    lines
}
