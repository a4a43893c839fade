//! What a scenario file says, once read.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;
use tenure_adapter::Outcome;
use tenure_definition::template::Template;

use super::property::Property;

/// A scenario, ready to be played.
pub struct Scenario {
    /// The file it was read from.
    pub file: String,
    /// Its title.
    pub title: String,
    /// The definition, relative to the file.
    pub definition: String,
    /// Definitions it may run as children, relative to the file.
    pub with: Vec<String>,
    pub(super) start: Begin,
    pub(super) at: Timestamp,
    pub(super) until: Option<Span>,
    pub(super) zone: TimeZone,
    pub(super) secrets: BTreeMap<String, String>,
    /// Whether local functions do their work instead of being stubbed.
    pub(super) is_local_real: bool,
    pub(super) stubs: Vec<Stub>,
    pub(super) events: Vec<Act>,
    pub(super) operator: Vec<Act>,
    pub(super) expect: Option<Value>,
    pub(super) properties: Vec<Property>,
    pub(super) explore: Option<Explore>,
    /// Line of each part that can fail, by its JSON pointer.
    pub(super) lines: BTreeMap<String, usize>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("file", &self.file)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

impl Scenario {
    /// The line of a part of the file, or of the nearest part around it.
    pub(super) fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.lines.get(pointer) {
                return *line;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return 1,
            }
        }
    }
}

/// What starts it.
#[derive(Debug)]
pub(super) enum Begin {
    /// An input.
    Input(Value),
    /// Events for `schedule.on`.
    On(Vec<Value>),
}

/// An answer that waits for its call.
#[derive(Debug)]
pub(super) struct Stub {
    pub(super) pointer: String,
    /// Name of the function, without version.
    pub(super) function: String,
    /// Name or pointer of the calling task; any when absent.
    pub(super) task: Option<String>,
    /// What the arguments must be.
    pub(super) with: Option<Value>,
    /// How many calls it answers; any number when absent.
    pub(super) times: Option<u64>,
    pub(super) takes: Option<Span>,
    pub(super) reply: StubReply,
    pub(super) look_ups: Vec<StubLookUp>,
}

/// What comes back of an attempt.
#[derive(Debug)]
pub(super) enum StubReply {
    /// It happened; the output may hold expressions.
    Done(Template),
    /// Anything else.
    Other(Outcome),
}

/// What comes back of a look-up.
#[derive(Debug)]
pub(super) enum StubLookUp {
    /// It happened, and this was its outcome.
    Happened(StubReply),
    /// It did not happen.
    Absent,
    /// Nobody can say.
    Unknown,
}

/// Something that happens from outside.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) pointer: String,
    pub(super) when: Option<When>,
    pub(super) after: Option<Span>,
    pub(super) at: Option<Timestamp>,
    pub(super) what: What,
}

/// What an act waits for.
#[derive(Debug)]
pub(super) enum When {
    /// Somebody waits for events of this type.
    Waiting(String),
    /// A task began (`task` or `definition:task`).
    Task(String),
    /// A function was called.
    Call(String),
}

/// What happens from outside.
#[derive(Debug)]
pub(super) enum What {
    /// An event comes.
    Send(Template),
    /// An operator stops the instance.
    Cancel(String),
}

/// How the run is repeated in other orders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explore {
    pub(super) seeds: u64,
    pub(super) loses: bool,
    pub(super) doubles: bool,
}
