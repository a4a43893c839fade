//! What `schedule.on` makes of the events that start a run.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_adapter::Problem;
use tenure_definition::Plan;
use tenure_definition::plan::{EventFilter, Read, Strategy};
use tenure_machine::CloudEvent;

use crate::route::Nothing;

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

/// The events that start the run: the first that fits, or one for each filter in declared order,
/// whose correlations agree.
fn chosen<'a>(on: &Strategy, triggers: &'a [CloudEvent]) -> Option<Vec<&'a CloudEvent>> {
    match on {
        Strategy::One(_) | Strategy::Any(_) => triggers
            .iter()
            .find(|event| {
                on.filters().iter().any(|filter| fits(filter, event, &BTreeMap::new()).is_some())
            })
            .map(|first| vec![first]),
        Strategy::All(filters) => {
            let mut used = Vec::new();
            let mut bound = BTreeMap::new();
            filters
                .iter()
                .map(|filter| {
                    let unused = triggers.iter().enumerate().filter(|(at, _)| !used.contains(at));
                    let (at, event, newly) = unused
                        .into_iter()
                        .find_map(|(at, event)| Some((at, event, fits(filter, event, &bound)?)))?;
                    used.push(at);
                    bound.extend(newly);
                    Some(event)
                })
                .collect()
        }
    }
}

/// The correlation values an event adds to those bound before, when it fits. There is no instance
/// yet, so expressions see the event and no variables.
fn fits(
    filter: &EventFilter,
    event: &CloudEvent,
    bound: &BTreeMap<String, Value>,
) -> Option<BTreeMap<String, Value>> {
    if !event.fits(filter, &Nothing) {
        return None;
    }
    let envelope = event.envelope();
    let mut newly = BTreeMap::new();
    for correlation in &filter.correlate {
        let found = correlation.from.eval(&envelope, &Nothing).ok()?;
        let wanted = match &correlation.expect {
            Some(expect) => Some(expect.eval(&Value::Null, &Nothing).ok()?),
            None => bound.get(&correlation.name).cloned(),
        };
        if wanted.is_some_and(|wanted| wanted != found) {
            return None;
        }
        newly.insert(correlation.name.clone(), found);
    }
    Some(newly)
}
