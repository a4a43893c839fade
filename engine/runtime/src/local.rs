//! One definition to its end in memory: the same machine and the same adapters, no database.
//!
//! `world` holds the instances and everything that is about to happen to them; this file decides
//! what happens next, and when. `rehearsal` plays schedules.

pub mod director;
pub mod rehearsal;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tenure_adapter::{EffectClass, Outcome, Problem, Registry};
use tenure_definition::Plan;
use tenure_machine::{CloudEvent, Event, Instance, InstanceId};

use crate::attempt::Errand;
use crate::clock::boot;
use crate::secret::Secrets;
use crate::stepper::Steppers;
use crate::trigger;
use director::{Answer, Asked, Director, Next, Nobody, Reply, Scene, Told};
use world::World;

/// Steps after which a run is stopped: a definition that never ends must not run for ever here.
pub const STEPS_MAX: u64 = 1_000_000;

/// What a local run is given.
pub struct Options {
    /// The definition to run.
    pub plan: Arc<Plan>,
    /// Further definitions it may run as children.
    pub others: Vec<Arc<Plan>>,
    /// Its input (`null` when none was given).
    pub input: Value,
    /// Events sent in order once the instance waits, each after its delay.
    pub events: Vec<(SignedDuration, CloudEvent)>,
    /// Events that start it through `schedule.on`: its input becomes the array of what
    /// `schedule.read` keeps of them.
    pub triggers: Vec<CloudEvent>,
    /// Values of `$secrets`; never part of the machine's state.
    pub secrets: BTreeMap<String, String>,
    /// Whether timers jump instead of sleeping.
    pub virtual_clock: bool,
    /// The clock's reading at the start; the system's when absent.
    pub start_at: Option<Timestamp>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("plan", &self.plan.document)
            .field("others", &self.others.len())
            .field("events", &self.events.len())
            .field("triggers", &self.triggers.len())
            .field("secrets", &self.secrets.keys())
            .field("virtual_clock", &self.virtual_clock)
            .field("start_at", &self.start_at)
            .finish_non_exhaustive()
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Came to its end.
    Completed,
    /// An error nobody caught.
    Faulted,
    /// Stopped.
    Cancelled,
    /// The input was refused.
    Rejected,
    /// Nothing more can happen, and it still waits.
    Waiting,
    /// Nothing more can happen before an operator comes: a server keeps the instance as it is.
    Incident,
}

/// What an operator of a server would see.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Trouble {
    /// Name of the definition: the run's own, or that of a child.
    pub definition: String,
    /// Pointer of the task.
    pub task: String,
    /// Equal causes have equal fingerprints.
    pub fingerprint: String,
    /// What happened, for people.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

/// What a local run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub status: Status,
    /// Its output, `null` unless completed.
    pub output: Value,
    /// Its error; of a run that needs an operator, the first of what is in the way.
    pub error: Option<Problem>,
    /// What an operator would have to resolve.
    pub incidents: Vec<Trouble>,
    /// `$context` at the end.
    pub context: Value,
    /// The business's name for the run; empty when it never began.
    pub business_key: String,
    /// Types of the events it and its children still wait for; `None` is any type.
    pub waiting: Vec<Option<String>>,
    /// Pointers of the tasks that began, in order.
    pub tasks_run: Vec<String>,
    /// Pointers of the tasks that were cancelled, in order.
    pub tasks_cancelled: Vec<String>,
    /// Events it published, in order.
    pub emitted: Vec<CloudEvent>,
    /// By the clock in use.
    pub started_at: Timestamp,
    /// By the clock in use.
    pub finished_at: Timestamp,
    /// How the clock in use read beside the system's.
    pub readings: Readings,
}

impl Trouble {
    /// As the error of a run that ends with it.
    fn problem(&self) -> Problem {
        let words = format!("{}: {}", self.fingerprint, self.detail);
        let mut problem = match self.fingerprint.split_once(':') {
            Some(("config", _)) => Problem::configuration(words),
            Some(_) | None => Problem::runtime(words),
        };
        problem.instance = Some(self.task.clone());
        problem
    }
}

/// Stack of the thread that calls [`play`].
pub const STACK_BYTES: usize = crate::stepper::STACK_BYTES;

/// Runs to the end.
pub async fn run(options: Options, registry: &Registry) -> Report {
    match Steppers::new() {
        Ok(steppers) => run_on(steppers, options, registry, &mut Nobody).await,
        Err(error) => {
            let detail = format!("no thread could be started for the steps: {error}");
            let at = options.start_at.unwrap_or_else(Timestamp::now);
            Report::without_instance(Status::Faulted, Some(Problem::runtime(detail)), at)
        }
    }
}

