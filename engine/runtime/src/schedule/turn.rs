//! What a schedule does next: pure, so that every case can be tried.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use tenure_definition::Plan;
use tenure_definition::plan::Strategy;
use tenure_definition::schedule::{Nominal, Overlap};
use tenure_definition::time::Duration;
use tenure_store::port::{Scheduled, StoredDefinition};

/// A firing that is carried out so much later is still on time: a restart of a node and the
/// hand-over of its buckets fit in. What is later was missed, and the policy decides.
const ON_TIME: SignedDuration = SignedDuration::from_secs(60);

/// The schedule of the newest version of a definition.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) plan: Arc<Plan>,
    /// Since when the definition has a schedule: nothing fires before.
    pub(crate) since: Timestamp,
    /// Since when it has this `every`: a new version with the same one keeps its beat.
    pub(crate) every_since: Timestamp,
}

impl InForce {
    pub(crate) fn name(&self) -> Scheduled {
        super::name(&self.plan)
    }

    /// Whether a filter of `on` names this type of events.
    pub(crate) fn names(&self, event_type: &str) -> bool {
        self.types().flatten().any(|named| named == event_type)
    }

    /// Whether a filter of `on` may fit this type of events.
    pub(crate) fn may_hear(&self, event_type: &str) -> bool {
        self.types().any(|named| named.is_none_or(|named| named == event_type))
    }

    fn types(&self) -> impl Iterator<Item = Option<&str>> {
        let on = self.plan.schedule.iter().filter_map(|schedule| schedule.on.as_ref());
        on.flat_map(Strategy::filters).map(|filter| filter.event_type.as_deref())
    }
}

/// The newest version of a definition so far, and its schedule.
type Newest = (Option<Version>, Option<InForce>);

/// The schedules of the newest versions, derived from all versions in the order of their
/// registration: every node comes to the same.
pub(crate) fn in_force(
    stored: &[StoredDefinition],
    compiled: &HashMap<String, Arc<Plan>>,
) -> Vec<Arc<InForce>> {
    let mut newest: HashMap<(&str, &str), Newest> = HashMap::new();
    for definition in stored {
        let name = (definition.namespace.as_str(), definition.name.as_str());
        let version = Version::parse(&definition.version).ok();
        let before = newest.remove(&name);
        if let Some((newer, found)) = before {
            if newer > version {
                newest.insert(name, (newer, found));
                continue;
            }
            let found =
                compiled.get(&definition.digest).and_then(|plan| after(found, plan, definition));
            newest.insert(name, (version, found));
        } else {
            let found =
                compiled.get(&definition.digest).and_then(|plan| after(None, plan, definition));
            newest.insert(name, (version, found));
        }
    }
    let mut found: Vec<Arc<InForce>> =
        newest.into_values().filter_map(|(_, found)| found).map(Arc::new).collect();
    found.sort_by_key(|schedule| schedule.name());
    found
}

/// The schedule of a version that follows another one.
fn after(
    before: Option<InForce>,
    plan: &Arc<Plan>,
    definition: &StoredDefinition,
) -> Option<InForce> {
    let schedule = plan.schedule.as_ref()?;
    let every = |plan: &Plan| {
        let every = plan.schedule.as_ref()?.every.as_ref()?;
        match every {
            Duration::Fixed(span) => Some(span.to_string()),
            Duration::Computed(_) => None,
        }
    };
    let now = definition.created_at;
    let (since, every_since) = match before {
        Some(before) if schedule.every.is_none() || every(&before.plan) == every(plan) => {
            (before.since, before.every_since)
        }
        Some(before) => (before.since, now),
        None => (now, now),
    };
    Some(InForce { plan: Arc::clone(plan), since, every_since })
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing is due.
    Rest,
    /// Firings were missed that nobody makes up for.
    Drop {
        /// The last of them.
        until: Timestamp,
    },
    /// This firing is due.
    Fire(Nominal),
}

/// What a firing does about the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Starts its instance.
    Start,
    /// Starts nothing.
    Skip,
    /// Waits for the end of the other.
    Buffer,
    /// Cancels the other and starts its instance.
    CancelPrevious,
}

/// What a firing does when the last instance still lives, or not.
pub(crate) fn meet(overlap: Overlap, lives: bool) -> Meeting {
    match overlap {
        Overlap::Skip if lives => Meeting::Skip,
        Overlap::BufferOne if lives => Meeting::Buffer,
        Overlap::CancelPrevious if lives => Meeting::CancelPrevious,
        Overlap::Allow | Overlap::Skip | Overlap::BufferOne | Overlap::CancelPrevious => {
            Meeting::Start
        }
    }
}

/// The next of `every` and `cron` after what was handled.
pub(crate) fn turn(schedule: &InForce, handled: Timestamp, now: Timestamp) -> Turn {
    let Some(ways) = schedule.plan.schedule.as_ref() else { return Turn::Rest };
    let (zone, anchor) = (&schedule.plan.extensions.zone, schedule.every_since);
    let name = schedule.name();
    let due = |firing: &Nominal| firing.due(&name.namespace, &name.definition, &ways.policy);
    let is_late = |firing: &Nominal| now.duration_since(due(firing)) > ON_TIME;
    let Some(next) = ways.next_after(zone, handled, anchor) else { return Turn::Rest };
    if due(&next) > now {
        return Turn::Rest;
    }
    if !is_late(&next) {
        return Turn::Fire(next);
    }
    // What may still be moved by jitter is not over.
    let jitter = ways.policy.jitter.and_then(|jitter| {
        now.to_zoned(zone.clone()).checked_sub(jitter).ok().map(|over| over.timestamp())
    });
    let over = jitter.unwrap_or(now);
    let last = ways.last_until(zone, over, anchor).filter(|last| last.at > handled);
    let last = last.unwrap_or(next);
    let made_up = ways.missed(zone, handled, over.max(last.at), anchor);
    if !is_late(&last) || made_up == Some(last) {
        Turn::Fire(last)
    } else {
        Turn::Drop { until: last.at }
    }
}

#[cfg(test)]
mod tests;
