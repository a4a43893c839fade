//! The compiled definition: an arena of tasks with every name resolved and every expression
//! compiled. Immutable; shared by all instances of its digest.

use jiff::tz::TimeZone;
use petgraph::graph::DiGraph;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_adapter::Manifest;

use crate::cron::Cron;
use crate::expression::Expression;
use crate::matcher::Matcher;
use crate::schedule::Policy;
use crate::schema::Schema;
use crate::template::Template;
use crate::time::Duration;

/// Index of a task in [`Plan::tasks`]. Stable for a digest, so instances store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u32);

/// Tasks that run one after another; the scope in which `then` names are looked up.
pub type Block = Vec<TaskId>;

/// A checked definition, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// Name, version and the like.
    pub document: Document,
    /// Lowercase hex SHA-256 of the definition's canonical JSON (keys sorted): the identity an
    /// instance is pinned to.
    pub digest: String,
    /// The definition as JSON, for `$workflow.definition`.
    pub definition: Value,
    /// All tasks, parents before children, in document order.
    pub tasks: Vec<Task>,
    /// The top-level `do`.
    pub body: Block,
    /// Schema and transformation of the workflow's input.
    pub input: Input,
    /// Transformation and schema of the workflow's output.
    pub output: Output,
    /// Longest life of an instance.
    pub timeout: Option<Duration>,
    /// Names listed under `use.secrets`.
    pub secrets: Vec<String>,
    /// What starts instances besides the API.
    pub schedule: Option<Schedule>,
    /// Our extensions under `document.metadata`.
    pub extensions: Extensions,
    /// Control flow between tasks, for checks and drawings. Node weights index [`Plan::tasks`].
    pub flow: DiGraph<TaskId, Flow>,
}

impl Plan {
    /// The task with this id.
    ///
    /// # Panics
    /// When the id is from another plan: a programming error, since ids are stored with the digest.
    #[must_use]
    pub fn task(&self, id: TaskId) -> &Task {
        self.tasks.get(id.0 as usize).expect("a task id belongs to the plan of its digest")
    }

    /// The task that follows `id` in its own block, if any.
    #[must_use]
    pub fn next_in_block(&self, id: TaskId) -> Option<TaskId> {
        self.task(id).next
    }
}

/// `document`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Version of the language the author wrote for.
    pub dsl: String,
    /// DNS label.
    pub namespace: String,
    /// DNS label.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// For people.
    pub title: Option<String>,
    /// For people.
    pub summary: Option<String>,
}

/// Our extensions, read from `document.metadata`.
#[derive(Debug)]
pub struct Extensions {
    /// `businessKey`: evaluated on the input at the start. Without it the instance id serves.
    pub business_key: Option<Expression>,
    /// What a start meets whose business key already has a live instance of this definition.
    pub business_key_policy: KeyPolicy,
    /// `zone`: IANA zone of calendar arithmetic; UTC by default.
    pub zone: TimeZone,
    /// `exclusive`: name of the lock an instance holds from its start to its end, evaluated on the
    /// input.
    pub exclusive: Option<Template>,
    /// `onCancel`.
    pub on_cancel: OnCancel,
    /// `expect`: an instance that lives longer is late; nothing else happens to it.
    pub expect: Option<Duration>,
    /// `searchable`: attributes to find instances by, evaluated on `$context` and `$input` whenever
    /// the context changes. In order of their names.
    pub searchable: Vec<(String, Expression)>,
    /// `sensitive`: names of fields whose values no page and no answer shows, at any depth.
    pub sensitive: Vec<String>,
    /// `lifecycle`: which lifecycle events are published.
    pub lifecycle: Lifecycle,
}

/// What a start meets whose business key is taken by a live instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPolicy {
    /// Both run.
    #[default]
    Allow,
    /// The start is refused.
    Reject,
    /// The start gives the instance that runs.
    ReturnExisting,
    /// The new instance is admitted and begins when the other has ended.
    Queue,
}

/// What a cancellation from outside does first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnCancel {
    /// Nothing.
    #[default]
    Stop,
    /// Undoes what was registered with `compensate`, in reverse order.
    Compensate,
}

