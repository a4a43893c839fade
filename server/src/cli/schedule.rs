//! `tenure schedule next`: when a definition would fire.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_definition::Plan;
use tenure_definition::plan::Schedule;
use tenure_definition::schedule::Nominal;
use tenure_definition::time::Duration;

use super::{Output, read};
use crate::exit::{Exit, Stop};
use crate::stack;
use crate::term::{self, Format};

/// Firings that one call prints at most.
const COUNT_MAX: u16 = 1_000;

/// Verbs of `tenure schedule`.
#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Print the coming firings of a definition
    Next(NextOptions),
}

/// Options of `tenure schedule next`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure schedule next workflows/eula/workflow.yaml
  tenure schedule next nightly.yaml --count 400 --from 2026-10-24T00:00:00Z
  tenure schedule next -o json nightly.yaml | jq -r '.firings[].key'")]
pub(super) struct NextOptions {
    /// Definition
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many firings
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=i64::from(COUNT_MAX)))]
    count: u16,
    /// The instant to look from; `every` counts from here too, on a server from the registration
    /// [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    #[command(flatten)]
    output: Output,
}

/// Does what was said.
pub(super) fn run(command: &ScheduleCommand) -> anyhow::Result<Exit> {
    match command {
        ScheduleCommand::Next(options) => next(options),
    }
}

fn next(options: &NextOptions) -> anyhow::Result<Exit> {
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default())?;
    let source = read::source(&options.file)?;
    let compiled = stack::deep(|| tenure_definition::compile(&source, registry.catalog()))?;
    let (plan, _warnings) = match compiled {
        Ok(compiled) => compiled,
        Err(found) => {
            term::talk(found.render(term::has_color()).trim_end());
            return Ok(Exit::Invalid);
        }
    };
    let Some(schedule) = &plan.schedule else {
        let message = format!(
            "{} has no schedule: it starts when somebody asks for it",
            options.file.display()
        );
        return Err(Stop::new(Exit::NotFound, message).into());
    };
    let from = options.from.unwrap_or_else(Timestamp::now);
    let firings = firings(&plan, schedule, from, usize::from(options.count));
    match options.output.output {
        Some(Format::Json) => term::json(&described(&plan, schedule, &firings))?,
        Some(Format::Text) | None => {
            term::data(&table(&plan, schedule, &firings).context("a line could not be written")?)?;
        }
    }
    Ok(Exit::Ok)
}

/// The firings by time after `from`, at most `count`.
fn firings(plan: &Plan, schedule: &Schedule, from: Timestamp, count: usize) -> Vec<Nominal> {
    let zone = &plan.extensions.zone;
    let next = |after: &Timestamp| schedule.next_after(zone, *after, from);
    std::iter::successors(next(&from), |last| next(&last.at)).take(count).collect()
}

/// What fires besides the clock, in words.
fn besides(schedule: &Schedule) -> Vec<String> {
    let after = schedule.after.as_ref().map(|after| match after {
        Duration::Fixed(span) => format!("after: {span} after the end of each instance"),
        Duration::Computed(_) => "after: a time after the end of each instance".to_owned(),
    });
    let on = schedule.on.as_ref().map(|on| {
        let types: Vec<&str> = on
            .filters()
            .iter()
            .map(|filter| filter.event_type.as_deref().unwrap_or("any event"))
            .collect();
        format!("on: {}", types.join(", "))
    });
    after.into_iter().chain(on).collect()
}

fn described(plan: &Plan, schedule: &Schedule, firings: &[Nominal]) -> Value {
    let policy = &schedule.policy;
    let firings: Vec<Value> = firings
        .iter()
        .map(|nominal| {
            json!({
                "at": nominal.at,
                "local": nominal.at.to_zoned(plan.extensions.zone.clone()).to_string(),
                "due": nominal.due(&plan.document.namespace, &plan.document.name, policy),
                "way": nominal.way.word(),
                "key": nominal.key(&plan.document.namespace, &plan.document.name),
            })
        })
        .collect();
    json!({ "firings": firings, "besides": besides(schedule) })
}

fn table(plan: &Plan, schedule: &Schedule, firings: &[Nominal]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let policy = &schedule.policy;
    for nominal in firings {
        let local = nominal.at.to_zoned(plan.extensions.zone.clone());
        write!(
            text,
            "{}  {:<5}  {}",
            local.strftime("%a %Y-%m-%d %H:%M:%S %:z"),
            nominal.way.word(),
            nominal.at
        )?;
        let due = nominal.due(&plan.document.namespace, &plan.document.name, policy);
        if due != nominal.at {
            write!(text, "  with jitter {due}")?;
        }
        text.push('\n');
    }
    if firings.is_empty() && (schedule.cron.is_some() || schedule.every.is_some()) {
        text.push_str("no firing before the end of the calendar\n");
    }
    for line in besides(schedule) {
        writeln!(text, "{line}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use tenure_adapter::Catalog;
    use tenure_definition::{Source, compile};

    use super::*;

    fn lines(schedule: &str, from: &str, count: usize) -> String {
        let text = format!(
            "document: {{dsl: '1.0.3', namespace: test, name: nightly, version: '1.0.0', \
             metadata: {{zone: Europe/Berlin}}}}\nschedule: {schedule}\n\
             do:\n  - greet: {{set: {{text: hello}}}}\n"
        );
        let source = Source { name: "nightly.yaml".to_owned(), text };
        let (plan, _) = compile(&source, &Catalog::new([])).unwrap();
        let schedule = plan.schedule.as_ref().unwrap();
        let found = firings(&plan, schedule, from.parse().unwrap(), count);
        table(&plan, schedule, &found).unwrap()
    }

    #[test]
    fn firings_are_told_in_the_documents_zone() {
        // The night the clocks go back: 02:30 comes twice and fires once.
        assert_eq!(
            lines("{cron: '30 2 * * *'}", "2026-10-24T12:00:00Z", 2),
            "Sun 2026-10-25 02:30:00 +02:00  cron   2026-10-25T00:30:00Z\n\
             Mon 2026-10-26 02:30:00 +01:00  cron   2026-10-26T01:30:00Z\n"
        );
        assert_eq!(
            lines("{every: {hours: 12}}", "2026-01-01T00:00:00Z", 1),
            "Thu 2026-01-01 13:00:00 +01:00  every  2026-01-01T12:00:00Z\n"
        );
    }

    #[test]
    fn what_is_not_fired_by_the_clock_is_named() {
        assert_eq!(
            lines("{on: {one: {with: {type: order.paid}}}}", "2026-01-01T00:00:00Z", 3),
            "on: order.paid\n"
        );
    }
}
