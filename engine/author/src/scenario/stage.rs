//! The world a scenario is played in: stubs answer calls, acts come at their time, and everything
//! that happens goes on record.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tenure_adapter::{EffectClass, Lookup, Outcome, Problem};
use tenure_definition::expression::Scope;
use tenure_machine::{CloudEvent, Fact};
use tenure_runtime::local::director::{Answer, Asked, Director, Next, Reply, Scene, Told};
use uuid::Uuid;

use super::chance::Chance;
use super::field::later;
use super::matcher;
use super::model::{Act, Scenario, StubLookUp, StubReply, What, When};
use super::record::{Record, means, name_of};
use super::result::Failure;
use super::yaml;

/// Answers of one effect that an exploration loses; the engine gives up after a few more.
const LOSSES_MAX: u32 = 2;

/// What a run is told that has filled its record.
const TOO_MUCH: &str = "more facts than a scenario may have: the run does not end; give `until`";

/// Directs the run of one scenario.
pub(super) struct Stage<'s> {
    scenario: &'s Scenario,
    pub(super) record: Record,
    pub(super) failures: Vec<Failure>,
    /// Whether the run had to be stopped: what it did not come to says nothing then.
    pub(super) is_stopped: bool,
    /// How many calls each stub has answered.
    pub(super) used: Vec<u64>,
    /// The stub that answered each effect last, and the look-ups it has answered since.
    of_key: BTreeMap<Uuid, (usize, usize)>,
    events: Queue,
    operator: Queue,
    chance: Option<Chance>,
    /// What really happened to effects whose answer was lost.
    happened: BTreeMap<Uuid, Outcome>,
    losses: BTreeMap<Uuid, u32>,
    /// Mismatches of arguments told already, so that a retry does not repeat them.
    told: BTreeSet<(String, String)>,
}

/// How far a list of acts is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Queue {
    /// Acts done.
    pub(super) done: usize,
    /// Moments and calls before the last act: `when` looks at what came after.
    moments: usize,
    calls: usize,
    /// When the condition of the next act was met.
    met_at: Option<Timestamp>,
}

/// The one variable of a stub.
struct CallScope<'v>(&'v Value);

impl Scope for CallScope<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        (name == "call").then_some(Cow::Borrowed(self.0))
    }
}