/// Which lifecycle events of the specification an instance publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifecycle {
    /// None: the journal holds the same facts.
    #[default]
    Off,
    /// Those of the workflow.
    Workflow,
    /// Those of the workflow and of its tasks.
    Tasks,
}

/// One task of a definition.
#[derive(Debug)]
pub struct Task {
    /// Its own index.
    pub id: TaskId,
    /// The key it is written under.
    pub name: String,
    /// JSON pointer into the definition (`/do/0/charge`).
    pub pointer: String,
    /// The composite task whose block contains it; `None` at top level.
    pub parent: Option<TaskId>,
    /// The next task of its block. `None` at the end, and always for branches of a fork.
    pub next: Option<TaskId>,
    /// `if`, evaluated on the raw input.
    pub condition: Option<Expression>,
    /// `input`.
    pub input: Input,
    /// `output`.
    pub output: Output,
    /// `export`.
    pub export: Output,
    /// `timeout`, inline or by name.
    pub timeout: Option<Duration>,
    /// `then`.
    pub then: Flow,
    /// The task's own definition as JSON, for `$task.definition`.
    pub definition: Value,
    /// Raw `metadata`.
    pub metadata: Value,
    /// Entries of `use.extensions` that extend this task, in declared order.
    pub extensions: Vec<Extension>,
    /// `metadata.exclusive` of a `do`: name of the lock it holds while it runs.
    pub exclusive: Option<Template>,
    /// `metadata.compensate`: what undoes this task; registered when it has completed.
    pub compensate: Option<Block>,
    /// `metadata.expect`: a task that takes longer is late; nothing else happens to it.
    pub expect: Option<Duration>,
    /// What it does.
    pub kind: TaskKind,
}

/// `input`: schema first, on the raw value; then `from`.
#[derive(Debug, Default)]
pub struct Input {
    /// Schema of the raw input.
    pub schema: Option<Schema>,
    /// Transformation.
    pub from: Option<Template>,
}

/// `output` and `export`: `as` first, then the schema on its result.
#[derive(Debug, Default)]
pub struct Output {
    /// Transformation.
    pub transform: Option<Template>,
    /// Schema of the result.
    pub schema: Option<Schema>,
}

/// An entry of `use.extensions`, compiled for one task it extends.
#[derive(Debug)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// `when`, evaluated on the raw input of the extended task.
    pub when: Option<Expression>,
    /// `before`, on the raw input; its output is dropped, unless it ends with `exit`: then it stands
    /// for the output of the extended task, which is not run.
    pub before: Block,
    /// `after`, on the output of the extended task; its output is dropped.
    pub after: Block,
}

/// Where to go after a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next task of the block, or the end of the scope.
    Continue,
    /// The end of this scope.
    Exit,
    /// The end of the workflow.
    End,
    /// A task of the same scope.
    Task(TaskId),
}

/// What a task does.
#[derive(Debug)]
pub enum TaskKind {
    /// `call` of a function of the catalog.
    Call(Box<Call>),
    /// `call` of an entry of `use.functions`.
    Function(Box<Function>),
    /// `call: engine.compensate`: undoes what the surrounding `try` has registered.
    Compensate,
    /// `call: engine.rethrow`: raises the caught error again, as it was.
    Rethrow,
    /// `call: human.task`: waits for a person's decision.
    Human(Box<Human>),
    /// `do`.
    Do(Block),
    /// `emit`: the template of the event's attributes and data.
    Emit(Template),
    /// `for`.
    For(Box<For>),
    /// `fork`.
    Fork(Fork),
    /// `listen`.
    Listen(Box<Listen>),
    /// `raise`: the template of the error object (an inline error or a name of `use.errors`).
    Raise(Template),
    /// `run: workflow`.
    Run(Box<RunWorkflow>),
    /// `set`.
    Set(Template),
    /// `switch`: tried in order.
    Switch(Vec<Case>),
    /// `try`.
    Try(Box<Try>),
    /// `wait`.
    Wait(Duration),
}

