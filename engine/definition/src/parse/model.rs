//! The language model: the shape of a definition, checked, with its leaves (expressions,
//! templates, durations, schemas) still as nodes and its names still unresolved.

use crate::plan::{Backoff, Document, KeyPolicy, Lifecycle, OnCancel, Read};
use crate::read::{Entry, Node};

/// A definition whose shape is right, apart from what the findings say.
#[derive(Debug)]
pub(crate) struct Definition<'n> {
    /// `None` when a finding says why: the rest is looked at all the same.
    pub(crate) document: Option<Document>,
    /// `document.metadata`.
    pub(crate) metadata: DocumentMetadata<'n>,
    pub(crate) input: Data<'n>,
    pub(crate) output: Data<'n>,
    pub(crate) timeout: Option<Timeout<'n>>,
    pub(crate) uses: Uses<'n>,
    pub(crate) schedule: Option<Schedule<'n>>,
    pub(crate) body: Vec<Task<'n>>,
}

/// Our keys of `document.metadata`.
#[derive(Debug, Default)]
pub(crate) struct DocumentMetadata<'n> {
    pub(crate) business_key: Option<&'n Node>,
    pub(crate) business_key_policy: KeyPolicy,
    pub(crate) zone: Option<&'n Node>,
    pub(crate) exclusive: Option<&'n Node>,
    pub(crate) on_cancel: OnCancel,
    pub(crate) expect: Option<&'n Node>,
    pub(crate) searchable: Vec<&'n Entry>,
    pub(crate) sensitive: Vec<String>,
    pub(crate) lifecycle: Lifecycle,
}

/// Our keys of a task's `metadata`.
#[derive(Debug, Default)]
pub(crate) struct TaskMetadata<'n> {
    pub(crate) idempotency_key: Option<&'n Node>,
    pub(crate) exclusive: Option<&'n Node>,
    pub(crate) compensate: Option<Compensate<'n>>,
    pub(crate) expect: Option<&'n Node>,
}

/// `metadata.compensate`.
#[derive(Debug)]
pub(crate) enum Compensate<'n> {
    Tasks(Vec<Task<'n>>),
    /// A function of the catalog that takes the task's output.
    Function(&'n Node),
}

/// `use`.
#[derive(Debug, Default)]
pub(crate) struct Uses<'n> {
    pub(crate) errors: Vec<(&'n Entry, &'n Node)>,
    pub(crate) retries: Vec<(&'n Entry, Retry<'n>)>,
    pub(crate) timeouts: Vec<(&'n Entry, &'n Node)>,
    pub(crate) secrets: Vec<String>,
    /// Names of `use.functions`, so that calls of them are not also called unknown.
    pub(crate) functions: Vec<&'n str>,
}

/// `input`, `output` or `export`: the transformation and the schema.
#[derive(Debug, Default)]
pub(crate) struct Data<'n> {
    pub(crate) transform: Option<&'n Node>,
    pub(crate) schema: Option<&'n Node>,
}

/// `timeout`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timeout<'n> {
    /// `after`.
    Inline(&'n Node),
    /// A name of `use.timeouts`.
    Named(&'n Node),
}

/// A task.
#[derive(Debug)]
pub(crate) struct Task<'n> {
    /// The list item's only entry.
    pub(crate) entry: &'n Entry,
    pub(crate) condition: Option<&'n Node>,
    pub(crate) input: Data<'n>,
    pub(crate) output: Data<'n>,
    pub(crate) export: Data<'n>,
    pub(crate) timeout: Option<Timeout<'n>>,
    pub(crate) then: Option<&'n Node>,
    pub(crate) metadata: Option<&'n Node>,
    pub(crate) own: TaskMetadata<'n>,
    pub(crate) kind: Kind<'n>,
}