impl<'s> Stage<'s> {
    pub(super) fn new(scenario: &'s Scenario, input: Value, chance: Option<Chance>) -> Self {
        Self {
            scenario,
            record: Record::new(input),
            failures: Vec::new(),
            is_stopped: false,
            used: vec![0; scenario.stubs.len()],
            of_key: BTreeMap::new(),
            events: Queue::default(),
            operator: Queue::default(),
            chance,
            happened: BTreeMap::new(),
            losses: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Acts whose time never came.
    pub(super) fn left(&self) -> impl Iterator<Item = &'s Act> {
        let scenario = self.scenario;
        let events = scenario.events.iter().skip(self.events.done);
        events.chain(scenario.operator.iter().skip(self.operator.done))
    }

    fn fail(&mut self, pointer: &str, message: String) -> Problem {
        let failure = Failure::new(self.scenario, pointer, message);
        let problem = Problem::runtime(failure.message.clone());
        self.failures.push(failure);
        self.is_stopped = true;
        problem
    }

    /// The next stub for a call, if there is one left.
    fn stub_for(&self, asked: &Asked<'_>) -> Option<usize> {
        let origin = &asked.intent.origin;
        let stubs = self.scenario.stubs.iter().zip(&self.used).enumerate();
        stubs
            .filter(|(_, (stub, _))| stub.function == asked.intent.function)
            .filter(|(_, (stub, _))| {
                stub.task.as_ref().is_none_or(|task| {
                    let of_any = !task.contains(':') || task.starts_with('/');
                    means(task, &origin.definition, of_any, &origin.task)
                })
            })
            .find(|(_, (stub, used))| stub.times.is_none_or(|times| **used < times))
            .map(|(index, _)| index)
    }

    fn call_json(&self, asked: &Asked<'_>) -> Value {
        let intent = asked.intent;
        json!({
            "call": intent.function, "with": intent.request, "key": intent.key,
            "definition": intent.origin.definition, "business_key": intent.origin.business_key,
            "task": name_of(&intent.origin.task), "pointer": intent.origin.task, "at": asked.at,
        })
    }

    fn attempt(&mut self, asked: &Asked<'_>) -> Answer {
        let key = asked.intent.key;
        if let Some(outcome) = self.happened.get(&key) {
            // The vendor knows the key, or the request led to this state before.
            return reply(Reply::Outcome(outcome.clone()), SignedDuration::ZERO);
        }
        let Some(index) = self.stub_for(asked) else {
            if asked.is_local && self.scenario.is_local_real {
                return Answer::Adapter;
            }
            return Answer::Stop(self.unstubbed(asked));
        };
        let loses = self.scenario.explore.is_some_and(|explore| explore.loses);
        let lost = self.lost(asked, loses);
        if lost == Lost::Request {
            return unknown("the request was lost on the way");
        }
        if let Some(used) = self.used.get_mut(index) {
            *used += 1;
        }
        self.of_key.insert(key, (index, 0));
        self.check_arguments(asked, index);
        let Some(stub) = self.scenario.stubs.get(index) else { return Answer::Adapter };
        let outcome = match self.outcome(&stub.reply, asked, &stub.pointer) {
            Ok(outcome) => outcome,
            Err(problem) => return Answer::Stop(problem),
        };
        if lost == Lost::Answer
            && matches!(outcome, Outcome::Done { .. } | Outcome::Declined { .. })
        {
            self.happened.insert(key, outcome);
            return unknown("the answer was lost on the way");
        }
        let takes = stub.takes.map_or(SignedDuration::ZERO, |span| {
            later(asked.at, span, &self.scenario.zone).duration_since(asked.at)
        });
        reply(Reply::Outcome(outcome), takes)
    }

    /// What an exploration does to this call on its way.
    fn lost(&mut self, asked: &Asked<'_>, loses: bool) -> Lost {
        let is_safe = match asked.class {
            EffectClass::Keyed { .. } | EffectClass::Natural | EffectClass::Lookup => true,
            EffectClass::AtMostOnce | EffectClass::AtLeastOnce => false,
        };
        let Some(chance) = self.chance.as_mut().filter(|_| loses && is_safe) else {
            return Lost::Nothing;
        };
        let losses = self.losses.entry(asked.intent.key).or_default();
        let lost = match chance.below(8) {
            0 => Lost::Request,
            1 => Lost::Answer,
            _ => Lost::Nothing,
        };
        if lost == Lost::Nothing || *losses >= LOSSES_MAX {
            return Lost::Nothing;
        }
        *losses += 1;
        lost
    }

    fn look_up(&mut self, asked: &Asked<'_>) -> Answer {
        let key = asked.intent.key;
        if let Some(outcome) = self.happened.get(&key) {
            let lookup = Lookup::Happened { outcome: outcome.clone() };
            return reply(Reply::Lookup(lookup), SignedDuration::ZERO);
        }
        let known = self.of_key.get(&key).copied();
        let stub = known.and_then(|(index, asked)| {
            let stub = self.scenario.stubs.get(index)?;
            Some((index, asked, stub, stub.look_ups.get(asked)?))
        });
        let Some((index, number, stub, look_up)) = stub else {
            if self.chance.is_some() {
                return reply(Reply::Lookup(Lookup::Absent), SignedDuration::ZERO);
            }
            return Answer::Stop(self.not_looked_up(asked, known.map(|(index, _)| index)));
        };
        self.of_key.insert(key, (index, number + 1));
        let lookup = match look_up {
            StubLookUp::Absent => Lookup::Absent,
            StubLookUp::Unknown => Lookup::Unknown { detail: "nobody can say yet".to_owned() },
            StubLookUp::Happened(happened) => match self.outcome(happened, asked, &stub.pointer) {
                Ok(outcome) => Lookup::Happened { outcome },
                Err(problem) => return Answer::Stop(problem),
            },
        };
        reply(Reply::Lookup(lookup), SignedDuration::ZERO)
    }

    fn outcome(
        &mut self,
        stub: &StubReply,
        asked: &Asked<'_>,
        pointer: &str,
    ) -> Result<Outcome, Problem> {
        let template = match stub {
            StubReply::Other(outcome) => return Ok(outcome.clone()),
            StubReply::Done(template) => template,
        };
        let call = self.call_json(asked);
        let so_far = match template.constant() {
            Some(_) => Value::Null,
            None => self.record.so_far(asked.at),
        };
        match template.eval(&so_far, &CallScope(&call)) {
            Ok(output) => Ok(Outcome::Done { output }),
            Err(detail) => {
                Err(self.fail(&format!("{pointer}/done"), format!("the stub's answer: {detail}")))
            }
        }
    }

    fn check_arguments(&mut self, asked: &Asked<'_>, index: usize) {
        let Some(stub) = self.scenario.stubs.get(index) else { return };
        let Some(expected) = stub.with.as_ref().filter(|_| self.chance.is_none()) else { return };
        let found = &asked.intent.request;
        let misses = matcher::compare(expected, Some(found), false);
        let known = (stub.pointer.clone(), found.to_string());
        if misses.is_empty() || !self.told.insert(known) {
            return;
        }
        let pointer = format!("{}/with", stub.pointer);
        let message = format!(
            "{} was called by {} with other arguments",
            stub.function,
            name_of(&asked.intent.origin.task)
        );
        let failure = Failure::new(self.scenario, &pointer, message);
        let shown = matcher::focus(expected, found);
        self.failures.push(failure.with_diff(misses, expected, &shown));
    }

    /// A call that no stub answers: says what to paste.
    fn unstubbed(&mut self, asked: &Asked<'_>) -> Problem {
        let intent = asked.intent;
        let function = &intent.function;
        let written = self.scenario.stubs.iter().filter(|stub| stub.function == *function).count();
        let why = match written {
            0 => "no stub answers it".to_owned(),
            1 => "its stub is used up or of another task".to_owned(),
            some => format!("its {some} stubs are used up or of another task"),
        };
        let mut stub = Map::new();
        stub.insert("call".to_owned(), json!(function));
        stub.insert("with".to_owned(), intent.request.to_value());
        stub.insert("done".to_owned(), json!({}));
        let shown = yaml::block(&Value::Array(vec![Value::Object(stub)]), 1);
        let message = format!(
            "{} ({}) calls {function}, and {why}; add to `calls`:\n{shown}",
            name_of(&intent.origin.task),
            intent.origin.definition
        );
        self.fail("/calls", message)
    }

    fn not_looked_up(&mut self, asked: &Asked<'_>, stub: Option<usize>) -> Problem {
        let pointer = stub
            .and_then(|index| self.scenario.stubs.get(index))
            .map_or_else(|| "/calls".to_owned(), |stub| stub.pointer.clone());
        let function = &asked.intent.function;
        let message = format!(
            "the outcome of {function} is unknown, so it is looked up, and the stub has no \
             (further) answer to that; add `look_up: absent`, or \
             `look_up: {{happened: {{done: {{...}}}}}}`"
        );
        self.fail(&pointer, message)
    }

    /// What the next act of a list comes to.
    fn next_of(&mut self, is_operator: bool, scene: &Scene<'_>) -> Next {
        let scenario = self.scenario;
        let (list, mut queue) = match is_operator {
            true => (&scenario.operator, self.operator),
            false => (&scenario.events, self.events),
        };
        let Some(act) = list.get(queue.done) else { return Next::Nothing };
        if queue.met_at.is_none() {
            queue.met_at = self.met(act, queue, scene);
        }
        let due = match (act.at, queue.met_at) {
            (Some(at), _) => Some(at),
            (None, Some(met)) => {
                Some(act.after.map_or(met, |after| later(met, after, &scenario.zone)))
            }
            (None, None) => None,
        };
        let next = match due {
            None => Next::Nothing,
            Some(due) if due > scene.at => Next::At(due),
            Some(_) => {
                queue = Queue {
                    done: queue.done + 1,
                    moments: self.record.moments.len(),
                    calls: self.record.calls.len(),
                    met_at: None,
                };
                self.act(act, scene.at, queue.done)
            }
        };
        match is_operator {
            true => self.operator = queue,
            false => self.events = queue,
        }
        next
    }

    /// When the condition of an act was met, if it was.
    fn met(&self, act: &Act, queue: Queue, scene: &Scene<'_>) -> Option<Timestamp> {
        match &act.when {
            None => Some(self.scenario.at),
            Some(When::Waiting(kind)) => {
                scene.waiting.iter().any(|open| open.as_ref() == Some(kind)).then_some(scene.at)
            }
            Some(When::Task(task)) => {
                let since = self.record.moments.iter().skip(queue.moments);
                let begun = |fact: &Fact| *fact == Fact::TaskStarted;
                since
                    .filter(|moment| begun(&moment.entry.fact))
                    .find(|moment| {
                        let pointer = moment.entry.task.as_deref().unwrap_or_default();
                        means(task, &moment.definition, moment.is_root, pointer)
                    })
                    .map(|moment| moment.at)
            }
            Some(When::Call(function)) => {
                let mut since = self.record.calls.iter().skip(queue.calls);
                let made = since.find(|made| made.function == *function)?;
                self.record.at(made.intended)
            }
        }
    }

    fn act(&mut self, act: &Act, at: Timestamp, number: usize) -> Next {
        let template = match &act.what {
            What::Cancel(reason) => return Next::Cancel { reason: reason.clone() },
            What::Send(template) => template,
        };
        let value = match template.eval(&self.record.so_far(at), &CallScope(&Value::Null)) {
            Ok(value) => value,
            Err(detail) => {
                let pointer = format!("{}/send", act.pointer);
                return Next::Stop(self.fail(&pointer, format!("the event: {detail}")));
            }
        };
        match event(value, at, number) {
            Ok(event) => Next::Publish(event),
            Err(detail) => {
                let pointer = format!("{}/send", act.pointer);
                Next::Stop(self.fail(&pointer, format!("the event: {detail}")))
            }
        }
    }
}

/// What an exploration does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Nothing,
    Request,
    Answer,
}

