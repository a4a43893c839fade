//! What each kind of task does to the data.

use std::collections::BTreeMap;

use tenure_adapter::contract::LANGUAGE_CALLS;

use super::facts::Visit;
use super::flow::joined;
use super::template::{At, Goes};
use super::wait::ATTRIBUTES;
use super::{Checker, Locals, State, Ways};
use crate::plan::{Call, Case, Flow, For, Fork, Listen, Read, Strategy, TaskId, TaskKind, Try};
use crate::read::{Node, Yaml};
use crate::shape::jq::Env;
use crate::shape::{Field, Rest, Shape, fit, schema};

/// Turns of a loop before what still changes becomes unknown.
const TURNS_MAX: u32 = 3;
/// Turns of a loop in all: widening has ended long before.
const TURNS_HARD_MAX: u32 = 40;
/// Repetitions of a retried body before its `$context` becomes unknown.
const ATTEMPTS_MAX: u32 = 2;
/// Where the state at the head of a loop, or what a `catch` sees, is remembered.
const HEAD: usize = usize::MAX;
/// Which block of a task undoes it; further ones belong to extensions.
const UNDO: usize = 1_000_000;
const BESIDE: usize = UNDO + 1;

/// How a task's work ends: with this output and context, going on as its `then` says or elsewhere.
struct Done {
    flow: Option<Flow>,
    state: State,
}

