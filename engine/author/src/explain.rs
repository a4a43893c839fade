//! What an author asks of a definition: what do `.`, `$input` and `$context` hold at this task,
//! where does it go next, and what does it wait for?

use std::fmt::Write as _;

use serde::Serialize;
use tenure_adapter::EffectClass;
use tenure_definition::plan::{Call, Flow, Retry, TaskKind};
use tenure_definition::time::Duration;
use tenure_definition::{Facts, Plan, Task, TaskFacts, TaskId};

/// Widest line of the text.
const WIDTH: usize = 100;
/// Up to this length a value is shown again instead of being named.
const SHORT: usize = 40;
/// Where the values of a task begin.
const MARGIN: usize = 12;
/// Kinds of tasks by their key; `for` has a `do` too, so it comes first.
const KINDS: [&str; 12] =
    ["for", "call", "do", "emit", "fork", "listen", "raise", "run", "set", "switch", "try", "wait"];

/// A definition explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Name of the definition.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `$workflow.input`.
    pub input: String,
    /// The workflow's output.
    pub output: String,
    /// The tasks in document order; all, or the one asked for with what is inside.
    pub tasks: Vec<TaskExplanation>,
}

/// A task explained. Shapes are text like `{customer: text, seats?: integer}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskExplanation {
    /// Its name.
    pub name: String,
    /// Its JSON pointer.
    pub pointer: String,
    /// How many tasks are around it.
    pub depth: usize,
    /// What it does, in a few words.
    pub kind: String,
    /// `.` when it is entered; `None` when nothing leads to it.
    pub raw: Option<String>,
    /// `$input`, and `.` inside, when `input` makes another value of it.
    pub input: Option<String>,
    /// `$context` when it is entered.
    pub context: Option<String>,
    /// Its output.
    pub output: Option<String>,
    /// `$context` afterwards, when it exports.
    pub exported: Option<String>,
    /// The same in short, when it keeps all that was there: `$context + {order: {number: text}}`.
    pub changes: Option<String>,
    /// Variables of loops and catches, with `$`.
    pub variables: Vec<String>,
    /// When it runs, if not always.
    pub condition: Option<String>,
    /// Where it goes next.
    pub next: Vec<String>,
    /// What it waits for.
    pub waits: Option<String>,
    /// How its effect is protected, its times and its tries.
    pub effect: Option<String>,
    /// What a `try` does about an error.
    pub recovery: Option<String>,
    /// Its own time-out.
    pub timeout: Option<String>,
    /// The lock it holds while it runs.
    pub lock: Option<String>,
    /// Extensions that run tasks before or after it.
    pub extended: Option<String>,
    /// The tasks that undo it.
    pub undo: Option<String>,
}

/// Explains a definition, or one task of it, by name or pointer, with those inside.
#[must_use]
pub fn explain(plan: &Plan, facts: &Facts, only: Option<&str>) -> Explanation {
    // What is inside of it is so by its place in the plan: the pointer of a function's task does
    // not begin with that of the call.
    let wanted = |task: &&Task| {
        only.is_none_or(|only| {
            let around = std::iter::successors(Some(task.id), |id| plan.task(*id).parent);
            around.map(|id| plan.task(id)).any(|one| one.name == only || one.pointer == only)
        })
    };
    Explanation {
        name: plan.document.name.clone(),
        version: plan.document.version.clone(),
        input: facts.input.to_string(),
        output: facts.output.to_string(),
        tasks: plan.tasks.iter().filter(wanted).map(|task| one(plan, facts, task)).collect(),
    }
}