fn reply(reply: Reply, takes: SignedDuration) -> Answer {
    Answer::Reply { reply, takes }
}

fn unknown(detail: &str) -> Answer {
    reply(Reply::Outcome(Outcome::Unknown { detail: detail.to_owned() }), SignedDuration::ZERO)
}

/// A CloudEvent with what a scenario may leave out.
pub(super) fn event(value: Value, at: Timestamp, number: usize) -> Result<CloudEvent, String> {
    let Value::Object(mut map) = value else { return Err("it is no object".to_owned()) };
    map.entry("specversion").or_insert_with(|| Value::from("1.0"));
    map.entry("id").or_insert_with(|| Value::from(format!("scenario-{number}")));
    map.entry("source").or_insert_with(|| Value::from("/scenario"));
    map.entry("time").or_insert_with(|| Value::from(at.to_string()));
    let event: CloudEvent =
        serde_json::from_value(Value::Object(map)).map_err(|error| error.to_string())?;
    event.check()?;
    Ok(event)
}

impl Director for Stage<'_> {
    fn call(&mut self, asked: &Asked<'_>) -> Answer {
        if self.record.is_full() {
            return Answer::Stop(self.fail("", TOO_MUCH.to_owned()));
        }
        if asked.is_look_up { self.look_up(asked) } else { self.attempt(asked) }
    }

    fn hear(&mut self, told: &Told<'_>) {
        if !self.record.is_full() {
            self.record.hear(told);
        }
    }

    fn next(&mut self, scene: &Scene<'_>) -> Next {
        let until =
            self.scenario.until.map(|span| later(self.scenario.at, span, &self.scenario.zone));
        if self.record.is_full() {
            return Next::Stop(self.fail("", TOO_MUCH.to_owned()));
        }
        if until.is_some_and(|until| scene.at >= until) {
            return Next::End;
        }
        let mut nearest = until;
        for is_operator in [true, false] {
            match self.next_of(is_operator, scene) {
                Next::Nothing => {}
                Next::At(at) => nearest = Some(nearest.map_or(at, |nearest| nearest.min(at))),
                next @ (Next::Publish(_) | Next::Cancel { .. } | Next::End | Next::Stop(_)) => {
                    return next;
                }
            }
        }
        nearest.map_or(Next::Nothing, Next::At)
    }

    fn pick(&mut self, ready: usize) -> usize {
        let ready = u64::try_from(ready).unwrap_or(1);
        let picked = self.chance.as_mut().map_or(0, |chance| chance.below(ready));
        usize::try_from(picked).unwrap_or(0)
    }

    fn doubles(&mut self) -> bool {
        let doubles = self.scenario.explore.is_some_and(|explore| explore.doubles);
        doubles && self.chance.as_mut().is_some_and(|chance| chance.below(8) == 0)
    }

    fn lingers(&self) -> bool {
        true
    }
}
