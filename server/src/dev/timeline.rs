//! The journal as a story: when, where, what.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tenure_adapter::{Lookup, Outcome};
use tenure_machine::{ChildResult, Entry, Fact};
use uuid::Uuid;

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// When.
    pub(super) at: Timestamp,
    /// Which process.
    pub(super) process: String,
    /// Which task; empty for the process as a whole.
    pub(super) task: String,
    /// What happened.
    pub(super) what: String,
}

/// Tells the journal of one instance. Beginnings and ends of tasks are left out: what they did is
/// told by the calls, waits and errors between them.
pub(super) fn tell(process: &str, rows: &[(Timestamp, Vec<Entry>)]) -> Vec<Line> {
    let mut functions: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut lines = Vec::new();
    for (at, entries) in rows {
        for entry in entries {
            if let Fact::EffectIntended { intent, .. } = &entry.fact {
                functions.insert(intent.key, intent.function.clone());
            }
            let function = |key: &Uuid| functions.get(key).map_or("a call", String::as_str);
            let Some(what) = sentence(&entry.fact, &function) else { continue };
            let task = entry.task.as_deref().and_then(|task| task.rsplit('/').next());
            lines.push(Line {
                at: *at,
                process: process.to_owned(),
                task: task.unwrap_or_default().to_owned(),
                what,
            });
        }
    }
    lines
}

fn sentence<'f>(fact: &Fact, function: &dyn Fn(&Uuid) -> &'f str) -> Option<String> {
    Some(match fact {
        Fact::TaskStarted
        | Fact::CaseTaken { .. }
        | Fact::TaskSkipped
        | Fact::TaskCompleted { .. }
        | Fact::TaskCancelled
        | Fact::TimerFired { .. }
        | Fact::LookupIntended { .. }
        | Fact::ContextExported { .. } => return None,
        Fact::InstanceStarted => "begins".to_owned(),
        Fact::InstanceCompleted { .. } => "completed".to_owned(),
        Fact::InstanceFaulted { error } => format!("faulted: {}", words(error)),
        Fact::InstanceCancelled { reason } => format!("cancelled: {reason}"),
        Fact::TaskFaulted { error } => format!("fails: {}", words(error)),
        Fact::TaskRetried { retry, at, .. } => format!("will be tried again ({retry}) at {at:.0}"),
        Fact::EffectIntended { intent, attempt: 1 } => format!("calls {}", intent.function),
        Fact::EffectIntended { intent, attempt } => {
            format!("calls {} again (attempt {attempt})", intent.function)
        }
        Fact::EffectReturned { key, outcome } => {
            format!("{} {}", function(key), returned(outcome))
        }
        Fact::EffectReturnedLate { key, outcome } => {
            format!("{} {}, after its task was over", function(key), returned(outcome))
        }
        Fact::EffectSettling { key, until } => {
            format!("{}: outcome unknown, nothing is done until {until:.0}", function(key))
        }
        Fact::LookupReturned { key, lookup } => {
            let answer = match lookup {
                Lookup::Happened { .. } => "it had happened; its outcome is adopted",
                Lookup::Absent => "it had not happened; it may be sent again",
                Lookup::Unknown { .. } => "nobody can say yet",
            };
            format!("{} looked up: {answer}", function(key))
        }
        Fact::TimerSet { due } => format!("sets a timer for {due:.0}"),
        Fact::WaitOpened { event_type, .. } => {
            format!("waits for {}", event_type.as_deref().unwrap_or("any event"))
        }
        Fact::EventConsumed { event, .. } => format!("hears {}", event.kind),
        Fact::EventEmitted { event } => format!("publishes {}", event.kind),
        Fact::ChildStarted { definition, .. } => format!("starts {definition}"),
        Fact::ChildEnded { result, .. } => match result {
            ChildResult::Completed { .. } => "the child completed".to_owned(),
            ChildResult::Faulted { error } => format!("the child faulted: {}", words(error)),
            ChildResult::Cancelled => "the child was cancelled".to_owned(),
        },
        Fact::LockRequested { name } => format!("stands in line for the lock {name}"),
        Fact::LockGranted { name } => format!("holds the lock {name}"),
        Fact::LockReleased { name } => format!("lets the lock {name} go"),
        Fact::InstanceCancelling { reason } => format!("is being cancelled: {reason}"),
        Fact::Late => "takes longer than expected".to_owned(),
        Fact::CompensationRegistered => "can be undone".to_owned(),
        Fact::CompensationStarted => "is being undone".to_owned(),
        Fact::CompensationCompleted => "was undone".to_owned(),
        Fact::HumanTaskOpened { request, .. } => format!(
            "asks a person: {}",
            request.get("title").and_then(serde_json::Value::as_str).unwrap_or("(no title)")
        ),
        Fact::IncidentOpened { detail, .. } => format!("needs an operator: {detail}"),
    })
}