fn one(plan: &Plan, facts: &Facts, task: &Task) -> TaskExplanation {
    let known = facts.task(task.id);
    let shown = |of: fn(&TaskFacts) -> String| known.map(of);
    let depth = std::iter::successors(task.parent, |id| plan.task(*id).parent).count();
    TaskExplanation {
        name: task.name.clone(),
        pointer: task.pointer.clone(),
        depth,
        kind: kind(task),
        raw: shown(|known| known.raw.to_string()),
        input: known.filter(|known| known.input != known.raw).map(|known| known.input.to_string()),
        context: shown(|known| known.context.to_string()),
        output: shown(|known| known.output.to_string()),
        exported: known.and_then(|known| known.exported.as_ref()).map(ToString::to_string),
        changes: known
            .and_then(|known| known.exported.as_ref()?.changes(&known.context, "$context")),
        variables: known
            .map(|known| {
                known.variables.iter().map(|(name, shape)| format!("${name}: {shape}")).collect()
            })
            .unwrap_or_default(),
        condition: task.condition.as_ref().map(|condition| condition.source.trim().to_owned()),
        next: next(plan, task),
        waits: waits(task),
        effect: effect(task),
        recovery: recovery(task),
        timeout: task.timeout.as_ref().map(duration),
        lock: task.exclusive.as_ref().and_then(|_| written(task, "/metadata/exclusive")),
        extended: extended(task),
        undo: task.compensate.as_ref().map(|undo| {
            let names: Vec<String> = undo.iter().map(|id| name(plan, *id)).collect();
            names.join(", ")
        }),
    }
}

/// A text of the task as it is written.
fn written(task: &Task, pointer: &str) -> Option<String> {
    task.definition.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned)
}

fn extended(task: &Task) -> Option<String> {
    let ways: Vec<String> = task
        .extensions
        .iter()
        .map(|extension| {
            let place = match (extension.before.is_empty(), extension.after.is_empty()) {
                (false, false) => "before and after it",
                (false, true) => "before it",
                (true, _) => "after it",
            };
            let when = extension.when.as_ref();
            let when =
                when.map_or_else(String::new, |when| format!(" when {}", when.source.trim()));
            format!("{} runs {place}{when}", extension.name)
        })
        .collect();
    (!ways.is_empty()).then(|| ways.join("; "))
}

/// The kind with what it is about: `call zuora.createOrder:1.2.0@default`.
fn kind(task: &Task) -> String {
    let key = KINDS.iter().find(|key| task.definition.get(**key).is_some()).copied().unwrap_or("");
    if let TaskKind::Call(call) = &task.kind {
        return format!("call {}", call.function.reference());
    }
    if let TaskKind::Function(function) = &task.kind {
        return format!("call {}, a function of this definition", function.name);
    }
    if let TaskKind::Human(_) = &task.kind {
        return "call human.task: a person decides".to_owned();
    }
    if let TaskKind::Compensate = &task.kind {
        return "undoes what was registered inside the try, the last one first".to_owned();
    }
    if let TaskKind::Rethrow = &task.kind {
        return "raises the caught error again".to_owned();
    }
    if let TaskKind::Listen(listen) = &task.kind
        && let Some(each) = &listen.foreach
    {
        return format!("listen, for each event ${} at ${}", each.item, each.at);
    }
    if let TaskKind::Run(run) = &task.kind {
        let wait = if run.wait { "" } else { ", not awaited" };
        return format!("run {}/{} {}{wait}", run.namespace, run.name, run.version);
    }
    if let TaskKind::For(looped) = &task.kind {
        return format!("for each ${} at ${}", looped.each, looped.at);
    }
    if let TaskKind::Fork(fork) = &task.kind
        && fork.compete
    {
        return "fork, the first branch to succeed wins".to_owned();
    }
    key.to_owned()
}

fn next(plan: &Plan, task: &Task) -> Vec<String> {
    let to = |flow: Flow| match flow {
        Flow::Continue => task.next.map_or_else(|| scope_end(plan, task), |id| name(plan, id)),
        Flow::Exit => scope_end(plan, task),
        Flow::End => "the end of the workflow".to_owned(),
        Flow::Task(id) => name(plan, id),
    };
    if let TaskKind::Switch(cases) = &task.kind {
        let mut ways: Vec<String> =
            cases.iter().map(|case| format!("{}: {}", case.name, to(case.then))).collect();
        if cases.iter().all(|case| case.when.is_some()) {
            ways.push(format!("otherwise: {}", to(task.then)));
        }
        return ways;
    }
    if matches!(&task.kind, TaskKind::Raise(_) | TaskKind::Rethrow) {
        let skipped = task.condition.as_ref().map(|_| format!("skipped: {}", to(task.then)));
        return std::iter::once("raises its error".to_owned()).chain(skipped).collect();
    }
    let mut ways = vec![to(task.then)];
    if let TaskKind::Try(tried) = &task.kind {
        let caught = tried.then.filter(|then| *then != task.then);
        ways.extend(caught.map(|then| format!("after an error: {}", to(then))));
    }
    ways
}

