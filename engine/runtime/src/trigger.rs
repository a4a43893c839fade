//! What `schedule.on` makes of the events that start a run.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_adapter::Problem;
use tenure_definition::Plan;
use tenure_definition::plan::{EventFilter, Read, Schedule, Strategy};
use tenure_machine::CloudEvent;

use crate::route::Nothing;

/// Tries of an event with a filter until the search for events that agree is given up.
const TRIES_MAX: usize = 10_000;

/// The input of the run: the array of what `schedule.read` keeps of the events that fit. `None`
/// when the events given do not yet start it.
///
/// # Errors
/// A configuration problem when events are given and the definition has no `schedule.on`.
pub(crate) fn input(
    plan: &Plan,
    given: Value,
    triggers: &[CloudEvent],
) -> Result<Option<Value>, Problem> {
    if triggers.is_empty() {
        return Ok(Some(given));
    }
    let triggers: Vec<CloudEvent> =
        triggers.iter().filter(|event| !event.is_told_of(&plan.document)).cloned().collect();
    let Some(schedule) = plan.schedule.as_ref().filter(|schedule| schedule.on.is_some()) else {
        return Err(Problem::configuration(
            "trigger events were given, but the definition has no schedule.on",
        ));
    };
    Ok(chosen(schedule, &triggers).map(|events| read(schedule, events)))
}

/// What `schedule.read` keeps of the events that start a run.
pub(crate) fn read<'a>(
    schedule: &Schedule,
    events: impl IntoIterator<Item = &'a CloudEvent>,
) -> Value {
    let keep = |event: &CloudEvent| match schedule.read {
        Read::Data => event.data(),
        Read::Envelope | Read::Raw => event.envelope(),
    };
    Value::Array(events.into_iter().map(keep).collect())
}

/// Whether an event has a part in starting a run.
pub(crate) fn hears(schedule: &Schedule, event: &CloudEvent) -> bool {
    let filters = schedule.on.iter().flat_map(Strategy::filters);
    filters.into_iter().any(|filter| fits(filter, event, &BTreeMap::new()).is_some())
}

/// The events that start the run: the first that fits, or one for each filter in declared order,
/// whose correlations agree.
pub(crate) fn chosen<'a>(
    schedule: &Schedule,
    triggers: &'a [CloudEvent],
) -> Option<Vec<&'a CloudEvent>> {
    match schedule.on.as_ref()? {
        Strategy::One(_) | Strategy::Any(_) => {
            triggers.iter().find(|event| hears(schedule, event)).map(|first| vec![first])
        }
        Strategy::All(filters) => {
            let mut search = Search { triggers, used: Vec::new(), tries: 0 };
            search
                .fill(filters, &BTreeMap::new())
                .then(|| search.used.iter().filter_map(|at| triggers.get(*at)).collect())
        }
    }
}

/// The search for one event for each filter: older events first, and back when those after it do
/// not agree with one.
struct Search<'a> {
    triggers: &'a [CloudEvent],
    used: Vec<usize>,
    tries: usize,
}

impl Search<'_> {
    fn fill(&mut self, filters: &[EventFilter], bound: &BTreeMap<String, Value>) -> bool {
        let Some((filter, rest)) = filters.split_first() else { return true };
        for (at, event) in self.triggers.iter().enumerate() {
            if self.used.contains(&at) {
                continue;
            }
            self.tries += 1;
            if self.tries > TRIES_MAX {
                return false;
            }
            let Some(newly) = fits(filter, event, bound) else { continue };
            let mut bound = bound.clone();
            bound.extend(newly);
            self.used.push(at);
            if self.fill(rest, &bound) {
                return true;
            }
            self.used.pop();
        }
        false
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
