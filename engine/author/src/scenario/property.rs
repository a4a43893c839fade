//! Properties: what must hold in every run, in whatever order things happen.

use jiff::Span;
use serde_json::Value;
use tenure_machine::Fact;

use super::field::{Field, Reader, later};
use super::matcher;
use super::model::Scenario;
use super::record::{Moment, Record, means, word};
use super::result::Failure;

/// Most times that a property may count.
const TIMES_MAX: u64 = 1_000_000;
/// The kinds of properties.
const KINDS: [&str; 6] = ["never", "always", "eventually", "at_most", "at_least", "within"];
/// What an occurrence may be told by: the key that says its kind, with the keys that go with it.
/// In order: `task` tells a call more closely before it is a kind of its own.
const SELECTORS: [(&str, &[&str]); 5] = [
    ("call", &["call", "task", "outcome", "with"]),
    ("emitted", &["emitted", "with"]),
    ("received", &["received", "with"]),
    ("task", &["task", "fact"]),
    ("status", &["status"]),
];
/// What a task can do.
const FACTS: [&str; 6] = ["started", "completed", "faulted", "cancelled", "skipped", "retried"];
/// How a call can come back.
const OUTCOMES: [&str; 6] = ["done", "rejected", "declined", "failed", "not_sent", "unknown"];
/// How an instance can end.
const STATUSES: [&str; 3] = ["completed", "faulted", "cancelled"];

/// One property.
#[derive(Debug)]
pub(super) struct Property {
    pointer: String,
    /// As written, for messages.
    text: String,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// Never at all, or never before something, or never after something.
    Never {
        what: Selector,
        before: Option<Selector>,
        after: Option<Selector>,
    },
    /// Each one comes after something.
    Always {
        what: Selector,
        after: Selector,
    },
    /// At least once, or after each of something.
    Eventually {
        what: Selector,
        after: Option<Selector>,
    },
    AtMost {
        what: Selector,
        times: u64,
    },
    AtLeast {
        what: Selector,
        times: u64,
    },
    /// After each `from` comes a `to` within a time.
    Within {
        from: Selector,
        to: Selector,
        duration: Span,
    },
}

/// Which happenings are meant, and where that is written.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) pointer: String,
    pub(super) what: Happening,
}

/// Which happenings are meant.
#[derive(Debug)]
pub(super) enum Happening {
    Call { function: String, task: Option<String>, outcome: Option<String>, with: Option<Value> },
    Task { task: String, fact: String },
    Emitted { kind: String, with: Option<Value> },
    Received { kind: String, with: Option<Value> },
    Status(String),
}

/// Reads a property.
pub(super) fn read(reader: &mut Reader<'_>, item: &Field<'_>) -> Option<Property> {
    let map = reader.object(item, "a property", &KINDS)?;
    if map.len() != 1 {
        reader.wrong(
            item,
            "a property says one thing",
            format!("give one of {}", KINDS.join(", ")),
        );
        return None;
    }
    let (kind, field) = item.members().into_iter().next()?;
    let rule = match kind {
        "never" => Rule::Never {
            what: selector(reader, &field, &["before", "after"])?,
            before: nested(reader, &field, "before")?,
            after: nested(reader, &field, "after")?,
        },
        "always" => {
            let what = selector(reader, &field, &["after"])?;
            let after = reader.required(&field, "after", "always")?;
            Rule::Always { what, after: selector(reader, &after, &[])? }
        }
        "eventually" => Rule::Eventually {
            what: selector(reader, &field, &["after"])?,
            after: nested(reader, &field, "after")?,
        },
        "within" => {
            reader.object(&field, "within", &["from", "to", "duration"])?;
            let from = reader.required(&field, "from", "within");
            let to = reader.required(&field, "to", "within");
            let duration = reader.required(&field, "duration", "within");
            Rule::Within {
                from: selector(reader, &from?, &[])?,
                to: selector(reader, &to?, &[])?,
                duration: reader.span(&duration?)?,
            }
        }
        counted => {
            let what = selector(reader, &field, &["times"])?;
            let times = reader.required(&field, "times", counted)?;
            let times = reader.count(&times, "times", TIMES_MAX)?;
            if counted == "at_most" {
                Rule::AtMost { what, times }
            } else {
                Rule::AtLeast { what, times }
            }
        }
    };
    Some(Property { pointer: item.pointer.clone(), text: item.value.to_string(), rule })
}

/// A selector under a key that may be absent; the outer `None` is a mistake.
fn nested(reader: &mut Reader<'_>, field: &Field<'_>, key: &str) -> Option<Option<Selector>> {
    match field.get(key) {
        None => Some(None),
        Some(inner) => Some(Some(selector(reader, &inner, &[])?)),
    }
}