impl<'n> Checker<'n, '_> {
    /// Enters a task with what holds there, and gives the ways out.
    pub(super) fn task(&mut self, id: TaskId, entry: &State, locals: &Locals) -> Ways {
        let plan = self.plan;
        let task = plan.task(id);
        let Some(node) = self.node(id) else { return Ways::new() };
        if !self.pay(entry) {
            return Ways::new();
        }
        let asked = entry;
        // What the extensions before it export is there already.
        let extended = (!task.extensions.is_empty())
            .then(|| State { data: entry.data.clone(), context: Shape::any() });
        let entry = extended.as_ref().unwrap_or(entry);
        let mut ways = Ways::new();
        let outside = self.at(Some(id), &entry.data, &entry.context, locals);
        let mut runs = true;
        if let Some(condition) = node.get("if") {
            let holds = self.expression(&condition.node, &outside);
            runs = holds.may_hold();
            if holds.may_fail() {
                ways.push((task.then, entry.clone()));
            }
        }
        let mut input = entry.data.clone();
        if let Some(wanted) = &task.input.schema {
            let place = field(node, &["input", "schema"]).unwrap_or(node);
            input =
                self.checked(&input, &schema::shape(&wanted.source, Rest::Open), place, "input");
        }
        if let Some(from) = field(node, &["input", "from"]) {
            let mut at = self.at(Some(id), &input, &entry.context, locals);
            at.env.vars.push(("secrets".to_owned(), self.secret_shapes()));
            input = self.transform(from, &at);
        }
        if runs {
            let inside = State { data: input.clone(), context: entry.context.clone() };
            let at = self.inside(id, entry, &inside, locals);
            if let Some(timeout) = node.get("timeout") {
                self.timeout(&timeout.node, &at);
            }
            let done = self.work(id, node, &inside, locals, &at);
            ways.extend(self.leave(id, node, done, &at));
            self.undo(id, &ways);
        }
        self.beside(id, entry, locals, &mut ways);
        let leave = joined(&ways);
        let visit = Visit { entry: asked.clone(), locals: locals.clone(), input, leave };
        self.remember(id, visit);
        ways
    }

    /// Variables at a place, with `.` being `data`.
    pub(super) fn at(
        &self,
        task: Option<TaskId>,
        data: &Shape,
        context: &Shape,
        locals: &Locals,
    ) -> At {
        let moment = || Shape::record([("iso8601", Shape::text()), ("epoch", epoch())]);
        let workflow = Shape::object(
            [
                ("id", Shape::text()),
                ("definition", Shape::any()),
                ("input", self.input.clone()),
                ("startedAt", moment()),
            ]
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), Field { shape, required: true }))
            .collect(),
            Rest::Open,
        );
        let mut vars = vec![
            ("context".to_owned(), context.clone()),
            ("workflow".to_owned(), workflow),
            ("runtime".to_owned(), Shape::any_object()),
            ("authorization".to_owned(), Shape::any()),
        ];
        if task.is_some() {
            let known = [("name", Shape::text()), ("input", data.clone()), ("startedAt", moment())];
            let known = known
                .into_iter()
                .map(|(name, shape)| (name.to_owned(), Field { shape, required: true }));
            vars.push(("task".to_owned(), Shape::object(known.collect(), Rest::Open)));
        }
        vars.extend(locals.iter().cloned());
        let env = Env { dot: data.clone(), path: Some(".".to_owned()), vars };
        At { env, task, goes: Goes::Nowhere }
    }

    /// The same once the input is transformed.
    fn inside(&self, id: TaskId, entry: &State, inside: &State, locals: &Locals) -> At {
        let mut at = self.at(Some(id), &entry.data, &inside.context, locals);
        at.env.dot = inside.data.clone();
        at.env.vars.push(("input".to_owned(), inside.data.clone()));
        at
    }

    fn work(
        &mut self,
        id: TaskId,
        node: &'n Node,
        inside: &State,
        locals: &Locals,
        at: &At,
    ) -> Vec<Done> {
        let plan = self.plan;
        let gives = |data: Shape| {
            vec![Done { flow: None, state: State { data, context: inside.context.clone() } }]
        };
        match &plan.task(id).kind {
            TaskKind::Call(call) => gives(self.call(call, node, at)),
            TaskKind::Function(function) => {
                let mut at = at.clone();
                at.env.vars.push(("secrets".to_owned(), self.secret_shapes()));
                let with = node.get("with");
                let data = with.map_or_else(
                    || Shape::record::<String>([]),
                    |with| self.template(&with.node, &at),
                );
                // What a function exports is its own and ends with it.
                let entry = State { data, context: inside.context.clone() };
                let out = self.inner(id, 0, &function.body, &entry, &Locals::new());
                out.map_or_else(Vec::new, |out| gives(out.data))
            }
            TaskKind::Compensate => gives(Shape::any()),
            TaskKind::Rethrow => Vec::new(),
            TaskKind::Human(_) => {
                if let Some(with) = node.get("with") {
                    self.template(&with.node, &at.goes("a task for a person"));
                }
                gives(Shape::any())
            }
            TaskKind::Do(body) => done(self.inner(id, 0, body, inside, locals)),
            TaskKind::Emit(_) => gives(self.emitted(node, at)),
            TaskKind::For(looped) => self.looped(id, looped, node, inside, locals, at),
            TaskKind::Fork(fork) => self.forked(id, fork, inside, locals),
            TaskKind::Listen(listen) => self.listened(id, listen, node, inside, locals, at),
            TaskKind::Raise(_) => {
                if let Some(error) = field(node, &["raise", "error"]) {
                    let error = self.used("errors", error).unwrap_or(error);
                    self.template(error, &at.goes("an error"));
                }
                Vec::new()
            }
            TaskKind::Run(run) => {
                if let Some(input) = field(node, &["run", "workflow", "input"]) {
                    self.template(input, &at.goes("the input of another workflow"));
                }
                gives(if run.wait { Shape::any() } else { inside.data.clone() })
            }
            TaskKind::Set(_) => {
                let value = node.get("set").map(|entry| &entry.node);
                gives(value.map_or_else(Shape::any, |value| {
                    self.template(value, &at.goes("the output of `set`"))
                }))
            }
            TaskKind::Switch(cases) => self.switched(id, cases, node, inside, at),
            TaskKind::Try(tried) => self.tried(id, tried, node, inside, locals, at),
            TaskKind::Wait(_) => {
                if let Some(wait) = node.get("wait") {
                    self.template(&wait.node, at);
                }
                gives(inside.data.clone())
            }
        }
    }

    /// What undoes a task runs on its output, much later.
    fn undo(&mut self, id: TaskId, ways: &Ways) {
        let plan = self.plan;
        if let Some(block) = &plan.task(id).compensate
            && !ways.is_empty()
        {
            let entry = State { data: joined(ways).data, context: Shape::any() };
            self.inner(id, UNDO, block, &entry, &Locals::new());
        }
    }

    /// What extensions do before and after a task; they may stand in for its output.
    fn beside(&mut self, id: TaskId, entry: &State, locals: &Locals, ways: &mut Ways) {
        let plan = self.plan;
        let extensions = &plan.task(id).extensions;
        for (which, extension) in extensions.iter().enumerate() {
            let raw = State { data: entry.data.clone(), context: Shape::any() };
            self.inner(id, BESIDE + which * 2, &extension.before, &raw, locals);
            let output = State { data: joined(ways).data, context: Shape::any() };
            self.inner(id, BESIDE + which * 2 + 1, &extension.after, &output, locals);
        }
        if !extensions.is_empty() {
            self.lose_context();
            for (_, state) in ways {
                *state = State::unknown();
            }
        }
    }

    /// Something exports what is not followed, and a `try` around may see it.
    fn lose_context(&mut self) {
        for caught in &mut self.caught {
            *caught = caught.join(&Shape::any());
        }
    }

    /// `output` and `export`, then the way on.
    fn leave(&mut self, id: TaskId, node: &'n Node, done: Vec<Done>, at: &At) -> Ways {
        let plan = self.plan;
        let task = plan.task(id);
        if done.is_empty() {
            return Ways::new();
        }
        let none = State { data: Shape::never(), context: Shape::never() };
        let State { mut data, mut context } =
            done.iter().fold(none, |all, done| all.join(&done.state));
        let with_dot = |dot: &Shape, context: &Shape| {
            let mut at = at.clone();
            at.env.dot = dot.clone();
            at.env.vars.push(("context".to_owned(), context.clone()));
            at
        };
        if let Some(transform) = field(node, &["output", "as"]) {
            data = self.transform(transform, &with_dot(&data, &context).goes("the output"));
        }
        if let Some(wanted) = &task.output.schema {
            let place = field(node, &["output", "as"]).or(field(node, &["output", "schema"]));
            let wanted = schema::shape(&wanted.source, Rest::Open);
            data = self.checked(&data, &wanted, place.unwrap_or(node), "output");
        }
        if let Some(transform) = field(node, &["export", "as"]) {
            let mut at = with_dot(&data, &context).goes("`$context`");
            at.env.vars.push(("output".to_owned(), data.clone()));
            context = self.transform(transform, &at);
            if let Some(wanted) = &task.export.schema {
                let wanted = schema::shape(&wanted.source, Rest::Open);
                context = self.checked(&context, &wanted, transform, "export");
            }
            for caught in &mut self.caught {
                *caught = caught.join(&context);
            }
        }
        let state = State { data, context };
        let mut flows: Vec<Flow> = Vec::new();
        for done in done {
            let flow = done.flow.unwrap_or(task.then);
            if !flows.contains(&flow) {
                flows.push(flow);
            }
        }
        flows.into_iter().map(|flow| (flow, state.clone())).collect()
    }

    fn call(&mut self, call: &Call, node: &'n Node, at: &At) -> Shape {
        let mut at = at.clone();
        at.env.vars.push(("secrets".to_owned(), self.secret_shapes()));
        if let Some(with) = node.get("with") {
            let found = self.template(&with.node, &at);
            let wanted = schema::shape(&call.function.input, Rest::Open);
            // The calls of the language have forms of their own, which compiling has brought into one.
            let has_own_form = LANGUAGE_CALLS.contains(&call.function.name.as_str());
            if self.speaking && !has_own_form {
                self.arguments(&call.function.name, &found, &wanted, &with.node);
            }
        }
        schema::shape(&call.function.output, Rest::Unnamed)
    }

    /// An event is given as it was published.
    fn emitted(&mut self, node: &'n Node, at: &At) -> Shape {
        let with = field(node, &["emit", "event", "with"]);
        let mut event =
            with.map_or_else(Shape::any, |with| self.template(with, &at.goes("an event")));
        for name in ["specversion", "id", "source", "time"] {
            if event.is_object() && !event.has(name) {
                event = event.with(name, Shape::text());
            }
        }
        event
    }

    fn heard(&mut self, listen: &Listen, node: &'n Node, at: &At) -> Shape {
        let to = field(node, &["listen", "to"]);
        let filters = to.map(filters).unwrap_or_default();
        for filter in filters {
            for entry in filter.get("with").and_then(|with| with.node.entries()).unwrap_or_default()
            {
                // Evaluated on what an event brings, not on the task's input.
                let mut at = at.goes("a wait");
                at.env.dot = attribute(&entry.key);
                at.env.path = None;
                self.template(&entry.node, &at);
            }
            let correlate = filter.get("correlate").and_then(|entry| entry.node.entries());
            for entry in correlate.unwrap_or_default() {
                if let Some(expect) = entry.node.get("expect") {
                    let found = self.template(&expect.node, &at.goes("a wait"));
                    self.expectation(&found, &expect.node);
                }
            }
        }
        let event = match listen.read {
            Read::Data => Shape::any(),
            Read::Envelope | Read::Raw => envelope(),
        };
        match &listen.to {
            // Events that come again and again are any number.
            Strategy::Any(_) if listen.until.is_some() => Shape::list(event),
            Strategy::One(_) | Strategy::Any(_) => Shape::tuple(vec![event]),
            Strategy::All(filters) => Shape::tuple(vec![event; filters.len()]),
        }
    }

    fn listened(
        &mut self,
        id: TaskId,
        listen: &Listen,
        node: &'n Node,
        inside: &State,
        locals: &Locals,
        at: &At,
    ) -> Vec<Done> {
        let data = self.heard(listen, node, at);
        let Some(each) = &listen.foreach else {
            return done(Some(State { data, context: inside.context.clone() }));
        };
        // Turns export and transform on their own; what they make of it is not followed.
        let mut locals = locals.clone();
        locals.push((each.item.clone(), data.item()));
        locals.push((each.at.clone(), Shape::integer()));
        let entry = State { data: data.item(), context: Shape::any() };
        self.inner(id, 0, &each.body, &entry, &locals);
        self.lose_context();
        done(Some(State { data: Shape::list(Shape::any()), context: Shape::any() }))
    }

    fn looped(
        &mut self,
        id: TaskId,
        looped: &For,
        node: &'n Node,
        inside: &State,
        locals: &Locals,
        at: &At,
    ) -> Vec<Done> {
        let items =
            field(node, &["for", "in"]).map_or_else(Shape::any, |items| match &items.value {
                Yaml::Text(_) => self.expression(items, at),
                Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Map(_) => {
                    self.template(items, at)
                }
            });
        let mut head = match self.bodies.get(&(id, HEAD)) {
            Some(Some(head)) if self.speaking => head.clone(),
            Some(_) | None => inside.clone(),
        };
        let item = items.item();
        if item.is_never() {
            return done(Some(head));
        }
        let mut locals = locals.clone();
        locals.push((looped.each.clone(), item));
        locals.push((looped.at.clone(), Shape::integer()));
        for turn in 0..TURNS_HARD_MAX {
            if !self.pay(&head) {
                return done(Some(State::unknown()));
            }
            if let Some(condition) = node.get("while") {
                let mut at = self.inside(id, inside, &head, &locals);
                at.env.vars.push(("input".to_owned(), head.data.clone()));
                let holds = self.expression(&condition.node, &at);
                if !holds.may_hold() {
                    break;
                }
            }
            let Some(out) = self.inner(id, 0, &looped.body, &head, &locals) else { break };
            let next = head.join(&out);
            let next = if turn >= TURNS_MAX { head.widen(&next) } else { next };
            if next == head || self.speaking {
                break;
            }
            head = next;
        }
        self.bodies.insert((id, HEAD), Some(head.clone()));
        done(Some(head))
    }

    fn forked(&mut self, id: TaskId, fork: &Fork, inside: &State, locals: &Locals) -> Vec<Done> {
        let ends: Vec<Option<State>> = fork
            .branches
            .iter()
            .enumerate()
            .map(|(which, branch)| self.branch(id, which, *branch, inside, locals))
            .collect();
        if fork.compete {
            return ends.into_iter().flatten().flat_map(|end| done(Some(end))).collect();
        }
        let Some(ends) = ends.into_iter().collect::<Option<Vec<State>>>() else {
            return Vec::new();
        };
        let context =
            ends.iter().fold(inside.context.clone(), |all, end| merged(&all, &end.context));
        let data = Shape::tuple(ends.into_iter().map(|end| end.data).collect());
        done(Some(State { data, context }))
    }

    fn switched(
        &mut self,
        id: TaskId,
        cases: &[Case],
        node: &'n Node,
        inside: &State,
        at: &At,
    ) -> Vec<Done> {
        let items = node.get("switch").and_then(|entry| entry.node.items()).unwrap_or_default();
        let mut all = Vec::new();
        let mut closed = false;
        for (case, item) in cases.iter().zip(items) {
            let when = item.get(&case.name).and_then(|entry| entry.node.get("when"));
            let holds =
                when.map_or_else(|| Shape::truth(true), |when| self.expression(&when.node, at));
            if holds.may_hold() && !closed {
                all.push(Done { flow: Some(case.then), state: inside.clone() });
            }
            closed |= !holds.may_fail() && !holds.is_never();
        }
        let _: TaskId = id;
        if !closed {
            all.push(Done { flow: None, state: inside.clone() });
        }
        all
    }

    fn tried(
        &mut self,
        id: TaskId,
        tried: &Try,
        node: &'n Node,
        inside: &State,
        locals: &Locals,
        at: &At,
    ) -> Vec<Done> {
        let (body, mut seen) = self.attempts(id, tried, inside, locals);
        if self.speaking {
            let head = self.bodies.get(&(id, HEAD)).cloned().flatten();
            seen = head.map_or_else(Shape::any, |head| head.context);
        } else {
            let head = State { data: Shape::any(), context: seen.clone() };
            self.bodies.insert((id, HEAD), Some(head));
        }
        let mut locals = locals.clone();
        locals.push((tried.bind.clone(), error()));
        if let Some(catch) = node.get("catch") {
            self.catch(&catch.node, &seen, &locals, at);
        }
        let mut all = done(body);
        let entry = State { data: inside.data.clone(), context: seen };
        match &tried.handler {
            Some(handler) => {
                if let Some(state) = self.inner(id, 1, handler, &entry, &locals) {
                    all.push(Done { flow: tried.then, state });
                }
            }
            None if tried.retry.is_none() => all.push(Done { flow: tried.then, state: entry }),
            None => {}
        }
        all
    }

    /// The body of a `try`: how it ends, and what `$context` can be when something in it fails. A
    /// retried one begins with what the run before has exported.
    fn attempts(
        &mut self,
        id: TaskId,
        tried: &Try,
        inside: &State,
        locals: &Locals,
    ) -> (Option<State>, Shape) {
        let mut entry = inside.clone();
        let mut turn = 0;
        loop {
            self.caught.push(entry.context.clone());
            let body = self.inner(id, 0, &tried.body, &entry, locals);
            let seen = self.caught.pop().unwrap_or_else(Shape::any);
            let settled = tried.retry.is_none() || seen == entry.context;
            if settled || self.speaking || turn == ATTEMPTS_MAX || !self.pay(&entry) {
                return (body, seen);
            }
            turn += 1;
            entry.context = if turn == ATTEMPTS_MAX { Shape::any() } else { seen };
        }
    }

    /// The expressions of a `catch`, which look at the error.
    fn catch(&mut self, catch: &'n Node, context: &Shape, locals: &Locals, at: &At) {
        let mut at = at.clone();
        at.env.dot = error();
        at.env.path = None;
        at.env.vars.push(("context".to_owned(), context.clone()));
        at.env.vars.extend(locals.iter().cloned());
        for key in ["when", "exceptWhen"] {
            if let Some(entry) = catch.get(key) {
                self.expression(&entry.node, &at);
            }
        }
        let Some(retry) = catch.get("retry").map(|entry| &entry.node) else { return };
        let retry = self.used("retries", retry).unwrap_or(retry);
        for key in ["when", "exceptWhen"] {
            if let Some(entry) = retry.get(key) {
                self.expression(&entry.node, &at);
            }
        }
    }

    fn timeout(&mut self, node: &'n Node, at: &At) {
        let node = self.used("timeouts", node).unwrap_or(node);
        if let Some(after) = node.get("after") {
            self.template(&after.node, at);
        }
    }

    /// The input of the workflow's first task.
    pub(super) fn workflow_input(&mut self) -> Shape {
        let Some(from) = field(self.root, &["input", "from"]) else { return self.input.clone() };
        let input = self.input.clone();
        let mut at = self.at(None, &input, &Shape::any(), &Locals::new());
        at.env.vars.push(("secrets".to_owned(), self.secret_shapes()));
        self.transform(from, &at)
    }

    /// The workflow's output, over all its ends.
    pub(super) fn workflow_output(&mut self) -> Shape {
        let Some(end) = self.ends.clone() else { return Shape::never() };
        let mut output = end.data;
        let at = self.at(None, &output, &end.context, &Locals::new()).goes("the workflow's output");
        if let Some(transform) = field(self.root, &["output", "as"]) {
            output = self.transform(transform, &at);
        }
        let plan = self.plan;
        if let Some(wanted) = &plan.output.schema {
            let wanted = schema::shape(&wanted.source, Rest::Open);
            let place = field(self.root, &["output", "as"]).or(field(self.root, &["output"]));
            output = self.checked(&output, &wanted, place.unwrap_or(self.root), "output");
        }
        output
    }

    /// What passed a schema; told when nothing can pass it.
    fn checked(&mut self, found: &Shape, wanted: &Shape, node: &Node, what: &str) -> Shape {
        if self.speaking
            && let Some(misfit) = fit::misfit(found, wanted)
        {
            let pointer = &misfit.pointer;
            let message = format!("the {what} can never fit its schema: {}", misfit.message);
            self.report
                .error("bad-output", &node.at, message)
                .label(if pointer.is_empty() { "here".to_owned() } else { format!("at {pointer}") })
                .help("change the expression or the schema: as it is, every run faults here");
        }
        if found.is_any() { wanted.clone().tainted(found.holds_secret()) } else { found.clone() }
    }
}