/// Runs to the end under a director, with all steps on the calling thread: it needs
/// [`STACK_BYTES`] of stack, and nothing else of the run ever leaves it.
pub async fn play(options: Options, registry: &Registry, director: &mut dyn Director) -> Report {
    run_on(Steppers::inline(), options, registry, director).await
}

async fn run_on(
    steppers: Steppers,
    options: Options,
    registry: &Registry,
    director: &mut dyn Director,
) -> Report {
    let clock = Clock::new(options.start_at.unwrap_or_else(Timestamp::now), options.virtual_clock);
    let started_at = clock.now();
    // Filters are jq, so they need the stack of these threads.
    let (plan, given, triggers) = (Arc::clone(&options.plan), options.input, options.triggers);
    let triggered = steppers.run(move || trigger::input(&plan, given, &triggers)).await;
    let input = match triggered.unwrap_or_else(|undone| Err(world::broken(undone))) {
        Ok(Some(input)) => input,
        Ok(None) => return Report::without_instance(Status::Waiting, None, started_at),
        Err(problem) => {
            return Report::without_instance(Status::Rejected, Some(problem), started_at);
        }
    };
    let mut world = World::new(options.plan, options.others, steppers);
    if let Err(problem) = world.admit_root(input, started_at).await {
        return Report::without_instance(Status::Rejected, Some(problem), started_at);
    }
    let mut driver = Driver {
        world,
        clock,
        registry,
        secrets: Secrets::new(options.secrets),
        script: Script::new(options.events),
        director,
    };
    let stopped = driver.drive().await;
    driver.report(started_at, stopped)
}

/// The clock in use: the system's, or one that stands still until it is told to jump.
#[derive(Debug)]
struct Clock {
    start: Timestamp,
    kind: ClockKind,
    readings: Readings,
}

/// What the clock in use read at moments of the system's clock, in order: how a time taken
/// elsewhere (an HTTP exchange) is told in the time of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    is_virtual: bool,
    /// (system, in use): the start, and each jump of a virtual clock.
    moments: Vec<(Timestamp, Timestamp)>,
}

impl Readings {
    fn new(reading: Timestamp, is_virtual: bool) -> Self {
        Self { is_virtual, moments: vec![(Timestamp::now(), reading)] }
    }

    /// What the clock in use read when the system's read `system`.
    #[must_use]
    pub fn at(&self, system: Timestamp) -> Timestamp {
        let later = self.moments.partition_point(|(moment, _)| *moment <= system);
        let known = self.moments.get(later.saturating_sub(1)).or_else(|| self.moments.first());
        let Some((moment, reading)) = known else { return system };
        if self.is_virtual {
            return *reading;
        }
        reading.checked_add(system.duration_since(*moment)).unwrap_or(Timestamp::MAX)
    }
}

#[derive(Debug)]
enum ClockKind {
    Real { since: Duration },
    Virtual,
}

impl Clock {
    fn new(start: Timestamp, is_virtual: bool) -> Self {
        let kind = if is_virtual { ClockKind::Virtual } else { ClockKind::Real { since: boot() } };
        Self { start, kind, readings: Readings::new(start, is_virtual) }
    }

