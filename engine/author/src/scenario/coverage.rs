//! Which tasks and arcs of a definition the scenarios have gone, and which they have not.
//!
//! `arc` says what there is; here the journal of each run is followed task by task. An arc counts
//! only when a run has taken it: what the journal leaves open counts as not gone. Tasks of
//! functions, extensions, compensations and turns of `foreach` are tasks like others; a function
//! called from several places counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync;

use tenure_definition::plan::Flow;
use tenure_definition::tree::Tree;
use tenure_definition::way::Part;
use tenure_definition::{Plan, Task, TaskId, TaskKind};
use tenure_machine::{Fact, InstanceId, Purpose};

use super::arc::{self, Arc, Turns};
use super::record::{Moment, Record, identity};

/// What was gone of one definition.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// `namespace/name:version`.
    pub definition: String,
    /// The file it was read from.
    pub file: String,
    /// How many tasks and arcs there are.
    pub total: usize,
    /// Those never gone, in document order.
    pub missing: Vec<Missing>,
}

/// An arc that no run has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Line of the definition where it is written, from 1.
    pub line: usize,
    /// The task's pointer.
    pub task: String,
    /// The arc's label (`begins` for the task itself).
    pub arc: String,
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
    plan: sync::Arc<Plan>,
    gone: BTreeSet<(String, Arc)>,
}

/// How far one instance is.
#[derive(Debug, Default)]
struct Course {
    /// Tasks that run.
    open: BTreeMap<TaskId, Visit>,
    /// First tasks of a turn that are led to by a `then`: no new turn begins with them.
    jumps: BTreeSet<TaskId>,
}

/// One run of a task.
#[derive(Debug, Default)]
struct Visit {
    /// Turns that began.
    turns: usize,
    /// Events heard, without those that end the listening.
    heard: usize,
    /// Whether the body of a `try` has failed since it last began.
    failed: bool,
    /// Where the case leads that a `switch` took.
    chosen: Option<Flow>,
    /// The branch that came to its end.
    winner: Option<TaskId>,
}

impl Map {
    pub(super) fn new(plan: sync::Arc<Plan>) -> Self {
        Self { plan, gone: BTreeSet::new() }
    }

    /// Adds what a run of this definition has gone.
    pub(super) fn add(&mut self, record: &Record) {
        let plan = sync::Arc::clone(&self.plan);
        let mut courses: BTreeMap<InstanceId, Course> = BTreeMap::new();
        let identity = identity(&plan.document);
        for moment in record.moments.iter().filter(|moment| *moment.identity == *identity) {
            let course = courses.entry(moment.instance).or_default();
            match moment.entry.place {
                Some(id) => self.follow(course, &plan, plan.task(id), moment),
                None => self.whole(course, &plan, &moment.entry.fact),
            }
        }
    }

    fn mark(&mut self, task: &Task, arc: Arc) {
        self.gone.insert((task.pointer.clone(), arc));
    }

    /// What happens to the workflow as a whole.
    fn whole(&mut self, course: &mut Course, plan: &Plan, fact: &Fact) {
        if let Fact::TimerFired { purpose: Purpose::Timeout } = fact {
            self.gone.insert((arc::WORKFLOW_TIMEOUT.to_owned(), Arc::Timeout));
        }
        if let Fact::InstanceCancelling { .. } = fact {
            self.gone.insert((arc::ON_CANCEL.to_owned(), Arc::Cancelled));
        }
        if let Fact::InstanceCompleted { .. } = fact {
            // An `end` from inside leaves loops without a word of them.
            for (id, visit) in std::mem::take(&mut course.open) {
                self.broken_off(plan.task(id), &visit);
            }
        }
    }

    fn follow(&mut self, course: &mut Course, plan: &Plan, task: &Task, moment: &Moment) {
        let fact = &moment.entry.fact;
        if *fact == Fact::TaskStarted {
            self.mark(task, Arc::Begins);
            if task.condition.is_some() {
                self.mark(task, Arc::If(true));
            }
            course.open.insert(task.id, Visit::default());
            self.entered(course, plan, task);
        }
        if *fact == Fact::TaskSkipped {
            self.mark(task, Arc::If(false));
            self.entered(course, plan, task);
            self.way(plan, task, task.then, Arc::Then);
            left(course, task, task.then);
        }
        if let Fact::TimerFired { purpose } = fact {
            match purpose {
                Purpose::Timeout => self.mark(task, Arc::Timeout),
                Purpose::Attempt => self.mark(task, Arc::AttemptTimeout),
                Purpose::Overdue => self.mark(task, Arc::Overdue),
                Purpose::Wait
                | Purpose::Retry
                | Purpose::Resend
                | Purpose::Settled
                | Purpose::Late
                | Purpose::Undo => {}
            }
        }
        if let Fact::TaskFaulted { .. } | Fact::TaskCancelled = fact {
            if let Some(visit) = course.open.remove(&task.id) {
                self.broken_off(task, &visit);
            }
            course.jumps.remove(&task.id);
            // What comes of it is seen when the `try` goes on, or does not.
            if let Some(tried) = tried(plan, task)
                && let Some(visit) = course.open.get_mut(&tried)
            {
                visit.failed = true;
            }
        }
        if let Fact::TaskCompleted { .. } = fact
            && let Some(visit) = course.open.remove(&task.id)
        {
            self.completed(course, plan, task, &visit);
        }
        if let Some(visit) = course.open.get_mut(&task.id) {
            let gone = during(visit, task, fact);
            self.gone.extend(gone.into_iter().map(|arc| (task.pointer.clone(), arc)));
        }
    }

