//! Which tasks and arcs of a definition the scenarios have gone, and which they have not.
//!
//! Arcs are what the graph of the control flow has, told apart by how they are chosen: the cases
//! of a `switch` (and none of them), `if` held or not, a loop with no, one or many turns, a `try`
//! that went well, was retried or caught, the branch that won, the event that came, a time-out,
//! a person who did not decide, and the way to the next task. Tasks of functions, extensions,
//! compensations and turns of `foreach` are tasks like others; a function called from several
//! places counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure_definition::plan::{EventFilter, Flow, Listen, Strategy, Try, Until};
use tenure_definition::{Plan, Task, TaskId, TaskKind};
use tenure_machine::{Fact, InstanceId};

use super::record::{Moment, Record};

/// A task itself, among its arcs.
const BEGUN: &str = "begins";
/// The way on from a `switch` none of whose cases held.
const NO_CASE: &str = "no case";
/// A person did not decide in time.
const OVERDUE: &str = "overdue";

/// What was gone of one definition.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// `namespace/name:version`.
    pub definition: String,
    /// How many tasks and arcs there are.
    pub total: usize,
    /// Those never gone: the task's pointer, and the arc's label (`begins` for the task itself).
    pub missing: Vec<(String, String)>,
}

impl Coverage {
    /// In percent, rounded down: 100 is everything.
    #[must_use]
    pub fn percent(&self) -> usize {
        match self.total {
            0 => 100,
            total => (total - self.missing.len()) * 100 / total,
        }
    }
}

/// The arcs of one definition, and which of them were gone.
#[derive(Debug)]
pub(super) struct Map {
    plan: Arc<Plan>,
    gone: BTreeSet<(String, String)>,
}

/// How far one instance is inside its loops and tries.
#[derive(Debug, Default)]
struct Course {
    /// Turns of each loop that runs.
    turns: BTreeMap<String, usize>,
    /// Tries whose body has failed.
    failed: BTreeSet<String>,
    /// Switches that took a case.
    chosen: BTreeSet<String>,
    /// Tasks that run, in the order in which they began.
    open: Vec<TaskId>,
}

impl Course {
    /// Which of the tasks with one pointer runs: those of functions and extensions stand at every
    /// place they run at, so it is the one whose surrounding task began last.
    fn meant<'p>(&self, same: &[&'p Task]) -> Option<&'p Task> {
        let since = |task: &Task| self.open.iter().rposition(|open| Some(*open) == task.parent);
        let ran = |task: &Task| self.open.contains(&task.id);
        same.iter().copied().max_by_key(|task| (ran(task), since(task)))
    }
}

