//! What `schedule.on` makes of the events that start a run.

use serde_json::Value;
use tenure_adapter::Problem;
use tenure_definition::Plan;
use tenure_definition::plan::{EventFilter, Read, Strategy};
use tenure_machine::CloudEvent;

use crate::route::{Nothing, filters_of};

/// The input of the run: the array of what `schedule.read` keeps of the events that fit. `None`
/// when the events given do not yet start it.
///
/// # Errors
/// A configuration problem when events are given and the definition has no `schedule.on`.
pub(super) fn input(
    plan: &Plan,
    given: Value,
    triggers: &[CloudEvent],
) -> Result<Option<Value>, Problem> {
    if triggers.is_empty() {
        return Ok(Some(given));
    }
    let Some((on, read)) =
        plan.schedule.as_ref().and_then(|schedule| Some((schedule.on.as_ref()?, schedule.read)))
    else {
        return Err(Problem::configuration(
            "trigger events were given, but the definition has no schedule.on",
        ));
    };
    Ok(chosen(on, triggers).map(|events| {
        Value::Array(
            events
                .into_iter()
                .map(|event| match read {
                    Read::Data => event.data(),
                    Read::Envelope | Read::Raw => event.envelope(),
                })
                .collect(),
        )
    }))
}

/// The events that start the run: the first that fits, or one for each filter in declared order.
fn chosen<'a>(on: &Strategy, triggers: &'a [CloudEvent]) -> Option<Vec<&'a CloudEvent>> {
    match on {
        Strategy::One(_) | Strategy::Any(_) => {
            let filters = filters_of(on);
            let first =
                triggers.iter().find(|event| filters.iter().any(|filter| fits(filter, event)))?;
            Some(vec![first])
        }
        Strategy::All(filters) => {
            let mut used = Vec::new();
            filters
                .iter()
                .map(|filter| {
                    let (index, event) = triggers
                        .iter()
                        .enumerate()
                        .find(|(index, event)| !used.contains(index) && fits(filter, event))?;
                    used.push(index);
                    Some(event)
                })
                .collect()
        }
    }
}

/// Type and attributes by equality. There is no instance yet, so expressions see no variables, and
/// one that needs them fits nothing.
fn fits(filter: &EventFilter, event: &CloudEvent) -> bool {
    filter.event_type.as_ref().is_none_or(|kind| *kind == event.kind)
        && filter.with.iter().all(|(name, wanted)| {
            let actual = event.attribute(name);
            wanted.eval(&Value::Null, &Nothing).is_ok_and(|wanted| actual == Some(wanted))
        })
}