fn name(plan: &Plan, id: TaskId) -> String {
    plan.task(id).name.clone()
}

/// Where a list of tasks ends.
fn scope_end(plan: &Plan, task: &Task) -> String {
    match task.parent.map(|id| plan.task(id)) {
        None => "the end of the workflow".to_owned(),
        Some(parent) if holds(parent.compensate.as_deref(), task) => {
            format!("the end of undoing {}", parent.name)
        }
        Some(parent) if parent.extensions.iter().any(|one| holds(Some(&one.before), task)) => {
            format!("{} itself", parent.name)
        }
        Some(parent) if parent.extensions.iter().any(|one| holds(Some(&one.after), task)) => {
            format!("where {} leads", parent.name)
        }
        Some(parent) if matches!(parent.kind, TaskKind::For(_) | TaskKind::Listen(_)) => {
            format!("the next turn of {}", parent.name)
        }
        Some(parent) if matches!(parent.kind, TaskKind::Fork(_)) => {
            format!("the join of {}", parent.name)
        }
        Some(parent) => format!("the end of {}", parent.name),
    }
}

fn holds(block: Option<&[TaskId]>, task: &Task) -> bool {
    block.is_some_and(|block| block.contains(&task.id))
}

fn waits(task: &Task) -> Option<String> {
    if let TaskKind::Wait(time) = &task.kind {
        return Some(duration(time));
    }
    if let TaskKind::Run(run) = &task.kind {
        return run.wait.then(|| "the end of the other workflow".to_owned());
    }
    if let TaskKind::Human(human) = &task.kind {
        let due = task.definition.pointer("/with/due");
        let due = due.map_or("", |_| ", or until it is due");
        let form = human.form.as_ref().map_or("", |_| " that fits the form");
        return Some(format!("a decision{form}{due}"));
    }
    let to = task.definition.pointer("/listen/to")?;
    let mut types = Vec::new();
    event_types(to, &mut types);
    let way = ["one", "any", "all"].into_iter().find(|way| to.get(way).is_some())?;
    let types = if types.is_empty() { "any type".to_owned() } else { types.join(", ") };
    Some(format!("{way} event: {types}"))
}

fn event_types(to: &serde_json::Value, found: &mut Vec<String>) {
    if let Some(kind) = to.pointer("/with/type").and_then(serde_json::Value::as_str) {
        found.push(kind.to_owned());
        return;
    }
    let below = to.as_object().into_iter().flat_map(serde_json::Map::values);
    below.chain(to.as_array().into_iter().flatten()).for_each(|below| event_types(below, found));
}

fn effect(task: &Task) -> Option<String> {
    let TaskKind::Call(call) = &task.kind else { return None };
    let Call { function, .. } = call.as_ref();
    let class = match &function.class {
        EffectClass::Keyed { .. } if call.idempotency_key.is_some() => "keyed, by your own key",
        EffectClass::Keyed { .. } => "keyed",
        EffectClass::Natural => "natural",
        EffectClass::Lookup => "looked up before a second try",
        EffectClass::AtMostOnce => "at most once",
        EffectClass::AtLeastOnce => "at least once",
    };
    let money = if function.money { ", moves money" } else { "" };
    let seconds = |ms: u64| format!("{}.{:03} s", ms / 1_000, ms % 1_000).replace(".000", "");
    let retries = match function.retry.retries_max {
        0 => "a rejection is not tried again".to_owned(),
        max => format!(
            "{max} retries of a rejection, the first after {}",
            seconds(function.retry.delay_ms)
        ),
    };
    Some(format!("{class}{money}; {} an attempt, {retries}", seconds(function.deadline_ms)))
}

