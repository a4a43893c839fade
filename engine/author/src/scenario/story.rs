//! The story of a run: what happened when, for people.

use jiff::Timestamp;
use tenure_adapter::{Lookup, Outcome, Problem};
use tenure_machine::Fact;

use super::record::{Moment, Record, name_of};
use super::result::Line;

/// Lines that are told; of a longer story the end, where it went wrong.
const LINES_MAX: usize = 60;
/// Characters of one line.
const WORDS_MAX: usize = 160;

/// The story of a run that began at `start`.
pub(super) fn tell(record: &Record, start: Timestamp) -> Vec<Line> {
    let mut lines: Vec<Line> =
        record.moments.iter().filter_map(|moment| line(record, moment, start)).collect();
    let surplus = lines.len().saturating_sub(LINES_MAX);
    lines.drain(..surplus);
    lines
}

fn line(record: &Record, moment: &Moment, start: Timestamp) -> Option<Line> {
    let what = sentence(record, moment)?;
    let place = match &moment.entry.task {
        Some(pointer) => format!("{}:{}", moment.definition, name_of(pointer)),
        None => moment.definition.clone(),
    };
    let what = match what.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}...", what.get(..end).unwrap_or_default()),
        None => what,
    };
    Some(Line { at: moment.at, after: since(start, moment.at), place, what })
}

fn sentence(record: &Record, moment: &Moment) -> Option<String> {
    let function = |key: &uuid::Uuid| {
        let made = record.calls.iter().find(|made| made.key == *key);
        made.map_or_else(|| "a call".to_owned(), |made| made.function.clone())
    };
    Some(match &moment.entry.fact {
        Fact::InstanceStarted => "begins".to_owned(),
        Fact::InstanceCompleted { output } => format!("completed with {output}"),
        Fact::InstanceFaulted { error } => format!("faulted: {}", words(error)),
        Fact::InstanceCancelled { reason } => format!("cancelled: {reason}"),
        Fact::TaskFaulted { error } => format!("fails: {}", words(error)),
        Fact::TaskRetried { retry, at, .. } => format!("will be tried again ({retry}) at {at}"),
        Fact::EffectIntended { intent, attempt } => {
            format!("calls {} (attempt {attempt}) {}", intent.function, intent.request)
        }
        Fact::EffectReturned { key, outcome } => {
            format!("{} {}", function(key), returned(outcome))
        }
        Fact::EffectReturnedLate { key, outcome } => {
            format!("{} {}, after its task was over", function(key), returned(outcome))
        }
        Fact::EffectSettling { key, until } => {
            format!("{}: outcome unknown, nothing is done until {until}", function(key))
        }
        Fact::LookupReturned { key, lookup } => {
            let answer = match lookup {
                Lookup::Happened { .. } => "it had happened",
                Lookup::Absent => "it had not happened",
                Lookup::Unknown { .. } => "still unknown",
            };
            format!("{} was looked up: {answer}", function(key))
        }
        Fact::TimerSet { due } => format!("waits until {due}"),
        Fact::WaitOpened { event_type, .. } => {
            format!("waits for {}", event_type.as_deref().unwrap_or("any event"))
        }
        Fact::EventConsumed { event, .. } => format!("hears {} {}", event.kind, event.data()),
        Fact::EventEmitted { event } => format!("tells {} {}", event.kind, event.data()),
        Fact::ChildStarted { definition, .. } => format!("starts {definition}"),
        Fact::CaseTaken { case } => format!("goes the way `{case}`"),
        Fact::InstanceCancelling { reason } => format!("is being cancelled: {reason}"),
        Fact::LockRequested { name } => format!("asks for the lock {name}"),
        Fact::LockGranted { name } => format!("holds the lock {name}"),
        Fact::LockReleased { name } => format!("lets the lock {name} go"),
        Fact::Late => "is late".to_owned(),
        Fact::CompensationStarted => "is being undone".to_owned(),
        Fact::CompensationCompleted => "was undone".to_owned(),
        Fact::HumanTaskOpened { request, .. } => format!("asks a person: {request}"),
        Fact::IncidentOpened { fingerprint, detail } => {
            format!("needs an operator: {fingerprint}: {detail}")
        }
        Fact::TaskStarted
        | Fact::TaskSkipped
        | Fact::TaskCompleted { .. }
        | Fact::TaskCancelled
        | Fact::LookupIntended { .. }
        | Fact::TimerFired { .. }
        | Fact::ChildEnded { .. }
        | Fact::CompensationRegistered
        | Fact::ContextExported { .. } => return None,
    })
}

fn words(error: &Problem) -> String {
    format!("{} {}", error.kind, error.detail.as_deref().unwrap_or(&error.title))
}

fn returned(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { output } => format!("gives {output}"),
        Outcome::Rejected { reason, detail, .. } => format!("was rejected ({reason:?}): {detail}"),
        Outcome::Declined { code, detail, .. } => format!("was declined ({code}): {detail}"),
        Outcome::Failed { error } => format!("failed: {}", words(error)),
        Outcome::NotSent { detail } => format!("was not sent: {detail}"),
        Outcome::Unknown { detail } => format!("has an unknown outcome: {detail}"),
    }
}

/// The time between two instants, for people: `3d 02:00:05`.
pub(super) fn since(start: Timestamp, at: Timestamp) -> String {
    let passed = at.duration_since(start);
    let seconds = passed.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let millis = passed.subsec_millis();
    let clock = format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    let clock = if millis == 0 { clock } else { format!("{clock}.{millis:03}") };
    if days == 0 { clock } else { format!("{days}d {clock}") }
}
