//! The arcs of a definition: what there is to be gone, told apart by how it is chosen.
//!
//! Where a task leads, and which blocks it has, is asked of the plan (`tenure_definition::way`), as
//! the drawing asks it; here is only what a run chooses beyond that: a time-out, a person who does
//! not decide, the event that comes of several, the number of turns.

use std::fmt;

use tenure_definition::plan::{Flow, Listen, OnCancel, Strategy, Until};
use tenure_definition::way::{Part, Reason};
use tenure_definition::{Plan, Task, TaskKind};

/// Where the time-out of the workflow stands.
pub(super) const WORKFLOW_TIMEOUT: &str = "/timeout";
/// Where it is said what a cancellation undoes.
pub(super) const ON_CANCEL: &str = "/document/metadata/onCancel";

/// A way that a run can take at a task, or the task itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arc {
    /// The task begins.
    Begins,
    /// `if` held, or not.
    If(bool),
    /// Its time, or that of the workflow, is over.
    Timeout,
    /// One run of a `try` took too long.
    AttemptTimeout,
    /// A person did not decide in time.
    Overdue,
    /// This case of a `switch` held.
    Case(String),
    /// No case of a `switch` held.
    NoCase,
    /// So many turns were made.
    Turns(Turns),
    /// A `try` caught nothing.
    WentWell,
    /// The body of a `try` ran again.
    Retry,
    /// A `try` caught an error.
    Catch,
    /// This branch of a `fork` was the first.
    Wins(String),
    /// An event came that this filter of a `listen` took.
    Hears(String),
    /// What was heard was enough, or not yet.
    Until(bool),
    /// This extension ran before the task.
    Before(String),
    /// This extension ran after the task.
    After(String),
    /// What the task did was undone.
    Undone,
    /// The task was left for this one, or by `exit` or `end`.
    Then(String),
    /// A `try` that caught was left for this one, or by `exit` or `end`.
    CatchThen(String),
    /// A cancellation from outside, which undoes.
    Cancelled,
}

/// How many turns a loop made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turns {
    None,
    One,
    Many,
}

impl Turns {
    pub(super) fn of(count: usize) -> Self {
        match count {
            0 => Self::None,
            1 => Self::One,
            _ => Self::Many,
        }
    }
}

impl fmt::Display for Arc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins => f.write_str("begins"),
            Self::If(held) => write!(f, "if: {held}"),
            Self::Timeout => f.write_str("timeout"),
            Self::AttemptTimeout => f.write_str("timeout of an attempt"),
            Self::Overdue => f.write_str("overdue"),
            Self::Case(name) => write!(f, "case {name}"),
            Self::NoCase => f.write_str("no case"),
            Self::Turns(Turns::None) => f.write_str("no turn"),
            Self::Turns(Turns::One) => f.write_str("one turn"),
            Self::Turns(Turns::Many) => f.write_str("many turns"),
            Self::WentWell => f.write_str("went well"),
            Self::Retry => f.write_str("retry"),
            Self::Catch => f.write_str("catch"),
            Self::Wins(name) => write!(f, "{name} wins"),
            Self::Hears(what) => write!(f, "hears {what}"),
            Self::Until(enough) => write!(f, "until: {enough}"),
            Self::Before(name) => write!(f, "before by {name}"),
            Self::After(name) => write!(f, "after by {name}"),
            Self::Undone => f.write_str("undone"),
            Self::Then(to) => write!(f, "then {to}"),
            Self::CatchThen(to) => write!(f, "catch then {to}"),
            Self::Cancelled => f.write_str("cancelled and undone"),
        }
    }
}