    /// A task is the first of a block: a turn, a handler, what is done beside the task around it.
    fn entered(&mut self, course: &mut Course, plan: &Plan, task: &Task) {
        let Some(parent) = task.parent.map(|parent| plan.task(parent)) else { return };
        let is_jump = course.jumps.remove(&task.id);
        let blocks = parent.blocks().into_iter();
        for (part, _) in blocks.filter(|(_, block)| block.first() == Some(&task.id)) {
            match part {
                Part::Turn if !is_jump => {
                    if let Some(visit) = course.open.get_mut(&parent.id) {
                        visit.turns += 1;
                    }
                }
                Part::Handler => self.mark(parent, Arc::Catch),
                Part::Before(_)
                | Part::After(_)
                | Part::Undo
                | Part::Body
                | Part::Turn
                | Part::Branches => {
                    self.gone
                        .extend(arc::beside(parent, part).map(|arc| (parent.pointer.clone(), arc)));
                }
            }
        }
    }

    fn completed(&mut self, course: &mut Course, plan: &Plan, task: &Task, visit: &Visit) {
        self.mark(task, Arc::Turns(Turns::of(visit.turns)));
        self.mark(task, Arc::Until(true));
        if let Some(winner) = visit.winner {
            self.mark(task, Arc::Wins(plan.task(winner).name.clone()));
        }
        let flow = match (&task.kind, visit.chosen) {
            (TaskKind::Switch(_), Some(flow)) => flow,
            (TaskKind::Switch(_), None) => {
                self.mark(task, Arc::NoCase);
                task.then
            }
            (TaskKind::Try(tried), _) if visit.failed => {
                self.mark(task, Arc::Catch);
                let caught = tried.then.map(|flow| (flow, Arc::CatchThen as fn(String) -> Arc));
                let (flow, arc) = caught.unwrap_or((task.then, Arc::Then));
                self.way(plan, task, flow, arc);
                flow
            }
            _ => {
                self.mark(task, Arc::WentWell);
                self.way(plan, task, task.then, Arc::Then);
                task.then
            }
        };
        left(course, task, flow);
    }

    /// A way out of a task was taken.
    fn way(&mut self, plan: &Plan, task: &Task, flow: Flow, arc: fn(String) -> Arc) {
        if let Some(to) = arc::leave(plan, task, flow) {
            self.mark(task, arc(to));
        }
    }

    /// A task ends without coming to its own end; the turns it has begun were begun.
    fn broken_off(&mut self, task: &Task, visit: &Visit) {
        if visit.turns > 0 {
            self.mark(task, Arc::Turns(Turns::of(visit.turns)));
        }
    }

    /// What there is, and what of it was never gone. `text` is the definition's own.
    pub(super) fn coverage(&self, file: &str, text: Option<&Tree>) -> Coverage {
        let document = &self.plan.document;
        let line = |pointer: &str| text.map_or(1, |text| text.key_span(pointer).line);
        let mut known = BTreeSet::new();
        let mut total = 0;
        let mut missing = Vec::new();
        let workflow = arc::of_workflow(&self.plan).into_iter();
        let workflow = workflow.map(|(place, arc)| (place.to_owned(), place.to_owned(), arc));
        let tasks = self.plan.tasks.iter().flat_map(|task| {
            let arcs = arc::of_task(&self.plan, task).into_iter();
            arcs.map(|arc| {
                let place = format!("{}{}", task.pointer, arc.part(task));
                (task.pointer.clone(), place, arc)
            })
        });
        for (task, place, arc) in workflow.chain(tasks) {
            let key = (task, arc);
            // A function counts once, from wherever it is called.
            if !known.insert(key.clone()) {
                continue;
            }
            total += 1;
            if !self.gone.contains(&key) {
                let (task, arc) = key;
                missing.push(Missing { line: line(&place), task, arc: arc.to_string() });
            }
        }
        Coverage {
            definition: format!("{}/{}:{}", document.namespace, document.name, document.version),
            file: file.to_owned(),
            total,
            missing,
        }
    }
}

/// A task is left by a flow.
fn left(course: &mut Course, task: &Task, flow: Flow) {
    if let Flow::Task(next) = flow {
        course.jumps.insert(next);
    }
    // The branch that comes to its end first ends the fork.
    if let Some(fork) = task.parent.and_then(|parent| course.open.get_mut(&parent)) {
        fork.winner = Some(task.id);
    }
}

/// What a fact says of a task that goes on running.
fn during(visit: &mut Visit, task: &Task, fact: &Fact) -> Vec<Arc> {
    match (fact, &task.kind) {
        (Fact::CaseTaken { case }, TaskKind::Switch(cases)) => {
            let taken = cases.iter().find(|known| known.name == *case);
            visit.chosen = taken.map(|taken| taken.then);
            vec![Arc::Case(case.clone())]
        }
        (Fact::TaskRetried { .. }, TaskKind::Try(_)) => {
            visit.failed = false;
            vec![Arc::Retry]
        }
        (Fact::EventConsumed { filter: Some(number), .. }, TaskKind::Listen(listen)) => {
            let is_end = *number >= listen.to.filters().len();
            visit.heard += usize::from(!is_end);
            let heard = arc::hears(task, listen).into_iter().filter(|(known, _)| known == number);
            // That another event was heard shows that those before were not enough.
            let before = (visit.heard > 1).then_some(Arc::Until(false));
            heard.map(|(_, what)| Arc::Hears(what)).chain(before).collect()
        }
        _ => Vec::new(),
    }
}

/// The `try` in whose body a task is, as one of its own tasks.
fn tried(plan: &Plan, task: &Task) -> Option<TaskId> {
    let parent = plan.task(task.parent?);
    let TaskKind::Try(tried) = &parent.kind else { return None };
    tried.body.contains(&task.id).then_some(parent.id)
}
