//! A small world around the pure machine: random definitions, random outcomes, random order.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tenure_adapter::{
    Catalog, DeclineClass, EffectClass, Lookup, Manifest, Outcome, Problem, Reason, RetryDefault,
};
use tenure_definition::Plan;
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::Activity;
use tenure_machine::{
    ChildResult, CloudEvent, Command, Event, Instance, InstanceId, Start, Step, TimerId,
    Transition, step,
};

use crate::random::Random;

/// Events one world is fed at most.
pub const EVENTS_MAX: usize = 400;

/// One function per effect class, so that every path of a call is walked.
#[must_use]
pub fn catalog() -> Catalog {
    let manifest = |name: &str, class| Manifest {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: "A function of the test world.".to_owned(),
        connection: None,
        input: json!({ "type": "object" }),
        output: json!({}),
        class,
        money: false,
        deadline_ms: 1_000,
        settle_ms: 500,
        retry: RetryDefault { retries_max: 2, delay_ms: 100 },
    };
    Catalog::new([
        manifest("world.keyed", EffectClass::Keyed { key_life_ms: 60_000 }),
        manifest("world.natural", EffectClass::Natural),
        manifest("world.lookup", EffectClass::Lookup),
        manifest("world.once", EffectClass::AtMostOnce),
        manifest("world.often", EffectClass::AtLeastOnce),
    ])
}

/// A random definition that compiles, as JSON (which is YAML).
#[must_use]
pub fn definition(random: &mut Random) -> Value {
    let mut counter = 0;
    json!({
        "document": { "dsl": "1.0.3", "namespace": "world", "name": "random", "version": "1.0.0" },
        "do": (0..6 + random.below(5))
            .map(|_| task(random, DEPTH_MAX, &mut counter))
            .collect::<Vec<_>>(),
    })
}

/// Composite tasks inside composite tasks of a random definition, at most.
const DEPTH_MAX: u32 = 3;

fn block(random: &mut Random, depth: u32, counter: &mut u32) -> Vec<Value> {
    (0..2 + random.below(3)).map(|_| task(random, depth, counter)).collect()
}

fn task(random: &mut Random, depth: u32, counter: &mut u32) -> Value {
    *counter += 1;
    let name = format!("t{counter}");
    let mut task = if depth > 0 && random.one_in(2) {
        composite(random, depth - 1, counter)
    } else {
        simple(random, *counter)
    };
    if random.one_in(8) {
        task.insert("if".to_owned(), json!("${ . != null }"));
    }
    if random.one_in(6) {
        task.insert("timeout".to_owned(), json!({ "after": { "seconds": 20 } }));
    }
    if random.one_in(3) {
        let export = format!("${{ $context + {{ {name}: $runtime.name }} }}");
        task.insert("export".to_owned(), json!({ "as": export }));
    }
    json!({ name: task })
}

fn simple(random: &mut Random, number: u32) -> Map<String, Value> {
    let task = match random.below(24) {
        0..=2 => json!({ "set": { "n": number, "seen": "${ $context }" } }),
        3..=11 => {
            let class = random.pick(&["keyed", "natural", "lookup", "once", "often"]);
            json!({ "call": format!("world.{class}:1.0.0@default"), "with": { "n": number } })
        }
        12..=15 => json!({ "wait": { "seconds": 5 } }),
        16..=19 => json!({ "listen": { "to": { "one": {
            "with": { "type": "world.event" },
            "correlate": { "n": { "from": ".data.n", "expect": "${ 7 }" } },
        } } } }),
        20..=22 => {
            json!({ "emit": { "event": { "with": { "type": "world.emitted", "data": { "n": number } } } } })
        }
        _ => json!({ "raise": { "error": {
            "type": "urn:world:raised", "status": 500, "title": "Raised",
        } } }),
    };
    object(task)
}

fn composite(random: &mut Random, depth: u32, counter: &mut u32) -> Map<String, Value> {
    let task = match random.below(6) {
        0 => json!({ "do": block(random, depth, counter) }),
        1 | 2 => {
            let body = block(random, depth, counter);
            let mut catch = Map::new();
            if random.one_in(2) {
                catch.insert(
                    "retry".to_owned(),
                    json!({
                        "delay": { "seconds": 1 },
                        "backoff": { "exponential": {} },
                        "limit": { "attempt": { "count": 2 } },
                    }),
                );
            }
            if random.one_in(2) {
                catch.insert("do".to_owned(), json!(block(random, depth, counter)));
            }
            json!({ "try": body, "catch": catch })
        }
        3 => {
            let branches: Vec<Value> =
                (0..2 + random.below(2)).map(|_| task(random, depth, counter)).collect();
            json!({ "fork": { "compete": random.one_in(2), "branches": branches } })
        }
        4 => json!({
            "for": { "each": "item", "in": "${ [1, 2] }" },
            "do": block(random, depth, counter),
        }),
        _ => json!({ "run": { "workflow": {
            "namespace": "world", "name": "child", "version": "latest", "input": {},
        } } }),
    };
    object(task)
}

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
        for _ in 0..EVENTS_MAX {
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
            Command::OpenWait(wait) => {
                // Sometimes an event that does not fit comes first.
                let others = if random.one_in(3) { vec![8, 7] } else { vec![7] };
                for n in others {
                    let event = CloudEvent {
                        specversion: "1.0".to_owned(),
                        id: random.bits().to_string(),
                        source: "/world".to_owned(),
                        kind: "world.event".to_owned(),
                        rest: object(json!({ "data": { "n": n } })),
                    };
                    self.possible.push(Event::EventArrived { wait: wait.wait, event });
                }
            }
            Command::StartChild(start) => {
                let result = match random.below(8) {
                    0 => ChildResult::Faulted { error: Problem::runtime("the child failed") },
                    _ => ChildResult::Completed { output: json!({ "child": "done" }) },
                };
                self.possible.push(Event::ChildEnded { child: start.id, result });
            }
            Command::CloseWait { .. }
            | Command::CancelChild { .. }
            | Command::TellParent { .. }
            | Command::Emit { .. }
            | Command::SetAttributes { .. }
            | Command::AcquireLock { .. }
            | Command::ReleaseLock { .. } => {}
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
        Activity::Do
        | Activity::For { .. }
        | Activity::Fork { .. }
        | Activity::Try { .. }
        | Activity::Call { .. }
        | Activity::Wait { .. }
        | Activity::Child { .. }
        | Activity::Locking
        | Activity::Function { .. }
        | Activity::Extended { .. }
        | Activity::Compensating { .. }
        | Activity::Human { .. } => false,
    });
    let lives = after.open_calls().next().is_some()
        || after.open_children().next().is_some()
        || after.incidents().next().is_some()
        || !after.timers.is_empty()
        || waits;
    assert!(lives, "a live instance has a reason to live: {after:#?}");
}