fn recovery(task: &Task) -> Option<String> {
    let TaskKind::Try(tried) = &task.kind else { return None };
    let filter = &tried.filter;
    let what = match (&filter.kind, filter.status) {
        (Some(kind), _) => kind.clone(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "every error".to_owned(),
    };
    let retry =
        tried.retry.as_ref().map_or_else(String::new, |retry| format!(", {}", retries(retry)));
    let then = if tried.handler.is_some() { ", then its handler" } else { "" };
    Some(format!("catches {what}{retry}{then}"))
}

fn retries(retry: &Retry) -> String {
    let delay = retry
        .delay
        .as_ref()
        .map_or_else(|| "at once".to_owned(), |delay| format!("after {}", duration(delay)));
    match retry.retries_max {
        Some(max) => format!("retries up to {max} times {delay}"),
        None => format!("retries {delay}"),
    }
}

fn duration(time: &Duration) -> String {
    match time {
        Duration::Fixed(span) => span.to_string(),
        Duration::Computed(_) => "a computed time".to_owned(),
    }
}

impl Explanation {
    /// The explanation for a terminal, at most 100 columns wide.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.name, self.version);
        row(&mut text, 0, "input", &self.input);
        row(&mut text, 0, "output", &self.output);
        let mut before = None;
        for task in &self.tasks {
            text.push('\n');
            task.write(&mut text, before);
            before = Some(task);
        }
        text
    }
}

impl TaskExplanation {
    /// `before` is the task above, whose long values are not shown again.
    fn write(&self, text: &mut String, before: Option<&Self>) {
        let indent = "  ".repeat(self.depth);
        let gap = WIDTH.saturating_sub(
            indent.len() + self.name.chars().count() + self.pointer.chars().count(),
        );
        let gap = " ".repeat(gap.max(2));
        writeln!(text, "{indent}{}{gap}{}", self.name, self.pointer).expect("a string takes all");
        let mut add = |label: &str, value: &str| row(text, self.depth, label, value);
        add("", &self.kind);
        if self.raw.is_none() {
            return add("", "nothing leads here");
        }
        // A context is shown once, and repeated values are named.
        let exported = self.changes.clone().or_else(|| self.exported.clone());
        // What never ends by itself exports nothing.
        let exported = exported.filter(|_| self.output.as_deref() != Some("nothing"));
        let exported = exported.map(|exported| match &self.output {
            Some(output) if *output == exported => "the output".to_owned(),
            Some(_) | None => exported,
        });
        let same = |value: &Option<String>, other: &Option<String>, name: &str| {
            if value.is_some() && value == other {
                Some(format!("the same as {name}"))
            } else {
                value.clone()
            }
        };
        let raw = same(&self.raw, &self.context, "$context");
        let repeated = |value: Option<String>, of: fn(&Self) -> &Option<String>, what: &str| {
            let above = before.filter(|_| value.as_ref().is_some_and(|value| value.len() > SHORT));
            match above.filter(|above| *of(above) == value) {
                Some(above) => Some(format!("the same as {what} {}", above.name)),
                None => value,
            }
        };
        let raw = repeated(raw, |above| &above.output, "the output of");
        let context = repeated(self.context.clone(), |above| &above.context, "at");
        let inside = self.input.as_ref().map_or("`.`", |_| "$input");
        let input = self.input.as_ref().or(self.raw.as_ref()).cloned();
        let output = if self.output.as_ref().is_some_and(|output| output.len() > SHORT) {
            same(&self.output, &input, inside)
        } else {
            self.output.clone()
        };
        let rows =
            [("if", &self.condition), (".", &raw), ("$input", &self.input), ("$context", &context)];
        for (label, value) in rows {
            if let Some(value) = value {
                add(label, value);
            }
        }
        for variable in &self.variables {
            let (name, shape) = variable.split_once(": ").unwrap_or((variable, ""));
            add(name, shape);
        }
        let rows = [
            ("waits for", &self.waits),
            ("timeout", &self.timeout),
            ("lock", &self.lock),
            ("extended", &self.extended),
            ("effect", &self.effect),
            ("errors", &self.recovery),
            ("output", &output),
            ("exports", &exported),
            ("undone by", &self.undo),
        ];
        for (label, value) in rows {
            if let Some(value) = value {
                add(label, value);
            }
        }
        add("then", &self.next.join("; "));
    }
}

/// A label and its value, folded at blanks where the line would be too long.
fn row(text: &mut String, depth: usize, label: &str, value: &str) {
    let indent = "  ".repeat(depth + 1);
    let mut line = if label.is_empty() { indent } else { format!("{indent}{label:<MARGIN$}") };
    let margin = line.chars().count().min(WIDTH / 2);
    let mut column = line.chars().count();
    let mut begun = false;
    for word in value.split(' ') {
        let length = word.chars().count();
        if begun && column + 1 + length > WIDTH {
            line.push('\n');
            line.push_str(&" ".repeat(margin));
            column = margin;
        } else if begun {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
        begun = true;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests;