/// A call of a catalog function, with its manifest pinned.
#[derive(Debug)]
pub struct Call {
    /// The function's contract at registration.
    pub function: Manifest,
    /// Compiled input schema of the function.
    pub input: Schema,
    /// `with`.
    pub with: Template,
    /// `metadata.idempotencyKey`: replaces the derived effect key by one the author computes
    /// (hashed into a UUID together with namespace and function).
    pub idempotency_key: Option<Expression>,
}

/// A call of a function that the definition itself defines.
#[derive(Debug)]
pub struct Function {
    /// Its name in `use.functions`.
    pub name: String,
    /// `with`: the function's raw input.
    pub with: Template,
    /// The function's one task, compiled for this call. It reads the caller's `$context`; what it
    /// exports is its own and ends with it.
    pub body: Block,
}

/// A decision that a person makes.
#[derive(Debug)]
pub struct Human {
    /// `title`, `description`, `assignees`, `form` (a JSON Schema of the decision) and `due`.
    pub with: Template,
    /// The schema of the evaluated `with`.
    pub input: Schema,
    /// `form`, when it is a constant.
    pub form: Option<Schema>,
    /// Which event brings the decision: correlated by the ticket.
    pub filter: EventFilter,
}

/// `for`.
#[derive(Debug)]
pub struct For {
    /// Variable of the item, without `$`.
    pub each: String,
    /// Variable of the index, without `$`.
    pub at: String,
    /// The collection: an expression or an inline array.
    pub items: Template,
    /// `while`, evaluated before each turn.
    pub condition: Option<Expression>,
    /// The turn.
    pub body: Block,
}

/// `fork`.
#[derive(Debug)]
pub struct Fork {
    /// One task per branch, in declared order.
    pub branches: Vec<TaskId>,
    /// The first successful branch wins.
    pub compete: bool,
}

/// `listen`.
#[derive(Debug)]
pub struct Listen {
    /// What to wait for.
    pub to: Strategy,
    /// What of an event is kept.
    pub read: Read,
    /// `until` of an `any`: when it is enough.
    pub until: Option<Until>,
    /// `foreach`: what is done with each event as it comes, one after another.
    pub foreach: Option<Foreach>,
}

impl Listen {
    /// The filters of `to`, then those of `until`, in declared order.
    #[must_use]
    pub fn filters(&self) -> Vec<&EventFilter> {
        let until = self.until.as_ref().map_or(&[][..], Until::filters);
        self.to.filters().iter().chain(until).collect()
    }
}

/// When a `listen` to any of several events has heard enough.
#[derive(Debug)]
pub enum Until {
    /// Evaluated on the array of what was consumed so far, after each event.
    Condition(Expression),
    /// These events end it; they are no part of the output.
    Event(Strategy),
    /// It never has: `until: ${ false }` ends with a time-out or a cancellation only.
    Never,
}

impl Until {
    /// The filters of the events that end it.
    #[must_use]
    pub fn filters(&self) -> &[EventFilter] {
        match self {
            Self::Event(strategy) => strategy.filters(),
            Self::Condition(_) | Self::Never => &[],
        }
    }
}

/// `foreach` of a `listen`.
#[derive(Debug)]
pub struct Foreach {
    /// Variable of what was kept of the event, without `$`.
    pub item: String,
    /// Variable of the index, without `$`.
    pub at: String,
    /// The tasks, on what was kept of the event. None: what was kept is the output of the turn.
    pub body: Block,
    /// `output` of each turn: an item of the listen's output.
    pub output: Output,
    /// `export` of each turn.
    pub export: Output,
}

/// How many events end a `listen`.
#[derive(Debug)]
pub enum Strategy {
    /// One event that fits.
    One(EventFilter),
    /// One event that fits any of these.
    Any(Vec<EventFilter>),
    /// One event for each of these.
    All(Vec<EventFilter>),
}

impl Strategy {
    /// The filters, in declared order.
    #[must_use]
    pub fn filters(&self) -> &[EventFilter] {
        match self {
            Self::One(filter) => std::slice::from_ref(filter),
            Self::Any(filters) | Self::All(filters) => filters,
        }
    }
}