fn selector(reader: &mut Reader<'_>, field: &Field<'_>, more: &[&str]) -> Option<Selector> {
    let all = SELECTORS.iter().flat_map(|(_, keys)| keys.iter().copied());
    let mut known: Vec<&str> = all.chain(more.iter().copied()).collect();
    known.sort_unstable();
    known.dedup();
    reader.object(field, "this", &known)?;
    let Some((kind, own)) = SELECTORS.iter().find(|(kind, _)| field.get(kind).is_some()) else {
        let help = "give call, task, emitted, received or status";
        reader.wrong(field, "this says not what happens", help);
        return None;
    };
    for (key, member) in field.members() {
        if known.contains(&key) && !own.contains(&key) && !more.contains(&key) {
            let help = format!("with `{kind}` go {}", [*own, more].concat().join(", "));
            reader.wrong(&member, format!("`{key}` does not go with `{kind}`"), help);
        }
    }
    Some(Selector { pointer: field.pointer.clone(), what: happening(reader, field, kind)? })
}

fn happening(reader: &mut Reader<'_>, field: &Field<'_>, kind: &str) -> Option<Happening> {
    let with = field.get("with").map(|with| {
        matcher::check(reader, &with);
        with.value.clone()
    });
    let word = |reader: &mut Reader<'_>, key: &str, known: &[&str]| {
        let member = field.get(key)?;
        let word = reader.text(&member, key)?;
        if !known.contains(&word.as_str()) {
            reader.wrong(&member, format!("`{key}` cannot be `{word}`"), known.join(", "));
        }
        Some(word)
    };
    let text = |reader: &mut Reader<'_>, key: &str| {
        field.get(key).and_then(|member| reader.text(&member, key))
    };
    Some(match kind {
        "call" => {
            let function = text(reader, "call")?;
            let outcome = word(reader, "outcome", &OUTCOMES);
            Happening::Call { function, task: text(reader, "task"), outcome, with }
        }
        "emitted" => Happening::Emitted { kind: text(reader, "emitted")?, with },
        "received" => Happening::Received { kind: text(reader, "received")?, with },
        "task" => {
            let fact = word(reader, "fact", &FACTS).unwrap_or_else(|| "started".to_owned());
            Happening::Task { task: text(reader, "task")?, fact }
        }
        _ => Happening::Status(word(reader, "status", &STATUSES)?),
    })
}

/// What the record says against the properties.
pub(super) fn verify(scenario: &Scenario, record: &Record) -> Vec<Failure> {
    let violated = |property: &Property| {
        let why = property.rule.broken(scenario, record)?;
        let message = format!("the property {} does not hold: {why}", property.text);
        Some(Failure::new(scenario, &property.pointer, message))
    };
    scenario.properties.iter().filter_map(violated).collect()
}

impl Property {
    /// Everything it tells of, each with its place.
    pub(super) fn selectors(&self) -> Vec<&Selector> {
        match &self.rule {
            Rule::Never { what, before, after } => {
                [Some(what), before.as_ref(), after.as_ref()].into_iter().flatten().collect()
            }
            Rule::Always { what, after } => vec![what, after],
            Rule::Eventually { what, after } => {
                [Some(what), after.as_ref()].into_iter().flatten().collect()
            }
            Rule::AtMost { what, .. } | Rule::AtLeast { what, .. } => vec![what],
            Rule::Within { from, to, .. } => vec![from, to],
        }
    }

    /// Whether it demands that the run ends so.
    pub(super) fn demands(&self, status: &str) -> bool {
        let wanted = match &self.rule {
            Rule::Eventually { what, .. } | Rule::AtLeast { what, .. } => what,
            Rule::Within { to, .. } => to,
            Rule::Never { .. } | Rule::Always { .. } | Rule::AtMost { .. } => return false,
        };
        matches!(&wanted.what, Happening::Status(demanded) if demanded == status)
    }
}

