//! The data on its way through the plan: joined where ways meet, round and round until nothing
//! changes, widened when that takes long.

use std::collections::BTreeMap;

use super::facts::{Facts, Visit};
use super::{Checker, Locals, State, Ways};
use crate::plan::{Flow, TaskId};
use crate::shape::{Rest, Shape, schema};

/// Visits of a task in one block before what still changes becomes unknown.
const VISITS_MAX: u32 = 4;
/// Visits of a task in one block in all: widening has ended long before.
const VISITS_HARD_MAX: u32 = 40;

impl Checker<'_, '_> {
    /// Finds what holds everywhere, then looks at every task once more and tells.
    pub(super) fn follow(&mut self) -> Facts {
        let plan = self.plan;
        let none = Locals::new();
        if let Some(found) = &plan.input.schema {
            self.input = schema::shape(&found.source, Rest::Open);
        }
        let input = self.workflow_input();
        let first = State { data: input, context: Shape::record::<String>([]) };
        let out = self.block(&plan.body, &first, &none);
        self.end(out);
        let exhausted = self.is_spent();
        self.speaking = !exhausted;
        let mut output = Shape::any();
        if self.speaking {
            self.budget = super::STEPS_MAX;
            self.workflow_input();
            for task in &plan.tasks {
                let visit = self.visit(task.id).cloned();
                if let Some(visit) = visit {
                    drop(self.task(task.id, &visit.entry, &visit.locals));
                }
            }
            output = self.workflow_output();
        }
        let visits = if exhausted { Vec::new() } else { self.visits.clone() };
        Facts::new(self.input.clone(), output, &visits)
    }

    pub(super) fn visit(&self, id: TaskId) -> Option<&Visit> {
        self.visits.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    pub(super) fn remember(&mut self, id: TaskId, visit: Visit) {
        let slot = usize::try_from(id.0).ok().and_then(|at| self.visits.get_mut(at));
        if let Some(slot) = slot {
            *slot = Some(visit);
        }
    }

    /// One more way in which the workflow ends.
    pub(super) fn end(&mut self, state: Option<State>) {
        self.ends = match (self.ends.take(), state) {
            (Some(one), Some(two)) => Some(one.join(&two)),
            (one, two) => one.or(two),
        };
    }

    /// What holds at the end of a list of tasks; `None` when its end is never reached.
    pub(super) fn block(
        &mut self,
        block: &[TaskId],
        entry: &State,
        locals: &Locals,
    ) -> Option<State> {
        let Some(first) = block.first() else { return Some(entry.clone()) };
        let mut out: Option<State> = None;
        let mut known: BTreeMap<TaskId, State> = BTreeMap::from([(*first, entry.clone())]);
        let mut open = std::collections::BTreeSet::from([*first]);
        let mut visits: BTreeMap<TaskId, u32> = BTreeMap::new();
        while let Some(id) = open.pop_first() {
            if self.is_spent() {
                return Some(State::unknown());
            }
            let Some(state) = known.get(&id).cloned() else { continue };
            *visits.entry(id).or_insert(0) += 1;
            for (flow, state) in self.task(id, &state, locals) {
                let next = match flow {
                    Flow::Continue => self.plan.next_in_block(id),
                    Flow::Exit => None,
                    Flow::Task(next) => Some(next),
                    Flow::End => {
                        self.end(Some(state));
                        continue;
                    }
                };
                let Some(next) = next else {
                    out = Some(out.map_or_else(|| state.clone(), |out| out.join(&state)));
                    continue;
                };
                let count = visits.get(&next).copied().unwrap_or(0);
                let joined = match known.get(&next) {
                    None => state,
                    Some(old) if count >= VISITS_MAX => old.widen(&old.join(&state)),
                    Some(old) => old.join(&state),
                };
                if known.get(&next) != Some(&joined) && count < VISITS_HARD_MAX {
                    known.insert(next, joined);
                    open.insert(next);
                }
            }
        }
        out
    }

    /// The block inside a task: sought while the fixed point is, afterwards remembered.
    pub(super) fn inner(
        &mut self,
        id: TaskId,
        which: usize,
        block: &[TaskId],
        entry: &State,
        locals: &Locals,
    ) -> Option<State> {
        if self.speaking {
            return self.bodies.get(&(id, which)).cloned().flatten();
        }
        let out = self.block(block, entry, locals);
        self.bodies.insert((id, which), out.clone());
        out
    }

    /// A branch of a fork, which is a single task.
    pub(super) fn branch(
        &mut self,
        id: TaskId,
        which: usize,
        branch: TaskId,
        entry: &State,
        locals: &Locals,
    ) -> Option<State> {
        self.inner(id, which, &[branch], entry, locals)
    }
}

/// All ways out as one.
pub(super) fn joined(ways: &Ways) -> State {
    let none = State { data: Shape::never(), context: Shape::never() };
    ways.iter().fold(none, |all, (_, state)| all.join(state))
}
