//! The front door: text to plan.
//!
//! The model's names are resolved here and its leaves compiled: `then` to tasks of the same list,
//! `use.*` references, functions of the catalog, expressions with the variables their place has.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::thread;

use tenure_adapter::Catalog;

use crate::check::{Facts, check, silence};
use crate::diagnostic::{Place, Report};
use crate::expression::STACK_BYTES;
use crate::parse::model::{Definition, Uses};
use crate::parse::parse;
use crate::plan::{Plan, Task};
use crate::read::{Node, TEXT_MAX, read};
use crate::source::Lines;
use crate::{Diagnostics, Source};

mod auth;
mod call;
mod digest;
mod effect;
mod event;
mod flow;
mod human;
mod leaf;
mod metadata;
mod name;
mod recovery;
mod schedule;
mod task;
mod weave;
mod web;

pub(crate) use name::GLOBALS;
use name::{Position, Variables};

/// A plan with what is known of its data, and the warnings.
type Compiled = ((Plan, Facts), Diagnostics);

/// Compiles a definition.
///
/// Runs on a thread of its own with a large stack, because hostile texts nest deeply; any thread
/// may call it. Takes milliseconds, so async callers should use a blocking thread.
///
/// # Errors
/// Every finding of severity error (and the warnings with them), not only the first.
pub fn compile(source: &Source, catalog: &Catalog) -> Result<(Plan, Diagnostics), Diagnostics> {
    study(source, catalog).map(|((plan, _), found)| (plan, found))
}

/// Compiles a text that is registered already. Its instances must move on, so what only the checks
/// of the whole find, which may be younger than the registration, are warnings here.
///
/// # Errors
/// As [`compile`], but for those checks.
pub fn compile_registered(
    source: &Source,
    catalog: &Catalog,
) -> Result<(Plan, Diagnostics), Diagnostics> {
    on_a_large_stack(source, catalog, Rigor::Registered).map(|((plan, _), found)| (plan, found))
}

/// Compiles a definition, and tells what is known of its data at each task.
///
/// # Errors
/// As [`compile`].
pub fn study(source: &Source, catalog: &Catalog) -> Result<Compiled, Diagnostics> {
    on_a_large_stack(source, catalog, Rigor::New)
}

/// What the checks of the whole may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rigor {
    /// A definition on its way in.
    New,
    /// Nothing: it is in already.
    Registered,
}

fn on_a_large_stack(
    source: &Source,
    catalog: &Catalog,
    rigor: Rigor,
) -> Result<Compiled, Diagnostics> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("compile".to_owned()).stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, || compile_here(source, catalog, rigor)) {
            Ok(running) => running.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => {
                let mut report = Report::default();
                let message = format!("the server has no thread left to compile with: {error}");
                drop(
                    report
                        .error("no-resources", &Place::default(), message)
                        .help("try again later"),
                );
                Err(report.finish(source))
            }
        }
    })
}

fn compile_here(source: &Source, catalog: &Catalog, rigor: Rigor) -> Result<Compiled, Diagnostics> {
    check_length(source)?;
    let lines = Lines::new(&source.text);
    let mut report = Report::default();
    let root = read(source, &lines, &mut report);
    let plan = root.as_ref().and_then(|root| {
        let definition = parse(root, &mut report)?;
        let plan =
            Compiler::new(catalog, &lines, &mut report, &definition).plan(&definition, root)?;
        if rigor == Rigor::Registered {
            report.demote();
        }
        let facts = check(&plan, root, &lines, &mut report);
        Some((plan, facts))
    });
    if let Some(root) = &root {
        silence(root, &mut report, plan.is_some());
    }
    let failed = report.has_errors();
    match plan {
        Some(plan) if !failed => Ok((plan, report.finish(source))),
        Some(_) | None => {
            assert!(failed, "a definition without a plan has a finding that says why");
            Err(report.finish(source))
        }
    }
}

/// Looks at the length before anything else does: a huge text is not even copied.
fn check_length(source: &Source) -> Result<(), Diagnostics> {
    let length = source.text.len();
    if length <= TEXT_MAX {
        return Ok(());
    }
    let mut report = Report::default();
    let message = format!("the text has {length} bytes, {TEXT_MAX} are allowed");
    drop(
        report
            .error("too-large", &Place::default(), message)
            .help("split it into several definitions and use `run: workflow`"),
    );
    Err(report.finish(&Source { name: source.name.clone(), text: String::new() }))
}

/// What compiling a definition needs at hand.
struct Compiler<'c, 'n> {
    catalog: &'c Catalog,
    lines: &'c Lines<'c>,
    report: &'c mut Report,
    uses: &'c Uses<'n>,
    /// Every variable some loop or catch of the definition binds, for messages.
    bound: BTreeSet<String>,
    /// Names of all tasks, for messages.
    task_names: BTreeSet<String>,
    /// Slots are taken in document order before a task's children are compiled.
    tasks: Vec<Option<Task>>,
    weave: weave::Weave<'c, 'n>,
}

impl<'c, 'n> Compiler<'c, 'n> {
    fn new(
        catalog: &'c Catalog,
        lines: &'c Lines<'c>,
        report: &'c mut Report,
        definition: &'c Definition<'n>,
    ) -> Self {
        let mut found = name::Found::default();
        found.block(&definition.body);
        found.block(&definition.uses.functions);
        for extension in &definition.uses.extensions {
            found.block(&extension.before);
            found.block(&extension.after);
        }
        Self {
            catalog,
            lines,
            report,
            uses: &definition.uses,
            bound: found.variables,
            task_names: found.tasks,
            tasks: Vec::new(),
            weave: weave::Weave::new(&definition.uses),
        }
    }

    fn plan(mut self, definition: &Definition<'n>, root: &Node) -> Option<Plan> {
        let none = Variables::none();
        let input = self.input(&definition.input, Position::WorkflowInput, &none);
        let output = self.output(&definition.output, Position::WorkflowOutput, &none);
        let timeout =
            definition.timeout.and_then(|timeout| self.timeout(timeout, Position::Start, &none));
        let extensions = self.extensions(&definition.metadata);
        let schedule = definition.schedule.as_ref().map(|schedule| self.schedule(schedule));
        self.weave(&definition.body, root);
        self.check_uses();
        let body = self.block(&definition.body, None, &none);
        if self.report.has_errors() {
            return None;
        }
        let tasks: Vec<Task> =
            std::mem::take(&mut self.tasks).into_iter().collect::<Option<_>>()?;
        let flow = flow::graph(&tasks);
        self.unreachable(&tasks, &body, &flow, root);
        let definition_json = root.to_json();
        Some(Plan {
            document: definition.document.clone()?,
            digest: digest::digest(&definition_json),
            definition: definition_json,
            tasks,
            body,
            input,
            output,
            timeout,
            secrets: definition.uses.secrets.clone(),
            schedule,
            extensions: extensions?,
            flow,
        })
    }
}

#[cfg(test)]
mod tests;
