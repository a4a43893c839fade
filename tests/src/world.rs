//! A small world around the pure machine: random definitions (`definition`), random outcomes,
//! random order.

mod definition;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tenure_adapter::{DeclineClass, Lookup, Outcome, Problem, Reason};
use tenure_definition::Plan;
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::Activity;
use tenure_machine::{
    ChildResult, CloudEvent, Command, Event, Instance, InstanceId, Start, Step, TimerId,
    Transition, Wait, step,
};

use crate::random::Random;
pub use definition::{catalog, definition};

/// Events one world is fed at most.
pub const EVENTS_MAX: usize = 400;
/// Events that fit a wait: as many as the random definitions ask for at most.
const FITTING_EVENTS: usize = 2;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { unreachable!("tasks are objects, not {value}") };
    map
}

/// An instance in its surroundings: what it asked for, and what may come back.
#[derive(Debug)]
pub struct World<'a> {
    plan: &'a Plan,
    /// The instance as it stands.
    pub instance: Instance,
    now: Timestamp,
    /// Events that may arrive, in any order.
    possible: Vec<Event>,
    timers: BTreeMap<i64, Timestamp>,
    /// Whether the state passes through its serialized form between all steps.
    serialize: bool,
    /// Everything that was decided, for comparison.
    pub transitions: Vec<Transition>,
}

impl<'a> World<'a> {
    /// A fresh instance of the plan.
    #[must_use]
    pub fn new(plan: &'a Plan, serialize: bool) -> Self {
        let now = Timestamp::from_second(1_800_000_000).expect("a valid time");
        let id = InstanceId::new(Bucket(5), now, [7; 8]);
        let start = Start {
            id,
            business_key: Some("B-1".to_owned()),
            start_key: Some("S-1".to_owned()),
            input: json!({ "n": 1 }),
            parent: None,
            at: now,
        };
        let instance = start.into_instance(plan);
        let possible = vec![Event::Started];
        let (timers, transitions) = (BTreeMap::new(), Vec::new());
        Self { plan, instance, now, possible, timers, serialize, transitions }
    }

    /// Feeds random events until the instance ends or nothing more can happen.
    ///
    /// # Panics
    /// When an invariant of the machine does not hold.
    pub fn run(&mut self, random: &mut Random) {
        let cancelled = random.one_in(8).then(|| random.below(20));
        for turn in 0..EVENTS_MAX {
            if cancelled == Some(turn) {
                let reason = "the world has changed its mind".to_owned();
                self.possible.push(Event::CancelRequested { reason });
            }
            let Some(event) = self.choose(random) else { break };
            // Late and doubled answers must be harmless.
            let repeat = random.one_in(5);
            self.feed(&event, random);
            if repeat {
                self.feed(&event, random);
            }
        }
    }

    fn choose(&mut self, random: &mut Random) -> Option<Event> {
        if !self.possible.is_empty() && (self.timers.is_empty() || !random.one_in(3)) {
            return Some(self.possible.swap_remove(random.below(self.possible.len())));
        }
        let timers: Vec<(i64, Timestamp)> =
            self.timers.iter().map(|(id, due)| (*id, *due)).collect();
        let (timer, due) = *timers.get(random.below(timers.len()))?;
        // Sometimes too early: that must be refused.
        if !random.one_in(10) {
            self.now = self.now.max(due);
        }
        Some(Event::TimerDue { timer: TimerId(timer) })
    }

    fn feed(&mut self, event: &Event, random: &mut Random) {
        self.now += SignedDuration::from_millis(1);
        if self.serialize {
            let text = serde_json::to_string(&self.instance).expect("instances serialize");
            self.instance = serde_json::from_str(&text).expect("instances deserialize");
        }
        let before = self.instance.clone();
        match step(self.plan, &self.instance, event, self.now) {
            Step::Stale(_) => {}
            Step::Moved(transition) => {
                check(&before, &transition);
                for command in &transition.commands {
                    self.answer(command, random);
                }
                self.instance = transition.instance.clone();
                self.transitions.push(*transition);
            }
        }
    }

