//! Entering tasks, leaving them, and the end of scopes.

use serde_json::{Map, Value};
use tenure_adapter::Problem;
use tenure_definition::plan::{Flow, For, RunWorkflow, TaskKind};
use tenure_definition::template::Template;
use tenure_definition::time::Duration;
use tenure_definition::{Task, TaskId};

use super::mover::{Mover, Work};
use crate::Json;
use crate::bucket::Bucket;
use crate::instance::{Activity, Frame, TryPhase};
use crate::limit::{JSON_DEPTH_MAX, TASKS_PER_STEP_MAX};
use crate::outside::is_deeper_than;
use crate::{ChildStart, CloudEvent, Command, Fact, FrameId, InstanceId, Status, key};

impl Mover<'_> {
    /// Works until every active task waits for something, or the instance has ended.
    pub(super) fn run(&mut self) {
        while let Some(work) = self.work.pop() {
            match work {
                Work::Enter { task, raw, parent, branch } if self.has(parent) => {
                    self.enter(task, raw, parent, branch);
                }
                Work::Finish { frame, output, flow } if self.has(Some(frame)) => {
                    self.finish(frame, output, flow);
                }
                Work::Follow { task, parent, branch, output, flow } if self.has(parent) => {
                    self.follow(task, parent, branch, output, flow);
                }
                Work::ScopeEnd { parent, branch, output } if self.has(parent) => {
                    self.scope_end(parent, branch, output);
                }
                Work::Fail { parent, branch, error } if self.has(parent) => {
                    self.fail(parent, branch, error);
                }
                // What it was about has been cancelled meanwhile.
                Work::Enter { .. }
                | Work::Finish { .. }
                | Work::Follow { .. }
                | Work::ScopeEnd { .. }
                | Work::Fail { .. } => {}
            }
        }
    }

    /// The instance begins.
    pub(super) fn begin(&mut self) {
        self.instance.status = Status::Live;
        self.note(None, Fact::InstanceStarted);
        // Counted from the start: who stands in line for ever must not be silent about it.
        if let Err(problem) = self.set_workflow_timeout() {
            return self.end_faulted(problem);
        }
        match self.lock_instance() {
            Err(problem) => self.end_faulted(problem),
            // The rest waits for the lock.
            Ok(true) => {}
            Ok(false) => self.begin_body(),
        }
    }

    /// The instance runs: it needs no lock, or holds it.
    pub(super) fn begin_body(&mut self) {
        self.context_changed = true;
        let plan = self.plan;
        let raw = self.instance.input.clone();
        let input = match &plan.input.from {
            None => Ok(raw),
            Some(from) => from.eval(&raw, &self.vars(None, 0).input(&raw)).map(Json::from),
        };
        match input {
            Err(detail) => {
                let mut problem = Problem::expression(format!("input.from: {detail}"));
                problem.instance = Some("/input".to_owned());
                self.end_faulted(problem);
            }
            Ok(input) => self.enter_block(&plan.body, input, None, 0),
        }
    }

    fn set_workflow_timeout(&mut self) -> Result<(), Problem> {
        let plan = self.plan;
        if let Some(timeout) = &plan.timeout {
            let due = self.workflow_instant(timeout, "timeout")?;
            self.instance.timeout = Some(self.set_timer(due));
        }
        if let Some(expect) = &plan.extensions.expect {
            let due = self.workflow_instant(expect, "expect")?;
            self.instance.late = Some(self.set_timer(due));
        }
        Ok(())
    }

    fn workflow_instant(&self, after: &Duration, what: &str) -> Result<jiff::Timestamp, Problem> {
        let zone = &self.plan.extensions.zone;
        let input = &self.instance.input;
        after
            .after(self.at, zone, input, &self.vars(None, 0).input(input))
            .map_err(|detail| Problem::expression(format!("{what}: {detail}")))
    }

    pub(super) fn enter_block(
        &mut self,
        block: &[TaskId],
        raw: Json,
        parent: Option<FrameId>,
        branch: u32,
    ) {
        match block.first() {
            Some(&task) => self.push(Work::Enter { task, raw, parent, branch }),
            None => self.push(Work::ScopeEnd { parent, branch, output: raw }),
        }
    }

    fn enter(&mut self, id: TaskId, raw: Json, parent: Option<FrameId>, branch: u32) {
        self.entered += 1;
        if self.entered > TASKS_PER_STEP_MAX {
            let mut problem = Problem::runtime(format!(
                "more than {TASKS_PER_STEP_MAX} tasks ran without a wait, a call or an event: add one to the loop"
            ));
            problem.instance = Some(self.plan.task(id).pointer.clone());
            return self.end_faulted(problem);
        }
        let task = self.plan.task(id);
        self.mark_resume(parent, id, &raw);
        let scope = self.vars(parent, branch).task(task, &raw, self.at);
        match task.condition.as_ref().map_or(Ok(true), |condition| condition.holds(&raw, &scope)) {
            Err(detail) => {
                return self.fail_entry(
                    task,
                    parent,
                    branch,
                    Problem::expression(format!("if: {detail}")),
                );
            }
            Ok(false) => {
                self.note(Some(id), Fact::TaskSkipped);
                return self.push(Work::Follow {
                    task: id,
                    parent,
                    branch,
                    output: raw,
                    flow: task.then,
                });
            }
            Ok(true) => {}
        }
        self.note(Some(id), Fact::TaskStarted);
        let frame = FrameId(self.number());
        self.instance.frames.insert(
            frame,
            Frame {
                task: id,
                parent,
                branch,
                raw,
                input: None,
                started_at: self.at,
                timeout: None,
                late: None,
                lock: None,
                extended: Vec::new(),
                activity: Activity::Do,
            },
        );
        self.before(frame, 0);
    }

    /// Begins what the task itself does, once what comes before it is over.
    pub(super) fn proceed(&mut self, frame: FrameId) {
        let task = self.plan.task(self.frame(frame).task);
        let begun = self
            .take_input(frame, task)
            .and_then(|()| self.set_task_timers(frame, task))
            .and_then(|()| self.lock_or_act(frame, task));
        if let Err(problem) = begun {
            self.fail_frame(frame, problem);
        }
    }

    /// Checks and transforms the raw input of a task.
    pub(super) fn take_input(&mut self, id: FrameId, task: &Task) -> Result<(), Problem> {
        let frame = self.frame(id);
        let input = self.task_input(task, &frame.raw, frame.parent, frame.branch)?;
        self.frame_mut(id).input = input;
        Ok(())
    }

    /// A task failed before it had a frame.
    fn fail_entry(
        &mut self,
        task: &Task,
        parent: Option<FrameId>,
        branch: u32,
        mut error: Problem,
    ) {
        error.instance.get_or_insert_with(|| task.pointer.clone());
        self.note(Some(task.id), Fact::TaskFaulted { error: error.clone() });
        self.push(Work::Fail { parent, branch, error });
    }

    fn task_input(
        &self,
        task: &Task,
        raw: &Json,
        parent: Option<FrameId>,
        branch: u32,
    ) -> Result<Option<Json>, Problem> {
        if let Some(schema) = &task.input.schema {
            schema.check(raw).map_err(|found| Problem::validation(sentence("input", &found)))?;
        }
        let Some(from) = &task.input.from else { return Ok(None) };
        let scope = self.vars(parent, branch).task(task, raw, self.at).input(raw);
        let input = from
            .eval(raw, &scope)
            .map_err(|detail| Problem::expression(format!("input.from: {detail}")))?;
        storable(input, "input.from").map(|input| Some(input.into()))
    }

    fn set_task_timers(&mut self, frame: FrameId, task: &Task) -> Result<(), Problem> {
        if let Some(timeout) = &task.timeout {
            let due = self.instant(frame, timeout, "timeout")?;
            let timer = self.set_timer(due);
            self.frame_mut(frame).timeout = Some(timer);
        }
        if let Some(expect) = &task.expect {
            let due = self.instant(frame, expect, "expect")?;
            let timer = self.set_timer(due);
            self.frame_mut(frame).late = Some(timer);
        }
        Ok(())
    }

    /// The instant a duration after now, evaluated inside a frame.
    pub(super) fn instant(
        &self,
        frame: FrameId,
        duration: &Duration,
        what: &str,
    ) -> Result<jiff::Timestamp, Problem> {
        let zone = &self.plan.extensions.zone;
        duration
            .after(self.at, zone, self.frame(frame).input(), &self.frame_vars(frame))
            .map_err(|detail| Problem::expression(format!("{what}: {detail}")))
    }

    pub(super) fn eval(
        &self,
        frame: FrameId,
        template: &Template,
        what: &str,
    ) -> Result<Value, Problem> {
        let value = template
            .eval(self.frame(frame).input(), &self.frame_vars(frame))
            .map_err(|detail| Problem::expression(format!("{what}: {detail}")))?;
        storable(value, what)
    }

    /// Starts what a task does. Tasks that need no waiting end at once.
    pub(super) fn act(&mut self, frame: FrameId, task: &Task) -> Result<(), Problem> {
        let input = self.frame(frame).input().clone();
        match &task.kind {
            TaskKind::Call(call) => self.begin_call(frame, call)?,
            TaskKind::Function(function) => self.begin_function(frame, function)?,
            TaskKind::Compensate => self.begin_compensation(frame)?,
            TaskKind::Rethrow => return Err(self.caught(frame)),
            TaskKind::Do(block) => self.enter_block(block, input, Some(frame), 0),
            TaskKind::Emit(event) => self.emit(frame, event)?,
            TaskKind::For(spec) => self.begin_for(frame, spec)?,
            TaskKind::Fork(fork) => self.begin_fork(frame, &fork.branches, &input),
            TaskKind::Listen(listen) => self.begin_listen(frame, listen)?,
            TaskKind::Human(human) => self.begin_human(frame, human)?,
            TaskKind::Raise(error) => return Err(self.raised(frame, error)?),
            TaskKind::Run(spec) => self.begin_child(frame, spec)?,
            TaskKind::Set(value) => {
                let output = self.eval(frame, value, "set")?;
                self.push(Work::Finish { frame, output: output.into(), flow: None });
            }
            TaskKind::Switch(cases) => {
                let mut flow = None;
                for case in cases {
                    let holds = case
                        .when
                        .as_ref()
                        .map_or(Ok(true), |when| when.holds(&input, &self.frame_vars(frame)));
                    if holds.map_err(|d| Problem::expression(format!("{}.when: {d}", case.name)))? {
                        flow = Some(case.then);
                        self.note(Some(task.id), Fact::CaseTaken { case: case.name.clone() });
                        break;
                    }
                }
                self.push(Work::Finish { frame, output: input, flow });
            }
            TaskKind::Try(spec) => {
                let phase = TryPhase::Body { timer: None };
                self.frame_mut(frame).activity =
                    Activity::Try { retries: 0, first_at: self.at, phase };
                self.set_attempt_timer(frame, spec)?;
                self.enter_block(&spec.body, input, Some(frame), 0);
            }
            TaskKind::Wait(duration) => {
                let due = self.instant(frame, duration, "wait")?;
                let timer = self.set_timer(due);
                self.note(Some(task.id), Fact::TimerSet { due });
                self.frame_mut(frame).activity = Activity::Wait { timer };
            }
        }
        Ok(())
    }

    fn emit(&mut self, frame: FrameId, template: &Template) -> Result<(), Problem> {
        let Value::Object(mut map) = self.eval(frame, template, "emit")? else {
            return Err(Problem::configuration("emit.event.with must be an object"));
        };
        let (task, parent) = (self.frame(frame).task, self.frame(frame).parent);
        let position = self.position(task, parent);
        let visit = self.visit(parent, &position);
        let identity = &self.instance.identity;
        // What an expression has no value for is an attribute the event does not have.
        map.retain(|name, value| name == "data" || !value.is_null());
        map.insert("specversion".to_owned(), Value::from("1.0"));
        // Derived, so that a repeated step publishes the same event and the inbox drops the copy.
        map.entry("id").or_insert_with(|| {
            Value::from(
                key::effect_key(identity, &format!("emit:{position}"), visit, 0).to_string(),
            )
        });
        map.entry("source").or_insert_with(|| Value::from(identity.event_source()));
        map.entry("time").or_insert_with(|| Value::from(self.at.to_string()));
        let output = Value::Object(map);
        let event: CloudEvent = serde_json::from_value(output.clone())
            .map_err(|error| Problem::configuration(format!("emit.event.with: {error}")))?;
        event
            .check()
            .and_then(|()| event.check_types())
            .map_err(|detail| Problem::configuration(format!("emit.event.with: {detail}")))?;
        self.note(Some(task), Fact::EventEmitted { event: event.clone() });
        self.commands.push(Command::Emit { event });
        self.push(Work::Finish { frame, output: output.into(), flow: None });
        Ok(())
    }

    fn begin_for(&mut self, frame: FrameId, spec: &For) -> Result<(), Problem> {
        let items = match self.eval(frame, &spec.items, "for.in")? {
            Value::Array(items) => items,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {
                return Err(Problem::expression("for.in must give an array"));
            }
        };
        let (task, parent) = (self.frame(frame).task, self.frame(frame).parent);
        let position = self.position(task, parent);
        let round = self.visit(parent, &position);
        let visits = std::collections::BTreeMap::new();
        self.frame_mut(frame).activity = Activity::For { items, index: 0, round, visits };
        let value = self.frame(frame).input().clone();
        self.turn(frame, spec, value)
    }

    /// Begins the current turn of a loop with `value`, or ends the loop with it.
    fn turn(&mut self, frame: FrameId, spec: &For, value: Json) -> Result<(), Problem> {
        let Activity::For { items, index, .. } = &self.frame(frame).activity else {
            return Err(Problem::runtime("a loop lost its place"));
        };
        let more = *index < items.len();
        let goes_on = more
            && spec
                .condition
                .as_ref()
                .map_or(Ok(true), |condition| {
                    condition.holds(&value, &self.vars(Some(frame), 0).input(&value))
                })
                .map_err(|detail| Problem::expression(format!("while: {detail}")))?;
        if goes_on && !spec.body.is_empty() {
            self.enter_block(&spec.body, value, Some(frame), 0);
        } else {
            self.push(Work::Finish { frame, output: value, flow: None });
        }
        Ok(())
    }

    fn begin_fork(&mut self, frame: FrameId, branches: &[TaskId], input: &Json) {
        let (parent, branch) = (self.frame(frame).parent, self.frame(frame).branch);
        let context = self.context(parent, branch).clone();
        self.frame_mut(frame).activity = Activity::Fork {
            outputs: vec![None; branches.len()],
            contexts: vec![context; branches.len()],
            error: None,
        };
        if branches.is_empty() {
            let output = Value::Array(Vec::new()).into();
            return self.push(Work::Finish { frame, output, flow: None });
        }
        // Newest first out: pushed in reverse, they begin in declared order.
        for (branch, task) in (0..).zip(branches).collect::<Vec<_>>().into_iter().rev() {
            self.push(Work::Enter { task: *task, raw: input.clone(), parent: Some(frame), branch });
        }
    }

    fn begin_child(&mut self, frame: FrameId, spec: &RunWorkflow) -> Result<(), Problem> {
        let input = self.eval(frame, &spec.input, "run.workflow.input")?;
        let (task, parent) = (self.frame(frame).task, self.frame(frame).parent);
        let position = self.position(task, parent);
        let visit = self.visit(parent, &position);
        let identity = &self.instance.identity;
        // Children inherit the bucket, so parent and child always have one owner.
        let bucket: Bucket = self.instance.id.bucket();
        let child =
            InstanceId::new(bucket, self.at, key::child_entropy(identity, &position, visit));
        let start_key = key::effect_key(identity, &format!("child:{position}"), visit, 0);
        self.note(Some(task), Fact::ChildStarted { child, definition: spec.name.clone() });
        self.commands.push(Command::StartChild(ChildStart {
            id: child,
            namespace: spec.namespace.clone(),
            name: spec.name.clone(),
            version: spec.version.clone(),
            input,
            start_key: start_key.to_string(),
            awaits: spec.wait,
            held_above: if spec.wait { self.held_around(parent) } else { Vec::new() },
        }));
        if spec.wait {
            self.frame_mut(frame).activity = Activity::Child { child };
        } else {
            let output = self.frame(frame).input().clone();
            self.push(Work::Finish { frame, output, flow: None });
        }
        Ok(())
    }

    /// A task has its raw output: transform, check, export, leave.
    fn finish(&mut self, id: FrameId, output: Json, flow: Option<Flow>) {
        self.complete(id, output, flow, true);
    }

    /// The same; what was not `done` (a service that is mocked) is not registered to be undone.
    pub(super) fn complete(&mut self, id: FrameId, output: Json, flow: Option<Flow>, done: bool) {
        let undoable = done && self.plan.task(self.frame(id).task).compensate.is_some();
        let raw = undoable.then(|| output.clone());
        let finished = self.task_output(id, output).and_then(|(output, context)| {
            if done {
                self.register(id, &output)?;
            }
            Ok((output, context))
        });
        match finished {
            Err(problem) => {
                // Its output does not fit, but it was done.
                let problem = match raw.map(|raw| self.register(id, &raw)) {
                    Some(Err(worse)) => worse,
                    Some(Ok(())) | None => problem,
                };
                self.fail_frame(id, problem);
            }
            Ok((output, context)) if self.frame(id).extended.is_empty() => {
                self.leave(id, output, flow, context);
            }
            Ok((output, context)) => {
                self.export(id, context);
                self.after(id, output, flow);
            }
        }
    }

    /// Replaces `$context` by what a task exports.
    fn export(&mut self, id: FrameId, context: Option<Json>) {
        let Some(context) = context else { return };
        let (task, parent, branch) =
            (self.frame(id).task, self.frame(id).parent, self.frame(id).branch);
        self.note(Some(task), Fact::ContextExported { context: context.clone() });
        self.set_context(parent, branch, context);
    }

    /// A task is over, with all that extends it.
    pub(super) fn leave(
        &mut self,
        id: FrameId,
        output: Json,
        flow: Option<Flow>,
        context: Option<Json>,
    ) {
        self.forget_attempt(id);
        let task = self.plan.task(self.frame(id).task);
        self.note(Some(task.id), Fact::TaskCompleted { output: output.clone() });
        self.export(id, context);
        let frame = self.drop_frame(id);
        self.push(Work::Follow {
            task: task.id,
            parent: frame.parent,
            branch: frame.branch,
            output,
            flow: flow.unwrap_or(task.then),
        });
    }

    /// The clock of one run of a `try`'s body stops with the `try`.
    pub(super) fn forget_attempt(&mut self, id: FrameId) {
        if let Activity::Try { phase: TryPhase::Body { timer: Some(timer) }, .. } =
            self.frame(id).activity
        {
            self.forget_timer(timer);
        }
    }

    /// `output.as`, `output.schema`, `export.as`, `export.schema`, in that order.
    pub(super) fn task_output(
        &self,
        id: FrameId,
        raw: Json,
    ) -> Result<(Json, Option<Json>), Problem> {
        let task = self.plan.task(self.frame(id).task);
        // `$task.output` in `export.as` is the raw output, which is gone by then if nobody asks.
        let kept = task.export.transform.is_some().then(|| raw.clone());
        let output = match &task.output.transform {
            None => raw,
            Some(transform) => transform
                .eval(&raw, &self.frame_vars(id).output(&raw).raw_output(&raw))
                .map_err(|detail| Problem::expression(format!("output.as: {detail}")))?
                .into(),
        };
        if let Some(schema) = &task.output.schema {
            schema
                .check(&output)
                .map_err(|found| Problem::validation(sentence("output", &found)))?;
        }
        check_depth(&output, "the output")?;
        let Some(transform) = &task.export.transform else { return Ok((output, None)) };
        let context = transform
            .eval(
                &output,
                &self.frame_vars(id).output(&output).raw_output(kept.as_ref().unwrap_or(&output)),
            )
            .map_err(|detail| Problem::expression(format!("export.as: {detail}")))?;
        if let Some(schema) = &task.export.schema {
            schema
                .check(&context)
                .map_err(|found| Problem::validation(sentence("export", &found)))?;
        }
        Ok((output, Some(storable(context, "export.as")?.into())))
    }

    fn follow(
        &mut self,
        task: TaskId,
        parent: Option<FrameId>,
        branch: u32,
        output: Json,
        flow: Flow,
    ) {
        let next = match flow {
            Flow::Continue => self.plan.next_in_block(task),
            Flow::Exit => match parent.filter(|id| self.is_before(*id)) {
                Some(id) => return self.bypass(id, output),
                None => None,
            },
            Flow::Task(next) => Some(next),
            Flow::End => {
                // Undoing goes on with the next: `end` ends only what undoes this one.
                if let Some(undoing) = self.undoing_around(parent) {
                    self.cancel_below(undoing);
                    return self.undone(undoing);
                }
                self.leave_ancestors(parent);
                return self.end_workflow(output);
            }
        };
        match next {
            Some(task) => self.push(Work::Enter { task, raw: output, parent, branch }),
            None => self.push(Work::ScopeEnd { parent, branch, output }),
        }
    }

    /// `end` from inside: the tasks around it end with it and are not cancelled; what runs beside
    /// them is.
    fn leave_ancestors(&mut self, parent: Option<FrameId>) {
        let mut next = parent;
        while let Some(id) = next {
            self.cancel_below(id);
            let frame = self.drop_frame(id);
            next = frame.parent;
            self.release(frame);
        }
    }

    fn scope_end(&mut self, parent: Option<FrameId>, branch: u32, output: Json) {
        let Some(id) = parent else { return self.end_workflow(output) };
        let plan = self.plan;
        let task = plan.task(self.frame(id).task);
        match (&mut self.frame_mut(id).activity, &task.kind) {
            (Activity::Extended { .. }, _) => self.extension_over(id),
            (Activity::Compensating { .. }, _) => self.undone(id),
            (Activity::For { index, visits, .. }, TaskKind::For(spec)) => {
                *index += 1;
                visits.clear();
                if let Err(problem) = self.turn(id, spec, output) {
                    self.fail_frame(id, problem);
                }
            }
            (Activity::Listen { .. }, TaskKind::Listen(listen)) => {
                self.turn_ended(id, listen, output);
            }
            (Activity::Fork { .. }, TaskKind::Fork(fork)) => {
                self.branch_end(id, branch, output, fork.compete);
            }
            (Activity::Try { phase: TryPhase::Handler { .. }, .. }, TaskKind::Try(spec)) => {
                self.push(Work::Finish { frame: id, output, flow: spec.then });
            }
            _ => self.push(Work::Finish { frame: id, output, flow: None }),
        }
    }

    fn branch_end(&mut self, id: FrameId, branch: u32, output: Json, compete: bool) {
        let (parent, own_branch) = (self.frame(id).parent, self.frame(id).branch);
        let base = self.context(parent, own_branch).clone();
        let Activity::Fork { outputs, contexts, .. } = &mut self.frame_mut(id).activity else {
            return;
        };
        if compete {
            let context = contexts.get(branch as usize).cloned().unwrap_or(base);
            self.cancel_below(id);
            self.set_context(parent, own_branch, context);
            return self.push(Work::Finish { frame: id, output, flow: None });
        }
        if let Some(slot) = outputs.get_mut(branch as usize) {
            *slot = Some(output);
        }
        if outputs.iter().all(Option::is_some) {
            let outputs = outputs.iter_mut().filter_map(Option::take).map(Json::into_value);
            let output = Json::from(Value::Array(outputs.collect()));
            let merged = merge(&base, contexts);
            self.set_context(parent, own_branch, merged);
            self.push(Work::Finish { frame: id, output, flow: None });
        }
    }

    /// The workflow's own output, and the end.
    fn end_workflow(&mut self, output: Json) {
        let plan = self.plan;
        let transformed = match &plan.output.transform {
            None => Ok(output),
            Some(transform) => transform
                .eval(&output, &self.vars(None, 0).output(&output))
                .map_err(|detail| Problem::expression(format!("output.as: {detail}")))
                .map(Json::from),
        };
        let checked = transformed.and_then(|output| match &plan.output.schema {
            None => Ok(output),
            Some(schema) => match schema.check(&output) {
                Ok(()) => Ok(output),
                Err(found) => Err(Problem::validation(sentence("output", &found))),
            },
        });
        match checked {
            Ok(output) => self.end_completed(output),
            Err(mut problem) => {
                problem.instance = Some("/output".to_owned());
                self.end_faulted(problem);
            }
        }
    }
}