impl Map {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self { plan, gone: BTreeSet::new() }
    }

    /// Adds what a run of this definition has gone.
    pub(super) fn add(&mut self, record: &Record) {
        let plan = Arc::clone(&self.plan);
        let mut by_pointer: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
        for task in &plan.tasks {
            by_pointer.entry(task.pointer.as_str()).or_default().push(task);
        }
        let mut courses: BTreeMap<InstanceId, Course> = BTreeMap::new();
        let own = record.moments.iter().filter(|moment| moment.definition == plan.document.name);
        for moment in own {
            let pointer = moment.entry.task.as_deref().unwrap_or_default();
            let Some(same) = by_pointer.get(pointer) else { continue };
            let course = courses.entry(moment.instance).or_default();
            let Some(task) = course.meant(same) else { continue };
            self.follow(course, &plan, task, moment);
            let is_over = matches!(
                &moment.entry.fact,
                Fact::TaskCompleted { .. } | Fact::TaskFaulted { .. } | Fact::TaskCancelled
            );
            if is_over {
                course.open.retain(|open| *open != task.id);
            }
        }
    }

    fn mark(&mut self, task: &Task, label: impl Into<String>) {
        self.gone.insert((task.pointer.clone(), label.into()));
    }

    fn follow(&mut self, course: &mut Course, plan: &Plan, task: &Task, moment: &Moment) {
        let fact = &moment.entry.fact;
        if *fact == Fact::TaskStarted {
            self.mark(task, BEGUN);
            if task.condition.is_some() {
                self.mark(task, "if: true");
            }
            course.open.push(task.id);
            course.turns.insert(task.pointer.clone(), 0);
            course.failed.remove(&task.pointer);
            course.chosen.remove(&task.pointer);
        }
        if *fact == Fact::TaskSkipped {
            self.mark(task, "if: false");
            self.pass(task);
        }
        if *fact == Fact::TaskStarted || *fact == Fact::TaskSkipped {
            self.entered(course, plan, task);
        }
        if let Fact::CaseTaken { case } = fact {
            self.mark(task, format!("case {case}"));
            course.chosen.insert(task.pointer.clone());
        }
        if let Fact::TaskRetried { .. } = fact {
            self.mark(task, "retry");
            course.failed.remove(&task.pointer);
        }
        if let Fact::EventConsumed { event } = fact
            && let TaskKind::Listen(listen) = &task.kind
        {
            for filter in told_apart(listen) {
                if filter.event_type.as_ref().is_none_or(|kind| *kind == event.kind) {
                    self.mark(task, heard(filter.event_type.as_deref()));
                }
            }
        }
        if let Fact::TaskFaulted { error } = fact {
            let is_own = error.instance.as_deref() == Some(task.pointer.as_str());
            if is_own && error.status == 408 && error.kind.ends_with("/timeout") {
                // Which of the two times was over cannot be seen where a person's task has both.
                self.mark(task, "timeout");
                self.mark(task, OVERDUE);
            }
            if let Some(tried) = guard(plan, task) {
                course.failed.insert(tried.pointer.clone());
            }
        }
        if let Fact::TaskCompleted { .. } = fact {
            self.completed(course, plan, task);
        }
        let is_left = matches!(fact, Fact::TaskFaulted { .. }) || *fact == Fact::TaskCancelled;
        if is_left && course.turns.get(&task.pointer).is_some_and(|turns| *turns > 0) {
            self.turns(course, task);
        }
    }

    /// A task is the first of a block: a turn, or a handler.
    fn entered(&mut self, course: &mut Course, plan: &Plan, task: &Task) {
        let Some(parent) = task.parent.map(|parent| plan.task(parent)) else { return };
        if turn_of(parent) == Some(task.id) {
            *course.turns.entry(parent.pointer.clone()).or_default() += 1;
        }
        if let TaskKind::Try(tried) = &parent.kind
            && tried.handler.as_ref().and_then(|handler| handler.first()) == Some(&task.id)
        {
            self.mark(parent, "catch");
        }
    }

    fn completed(&mut self, course: &mut Course, plan: &Plan, task: &Task) {
        if let TaskKind::Try(_) = &task.kind {
            let label = if course.failed.contains(&task.pointer) { "catch" } else { "went well" };
            self.mark(task, label);
        }
        if !turn_counts(task).is_empty() {
            self.turns(course, task);
        }
        if !course.chosen.contains(&task.pointer) && matches!(&task.kind, TaskKind::Switch(_)) {
            self.mark(task, NO_CASE);
        }
        if let Some(parent) = task.parent.map(|parent| plan.task(parent))
            && let TaskKind::Fork(fork) = &parent.kind
            && fork.compete
        {
            self.mark(parent, format!("{} wins", task.name));
        }
        self.pass(task);
    }

    fn turns(&mut self, course: &Course, task: &Task) {
        self.mark(
            task,
            match course.turns.get(&task.pointer) {
                None | Some(0) => "no turn",
                Some(1) => "one turn",
                Some(_) => "many turns",
            },
        );
    }

    /// The task is left by its own `then`.
    fn pass(&mut self, task: &Task) {
        if let Some(label) = way_on(&self.plan, task) {
            self.gone.insert((task.pointer.clone(), label));
        }
    }

    /// What there is, and what of it was never gone.
    pub(super) fn coverage(&self) -> Coverage {
        let document = &self.plan.document;
        let mut known = BTreeSet::new();
        let all: Vec<(String, String)> = self
            .plan
            .tasks
            .iter()
            .flat_map(|task| {
                let arcs = arcs(&self.plan, task).into_iter();
                arcs.map(|label| (task.pointer.clone(), label))
            })
            // A function counts once, from wherever it is called.
            .filter(|arc| known.insert(arc.clone()))
            .collect();
        Coverage {
            definition: format!("{}/{}:{}", document.namespace, document.name, document.version),
            total: all.len(),
            missing: all.into_iter().filter(|arc| !self.gone.contains(arc)).collect(),
        }
    }
}

fn heard(kind: Option<&str>) -> String {
    format!("hears {}", kind.unwrap_or("any event"))
}