    /// What the surroundings may answer to a command.
    fn answer(&mut self, command: &Command, random: &mut Random) {
        match command {
            Command::Call(intent) => {
                let call = intent.call;
                if random.one_in(8) {
                    self.possible.push(Event::CallLost { call });
                }
                self.possible.push(Event::CallEnded { call, outcome: outcome(random) });
            }
            Command::LookUp(intent) => {
                let lookup = match random.below(3) {
                    0 => Lookup::Happened {
                        outcome: Outcome::Done { output: json!({ "found": true }) },
                    },
                    1 => Lookup::Absent,
                    _ => Lookup::Unknown { detail: "no answer".to_owned() },
                };
                self.possible.push(Event::LookupEnded { call: intent.call, lookup });
            }
            Command::SetTimer { timer, due } => _ = self.timers.insert(timer.0, *due),
            Command::ClearTimer { timer } => _ = self.timers.remove(&timer.0),
            Command::OpenWait(wait) => self.happen(wait, random),
            Command::StartChild(start) => {
                let result = match random.below(8) {
                    0 => ChildResult::Faulted { error: Problem::runtime("the child failed") },
                    _ => ChildResult::Completed { output: json!({ "child": "done" }) },
                };
                self.possible.push(Event::ChildEnded { child: start.id, result });
            }
            Command::AcquireLock { lock, name } => {
                self.possible.push(Event::LockGranted { lock: *lock, name: name.clone() });
            }
            Command::CloseWait { .. }
            | Command::CancelChild { .. }
            | Command::TellParent { .. }
            | Command::Emit { .. }
            | Command::SetAttributes { .. }
            | Command::ReleaseLock { .. } => {}
        }
    }

    /// Events for a wait: some that fit, and sometimes one before them that does not.
    fn happen(&mut self, wait: &Wait, random: &mut Random) {
        let kind = wait.event_type.as_deref().unwrap_or("world.event");
        let is_human = kind.starts_with("io.tenure.human-task");
        let mut numbers = if random.one_in(3) { vec![8] } else { Vec::new() };
        numbers.extend(vec![7; FITTING_EVENTS]);
        for n in numbers {
            let data = if is_human {
                let ticket = wait.value.as_deref().and_then(|v| serde_json::from_str(v).ok());
                let ticket: Value = ticket.unwrap_or_else(|| json!([null]));
                json!({ "ticket": ticket[0], "decision": { "n": n } })
            } else {
                json!({ "n": n })
            };
            let event = CloudEvent {
                specversion: "1.0".to_owned(),
                id: random.bits().to_string(),
                source: "/world".to_owned(),
                kind: kind.to_owned(),
                rest: object(json!({ "data": data })),
            };
            self.possible.push(Event::EventArrived { wait: wait.wait, event });
        }
    }
}

fn outcome(random: &mut Random) -> Outcome {
    let detail = "the world says so".to_owned();
    match random.below(40) {
        0..=4 => Outcome::Unknown { detail },
        5 | 6 => Outcome::NotSent { detail },
        7..=10 => {
            Outcome::Rejected { reason: Reason::Throttled, detail, retry_after_ms: Some(700) }
        }
        11 => Outcome::Rejected { reason: Reason::Invalid, detail, retry_after_ms: None },
        12 => Outcome::Declined { class: DeclineClass::Soft, code: "51".to_owned(), detail },
        13 => Outcome::Rejected { reason: Reason::Config, detail, retry_after_ms: None },
        14 => {
            Outcome::Failed { error: Problem::standard("communication", 404, "Not Found", detail) }
        }
        15.. => Outcome::Done { output: json!({ "answer": random.below(100) }) },
    }
}

/// What must hold after every step.
fn check(before: &Instance, transition: &Transition) {
    let after = &transition.instance;
    assert_eq!(after.revision, before.revision + 1, "every transition counts");
    assert!(!transition.journal.is_empty(), "every transition leaves a trace");
    if after.is_terminal() {
        assert!(after.frames.is_empty(), "a terminal instance has no active task");
        assert!(after.timers.is_empty(), "a terminal instance has no timer");
        return;
    }
    let waits = after.frames.values().any(|frame| match &frame.activity {
        Activity::Listen { waits, .. } => !waits.is_empty(),
        Activity::Human { .. } => true,
        Activity::Locking => frame.lock.as_ref().is_some_and(|lock| !lock.held),
        Activity::Do
        | Activity::For { .. }
        | Activity::Fork { .. }
        | Activity::Try { .. }
        | Activity::Call { .. }
        | Activity::Wait { .. }
        | Activity::Child { .. }
        | Activity::Function { .. }
        | Activity::Extended { .. }
        | Activity::Compensating { .. } => false,
    });
    // Lateness is noted and moves nothing on.
    let late: Vec<TimerId> =
        after.frames.values().filter_map(|frame| frame.late).chain(after.late).collect();
    let stands_in_line = after.lock.as_ref().is_some_and(|lock| !lock.held);
    let lives = after.open_calls().next().is_some()
        || after.open_children().next().is_some()
        || after.incidents().next().is_some()
        || after.timers.keys().any(|timer| !late.contains(timer))
        || waits
        || stands_in_line;
    assert!(lives, "a live instance has a reason to live: {after:#?}");
}
