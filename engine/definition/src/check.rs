//! What can be told of a definition before it runs, beyond names and types.
//!
//! The checks run on the compiled plan and, for exact places, on the tree of the text. `flow`
//! follows the data through the plan by shapes until nothing changes; `task` says what each kind
//! of task does to them; the other modules look for one family of mistakes each. Errors are what
//! is certain, the rest are warnings, which `silence` lets an author turn off with a reason.

use std::collections::BTreeMap;
use std::rc::Rc;

use jaq_core::load::parse::Term;

use crate::Plan;
use crate::diagnostic::Report;
use crate::plan::{Flow, TaskId};
use crate::read::Node;
use crate::shape::Shape;
use crate::source::Lines;

mod condition;
mod effect;
mod facts;
mod field;
mod flow;
mod recovery;
mod round;
mod secret;
mod silence;
mod task;
mod template;
mod unused;
mod wait;

pub use facts::{Facts, TaskFacts};
pub(crate) use silence::silence;

/// Steps that all expressions of a definition together may take on shapes, all rounds counted, and
/// all visits of tasks and turns of loops. Beyond them everything is unknown, and nothing is said of
/// the data.
const STEPS_MAX: u32 = 150_000;
/// Steps of one visit or turn: it makes all the variables that expressions see there.
const VISIT_STEPS: u32 = 8;
/// Weight of what holds at a task that costs one more step.
const WEIGHT_PER_STEP: u32 = 16;
/// Values written in a definition that cost one step to read.
const VALUES_PER_STEP: u32 = 16;

/// Checks a plan, and tells what is known of its data.
pub(crate) fn check(plan: &Plan, root: &Node, lines: &Lines<'_>, report: &mut Report) -> Facts {
    let mut checker = Checker::new(plan, root, lines, report);
    let facts = checker.follow();
    checker.rounds();
    checker.effects();
    checker.recoveries();
    checker.waits();
    checker.conditions();
    checker.unused();
    checker.secrets();
    facts
}

/// What holds when a task is entered, or left.
#[derive(Debug, Clone, PartialEq)]
struct State {
    /// The raw input, or the output.
    data: Shape,
    /// `$context`.
    context: Shape,
}

impl State {
    fn unknown() -> Self {
        Self { data: Shape::any(), context: Shape::any() }
    }

    fn join(&self, other: &Self) -> Self {
        Self { data: self.data.join(&other.data), context: self.context.join(&other.context) }
    }

    fn widen(&self, next: &Self) -> Self {
        Self { data: self.data.widen(&next.data), context: self.context.widen(&next.context) }
    }
}

/// Variables of loops and catches around a place, without `$`.
type Locals = Vec<(String, Shape)>;
/// A syntax tree, by the place of its text in memory.
type Terms<'n> = BTreeMap<(usize, usize), Option<Rc<Term<&'n str>>>>;

struct Checker<'n, 'c> {
    plan: &'c Plan,
    root: &'n Node,
    lines: &'c Lines<'c>,
    report: &'c mut Report,
    budget: u32,
    #[cfg(test)]
    paid: u32,
    terms: Terms<'n>,
    /// The fixed point is found: findings may be told.
    speaking: bool,
    visits: Vec<Option<facts::Visit>>,
    /// How blocks inside tasks end, as last found.
    bodies: BTreeMap<(TaskId, usize), Option<State>>,
    /// For each `try` around: what `$context` may be when something fails.
    caught: Vec<Shape>,
    /// How the workflow can end.
    ends: Option<State>,
    /// `$workflow.input`.
    input: Shape,
}

/// The ways out of a task, each with what holds there.
type Ways = Vec<(Flow, State)>;

impl<'n, 'c> Checker<'n, 'c> {
    fn new(plan: &'c Plan, root: &'n Node, lines: &'c Lines<'c>, report: &'c mut Report) -> Self {
        Self {
            plan,
            root,
            lines,
            report,
            budget: STEPS_MAX,
            #[cfg(test)]
            paid: 0,
            terms: BTreeMap::new(),
            speaking: false,
            visits: vec![None; plan.tasks.len()],
            bodies: BTreeMap::new(),
            caught: Vec::new(),
            ends: None,
            input: Shape::any(),
        }
    }
}

impl<'n> Checker<'n, '_> {
    /// Pays for one visit of a task, or one turn of a loop. False when there is nothing left to pay
    /// with: then nothing more is followed.
    fn pay(&mut self, state: &State) -> bool {
        #[cfg(test)]
        {
            self.paid += 1;
        }
        let weight = state.data.weight().saturating_add(state.context.weight());
        self.budget = self.budget.saturating_sub(VISIT_STEPS + weight / WEIGHT_PER_STEP);
        !self.is_spent()
    }

    /// Whether the budget is used up.
    fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// The node of a task.
    fn node(&self, id: TaskId) -> Option<&'n Node> {
        self.root.at_pointer(&self.plan.task(id).pointer)
    }

    /// The entry of `use` that a text names.
    fn used(&self, section: &str, node: &'n Node) -> Option<&'n Node> {
        let name = node.text()?;
        Some(&self.root.get("use")?.node.get(section)?.node.get(name)?.node)
    }
}

#[cfg(test)]
mod tests;
