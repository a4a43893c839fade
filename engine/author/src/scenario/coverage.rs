//! Which tasks and arcs of a definition the scenarios have gone, and which they have not.
//!
//! Arcs are what the graph of the control flow has, told apart by how they are chosen: the cases
//! of a `switch` (and none of them), `if` held or not, a loop with no, one or many turns, a `try`
//! that went well, was retried or caught, the branch that won, the event that came, a time-out,
//! and the way to the next task, from a `try` also that of its `catch`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure_adapter::Problem;
use tenure_definition::plan::{Flow, Strategy, Try};
use tenure_definition::{Plan, Task, TaskId, TaskKind};
use tenure_machine::{Fact, InstanceId};

use super::heard;
use super::record::{Moment, Record, identity};

/// A task itself, among its arcs.
const BEGUN: &str = "begins";
/// The way on from a `switch` none of whose cases held.
const NO_CASE: &str = "no case";
/// A `try` whose error was caught.
const CAUGHT: &str = "catch";
/// The way on from a task.
const THEN: &str = "then";
/// The way on from a `try` whose error was caught, where `catch` has a way of its own.
const CATCH_THEN: &str = "catch then";

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
    /// Loops whose next first task is no turn: a task of the same turn leads back to it.
    back: BTreeSet<String>,
    /// Tries that an error of their body has reached.
    failed: BTreeSet<String>,
    /// The case that each switch took.
    chosen: BTreeMap<String, String>,
    /// The correlation values that each `listen` waits for, by its waits in order.
    waits: BTreeMap<String, Vec<Option<String>>>,
}

impl Map {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self { plan, gone: BTreeSet::new() }
    }

    /// Adds what a run that this definition took part in has gone of it.
    pub(super) fn add(&mut self, record: &Record) {
        let plan = Arc::clone(&self.plan);
        let by_pointer: BTreeMap<&str, &Task> =
            plan.tasks.iter().map(|task| (task.pointer.as_str(), task)).collect();
        let mut courses: BTreeMap<InstanceId, Course> = BTreeMap::new();
        let identity = identity(&plan.document);
        let own = record.moments.iter().filter(|moment| *moment.identity == *identity);
        for moment in own {
            let pointer = moment.entry.task.as_deref().unwrap_or_default();
            let Some(task) = by_pointer.get(pointer) else { continue };
            let course = courses.entry(moment.instance).or_default();
            self.follow(course, &plan, task, moment);
        }
    }

    fn mark(&mut self, task: &Task, label: impl Into<String>) {
        self.gone.insert((task.pointer.clone(), label.into()));
    }

    fn follow(&mut self, course: &mut Course, plan: &Plan, task: &Task, moment: &Moment) {
        let fact = &moment.entry.fact;
        if *fact == Fact::TaskStarted {
            self.started(course, task);
        }
        if *fact == Fact::TaskSkipped {
            self.mark(task, "if: false");
        }
        if *fact == Fact::TaskStarted || *fact == Fact::TaskSkipped {
            self.entered(course, plan, task);
        }
        if *fact == Fact::TaskSkipped {
            self.pass(course, plan, task, task.then, THEN);
        }
        if let Fact::CaseTaken { case } = fact {
            self.mark(task, format!("case {case}"));
            course.chosen.insert(task.pointer.clone(), case.clone());
        }
        if let Fact::TaskRetried { .. } = fact {
            self.mark(task, "retry");
            course.failed.remove(&task.pointer);
        }
        if let Fact::WaitOpened { value, .. } = fact {
            course.waits.entry(task.pointer.clone()).or_default().push(value.clone());
        }
        if let Fact::EventConsumed { event } = fact
            && let TaskKind::Listen(listen) = &task.kind
            && let Strategy::Any(filters) = &listen.to
        {
            let waits = course.waits.get(&task.pointer).map(Vec::as_slice).unwrap_or_default();
            for index in heard::filters(listen, waits, event) {
                self.mark(task, heard::label(filters, index));
            }
        }
        if let Fact::TaskFaulted { error } = fact {
            self.faulted(course, plan, task, error);
        }
        if let Fact::TaskCompleted { .. } = fact {
            self.completed(course, plan, task);
        }
        let is_left = matches!(fact, Fact::TaskFaulted { .. }) || *fact == Fact::TaskCancelled;
        if is_left && course.turns.get(&task.pointer).is_some_and(|turns| *turns > 0) {
            self.turns(course, task);
        }
    }

    fn started(&mut self, course: &mut Course, task: &Task) {
        self.mark(task, BEGUN);
        if task.condition.is_some() {
            self.mark(task, "if: true");
        }
        course.turns.insert(task.pointer.clone(), 0);
        course.back.remove(&task.pointer);
        course.failed.remove(&task.pointer);
        course.chosen.remove(&task.pointer);
        course.waits.remove(&task.pointer);
    }

    /// A task is the first of a block: a turn, or a handler.
    fn entered(&mut self, course: &mut Course, plan: &Plan, task: &Task) {
        let Some(parent) = task.parent.map(|parent| plan.task(parent)) else { return };
        if let TaskKind::For(looped) = &parent.kind
            && looped.body.first() == Some(&task.id)
            && !course.back.remove(&parent.pointer)
        {
            *course.turns.entry(parent.pointer.clone()).or_default() += 1;
        }
        if let TaskKind::Try(tried) = &parent.kind
            && tried.handler.as_ref().and_then(|handler| handler.first()) == Some(&task.id)
        {
            self.mark(parent, CAUGHT);
            course.failed.insert(parent.pointer.clone());
        }
    }

    fn faulted(&mut self, course: &mut Course, plan: &Plan, task: &Task, error: &Problem) {
        let is_own = error.instance.as_deref() == Some(task.pointer.as_str());
        if is_own && error.status == 408 && error.kind.ends_with("/timeout") {
            self.mark(task, "timeout");
        }
        // Every task that an error goes through fails: it reaches a try from a task of its body.
        if let Some(parent) = task.parent.map(|parent| plan.task(parent))
            && let TaskKind::Try(tried) = &parent.kind
            && tried.body.contains(&task.id)
        {
            course.failed.insert(parent.pointer.clone());
        }
    }

    fn completed(&mut self, course: &mut Course, plan: &Plan, task: &Task) {
        let (mut flow, mut word) = (task.then, THEN);
        if let TaskKind::Try(tried) = &task.kind {
            let is_caught = course.failed.contains(&task.pointer);
            self.mark(task, if is_caught { CAUGHT } else { "went well" });
            if let (true, Some(then)) = (is_caught, tried.then) {
                (flow, word) = (then, CATCH_THEN);
            }
        }
        if let TaskKind::For(_) = &task.kind {
            self.turns(course, task);
        }
        if let TaskKind::Switch(cases) = &task.kind {
            match course.chosen.get(&task.pointer) {
                None => self.mark(task, NO_CASE),
                Some(chosen) => {
                    let case = cases.iter().find(|case| case.name == *chosen);
                    flow = case.map_or(flow, |case| case.then);
                }
            }
        }
        if let Some(parent) = task.parent.map(|parent| plan.task(parent))
            && let TaskKind::Fork(fork) = &parent.kind
            && fork.compete
        {
            self.mark(parent, format!("{} wins", task.name));
        }
        self.pass(course, plan, task, flow, word);
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

    /// The task is left this way.
    fn pass(&mut self, course: &mut Course, plan: &Plan, task: &Task, flow: Flow, word: &str) {
        let Some(next) = target(task, flow) else { return };
        // The cases of a switch are ways of their own.
        if !matches!(&task.kind, TaskKind::Switch(_)) {
            self.mark(task, way(plan, word, next));
        }
        if let Some(parent) = task.parent.map(|parent| plan.task(parent))
            && let TaskKind::For(looped) = &parent.kind
            && looped.body.first() == Some(&next)
        {
            course.back.insert(parent.pointer.clone());
        }
    }

    /// What there is, and what of it was never gone.
    pub(super) fn coverage(&self) -> Coverage {
        let document = &self.plan.document;
        let all: Vec<(String, String)> = self
            .plan
            .tasks
            .iter()
            .flat_map(|task| {
                let arcs = arcs(&self.plan, task).into_iter();
                arcs.map(|label| (task.pointer.clone(), label))
            })
            .collect();
        Coverage {
            definition: format!("{}/{}:{}", document.namespace, document.name, document.version),
            total: all.len(),
            missing: all.into_iter().filter(|arc| !self.gone.contains(arc)).collect(),
        }
    }
}

