//! A hand-driven instance.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenure_adapter::{
    Catalog, DeclineClass, EffectClass, Lookup, Manifest, Outcome, Problem, Reason, RetryDefault,
};
use tenure_definition::{Plan, Source, compile};
use tenure_machine::bucket::Bucket;
use tenure_machine::instance::HeldLock;
use tenure_machine::{
    CloudEvent, Command, Entry, Event, Fact, Instance, InstanceId, Intent, Stale, Start, Status,
    Step, TimerId, Wait, WaitId, admit, step,
};

pub(crate) const DEADLINE_MS: u64 = 2_000;
pub(crate) const SETTLE_MS: u64 = 500;
pub(crate) const KEY_LIFE_MS: u64 = 3_600_000;

/// One function per effect class; `bank.*` takes `{amount}` only.
pub(crate) fn catalog() -> Catalog {
    let manifest = |name: &str, class| Manifest {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: "A function of the tests.".to_owned(),
        connection: Some("bank".to_owned()),
        input: json!({
            "type": "object",
            "properties": { "amount": { "type": "integer" } },
            "additionalProperties": false,
        }),
        output: json!({}),
        errors: Vec::new(),
        class,
        money: false,
        deadline_ms: DEADLINE_MS,
        settle_ms: SETTLE_MS,
        retry: RetryDefault { retries_max: 2, delay_ms: 100 },
    };
    let web = Manifest { connection: None, ..manifest("web.get", EffectClass::Natural) };
    let charge = Manifest {
        money: true,
        ..manifest("bank.charge", EffectClass::Keyed { key_life_ms: KEY_LIFE_MS })
    };
    Catalog::new([
        web,
        charge,
        manifest("bank.get", EffectClass::Natural),
        manifest("bank.keyed", EffectClass::Keyed { key_life_ms: KEY_LIFE_MS }),
        manifest("bank.natural", EffectClass::Natural),
        manifest("bank.lookup", EffectClass::Lookup),
        manifest("bank.once", EffectClass::AtMostOnce),
        manifest("bank.often", EffectClass::AtLeastOnce),
        Manifest {
            input: json!({ "type": "object" }),
            ..manifest("http", EffectClass::AtMostOnce)
        },
    ])
}

/// Compiles tasks (the items of the top-level `do`), with further top-level fields before them.
pub(crate) fn plan_with(head: &str, tasks: &str) -> Plan {
    plan_of("{}", head, tasks)
}

/// The same, with `document.metadata`.
pub(crate) fn plan_of(metadata: &str, head: &str, tasks: &str) -> Plan {
    let text = format!(
        "document: {{ dsl: 1.0.3, namespace: test, name: sample, version: 1.0.0, metadata: {metadata} }}\n{head}\ndo:\n{tasks}"
    );
    match compile(&Source { name: "sample.yaml".to_owned(), text }, &catalog()) {
        Ok((plan, _)) => plan,
        Err(found) => panic!("{}", found.render(false)),
    }
}

pub(crate) fn id() -> InstanceId {
    InstanceId::new(Bucket(9), Timestamp::from_second(1_800_000_000).unwrap(), [3; 8])
}

/// An instance with everything it asked for so far.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) instance: Instance,
    pub(crate) now: Timestamp,
    pub(crate) journal: Vec<Entry>,
    /// Commands of the last transition.
    pub(crate) commands: Vec<Command>,
}

impl Run {
    pub(crate) fn start(tasks: &str) -> Self {
        Self::start_with("", tasks, json!({}))
    }

    pub(crate) fn start_with(head: &str, tasks: &str, input: Value) -> Self {
        Self::start_plan(plan_with(head, tasks), input)
    }

    /// Starts with further fields of `document.metadata`.
    pub(crate) fn start_with_metadata(metadata: &str, tasks: &str, input: Value) -> Self {
        Self::start_plan(plan_of(metadata, "", tasks), input)
    }

    /// Starts as a child of somebody who holds these locks.
    pub(crate) fn start_below(metadata: &str, tasks: &str, held_above: Vec<HeldLock>) -> Self {
        Self::start_held(plan_of(metadata, "", tasks), json!({}), held_above)
    }

    pub(crate) fn start_plan(plan: Plan, input: Value) -> Self {
        Self::start_held(plan, input, Vec::new())
    }

    fn start_held(plan: Plan, input: Value, held_above: Vec<HeldLock>) -> Self {
        let admission = admit(&plan, &input).unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let start = Start {
            id: id(),
            business_key: admission.business_key,
            start_key: Some("key-1".to_owned()),
            input,
            parent: None,
            at: now,
        };
        let mut instance = start.into_instance(&plan);
        instance.held_above = held_above;
        let mut run = Self { plan, instance, now, journal: Vec::new(), commands: Vec::new() };
        run.feed(Event::Started);
        run
    }

    /// Feeds an event that must move the instance.
    pub(crate) fn feed(&mut self, event: Event) {
        match self.try_feed(event) {
            Ok(()) => {}
            Err(stale) => panic!("stale: {stale:?}"),
        }
    }