fn done(state: Option<State>) -> Vec<Done> {
    state.into_iter().map(|state| Done { flow: None, state }).collect()
}

/// The node below, by keys.
pub(super) fn field<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    keys.iter().try_fold(node, |node, key| node.get(key).map(|entry| &entry.node))
}

/// The filters of `to`.
pub(super) fn filters(to: &Node) -> Vec<&Node> {
    let one = to.get("one").map(|entry| &entry.node);
    let many = ["any", "all"].iter().filter_map(|key| to.get(key)?.node.items()).flatten();
    one.into_iter().chain(many).collect()
}

/// Contexts at the join of a fork: a branch's fields replace those it changed.
fn merged(one: &Shape, two: &Shape) -> Shape {
    let (Some((left, left_rest)), Some((right, right_rest))) = (one.fields(), two.fields()) else {
        return one.join(two);
    };
    if !one.is_object() || !two.is_object() {
        return one.join(two);
    }
    let mut known = left.clone();
    for (name, field) in right {
        let joined = match known.get(name) {
            Some(own) => Field {
                shape: own.shape.join(&field.shape),
                required: own.required || field.required,
            },
            None if left_rest == Rest::Closed => field.clone(),
            None => Field { shape: Shape::any(), required: field.required },
        };
        known.insert(name.clone(), joined);
    }
    if right_rest != Rest::Closed {
        for (name, field) in &mut known {
            if !right.contains_key(name) {
                field.shape = field.shape.join(&Shape::any());
            }
        }
    }
    Shape::object(known, left_rest.max(right_rest))
}

fn epoch() -> Shape {
    Shape::record([("seconds", Shape::integer()), ("milliseconds", Shape::integer())])
}

/// What an expression in a filter's `with` sees as `.`.
fn attribute(name: &str) -> Shape {
    // The sender's own attributes may be numbers or booleans.
    if name != "data" && ATTRIBUTES.contains(&name) { Shape::text() } else { Shape::any() }
}

fn envelope() -> Shape {
    let text = || Field { shape: Shape::text(), required: true };
    let known = ["specversion", "id", "source", "type"];
    let known: BTreeMap<String, Field> =
        known.into_iter().map(|name| (name.to_owned(), text())).collect();
    Shape::object(known, Rest::Open)
}

/// The error object of the language, as the machine makes it.
fn error() -> Shape {
    let field =
        |name: &str, shape: Shape, required: bool| (name.to_owned(), Field { shape, required });
    let known = BTreeMap::from([
        field("type", Shape::text(), true),
        field("status", Shape::integer(), true),
        field("title", Shape::text(), true),
        field("detail", Shape::text(), false),
        field("instance", Shape::text(), true),
        field("data", Shape::any(), false),
    ]);
    Shape::object(known, Rest::Closed)
}
