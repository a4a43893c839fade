//! What is known of the data at each task, for those who explain a definition.

use super::{Locals, State};
use crate::plan::TaskId;
use crate::shape::Shape;

/// What is known of a definition's data.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `$workflow.input`.
    pub input: Shape,
    /// The workflow's output.
    pub output: Shape,
    /// By task id; `None` for tasks that nothing leads to.
    tasks: Vec<Option<TaskFacts>>,
}

/// What is known at a task.
#[derive(Debug, Clone)]
pub struct TaskFacts {
    /// `.` before `input.from`: the output of the task before.
    pub raw: Shape,
    /// `.` and `$input` inside the task.
    pub input: Shape,
    /// `$context` when the task begins.
    pub context: Shape,
    /// The output, after `output.as`; `nothing` when the task never ends normally.
    pub output: Shape,
    /// `$context` afterwards, when it is another.
    pub exported: Option<Shape>,
    /// Variables of loops and catches around, without `$`.
    pub variables: Vec<(String, Shape)>,
}

impl Facts {
    /// What is known at a task; `None` when nothing leads to it.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&TaskFacts> {
        self.tasks.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    pub(super) fn new(input: Shape, output: Shape, visits: &[Option<Visit>]) -> Self {
        let one = |visit: &Visit| TaskFacts {
            raw: visit.entry.data.clone(),
            input: visit.input.clone(),
            context: visit.entry.context.clone(),
            output: visit.leave.data.clone(),
            exported: (visit.leave.context != visit.entry.context)
                .then(|| visit.leave.context.clone()),
            variables: visit.locals.clone(),
        };
        Self { input, output, tasks: visits.iter().map(|visit| visit.as_ref().map(one)).collect() }
    }
}

/// The last visit of a task, which knows most.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) entry: State,
    pub(super) locals: Locals,
    pub(super) input: Shape,
    /// Joined over all ways out.
    pub(super) leave: State,
}