/// `read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The event's data.
    Data,
    /// The whole event.
    Envelope,
    /// The event as received.
    Raw,
}

/// Which events fit.
#[derive(Debug)]
pub struct EventFilter {
    /// The event's `type`, when it is a constant; `None` fits any type.
    pub event_type: Option<String>,
    /// Conditions on attributes (other than a constant `type`), and on `data`.
    pub with: Vec<(String, Matcher)>,
    /// Correlations, in order of their names.
    pub correlate: Vec<Correlation>,
    /// Lowercase hex SHA-256 over the correlations' names and `from` sources; empty without
    /// correlations. Waits and events meet by (namespace, type, shape, values).
    pub shape: String,
}

/// One entry of `correlate`.
#[derive(Debug)]
pub struct Correlation {
    /// Its name.
    pub name: String,
    /// Evaluated on the event (as envelope).
    pub from: Expression,
    /// Evaluated when the wait opens; without it the first event binds the value.
    pub expect: Option<Template>,
}

/// `run: workflow`.
#[derive(Debug)]
pub struct RunWorkflow {
    /// Namespace of the child's definition.
    pub namespace: String,
    /// Name of the child's definition.
    pub name: String,
    /// Semantic version, or `latest` (resolved once, when the child starts).
    pub version: String,
    /// The child's input.
    pub input: Template,
    /// Whether the task waits for the child's end.
    pub wait: bool,
}

/// One case of a `switch`.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// `None` is the default case.
    pub when: Option<Expression>,
    /// Where to go.
    pub then: Flow,
}

/// `try`.
#[derive(Debug)]
pub struct Try {
    /// The tasks that may fail.
    pub body: Block,
    /// `catch.errors.with`: every given property must be equal.
    pub filter: ErrorFilter,
    /// `catch.as`, without `$`.
    pub bind: String,
    /// `catch.when`, evaluated on the error.
    pub when: Option<Expression>,
    /// `catch.exceptWhen`, evaluated on the error.
    pub except_when: Option<Expression>,
    /// `catch.retry`, inline or by name.
    pub retry: Option<Retry>,
    /// `catch.do`.
    pub handler: Option<Block>,
    /// `catch.then`.
    pub then: Option<Flow>,
}

/// `errors.with`. Types match under both domains and both paths of the specification.
#[derive(Debug, Default)]
pub struct ErrorFilter {
    /// Type URI.
    pub kind: Option<String>,
    /// Status.
    pub status: Option<u16>,
    /// JSON pointer of the failing task.
    pub instance: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Detail.
    pub detail: Option<String>,
}

/// `retry`.
#[derive(Debug)]
pub struct Retry {
    /// Retry only when this holds.
    pub when: Option<Expression>,
    /// Do not retry when this holds.
    pub except_when: Option<Expression>,
    /// Base delay; zero when absent.
    pub delay: Option<Duration>,
    /// How the delay grows.
    pub backoff: Backoff,
    /// A random-like part (derived from the instance, so repeatable) added to the delay.
    pub jitter: Option<(Duration, Duration)>,
    /// Retries after the first run.
    pub retries_max: Option<u32>,
    /// Longest life of one run of the body.
    pub attempt_timeout: Option<Duration>,
    /// No retry starts later than this after the first run began.
    pub total_max: Option<Duration>,
}

/// Growth of the delay with the number of the retry, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// `delay`.
    Constant,
    /// `delay * n`.
    Linear,
    /// `delay * 2^(n-1)`.
    Exponential,
}

/// What starts instances besides the API.
#[derive(Debug)]
pub struct Schedule {
    /// `every`.
    pub every: Option<Duration>,
    /// `cron`, five fields.
    pub cron: Option<Cron>,
    /// `after`.
    pub after: Option<Duration>,
    /// `on`.
    pub on: Option<Strategy>,
    /// `read` of `on`.
    pub read: Read,
    /// `metadata.schedule` of the document.
    pub policy: Policy,
}