/// The task a flow leads to, where it leads to one.
fn target(task: &Task, flow: Flow) -> Option<TaskId> {
    match flow {
        Flow::Continue => task.next,
        Flow::Task(next) => Some(next),
        Flow::Exit | Flow::End => None,
    }
}

fn way(plan: &Plan, word: &str, next: TaskId) -> String {
    format!("{word} {}", plan.task(next).name)
}

/// The labels of the ways a task is left by to another task.
fn ways_on(plan: &Plan, task: &Task) -> Vec<String> {
    let is_choice = matches!(&task.kind, TaskKind::Switch(_));
    let ends_here = matches!(&task.kind, TaskKind::Raise(_)) && task.condition.is_none();
    let mut ways = Vec::new();
    if !is_choice && !ends_here {
        ways.extend(target(task, task.then).map(|next| way(plan, THEN, next)));
    }
    if let TaskKind::Try(tried) = &task.kind
        && can_be_caught(tried)
    {
        let next = tried.then.and_then(|then| target(task, then));
        ways.extend(next.map(|next| way(plan, CATCH_THEN, next)));
    }
    ways
}

/// Whether an error can be over with it. Retries without a handler end in the error itself.
fn can_be_caught(tried: &Try) -> bool {
    tried.handler.is_some() || tried.retry.is_none()
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
    if let TaskKind::For(_) = &task.kind {
        arcs.extend(["no turn", "one turn", "many turns"].map(str::to_owned));
    }
    if let TaskKind::Try(tried) = &task.kind {
        arcs.extend(ways_of(tried).into_iter().map(str::to_owned));
    }
    if let TaskKind::Fork(fork) = &task.kind
        && fork.compete
    {
        arcs.extend(fork.branches.iter().map(|id| format!("{} wins", plan.task(*id).name)));
    }
    if let TaskKind::Listen(listen) = &task.kind
        && let Strategy::Any(filters) = &listen.to
    {
        arcs.extend((0..filters.len()).map(|index| heard::label(filters, index)));
    }
    arcs.extend(ways_on(plan, task));
    arcs
}

fn ways_of(tried: &Try) -> Vec<&'static str> {
    let mut ways = vec!["went well"];
    if tried.retry.is_some() {
        ways.push("retry");
    }
    if can_be_caught(tried) {
        ways.push(CAUGHT);
    }
    ways
}
