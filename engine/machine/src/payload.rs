//! How much an instance may hold: what is too large is refused before it is written, and named.

use crate::limit::{PAYLOAD_BYTES_MAX, STATE_BYTES_MAX};
use crate::{Entry, Instance};

/// Something that is too large to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// What it is, with the pointer of its task: stable over ids and times.
    pub what: String,
    /// Its size.
    pub bytes: usize,
    /// The limit it exceeds.
    pub bytes_max: usize,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, bytes, bytes_max } = self;
        write!(out, "{what} has {bytes} bytes, and at most {bytes_max} are kept")
    }
}

/// What the journal writes around a payload: names, keys, times.
const ENVELOPE_BYTES: usize = 4_096;

/// What is too large in a transition, whose state and journal have so many bytes as JSON. Looks
/// closer only when one of them could hold a payload beyond the limit.
#[must_use]
pub fn too_large(
    instance: &Instance,
    journal: &[Entry],
    (state_bytes, journal_bytes): (usize, usize),
) -> Option<TooLarge> {
    if state_bytes.max(journal_bytes) <= PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload = |what: String, bytes: usize| {
        (bytes > PAYLOAD_BYTES_MAX + ENVELOPE_BYTES).then_some(TooLarge {
            what,
            bytes,
            bytes_max: PAYLOAD_BYTES_MAX,
        })
    };
    let in_journal = journal.iter().find_map(|entry| {
        let fact = serde_json::to_value(&entry.fact).ok()?;
        let name = fact.get("fact").and_then(serde_json::Value::as_str).unwrap_or("fact");
        let task = entry.task.as_deref().unwrap_or("the instance");
        payload(format!("`{name}` of {task}"), size(&fact))
    });
    let whole = |what: &str, bytes: usize| {
        (bytes > STATE_BYTES_MAX).then(|| TooLarge {
            what: what.to_owned(),
            bytes,
            bytes_max: STATE_BYTES_MAX,
        })
    };
    in_journal
        .or_else(|| payload("`$context`".to_owned(), size(&instance.context)))
        .or_else(|| whole("the state of the instance", state_bytes))
        .or_else(|| whole("the journal of one step", journal_bytes))
}

fn size(value: &serde_json::Value) -> usize {
    value.to_string().len()
}