/// Contexts of branches, merged in declared order: what a branch changed replaces what was there.
fn merge(base: &Json, branches: &[Json]) -> Json {
    let mut merged = base.to_value();
    for branch in branches.iter().filter(|branch| *branch != base) {
        match (&mut merged, &**branch) {
            (Value::Object(into), Value::Object(from)) => {
                let unchanged = |name: &String, value: &Value| base.get(name) == Some(value);
                let changed: Map<String, Value> = from
                    .iter()
                    .filter(|(name, value)| !unchanged(name, value))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                into.extend(changed);
                if let Value::Object(base) = &**base {
                    for gone in base.keys().filter(|name| !from.contains_key(*name)) {
                        into.remove(gone);
                    }
                }
            }
            (into, from) => *into = from.clone(),
        }
    }
    merged.into()
}

/// What is kept must be readable again: every level of nesting is one of its readers' stack.
fn storable(value: Value, what: &str) -> Result<Value, Problem> {
    check_depth(&value, what).map(|()| value)
}

fn check_depth(value: &Value, what: &str) -> Result<(), Problem> {
    if is_deeper_than(value, JSON_DEPTH_MAX) {
        let words = format!("{what}: the value is nested deeper than {JSON_DEPTH_MAX}");
        return Err(Problem::expression(words));
    }
    Ok(())
}

/// The first violation in words.
pub(super) fn sentence(what: &str, found: &[tenure_definition::schema::Violation]) -> String {
    found.first().map_or_else(
        || format!("the {what} does not fit its schema"),
        |first| {
            let pointer = if first.pointer.is_empty() { "/" } else { &first.pointer };
            format!("the {what} does not fit its schema: {pointer}: {}", first.message)
        },
    )
}