/// The innermost `try` in whose body a task is.
fn guard<'p>(plan: &'p Plan, task: &Task) -> Option<&'p Task> {
    let mut inner = task;
    while let Some(parent) = inner.parent.map(|parent| plan.task(parent)) {
        if let TaskKind::Try(tried) = &parent.kind
            && tried.body.contains(&inner.id)
        {
            return Some(parent);
        }
        inner = parent;
    }
    None
}

/// The filters of a `listen` whose events lead different ways.
fn told_apart(listen: &Listen) -> Vec<&EventFilter> {
    let any: &[EventFilter] = match &listen.to {
        Strategy::Any(filters) => filters,
        Strategy::One(_) | Strategy::All(_) => &[],
    };
    any.iter().chain(listen.until.as_ref().map_or(&[][..], Until::filters)).collect()
}

/// The first task of a turn.
fn turn_of(task: &Task) -> Option<TaskId> {
    match &task.kind {
        TaskKind::For(looped) => looped.body.first().copied(),
        TaskKind::Listen(listen) => {
            listen.foreach.as_ref().and_then(|each| each.body.first().copied())
        }
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
        | TaskKind::Try(_)
        | TaskKind::Wait(_) => None,
    }
}

/// How many turns are told apart. A `listen` that hears one event has always one turn, and one
/// that counts what it heard at least one.
fn turn_counts(task: &Task) -> &'static [&'static str] {
    const ALL: &[&str] = &["no turn", "one turn", "many turns"];
    match &task.kind {
        TaskKind::For(_) => ALL,
        TaskKind::Listen(listen) if turn_of(task).is_some() => match &listen.until {
            Some(Until::Event(_)) => ALL,
            Some(Until::Condition(_)) => ALL.get(1..).unwrap_or_default(),
            Some(Until::Never) | None => &[],
        },
        TaskKind::Listen(_)
        | TaskKind::Call(_)
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
        | TaskKind::Try(_)
        | TaskKind::Wait(_) => &[],
    }
}

/// The label of the way a task is left by, where that leads to another task.
fn way_on(plan: &Plan, task: &Task) -> Option<String> {
    let next = match task.then {
        Flow::Continue => task.next?,
        Flow::Task(next) => next,
        Flow::Exit | Flow::End => return None,
    };
    let is_choice = matches!(&task.kind, TaskKind::Switch(_));
    let ends_here =
        matches!(&task.kind, TaskKind::Raise(_) | TaskKind::Rethrow) && task.condition.is_none();
    (!is_choice && !ends_here).then(|| format!("then {}", plan.task(next).name))
}

/// All arcs of a task, the task itself first.
fn arcs(plan: &Plan, task: &Task) -> Vec<String> {
    let mut arcs = vec![BEGUN.to_owned()];
    if task.condition.is_some() {
        arcs.extend(["if: true".to_owned(), "if: false".to_owned()]);
    }
    if task.timeout.is_some() {
        arcs.push("timeout".to_owned());
    }
    if let TaskKind::Switch(cases) = &task.kind {
        arcs.extend(cases.iter().map(|case| format!("case {}", case.name)));
        if cases.iter().all(|case| case.when.is_some()) {
            arcs.push(NO_CASE.to_owned());
        }
    }
    arcs.extend(turn_counts(task).iter().map(|&count| count.to_owned()));
    if let TaskKind::Try(tried) = &task.kind {
        arcs.extend(ways_of(tried).into_iter().map(str::to_owned));
    }
    if let TaskKind::Fork(fork) = &task.kind
        && fork.compete
    {
        arcs.extend(fork.branches.iter().map(|id| format!("{} wins", plan.task(*id).name)));
    }
    if let TaskKind::Listen(listen) = &task.kind {
        let filters = told_apart(listen).into_iter();
        arcs.extend(filters.map(|filter| heard(filter.event_type.as_deref())));
    }
    if let TaskKind::Human(_) = &task.kind
        && task.definition.pointer("/with/due").is_some()
    {
        arcs.push(OVERDUE.to_owned());
    }
    arcs.extend(way_on(plan, task));
    arcs
}

fn ways_of(tried: &Try) -> Vec<&'static str> {
    let mut ways = vec!["went well"];
    if tried.retry.is_some() {
        ways.push("retry");
    }
    // Retries without a handler end in the error itself.
    if tried.handler.is_some() || tried.retry.is_none() {
        ways.push("catch");
    }
    ways
}