    fn now(&self) -> Timestamp {
        match self.kind {
            ClockKind::Virtual => self.start,
            ClockKind::Real { since } => {
                let passed = SignedDuration::try_from(boot().saturating_sub(since))
                    .unwrap_or(SignedDuration::MAX);
                self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Comes back at `due`: by sleeping, or by jumping there.
    async fn reach(&mut self, due: Timestamp) {
        match self.kind {
            ClockKind::Virtual => {
                self.start = self.start.max(due);
                self.readings.moments.push((Timestamp::now(), self.start));
            }
            ClockKind::Real { .. } => {
                let wait = due.duration_since(self.now());
                tokio::time::sleep(Duration::try_from(wait).unwrap_or(Duration::ZERO)).await;
            }
        }
    }

    fn is_virtual(&self) -> bool {
        matches!(self.kind, ClockKind::Virtual)
    }
}

/// Events still to be sent, and when the next one is: known from the moment somebody waits.
#[derive(Debug)]
struct Script {
    events: std::collections::VecDeque<(SignedDuration, CloudEvent)>,
    next_at: Option<Timestamp>,
}

impl Script {
    fn new(events: Vec<(SignedDuration, CloudEvent)>) -> Self {
        Self { events: events.into(), next_at: None }
    }

    /// Once somebody waits, the delay of the next event begins to run.
    fn arm(&mut self, somebody_waits: bool, now: Timestamp) {
        if self.next_at.is_none()
            && somebody_waits
            && let Some((after, _)) = self.events.front()
        {
            self.next_at = Some(now.checked_add(*after).unwrap_or(Timestamp::MAX));
        }
    }

    /// Takes the next event when it is time.
    fn take(&mut self, now: Timestamp) -> Option<CloudEvent> {
        if self.next_at.is_none_or(|at| at > now) {
            return None;
        }
        self.next_at = None;
        self.events.pop_front().map(|(_, event)| event)
    }
}

struct Driver<'a> {
    world: World,
    clock: Clock,
    registry: &'a Registry,
    secrets: Secrets,
    script: Script,
    director: &'a mut dyn Director,
}

/// Why a run is over.
type Over = Option<Problem>;

impl Driver<'_> {
    /// Lets things happen until the root instance has ended or nothing more can happen. Gives the
    /// reason when the run was stopped instead.
    async fn drive(&mut self) -> Over {
        let (registry, secrets) = (self.registry, self.secrets.clone());
        let mut calls = futures::stream::FuturesUnordered::new();
        let mut steps = 0;
        loop {
            while let Some(errands) = match self.step(&mut steps).await {
                Ok(stepped) => stepped,
                Err(problem) => return Some(problem),
            } {
                for (instance, errand) in errands {
                    match self.ask(instance, &errand) {
                        Ok(true) => {}
                        Ok(false) => {
                            let (secrets, start, now) = (&secrets, boot(), self.clock.now());
                            calls.push(async move {
                                let now = || later(now, start);
                                (instance, errand.run(registry, secrets, now).await)
                            });
                        }
                        Err(problem) => return Some(problem),
                    }
                }
                if self.world.root().is_terminal() && !self.director.lingers() {
                    return None;
                }
            }
            if self.world.root().is_terminal() {
                return None;
            }
            self.script.arm(self.world.somebody_waits(), self.clock.now());
            if let Some(event) = self.script.take(self.clock.now()) {
                self.world.publish(event).await;
                continue;
            }
            // Virtual time stands still while a call is out: its answer belongs to this moment.
            let stands_still = !calls.is_empty() && self.clock.is_virtual();
            let acts_at = match self.next_act() {
                Next::Nothing => None,
                Next::At(at) => Some(at),
                Next::Publish(event) => {
                    self.world.publish(event).await;
                    continue;
                }
                Next::Cancel { reason } => {
                    self.world.cancel_root(reason);
                    continue;
                }
                Next::End => return None,
                Next::Stop(problem) => return Some(problem),
            };
            let due = [self.world.next_due(), self.script.next_at, acts_at];
            let due = due.into_iter().flatten().min();
            if calls.is_empty() {
                let due = due?;
                self.clock.reach(due).await;
            } else {
                let due = due.filter(|_| !stands_still);
                tokio::select! {
                    Some((instance, event)) = calls.next() => self.world.arrive(instance, event),
                    () = reach(&mut self.clock, due) => {}
                }
            }
            self.world.fire(self.clock.now());
        }
    }

    /// Takes one thing that is ready and steps its instance; `None` when nothing is ready.
    async fn step(
        &mut self,
        steps: &mut u64,
    ) -> Result<Option<Vec<(InstanceId, Errand)>>, Problem> {
        let ready = self.world.ready();
        let picked = if ready > 1 { self.director.pick(ready) } else { 0 };
        let Some(work) = self.world.next_work(picked) else { return Ok(None) };
        *steps += 1;
        if *steps > STEPS_MAX {
            let detail = format!("stopped after {STEPS_MAX} steps: the run does not end");
            return Err(Problem::runtime(detail));
        }
        if self.director.doubles() {
            self.world.repeat(&work);
        }
        let at = self.clock.now();
        let errands = self.world.step(work, at).await?;
        for (instance, entry) in self.world.take_facts() {
            if let Some(document) = self.world.document(instance) {
                let is_root = self.world.is_root(instance);
                self.director.hear(&Told { instance, document, is_root, at, entry: &entry });
            }
        }
        Ok(Some(errands))
    }

    /// Whether the director has answered; if not, the adapter is to be asked.
    fn ask(&mut self, instance: InstanceId, errand: &Errand) -> Result<bool, Problem> {
        let at = self.clock.now();
        let intent = errand.intent();
        let manifest = self.world.manifest(instance, intent);
        let asked = Asked {
            instance,
            intent,
            is_look_up: matches!(errand, Errand::LookUp(_)),
            class: manifest.map_or(EffectClass::AtMostOnce, |manifest| manifest.class),
            is_local: manifest.is_some_and(|manifest| {
                manifest.connection.is_none() && manifest.class == EffectClass::Natural
            }),
            at,
        };
        let (reply, takes) = match self.director.call(&asked) {
            Answer::Adapter => return Ok(false),
            Answer::Stop(problem) => return Err(problem),
            Answer::Reply { reply, takes } => (reply, takes),
        };
        let deadline =
            SignedDuration::from_millis(i64::try_from(intent.deadline_ms).unwrap_or(i64::MAX));
        let event = match reply {
            Reply::Outcome(_) if takes > deadline => {
                let detail = format!("no answer within {} ms", intent.deadline_ms);
                Event::CallEnded { call: intent.call, outcome: Outcome::Unknown { detail } }
            }
            Reply::Outcome(outcome) => Event::CallEnded { call: intent.call, outcome },
            Reply::Lookup(lookup) => Event::LookupEnded { call: intent.call, lookup },
        };
        let arrives = at.checked_add(takes.min(deadline)).unwrap_or(Timestamp::MAX);
        self.world.arrive_at(arrives, at, instance, event);
        Ok(true)
    }

    fn next_act(&mut self) -> Next {
        let waiting = self.world.waiting();
        let scene = Scene { at: self.clock.now(), waiting: &waiting };
        self.director.next(&scene)
    }

    fn report(self, started_at: Timestamp, stopped: Option<Problem>) -> Report {
        let finished_at = self.clock.now();
        // Whoever has ended has ended, whatever a child that nobody waits for came to.
        let is_over = self.world.root().is_terminal();
        let incidents = if is_over { Vec::new() } else { self.world.incidents() };
        let waiting = self.world.waiting();
        let (root, told) = self.world.into_end();
        let Instance { status, context, identity, .. } = root;
        let (status, output, error) = match (stopped, status) {
            (Some(problem), _) => (Status::Faulted, Value::Null, Some(problem)),
            (None, _) if !incidents.is_empty() => {
                (Status::Incident, Value::Null, incidents.first().map(Trouble::problem))
            }
            (None, tenure_machine::Status::Pending | tenure_machine::Status::Live) => {
                (Status::Waiting, Value::Null, None)
            }
            (None, tenure_machine::Status::Completed { output, .. }) => {
                (Status::Completed, output.into_value(), None)
            }
            (None, tenure_machine::Status::Faulted { error, .. }) => {
                (Status::Faulted, Value::Null, Some(error))
            }
            (None, tenure_machine::Status::Cancelled { .. }) => {
                (Status::Cancelled, Value::Null, None)
            }
        };
        Report {
            status,
            output,
            error,
            incidents,
            context: context.into_value(),
            business_key: identity.business_key,
            waiting,
            tasks_run: told.tasks_run,
            tasks_cancelled: told.tasks_cancelled,
            emitted: told.emitted,
            started_at,
            finished_at,
            readings: self.clock.readings,
        }
    }
}

/// The clock's reading `start` plus what has passed of real time: the last moment of a call is
/// real even when the clock is not.
fn later(now: Timestamp, start: Duration) -> Timestamp {
    let passed =
        SignedDuration::try_from(boot().saturating_sub(start)).unwrap_or(SignedDuration::MAX);
    now.checked_add(passed).unwrap_or(Timestamp::MAX)
}

async fn reach(clock: &mut Clock, due: Option<Timestamp>) {
    match due {
        Some(due) => clock.reach(due).await,
        None => std::future::pending().await,
    }
}

impl Report {
    /// The report of a run that never began, because its definition or input was refused.
    #[must_use]
    pub fn rejected(error: Problem, at: Timestamp) -> Self {
        Self::without_instance(Status::Rejected, Some(error), at)
    }

    /// The report of a run that never began.
    fn without_instance(status: Status, error: Option<Problem>, at: Timestamp) -> Self {
        Self {
            status,
            output: Value::Null,
            error,
            incidents: Vec::new(),
            context: Value::Null,
            business_key: String::new(),
            waiting: Vec::new(),
            tasks_run: Vec::new(),
            tasks_cancelled: Vec::new(),
            emitted: Vec::new(),
            started_at: at,
            finished_at: at,
            readings: Readings::new(at, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_virtual_clock_stands_still_between_its_jumps() {
        let readings =
            Readings { is_virtual: true, moments: vec![(at(100), at(0)), (at(110), at(3_600))] };
        for (system, reading) in [(99, 0), (100, 0), (109, 0), (110, 3_600), (500, 3_600)] {
            assert_eq!(readings.at(at(system)), at(reading), "{system}");
        }
    }

    #[test]
    fn a_real_clock_goes_on_from_where_it_was_set() {
        let readings = Readings { is_virtual: false, moments: vec![(at(100), at(0))] };
        for (system, reading) in [(100, 0), (107, 7)] {
            assert_eq!(readings.at(at(system)), at(reading), "{system}");
        }
    }
}