fn returned(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { .. } => "done".to_owned(),
        Outcome::Rejected { detail, .. } => format!("rejected: {detail}"),
        Outcome::Declined { code, detail, .. } => format!("declined ({code}): {detail}"),
        Outcome::Failed { error } => format!("answered with an error: {}", words(error)),
        Outcome::NotSent { detail } => format!("not sent: {detail}"),
        Outcome::Unknown { detail } => format!("outcome unknown: {detail}"),
    }
}

fn words(problem: &tenure_adapter::Problem) -> &str {
    problem.detail.as_deref().unwrap_or(&problem.title)
}

/// The story as text, in order of time, with columns.
pub(super) fn text(mut lines: Vec<Line>) -> String {
    // Stable: lines of one moment stay in the order of their journal.
    lines.sort_by_key(|line| line.at);
    let width = |cell: &dyn Fn(&Line) -> usize| lines.iter().map(cell).max().unwrap_or(0);
    let process = width(&|line| line.process.chars().count());
    let task = width(&|line| line.task.chars().count());
    let mut text = String::new();
    for line in &lines {
        let time = line.at.strftime("%H:%M:%S%.3f");
        text.push_str(&format!(
            "  {time}  {:<process$}  {:<task$}  {}\n",
            line.process, line.task, line.what
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use tenure_adapter::{DeclineClass, Origin, Problem};
    use tenure_machine::{CallId, Intent};

    use super::*;

    fn intent(function: &str) -> Intent {
        Intent {
            call: CallId(1),
            function: function.to_owned(),
            key: Uuid::nil(),
            request: serde_json::json!({ "secret": "x" }).into(),
            intent_at: Timestamp::UNIX_EPOCH,
            send_by: Timestamp::UNIX_EPOCH,
            deadline_ms: 1,
            origin: Origin {
                namespace: String::new(),
                definition: String::new(),
                business_key: String::new(),
                task: String::new(),
            },
        }
    }

    #[test]
    fn a_journal_reads_as_a_story() {
        let entry = |task: &str, fact| Entry { task: Some(task.to_owned()), place: None, fact };
        let outcome = Outcome::Declined {
            class: DeclineClass::Soft,
            code: "51".into(),
            detail: "insufficient funds".into(),
        };
        let rows = vec![
            (
                Timestamp::UNIX_EPOCH,
                vec![Entry { task: None, place: None, fact: Fact::InstanceStarted }],
            ),
            (
                Timestamp::from_second(1).unwrap(),
                vec![
                    entry("/do/0/pay", Fact::TaskStarted),
                    entry(
                        "/do/0/pay",
                        Fact::EffectIntended { intent: intent("zuora.createOrder"), attempt: 1 },
                    ),
                    entry("/do/0/pay", Fact::EffectReturned { key: Uuid::nil(), outcome }),
                ],
            ),
            (
                Timestamp::from_second(2).unwrap(),
                vec![Entry {
                    task: None,
                    place: None,
                    fact: Fact::InstanceFaulted { error: Problem::runtime("no") },
                }],
            ),
        ];
        let told = text(tell("purchase", &rows));
        let expected = "  00:00:00.000  purchase       begins
  00:00:01.000  purchase  pay  calls zuora.createOrder
  00:00:01.000  purchase  pay  zuora.createOrder declined (51): insufficient funds
  00:00:02.000  purchase       faulted: no
";
        assert_eq!(told, expected);
        assert!(!told.contains("secret"));
    }
}
