//! What runs around a task and inside a call: extensions, and functions of the definition.

use tenure_adapter::Problem;
use tenure_definition::plan::{Extension, Flow, Function};

use super::mover::Mover;
use crate::FrameId;
use crate::Json;
use crate::instance::{Activity, ExtendedPhase};

impl Mover<'_> {
    /// Runs the `before` of the extensions from `from` on, outermost first, then the task.
    pub(super) fn before(&mut self, id: FrameId, from: usize) {
        let plan = self.plan;
        let task = plan.task(self.frame(id).task);
        for (index, extension) in task.extensions.iter().enumerate().skip(from) {
            match self.applies(id, extension) {
                Err(problem) => return self.fail_frame(id, problem),
                Ok(false) => continue,
                Ok(true) => {}
            }
            self.frame_mut(id).extended.push(index);
            if !extension.before.is_empty() {
                let raw = self.frame(id).raw.clone();
                self.frame_mut(id).activity =
                    Activity::Extended { extension: index, phase: ExtendedPhase::Before };
                return self.enter_block(&extension.before, raw, Some(id), 0);
            }
        }
        self.frame_mut(id).activity = Activity::Do;
        self.proceed(id);
    }

    fn applies(&self, id: FrameId, extension: &Extension) -> Result<bool, Problem> {
        let Some(when) = &extension.when else { return Ok(true) };
        let frame = self.frame(id);
        let task = self.plan.task(frame.task);
        let scope = self.vars(frame.parent, frame.branch).task(task, &frame.raw, frame.started_at);
        when.holds(&frame.raw, &scope).map_err(|detail| {
            Problem::expression(format!("when of the extension {}: {detail}", extension.name))
        })
    }

    /// Runs the `after` of the extensions that applied, outermost last, then leaves the task. Its
    /// time-out was about the task alone.
    pub(super) fn after(&mut self, id: FrameId, output: Json, flow: Option<Flow>) {
        self.forget_attempt(id);
        if let Some(timer) = self.frame_mut(id).timeout.take() {
            self.forget_timer(timer);
        }
        let plan = self.plan;
        let task = plan.task(self.frame(id).task);
        while let Some(index) = self.frame_mut(id).extended.pop() {
            let Some(extension) = task.extensions.get(index) else { continue };
            if !extension.after.is_empty() {
                let phase = ExtendedPhase::After { output: output.clone(), flow };
                self.frame_mut(id).activity = Activity::Extended { extension: index, phase };
                return self.enter_block(&extension.after, output, Some(id), 0);
            }
        }
        self.frame_mut(id).activity = Activity::Do;
        self.leave(id, output, flow, None);
    }

    /// A `before` or an `after` came to its end; what it gave is dropped.
    pub(super) fn extension_over(&mut self, id: FrameId) {
        let activity = std::mem::replace(&mut self.frame_mut(id).activity, Activity::Do);
        let Activity::Extended { extension, phase } = activity else { return };
        match phase {
            ExtendedPhase::Before => self.before(id, extension + 1),
            ExtendedPhase::After { output, flow } => self.after(id, output, flow),
        }
    }

    /// Whether the `before` of an extension runs in this frame.
    pub(super) fn is_before(&self, id: FrameId) -> bool {
        matches!(self.frame(id).activity, Activity::Extended { phase: ExtendedPhase::Before, .. })
    }

    /// `exit` from a `before`: what it gave stands for what the task would have given. The task and
    /// the extension's own `after` are not run; those of extensions around it are.
    pub(super) fn bypass(&mut self, id: FrameId, output: Json) {
        let task = self.plan.task(self.frame(id).task);
        self.frame_mut(id).extended.pop();
        self.frame_mut(id).activity = Activity::Do;
        match self.take_input(id, task) {
            Ok(()) => self.complete(id, output, None, false),
            Err(problem) => self.fail_frame(id, problem),
        }
    }

    /// A call of a function of the definition: its task runs on `with`, with a `$context` that ends
    /// with it.
    pub(super) fn begin_function(
        &mut self,
        id: FrameId,
        function: &Function,
    ) -> Result<(), Problem> {
        let raw = self.eval(id, &function.with, "with")?;
        let (parent, branch) = (self.frame(id).parent, self.frame(id).branch);
        let context = self.context(parent, branch).clone();
        self.frame_mut(id).activity = Activity::Function { context };
        self.enter_block(&function.body, raw.into(), Some(id), 0);
        Ok(())
    }
}
