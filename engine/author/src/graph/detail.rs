//! What a task does, in a few words, read from its own text.

use serde_json::Value;

use super::NodeKind;

/// Names joined into one line at most.
const NAMES_MAX: usize = 3;

/// A few words about a task; empty where its name and kind say enough.
pub(super) fn of(kind: NodeKind, task: &Value) -> String {
    let at = |pointer: &str| task.pointer(pointer);
    match kind {
        NodeKind::Call => call(task),
        NodeKind::Emit => at("/emit/event/with/type").map(plain).unwrap_or_default(),
        NodeKind::For => {
            at("/for/in").map(|items| format!("in {}", plain(items))).unwrap_or_default()
        }
        NodeKind::Fork => {
            let competes = at("/fork/compete").and_then(Value::as_bool).unwrap_or_default();
            (if competes { "the first one wins" } else { "" }).to_owned()
        }
        NodeKind::Listen => at("/listen/to").map(strategy).unwrap_or_default(),
        NodeKind::Raise => match at("/raise/error") {
            Some(Value::Object(error)) => error.get("type").map(plain).unwrap_or_default(),
            Some(name) => plain(name),
            None => String::new(),
        },
        NodeKind::Run => child(task),
        NodeKind::Set => match at("/set") {
            Some(Value::Object(fields)) => names(fields.keys().map(String::as_str)),
            Some(_) | None => String::new(),
        },
        NodeKind::Wait => at("/wait").map(duration).unwrap_or_default(),
        NodeKind::Try => String::new(),
        NodeKind::Do | NodeKind::Switch | NodeKind::Start | NodeKind::End | NodeKind::Exit => {
            String::new()
        }
    }
}