impl Arc {
    /// Where in the definition it is written, below the task's pointer.
    pub(super) fn part(&self, task: &Task) -> String {
        match self {
            Self::If(_) => "/if".to_owned(),
            Self::Timeout => "/timeout".to_owned(),
            Self::Overdue => "/with/due".to_owned(),
            Self::Case(name) => {
                let TaskKind::Switch(cases) = &task.kind else { return String::new() };
                let at = cases.iter().position(|case| case.name == *name).unwrap_or_default();
                format!("/switch/{at}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Retry | Self::AttemptTimeout => "/catch/retry".to_owned(),
            Self::Catch => "/catch".to_owned(),
            Self::CatchThen(_) => "/catch/then".to_owned(),
            Self::Hears(_) => "/listen/to".to_owned(),
            Self::Until(_) => "/listen/to/until".to_owned(),
            Self::Undone => "/metadata/compensate".to_owned(),
            Self::Then(_) if task.definition.get("then").is_some() => "/then".to_owned(),
            Self::Begins
            | Self::NoCase
            | Self::Turns(_)
            | Self::WentWell
            | Self::Wins(_)
            | Self::Before(_)
            | Self::After(_)
            | Self::Then(_)
            | Self::Cancelled => String::new(),
        }
    }
}

/// The arcs of the workflow as a whole, with where they are written.
pub(super) fn of_workflow(plan: &Plan) -> Vec<(&'static str, Arc)> {
    let timeout = plan.timeout.as_ref().map(|_| (WORKFLOW_TIMEOUT, Arc::Timeout));
    let undoes = match plan.extensions.on_cancel {
        OnCancel::Compensate => Some((ON_CANCEL, Arc::Cancelled)),
        OnCancel::Stop => None,
    };
    timeout.into_iter().chain(undoes).collect()
}

/// All arcs of a task, the task itself first.
pub(super) fn of_task(plan: &Plan, task: &Task) -> Vec<Arc> {
    let mut arcs = vec![Arc::Begins];
    if task.condition.is_some() {
        arcs.extend([Arc::If(true), Arc::If(false)]);
    }
    if task.timeout.is_some() {
        arcs.push(Arc::Timeout);
    }
    arcs.extend(own(plan, task));
    for (part, _) in task.blocks() {
        arcs.extend(beside(task, part));
    }
    arcs.extend(task.ways().into_iter().filter_map(|way| match way.reason {
        Reason::Over => leave(plan, task, way.flow).map(Arc::Then),
        Reason::Case(name) => Some(Arc::Case(name.to_owned())),
        Reason::NoCase => Some(Arc::NoCase),
        Reason::Caught => leave(plan, task, way.flow).map(Arc::CatchThen),
        // That the `if` did not hold is an arc already.
        Reason::Skipped => None,
    }));
    arcs
}

/// What kinds of tasks choose by themselves.
fn own(plan: &Plan, task: &Task) -> Vec<Arc> {
    match &task.kind {
        TaskKind::For(_) => {
            [Turns::None, Turns::One, Turns::Many].into_iter().map(Arc::Turns).collect()
        }
        TaskKind::Listen(listen) => {
            let mut arcs: Vec<Arc> =
                hears(task, listen).into_iter().map(|(_, what)| Arc::Hears(what)).collect();
            arcs.extend(rounds(listen));
            arcs
        }
        TaskKind::Try(tried) => {
            let mut arcs = vec![Arc::WentWell];
            if let Some(retry) = &tried.retry {
                arcs.push(Arc::Retry);
                arcs.extend(retry.attempt_timeout.as_ref().map(|_| Arc::AttemptTimeout));
            }
            // Retries without a handler end in the error itself.
            if tried.handler.is_some() || tried.retry.is_none() {
                arcs.push(Arc::Catch);
            }
            arcs
        }
        TaskKind::Fork(fork) if fork.compete => {
            fork.branches.iter().map(|id| Arc::Wins(plan.task(*id).name.clone())).collect()
        }
        TaskKind::Human(_) if task.definition.pointer("/with/due").is_some() => vec![Arc::Overdue],
        TaskKind::Call(_)
        | TaskKind::Function(_)
        | TaskKind::Compensate
        | TaskKind::Rethrow
        | TaskKind::Human(_)
        | TaskKind::Do(_)
        | TaskKind::Emit(_)
        | TaskKind::Fork(_)
        | TaskKind::Raise(_)
        | TaskKind::Run(_)
        | TaskKind::Set(_)
        | TaskKind::Switch(_)
        | TaskKind::Wait(_) => Vec::new(),
    }
}

/// How often a `listen` goes round, where it may choose. One that hears one event has always one
/// turn, and one that counts what it heard at least one.
fn rounds(listen: &Listen) -> Vec<Arc> {
    let has_turns = listen.foreach.as_ref().is_some_and(|each| !each.body.is_empty());
    match &listen.until {
        Some(Until::Condition(_)) if has_turns => {
            vec![Arc::Turns(Turns::One), Arc::Turns(Turns::Many)]
        }
        Some(Until::Condition(_)) => vec![Arc::Until(false), Arc::Until(true)],
        Some(Until::Event(_)) if has_turns => {
            [Turns::None, Turns::One, Turns::Many].into_iter().map(Arc::Turns).collect()
        }
        Some(Until::Event(_) | Until::Never) | None => Vec::new(),
    }
}

/// What is done beside a task, in a block of its own.
pub(super) fn beside(task: &Task, part: Part) -> Option<Arc> {
    let extension = |at: usize| task.extensions.get(at).map(|extension| extension.name.clone());
    match part {
        Part::Before(at) => extension(at).map(Arc::Before),
        Part::After(at) => extension(at).map(Arc::After),
        Part::Undo => Some(Arc::Undone),
        // Entered with the task; turns are counted, and a handler is `catch`.
        Part::Body | Part::Turn | Part::Branches | Part::Handler => None,
    }
}

/// Where a flow leads from a task; `None` off the end of its block.
pub(super) fn leave(plan: &Plan, task: &Task, flow: Flow) -> Option<String> {
    match (task.target(flow), flow) {
        (Some(next), _) => Some(plan.task(next).name.clone()),
        (None, Flow::Exit) => Some("exit".to_owned()),
        (None, Flow::End) => Some("end".to_owned()),
        (None, Flow::Continue | Flow::Task(_)) => None,
    }
}

/// The filters of a `listen` whose events lead different ways, by their number.
pub(super) fn hears(task: &Task, listen: &Listen) -> Vec<(usize, String)> {
    let wanted = listen.to.filters().len();
    let mut told: Vec<(usize, String)> = Vec::new();
    for (number, filter) in listen.filters().into_iter().enumerate() {
        let is_choice = number >= wanted || matches!(listen.to, Strategy::Any(_));
        if !is_choice {
            continue;
        }
        let written = task.definition.pointer(&format!("/listen/to/any/{number}/with/type"));
        let written = written.filter(|_| number < wanted).and_then(serde_json::Value::as_str);
        let kind = filter.event_type.as_deref().or(written).unwrap_or("any event").to_owned();
        // Filters of one type differ in their data: they are told by their order.
        let same = |(_, known): &&(usize, String)| {
            *known == kind || known.starts_with(&format!("{kind} ("))
        };
        let kind = match told.iter().filter(same).count() {
            0 => kind,
            before => format!("{kind} ({})", before + 1),
        };
        told.push((number, kind));
    }
    told
}
