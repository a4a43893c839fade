//! Findings about the data itself: fields that are not there, values that never meet, arguments
//! that no value of theirs would satisfy.

use super::Checker;
use super::template::At;
use crate::diagnostic::{Place, did_you_mean};
use crate::plan::TaskId;
use crate::read::Node;
use crate::shape::jq::{Note, Remark};
use crate::shape::{Shape, fit};

/// Longest shape that is shown in a message, in characters.
const SHOWN_MAX: usize = 120;

impl<'n> Checker<'n, '_> {
    /// Tells what was noted while an expression was read.
    pub(super) fn remark(&mut self, place: &Place, note: &Note, at: &At) {
        match &note.what {
            Remark::Absent { base, field, .. } if base == "$secrets" => {
                self.unknown_secret(place, field);
            }
            // Enough was told; finding out more of it costs time.
            Remark::Absent { .. } if self.report.is_full() => {}
            Remark::Absent { base, field, of, unnamed } => {
                self.absent(place, base, field, of, *unnamed, note.tolerant, at);
            }
            Remark::NeverEqual { left, right, negated } => {
                let always = if *negated { "always true" } else { "never true" };
                let near = nearest_word(left, right);
                self.report
                    .warning("never-equal", place, format!("this comparison is {always}"))
                    .label(format!("{} on one side, {} on the other", short(left), short(right)))
                    .help(near.unwrap_or_else(|| {
                        "compare values of one type; `tostring` and `tonumber` convert".to_owned()
                    }));
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one finding")]
    fn absent(
        &mut self,
        place: &Place,
        base: &str,
        field: &str,
        of: &Shape,
        unnamed: bool,
        tolerant: bool,
        at: &At,
    ) {
        let dropper = at.task.and_then(|task| self.dropper(base, field, task));
        // A guarded read of what was never there is a habit; of what was lost it is a mistake.
        if tolerant && dropper.is_none() {
            return;
        }
        let full = if base == "." { format!(".{field}") } else { format!("{base}.{field}") };
        let message = if unnamed {
            format!("nothing says that `{full}` exists")
        } else {
            format!("`{full}` does not exist here")
        };
        let label = match &dropper {
            Some(lost) if base == "$context" => {
                format!("the export of `{}` replaced `$context`", lost.name)
            }
            Some(lost) => format!("the output of `{}` replaced it", lost.name),
            None if unnamed => "not named by the function's manifest".to_owned(),
            None => "always null".to_owned(),
        };
        let help = self.remedy(base, field, of, at, dropper.as_ref());
        self.report.warning("dropped-field", place, message).label(label).help(help);
    }

    /// What to write instead.
    fn remedy(
        &self,
        base: &str,
        field: &str,
        of: &Shape,
        at: &At,
        dropper: Option<&Lost>,
    ) -> String {
        let var = |name: &str| {
            at.env.vars.iter().rev().find(|(known, _)| known == name).map(|(_, shape)| shape)
        };
        if base == "$context" {
            return match dropper {
                Some(lost) => format!(
                    "an export replaces the whole context: write `export: {{as: '$context + {{...}}'}}` at `{}`",
                    lost.name
                ),
                None => self.nearest_field(field, of).unwrap_or_else(|| {
                    format!(
                        "export it where it is made: `export: {{as: '$context + {{{field}: .}}'}}`"
                    )
                }),
            };
        }
        if base == "." && var("context").is_some_and(|context| context.has(field)) {
            return format!("`$context.{field}` has it");
        }
        if base == "." && self.input.has(field) {
            return format!(
                "`$workflow.input.{field}` has it; a task's input is the output of the task before"
            );
        }
        if let Some(lost) = dropper {
            return format!(
                "keep it before it is lost: `export: {{as: '$context + {{{field}: ...}}'}}` up to `{}`, then read `$context.{field}`",
                lost.name
            );
        }
        self.nearest_field(field, of).unwrap_or_else(|| format!("here is {}", short(of)))
    }

    fn nearest_field(&self, field: &str, of: &Shape) -> Option<String> {
        let (known, _) = of.fields()?;
        did_you_mean(field, known.keys().map(String::as_str))
    }

    /// The task after which a field of `.` or `$context` was gone: the nearest one before.
    fn dropper(&self, base: &str, field: &str, task: TaskId) -> Option<Lost> {
        if base != "." && base != "$context" {
            return None;
        }
        let lost = |id: TaskId| {
            let visit = self.visit(id)?;
            let (before, after) = if base == "." {
                (&visit.input, &visit.leave.data)
            } else {
                (&visit.entry.context, &visit.leave.context)
            };
            let gone =
                before.has(field) && !after.has(field) && !after.is_any() && !after.is_never();
            gone.then(|| Lost { name: self.plan.task(id).name.clone() })
        };
        // Ways back come later in the text, so those are asked last.
        let before = self.plan.tasks.iter().rev().map(|task| task.id).filter(|id| *id < task);
        let after = self.plan.tasks.iter().map(|task| task.id).filter(|id| *id >= task);
        before.chain(after).find_map(lost)
    }

    /// Tells of arguments that no value of theirs would satisfy.
    pub(super) fn arguments(&mut self, name: &str, found: &Shape, wanted: &Shape, with: &'n Node) {
        let Some(misfit) = fit::misfit(found, wanted) else { return };
        let node = with.at_pointer(&misfit.pointer).unwrap_or(with);
        // Constants were held against the schema itself when the call was compiled.
        if self.report.has("unknown-secret", &node.at.pointer) {
            return;
        }
        let constant = node.text().is_none_or(|text| !text.contains("${"));
        if constant && !misfit.of_keys {
            return;
        }
        if constant && node.entries().is_some() {
            return;
        }
        self.report
            .error("bad-argument", &node.at, format!("{name} refuses this: {}", misfit.message))
            .help(format!("see the input of {name}"));
    }
}

/// A task that lost a field.
pub(super) struct Lost {
    name: String,
}

/// The constants of one side that look like one of the other.
fn nearest_word(left: &Shape, right: &Shape) -> Option<String> {
    let (left, right) = (left.words()?, right.words()?);
    let (few, many) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let word = few.first().filter(|_| few.len() == 1)?;
    let near = did_you_mean(word, many.iter().map(String::as_str));
    near.or_else(|| {
        let known: Vec<String> = many.iter().map(|word| format!("`{word}`")).collect();
        Some(format!("it can be {}", known.join(", ")))
    })
}

/// A shape, cut to what fits a message.
pub(super) fn short(shape: &Shape) -> String {
    let text = shape.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