impl Rule {
    /// Why it does not hold, if so.
    fn broken(&self, scenario: &Scenario, record: &Record) -> Option<String> {
        let at = |moment: usize| {
            record.at(moment).map_or_else(String::new, |at| super::story::since(scenario.at, at))
        };
        match self {
            Self::Never { what, before: None, after: None } => {
                what.find(record).first().map(|moment| format!("it happened at {}", at(*moment)))
            }
            Self::Never { what, before, after } => {
                let found = what.find(record);
                let early = before.as_ref().and_then(|before| {
                    let first = before.find(record).first().copied().unwrap_or(usize::MAX);
                    found.iter().find(|moment| **moment < first)
                });
                let late = after.as_ref().and_then(|after| {
                    let first = after.find(record).first().copied()?;
                    found.iter().find(|moment| **moment > first)
                });
                early.or(late).map(|moment| format!("it happened at {}", at(*moment)))
            }
            Self::Always { what, after } => {
                let first = after.find(record).first().copied().unwrap_or(usize::MAX);
                let early = what.find(record).into_iter().find(|moment| *moment < first);
                early.map(|moment| format!("it happened at {} before", at(moment)))
            }
            Self::Eventually { what, after: None } => {
                what.find(record).is_empty().then(|| "it never happened".to_owned())
            }
            Self::Eventually { what, after: Some(after) } => {
                let last = what.find(record).last().copied();
                let open =
                    after.find(record).into_iter().find(|from| last.is_none_or(|l| l < *from));
                open.map(|from| format!("it did not happen after {}", at(from)))
            }
            Self::AtMost { what, times } => {
                let count = what.find(record).len();
                (u64::try_from(count).unwrap_or(u64::MAX) > *times)
                    .then(|| format!("it happened {count} times"))
            }
            Self::AtLeast { what, times } => {
                let count = what.find(record).len();
                (u64::try_from(count).unwrap_or(u64::MAX) < *times)
                    .then(|| format!("it happened {count} times"))
            }
            Self::Within { from, to, duration } => {
                let ends = to.find(record);
                let late = from.find(record).into_iter().find(|begin| {
                    let Some(began) = record.at(*begin) else { return false };
                    let limit = later(began, *duration, &scenario.zone);
                    let end = ends.iter().find(|end| *end > begin);
                    end.and_then(|end| record.at(*end)).is_none_or(|ended| ended > limit)
                });
                late.map(|begin| format!("counted from {}", at(begin)))
            }
        }
    }
}

impl Selector {
    /// The moments it means, in order.
    fn find(&self, record: &Record) -> Vec<usize> {
        if let Happening::Call { function, task, outcome, with } = &self.what {
            return calls(record, function, task.as_deref(), outcome.as_deref(), with.as_ref());
        }
        let fits = |moment: &Moment| match &self.what {
            Happening::Call { .. } => false,
            Happening::Task { task, fact } => {
                let pointer = moment.entry.task.as_deref().unwrap_or_default();
                task_fact(&moment.entry.fact) == Some(fact.as_str())
                    && means(task, &moment.definition, moment.is_root, pointer)
            }
            Happening::Emitted { kind, with } => {
                matches!(&moment.entry.fact, Fact::EventEmitted { event }
                    if event.kind == *kind && data_fits(with.as_ref(), &event.data()))
            }
            Happening::Received { kind, with } => {
                matches!(&moment.entry.fact, Fact::EventConsumed { event, .. }
                    if event.kind == *kind && data_fits(with.as_ref(), &event.data()))
            }
            Happening::Status(status) => {
                moment.is_root && end_fact(&moment.entry.fact) == Some(status.as_str())
            }
        };
        let moments = record.moments.iter().enumerate();
        moments.filter(|(_, moment)| fits(moment)).map(|(index, _)| index).collect()
    }
}

fn data_fits(wanted: Option<&Value>, found: &Value) -> bool {
    wanted.is_none_or(|wanted| matcher::fits(wanted, Some(found)))
}

/// Calls: the moment of the outcome when one is asked for, else of the intent.
fn calls(
    record: &Record,
    function: &str,
    task: Option<&str>,
    outcome: Option<&str>,
    with: Option<&Value>,
) -> Vec<usize> {
    let mut found: Vec<usize> = record
        .calls
        .iter()
        .filter(|made| made.function == function)
        .filter(|made| {
            task.is_none_or(|task| {
                let of_any = !task.contains(':') || task.starts_with('/');
                means(task, &made.definition, of_any, &made.pointer)
            })
        })
        .filter(|made| with.is_none_or(|with| matcher::fits(with, Some(&made.with))))
        .filter_map(|made| match (outcome, &made.returned) {
            (None, _) => Some(made.intended),
            (Some(wanted), Some((moment, found))) => (word(found) == wanted).then_some(*moment),
            (Some(_), None) => None,
        })
        .collect();
    found.sort_unstable();
    found
}

fn task_fact(fact: &Fact) -> Option<&'static str> {
    if let Fact::TaskCompleted { .. } = fact {
        return Some("completed");
    }
    if let Fact::TaskFaulted { .. } = fact {
        return Some("faulted");
    }
    if let Fact::TaskRetried { .. } = fact {
        return Some("retried");
    }
    let plain = [
        (Fact::TaskStarted, "started"),
        (Fact::TaskCancelled, "cancelled"),
        (Fact::TaskSkipped, "skipped"),
    ];
    plain.into_iter().find(|(known, _)| known == fact).map(|(_, word)| word)
}

fn end_fact(fact: &Fact) -> Option<&'static str> {
    if let Fact::InstanceCompleted { .. } = fact {
        return Some("completed");
    }
    if let Fact::InstanceFaulted { .. } = fact {
        return Some("faulted");
    }
    matches!(fact, Fact::InstanceCancelled { .. }).then_some("cancelled")
}