/// What a task does.
#[derive(Debug)]
pub(crate) enum Kind<'n> {
    /// `call`: the function's name, and `with`.
    Call {
        function: &'n Node,
        with: Option<&'n Node>,
    },
    Do(Vec<Task<'n>>),
    Emit(&'n Node),
    For(For<'n>),
    Fork {
        branches: Vec<Task<'n>>,
        compete: bool,
    },
    Listen {
        to: Strategy<'n>,
        read: Read,
        until: Option<Until<'n>>,
        foreach: Option<Foreach<'n>>,
    },
    /// An object, or a name of `use.errors`.
    Raise(&'n Node),
    Run(Run<'n>),
    Set(&'n Node),
    Switch(Vec<Case<'n>>),
    Try(Box<Try<'n>>),
    Wait(&'n Node),
    /// A finding was made; there is nothing to compile.
    Refused,
}

/// `for`.
#[derive(Debug)]
pub(crate) struct For<'n> {
    pub(crate) each: String,
    pub(crate) at: String,
    pub(crate) items: &'n Node,
    pub(crate) condition: Option<&'n Node>,
    pub(crate) body: Vec<Task<'n>>,
}

/// `run: workflow`.
#[derive(Debug)]
pub(crate) struct Run<'n> {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) input: Option<&'n Node>,
    pub(crate) wait: bool,
}

/// One case of a `switch`.
#[derive(Debug)]
pub(crate) struct Case<'n> {
    pub(crate) entry: &'n Entry,
    pub(crate) when: Option<&'n Node>,
    pub(crate) then: &'n Node,
}

/// `try`.
#[derive(Debug)]
pub(crate) struct Try<'n> {
    pub(crate) body: Vec<Task<'n>>,
    /// `catch.errors.with`.
    pub(crate) filter: crate::plan::ErrorFilter,
    pub(crate) bind: String,
    pub(crate) when: Option<&'n Node>,
    pub(crate) except_when: Option<&'n Node>,
    pub(crate) retry: Option<RetryUse<'n>>,
    pub(crate) handler: Option<Vec<Task<'n>>>,
    pub(crate) then: Option<&'n Node>,
}

/// `catch.retry`.
#[derive(Debug)]
pub(crate) enum RetryUse<'n> {
    Inline(Retry<'n>),
    /// A name of `use.retries`.
    Named(&'n Node),
}

/// A retry policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry<'n> {
    pub(crate) when: Option<&'n Node>,
    pub(crate) except_when: Option<&'n Node>,
    pub(crate) delay: Option<&'n Node>,
    pub(crate) backoff: Backoff,
    pub(crate) jitter: Option<(&'n Node, &'n Node)>,
    pub(crate) retries_max: Option<u32>,
    pub(crate) attempt_timeout: Option<&'n Node>,
    pub(crate) total_max: Option<&'n Node>,
}

/// How many events end a `listen`.
#[derive(Debug)]
pub(crate) enum Strategy<'n> {
    One(Filter<'n>),
    Any(Vec<Filter<'n>>),
    All(Vec<Filter<'n>>),
}

/// When a `listen` to any event is over.
#[derive(Debug)]
pub(crate) enum Until<'n> {
    Condition(&'n Node),
    Events(Strategy<'n>),
}

/// `foreach` of a `listen`.
#[derive(Debug)]
pub(crate) struct Foreach<'n> {
    pub(crate) item: String,
    pub(crate) at: String,
    pub(crate) body: Vec<Task<'n>>,
    pub(crate) output: Data<'n>,
    pub(crate) export: Data<'n>,
}

/// Which events fit.
#[derive(Debug)]
pub(crate) struct Filter<'n> {
    pub(crate) with: &'n [Entry],
    pub(crate) correlate: Vec<(&'n Entry, &'n Node, Option<&'n Node>)>,
}

/// `schedule`.
#[derive(Debug)]
pub(crate) struct Schedule<'n> {
    /// `document.metadata.schedule`.
    pub(crate) policy: Option<&'n Node>,
    pub(crate) every: Option<&'n Node>,
    pub(crate) cron: Option<&'n Node>,
    pub(crate) after: Option<&'n Node>,
    pub(crate) on: Option<Strategy<'n>>,
    pub(crate) read: Read,
}