    pub(crate) fn try_feed(&mut self, event: Event) -> Result<(), Stale> {
        match step(&self.plan, &self.instance, &event, self.now) {
            Step::Stale(stale) => Err(stale),
            Step::Moved(transition) => {
                self.instance = transition.instance;
                self.commands = transition.commands;
                self.journal.extend(transition.journal);
                Ok(())
            }
        }
    }

    /// The attempts the last step asked for.
    pub(crate) fn calls(&self) -> Vec<Intent> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::Call(intent) => Some(intent.clone()),
                _ => None,
            })
            .collect()
    }

    /// The only attempt the last step asked for.
    pub(crate) fn call(&self) -> Intent {
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "one call in {:?}", self.commands);
        calls[0].clone()
    }

    pub(crate) fn lookup(&self) -> Intent {
        self.commands
            .iter()
            .find_map(|command| match command {
                Command::LookUp(intent) => Some(intent.clone()),
                _ => None,
            })
            .unwrap_or_else(|| panic!("no look-up in {:?}", self.commands))
    }

    pub(crate) fn waits(&self) -> Vec<Wait> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::OpenWait(wait) => Some(wait.clone()),
                _ => None,
            })
            .collect()
    }

    /// Ids of the waits the last step closed.
    pub(crate) fn closed(&self) -> Vec<WaitId> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::CloseWait { wait } => Some(*wait),
                _ => None,
            })
            .collect()
    }

    /// The events the last step published.
    pub(crate) fn emitted(&self) -> Vec<CloudEvent> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::Emit { event } => Some(event.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn end(&mut self, intent: &Intent, outcome: Outcome) {
        self.feed(Event::CallEnded { call: intent.call, outcome });
    }

    pub(crate) fn done(&mut self, output: Value) {
        let intent = self.call();
        self.end(&intent, Outcome::Done { output });
    }

    pub(crate) fn looked_up(&mut self, lookup: Lookup) {
        let call = self.lookup().call;
        self.feed(Event::LookupEnded { call, lookup });
    }

    /// The earliest timer and when it is due.
    pub(crate) fn timer(&self) -> (TimerId, Timestamp) {
        let (timer, due) =
            self.instance.timers.iter().min_by_key(|(_, due)| **due).expect("a timer is set");
        (*timer, *due)
    }

    /// Lets the earliest timer fire when it is due; says how long that took.
    pub(crate) fn fire(&mut self) -> SignedDuration {
        let (timer, due) = self.timer();
        let waited = due.duration_since(self.now);
        self.now = due;
        self.feed(Event::TimerDue { timer });
        waited
    }

    pub(crate) fn arrive(&mut self, wait: &Wait, kind: &str, data: Value) -> Result<(), Stale> {
        let event = event(kind, data);
        self.try_feed(Event::EventArrived { wait: wait.wait, event })
    }

    pub(crate) fn output(&self) -> Value {
        match &self.instance.status {
            Status::Completed { output, .. } => output.to_value(),
            other => panic!("not completed: {other:?}"),
        }
    }

    pub(crate) fn error(&self) -> Problem {
        match &self.instance.status {
            Status::Faulted { error, .. } => error.clone(),
            other => panic!("not faulted: {other:?}"),
        }
    }

    /// Names of the tasks that began, in order.
    pub(crate) fn ran(&self) -> Vec<String> {
        self.names(&Fact::TaskStarted)
    }

    pub(crate) fn cancelled(&self) -> Vec<String> {
        self.names(&Fact::TaskCancelled)
    }

    fn names(&self, wanted: &Fact) -> Vec<String> {
        self.journal
            .iter()
            .filter(|entry| entry.fact == *wanted)
            .filter_map(|entry| entry.task.as_deref()?.rsplit('/').next().map(str::to_owned))
            .collect()
    }
}

pub(crate) fn event(kind: &str, data: Value) -> CloudEvent {
    let mut rest = serde_json::Map::new();
    let id = format!("{kind}:{data}");
    rest.insert("data".to_owned(), data);
    CloudEvent {
        specversion: "1.0".to_owned(),
        id,
        source: "/test".to_owned(),
        kind: kind.to_owned(),
        rest,
    }
}

pub(crate) fn unknown() -> Outcome {
    Outcome::Unknown { detail: "time-out".to_owned() }
}

pub(crate) fn throttled(retry_after_ms: Option<u64>) -> Outcome {
    Outcome::Rejected { reason: Reason::Throttled, detail: "slow down".to_owned(), retry_after_ms }
}

pub(crate) fn invalid() -> Outcome {
    let detail = "no such account".to_owned();
    Outcome::Rejected { reason: Reason::Invalid, detail, retry_after_ms: None }
}

pub(crate) fn declined() -> Outcome {
    Outcome::Declined {
        class: DeclineClass::Soft,
        code: "insufficient_funds".to_owned(),
        detail: "not enough money".to_owned(),
    }
}