/// What a `catch` takes.
pub(super) fn caught(task: &Value) -> String {
    let with = task.pointer("/catch/errors/with").and_then(Value::as_object);
    let Some(with) = with else { return "any error".to_owned() };
    let parts = with.iter().map(|(key, value)| match key.as_str() {
        "type" => last_segment(&plain(value)),
        _ => format!("{key} {}", plain(value)),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// How a `try` is retried, if it is.
pub(super) fn retry(task: &Value, definition: &Value) -> Option<String> {
    let retry = task.pointer("/catch/retry")?;
    let (name, policy) = if let Some(name) = retry.as_str() {
        let named = definition.pointer("/use/retries").and_then(|all| all.get(name));
        (format!("retry {name}"), named.unwrap_or(retry))
    } else {
        ("retry".to_owned(), retry)
    };
    Some(match policy.pointer("/limit/attempt/count").and_then(Value::as_u64) {
        Some(count) => format!("{name}, at most {count}"),
        None => name,
    })
}

/// What a turn of a loop is for.
pub(super) fn turn(task: &Value) -> String {
    format!("each {}", task.pointer("/for/each").map_or_else(|| "item".to_owned(), plain))
}

/// What the tasks of a `foreach` are for.
pub(super) fn each_event(task: &Value) -> String {
    format!("each {}", task.pointer("/foreach/item").map_or_else(|| "item".to_owned(), plain))
}

fn call(task: &Value) -> String {
    // What undoes a task may be the bare name of a function.
    let name = task.get("call").or(task.as_str().map(|_| task)).map(plain).unwrap_or_default();
    let with = |pointer: &str| task.pointer(pointer).map(plain);
    match name.as_str() {
        "http" => {
            let endpoint = match task.pointer("/with/endpoint") {
                Some(Value::Object(endpoint)) => endpoint.get("uri").map(plain),
                other => other.map(plain),
            };
            let method = with("/with/method").unwrap_or_default().to_uppercase();
            format!("{method} {}", endpoint.unwrap_or_default()).trim().to_owned()
        }
        "openapi" => format!("openapi {}", with("/with/operationId").unwrap_or_default()),
        _ => name.strip_suffix("@default").unwrap_or(&name).to_owned(),
    }
}

fn child(task: &Value) -> String {
    let part = |key: &str| task.pointer(&format!("/run/workflow/{key}")).map(plain);
    let version = part("version").unwrap_or_else(|| "latest".to_owned());
    let name = format!("{}:{version}", part("name").unwrap_or_default());
    let waits = task.pointer("/run/await").and_then(Value::as_bool).unwrap_or(true);
    if waits { name } else { format!("{name}, not awaited") }
}

/// The types of the events a strategy waits for.
fn strategy(to: &Value) -> String {
    let kind = |filter: &Value| filter.pointer("/with/type").map(plain);
    if let Some(one) = to.get("one") {
        return kind(one).unwrap_or_else(|| "any event".to_owned());
    }
    for word in ["any", "all"] {
        if let Some(filters) = to.get(word).and_then(Value::as_array) {
            let types: Vec<String> = filters.iter().filter_map(kind).collect();
            if types.is_empty() {
                return "any event".to_owned();
            }
            let types = without_beginning(&types);
            return format!("{word} of {}", names(types.iter().map(String::as_str)));
        }
    }
    String::new()
}

/// Names of several events without the dotted beginning that they share, which would leave no room
/// for what tells them apart.
fn without_beginning(types: &[String]) -> Vec<String> {
    let parts = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
    let Some((first, others)) = types.split_first().filter(|(_, others)| !others.is_empty()) else {
        return types.to_vec();
    };
    let mut shared = parts(first);
    // The last part stays, whatever it is.
    shared.pop();
    for other in others {
        let other = parts(other);
        let own = other.len().saturating_sub(1);
        let same = shared.iter().zip(other.iter().take(own)).take_while(|(one, two)| one == two);
        let same = same.count();
        shared.truncate(same);
    }
    if shared.is_empty() {
        return types.to_vec();
    }
    let short = |name: &String| format!("…{}", parts(name).split_off(shared.len()).join("."));
    types.iter().map(short).collect()
}

fn duration(value: &Value) -> String {
    let Some(parts) = value.as_object() else { return plain(value) };
    let parts = parts.iter().map(|(unit, count)| format!("{} {unit}", plain(count)));
    parts.collect::<Vec<_>>().join(" ")
}

/// The first names, and that there are more.
fn names<'n>(all: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<&str> = all.collect();
    let shown: Vec<&str> = all.iter().copied().take(NAMES_MAX).collect();
    let more = if all.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn last_segment(uri: &str) -> String {
    uri.rsplit(['/', ':']).next().unwrap_or(uri).to_owned()
}

/// A value on one line.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_few_words_say_what_a_task_does() {
        let check = |kind, task: Value, expected| assert_eq!(of(kind, &task), expected, "{task}");
        check(NodeKind::Call, json!({"call": "a.b:1.0.0@default"}), "a.b:1.0.0");
        let http =
            json!({"call": "http", "with": {"method": "get", "endpoint": {"uri": "http://a"}}});
        check(NodeKind::Call, http, "GET http://a");
        check(NodeKind::Wait, json!({"wait": {"days": 2, "hours": 1}}), "2 days 1 hours");
        check(NodeKind::Wait, json!({"wait": "PT5S"}), "PT5S");
        check(NodeKind::Set, json!({"set": {"a": 1, "b": 2, "c": 3, "d": 4}}), "a, b, c, …");
        check(NodeKind::Raise, json!({"raise": {"error": "notFound"}}), "notFound");
        check(NodeKind::Fork, json!({"fork": {"compete": true}}), "the first one wins");
        let any =
            json!({"listen": {"to": {"any": [{"with": {"type": "x"}}, {"with": {"type": "y"}}]}}});
        check(NodeKind::Listen, any, "any of x, y");
        let long = json!({"listen": {"to": {"all": [{"with": {"type": "com.a.paid.v1"}}, {"with": {"type": "com.a.sent.v1"}}]}}});
        check(NodeKind::Listen, long, "all of …paid.v1, …sent.v1");
        let same = json!({"listen": {"to": {"any": [{"with": {"type": "a.b"}}, {"with": {"type": "a.b"}}]}}});
        check(NodeKind::Listen, same, "any of …b, …b");
        check(NodeKind::Listen, json!({"listen": {"to": {"any": []}}}), "any event");
        check(NodeKind::Call, json!("refund"), "refund");
        let run = json!({"run": {"workflow": {"name": "c"}, "await": false}});
        check(NodeKind::Run, run, "c:latest, not awaited");
    }

    #[test]
    fn a_catch_and_its_retry_are_told_shortly() {
        let task = json!({"catch": {"errors": {"with": {"type": "urn:a:declined", "status": 402}}, "retry": "patient"}});
        assert_eq!(caught(&task), "declined, status 402");
        let definition =
            json!({"use": {"retries": {"patient": {"limit": {"attempt": {"count": 4}}}}}});
        assert_eq!(retry(&task, &definition).unwrap(), "retry patient, at most 4");
        assert_eq!(retry(&json!({"catch": {}}), &definition), None);
    }
}
