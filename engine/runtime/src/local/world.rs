//! All instances of a local run, and what is about to happen to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tenure_adapter::{Manifest, Problem};
use tenure_definition::plan::Document;
use tenure_definition::{Plan, TaskKind};
use tenure_machine::bucket::Bucket;
use tenure_machine::{
    ChildResult, ChildStart, CloudEvent, Command, Entry, Event, Fact, Instance, InstanceId, Intent,
    LockId, Parent, Stale, Start, Step, TimerId, Transition, Wait, WaitId, admit, step,
};

use super::Trouble;
use crate::admission::{claims_key, taken};
use crate::attempt::Errand;
use crate::plans::newest;
use crate::route::Routes;
use crate::stepper::{Steppers, Undone};
use tenure_store::port::Route;

/// Events kept for waits that may open later; the oldest goes first.
const KEPT_MAX: usize = 10_000;
/// Instances of one run: children that start children must not fill the memory.
const INSTANCES_MAX: usize = 10_000;

/// Something that is about to happen to an instance.
#[derive(Debug)]
pub(super) struct Work {
    instance: InstanceId,
    event: Event,
    /// The kept event it delivers, when it is one.
    kept: Option<u64>,
}

/// What the run tells the user, apart from its end.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) tasks_run: Vec<String>,
    pub(super) tasks_cancelled: Vec<String>,
    pub(super) emitted: Vec<CloudEvent>,
    /// Facts of all instances that nobody has taken yet.
    facts: Vec<(InstanceId, Entry)>,
}

/// One instance with its plan.
#[derive(Debug)]
struct Member {
    plan: Arc<Plan>,
    instance: Arc<Instance>,
}

/// An event of this run that nobody consumed yet.
#[derive(Debug)]
struct Kept {
    event: CloudEvent,
    /// Its routes by namespace: worked out once, however many waits it is offered to.
    routes: BTreeMap<String, Arc<Vec<Route>>>,
}

/// The whole of it.
#[derive(Debug)]
pub(super) struct World {
    plans: Vec<Arc<Plan>>,
    routes: Arc<Routes>,
    steppers: Steppers,
    root: Option<InstanceId>,
    members: BTreeMap<InstanceId, Member>,
    ready: VecDeque<Work>,
    timers: BTreeSet<(Timestamp, InstanceId, TimerId)>,
    /// When each timer is due, so that it is found without a walk.
    dues: BTreeMap<(InstanceId, TimerId), Timestamp>,
    /// Answers that are still under way, by their arrival and the order they were given in.
    answers: BTreeMap<(Timestamp, u64), (InstanceId, Event)>,
    next_answer: u64,
    waits: BTreeMap<(InstanceId, WaitId), Wait>,
    /// Who stands in line for each lock; the first holds it.
    lines: BTreeMap<String, VecDeque<(InstanceId, LockId)>>,
    kept: BTreeMap<u64, Kept>,
    /// The numbers of the kept events, by their type.
    kept_by_type: BTreeMap<String, BTreeSet<u64>>,
    next_kept: u64,
    told: Told,
}

impl World {
    pub(super) fn new(plan: Arc<Plan>, others: Vec<Arc<Plan>>, steppers: Steppers) -> Self {
        let mut plans = vec![plan];
        plans.extend(others);
        let mut routes = Routes::default();
        for plan in &plans {
            routes.add(plan);
        }
        Self {
            plans,
            routes: Arc::new(routes),
            steppers,
            root: None,
            members: BTreeMap::new(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            dues: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_answer: 0,
            waits: BTreeMap::new(),
            lines: BTreeMap::new(),
            kept: BTreeMap::new(),
            kept_by_type: BTreeMap::new(),
            next_kept: 0,
            told: Told::default(),
        }
    }

    /// Admits the first instance: of the first plan.
    ///
    /// # Errors
    /// Why the input was refused.
    pub(super) async fn admit_root(&mut self, input: Value, at: Timestamp) -> Result<(), Problem> {
        let plan = self.plans.first().cloned().ok_or_else(|| Problem::runtime("no definition"))?;
        // A local run is repeatable: its id is derived, not drawn.
        let bucket = Bucket::of(&plan.document.namespace, &plan.document.name);
        let id = InstanceId::new(bucket, at, [0; 8]);
        self.root = Some(id);
        self.admit(plan, id, None, input, None, at).await
    }

    async fn admit(
        &mut self,
        plan: Arc<Plan>,
        id: InstanceId,
        start_key: Option<String>,
        input: Value,
        parent: Option<Parent>,
        at: Timestamp,
    ) -> Result<(), Problem> {
        if self.members.len() >= INSTANCES_MAX {
            return Err(Problem::runtime(format!(
                "more than {INSTANCES_MAX} instances in one run"
            )));
        }
        let pending = {
            let plan = Arc::clone(&plan);
            let start = move || {
                let business_key = admit(&plan, &input)?.business_key;
                let start = Start { id, business_key, start_key, input, parent, at };
                Ok(start.into_instance(&plan))
            };
            self.steppers.run(start).await.unwrap_or_else(|undone| Err(broken(undone)))?
        };
        if let Some(other) = self.claimant(&plan, &pending) {
            return Err(taken(other));
        }
        self.members.insert(id, Member { plan, instance: Arc::new(pending) });
        self.arrive(id, Event::Started);
        Ok(())
    }

    /// The first instance.
    ///
    /// # Panics
    /// When it was not admitted: the driver returns before.
    pub(super) fn root(&self) -> &Instance {
        let member = self.root.and_then(|root| self.members.get(&root));
        &member.expect("the root was admitted").instance
    }

    /// The first instance and what was told, at the end of the run.
    pub(super) fn into_end(self) -> (Instance, Told) {
        (self.root().clone(), self.told)
    }

    /// What only an operator could resolve, and in a local run nobody can: that of the first instance
    /// before that of its children.
    pub(super) fn incidents(&self) -> Vec<Trouble> {
        let (own, children): (Vec<_>, Vec<_>) =
            self.members.iter().partition(|(id, _)| self.is_root(**id));
        let members = own.into_iter().chain(children);
        let of = |(_, member): (&InstanceId, &Member)| {
            let plan = Arc::clone(&member.plan);
            let found = member.instance.incidents().map(move |(task, incident)| Trouble {
                definition: plan.document.name.clone(),
                task: plan.task(task).pointer.clone(),
                fingerprint: incident.fingerprint.clone(),
                detail: incident.detail.clone(),
                since: incident.since,
            });
            found.collect::<Vec<_>>()
        };
        members.flat_map(of).collect()
    }

    /// Queues an event for an instance.
    pub(super) fn arrive(&mut self, instance: InstanceId, event: Event) {
        self.ready.push_back(Work { instance, event, kept: None });
    }

    /// Queues an event for an instance, now or when its time has come.
    pub(super) fn arrive_at(
        &mut self,
        due: Timestamp,
        now: Timestamp,
        instance: InstanceId,
        event: Event,
    ) {
        if due <= now {
            return self.arrive(instance, event);
        }
        self.answers.insert((due, self.next_answer), (instance, event));
        self.next_answer += 1;
    }

    /// Tells the first instance to stop.
    pub(super) fn cancel_root(&mut self, reason: String) {
        if let Some(root) = self.root {
            self.arrive(root, Event::CancelRequested { reason });
        }
    }

    /// How many things can happen now.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes one of the things that can happen now, the first when there is none at `picked`.
    pub(super) fn next_work(&mut self, picked: usize) -> Option<Work> {
        let picked = if picked < self.ready.len() { picked } else { 0 };
        self.ready.remove(picked)
    }

    /// Lets a thing happen a second time.
    pub(super) fn repeat(&mut self, work: &Work) {
        let Work { instance, event, kept } = work;
        self.ready.push_back(Work { instance: *instance, event: event.clone(), kept: *kept });
    }

    /// When the next timer is due or the next answer comes.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(due, _, _)| *due);
        let answer = self.answers.first_key_value().map(|((due, _), _)| *due);
        timer.into_iter().chain(answer).min()
    }

    /// Fires what is due: answers before timers, since they were under way before.
    pub(super) fn fire(&mut self, now: Timestamp) {
        while self.answers.first_key_value().is_some_and(|((due, _), _)| *due <= now)
            && let Some((_, (instance, event))) = self.answers.pop_first()
        {
            self.arrive(instance, event);
        }
        while self.timers.first().is_some_and(|(due, _, _)| *due <= now)
            && let Some((_, instance, timer)) = self.timers.pop_first()
        {
            self.dues.remove(&(instance, timer));
            self.arrive(instance, Event::TimerDue { timer });
        }
    }

    /// Types of the events that are waited for, by anybody.
    pub(super) fn waiting(&self) -> Vec<Option<String>> {
        self.waits.values().map(|wait| wait.event_type.clone()).collect()
    }

    /// Takes the facts since the last time.
    pub(super) fn take_facts(&mut self) -> Vec<(InstanceId, Entry)> {
        std::mem::take(&mut self.told.facts)
    }

    pub(super) fn document(&self, instance: InstanceId) -> Option<&Document> {
        self.members.get(&instance).map(|member| &member.plan.document)
    }

    pub(super) fn is_root(&self, instance: InstanceId) -> bool {
        self.root == Some(instance)
    }

    /// The pinned manifest of the function an instance calls.
    pub(super) fn manifest(&self, instance: InstanceId, intent: &Intent) -> Option<&Manifest> {
        let plan = &self.members.get(&instance)?.plan;
        let task = plan.tasks.iter().find(|task| task.pointer == intent.origin.task)?;
        let TaskKind::Call(call) = &task.kind else { return None };
        Some(&call.function)
    }

    /// Whether an instance has an open wait.
    pub(super) fn somebody_waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Steps one instance and carries out what can be carried out here; gives the calls to make.
    ///
    /// # Errors
    /// When the machine broke, or its limits were hit: the run cannot go on.
    pub(super) async fn step(
        &mut self,
        work: Work,
        at: Timestamp,
    ) -> Result<Vec<(InstanceId, Errand)>, Problem> {
        let Some(member) = self.members.get(&work.instance) else { return Ok(Vec::new()) };
        let (plan, instance) = (Arc::clone(&member.plan), Arc::clone(&member.instance));
        let event = work.event.clone();
        let moved =
            self.steppers.run(move || step(&plan, &instance, &event, at)).await.map_err(broken)?;
        match moved {
            Step::Moved(transition) => {
                if let Some(kept) = work.kept {
                    self.drop_kept(kept);
                }
                self.carry_out(work.instance, *transition, at).await
            }
            Step::Stale(Stale::Early) => {
                Err(Problem::runtime("a timer fired early: the clock of this run went backwards"))
            }
            Step::Stale(Stale::Ended | Stale::Closed | Stale::Mismatch) => Ok(Vec::new()),
        }
    }

    async fn carry_out(
        &mut self,
        id: InstanceId,
        transition: Transition,
        at: Timestamp,
    ) -> Result<Vec<(InstanceId, Errand)>, Problem> {
        let Transition { instance, commands, journal } = transition;
        if self.root == Some(id) {
            for entry in &journal {
                self.tell(entry);
            }
        }
        self.told.facts.extend(journal.into_iter().map(|entry| (id, entry)));
        let open: BTreeSet<_> = instance.open_calls().collect();
        if let Some(member) = self.members.get_mut(&id) {
            member.instance = Arc::new(instance);
        }
        let mut errands = Vec::new();
        for command in commands {
            match command {
                Command::Call(_) | Command::LookUp(_) => {
                    errands.extend(
                        Errand::of(&command)
                            .filter(|errand| open.contains(&errand.intent().call))
                            .map(|errand| (id, errand)),
                    );
                }
                Command::SetTimer { timer, due } => {
                    self.timers.insert((due, id, timer));
                    self.dues.insert((id, timer), due);
                }
                Command::ClearTimer { timer } => {
                    if let Some(due) = self.dues.remove(&(id, timer)) {
                        self.timers.remove(&(due, id, timer));
                    }
                }
                Command::OpenWait(wait) => self.open_wait(id, wait),
                Command::CloseWait { wait } => {
                    self.waits.remove(&(id, wait));
                }
                Command::StartChild(child) => self.start_child(id, child, at).await,
                Command::CancelChild { child, reason } => {
                    self.arrive(child, Event::CancelRequested { reason });
                }
                Command::TellParent { parent, result } => {
                    self.arrive(parent, Event::ChildEnded { child: id, result });
                }
                Command::AcquireLock { lock, name } => self.acquire_lock(id, lock, name),
                Command::ReleaseLock { lock, name } => self.release_lock(id, lock, &name),
                Command::SetAttributes { .. } => {}
                Command::Emit { event } => {
                    self.told.emitted.push(event.clone());
                    self.publish(event).await;
                }
            }
        }
        Ok(errands)
    }

    /// Stands in line for a lock; who is first holds it.
    fn acquire_lock(&mut self, id: InstanceId, lock: LockId, name: String) {
        let line = self.lines.entry(name.clone()).or_default();
        if line.contains(&(id, lock)) {
            return;
        }
        line.push_back((id, lock));
        if line.len() == 1 {
            self.arrive(id, Event::LockGranted { lock, name });
        }
    }

    /// Leaves the line; the next one holds the lock when this one did.
    fn release_lock(&mut self, id: InstanceId, lock: LockId, name: &str) {
        let Some(line) = self.lines.get_mut(name) else { return };
        let held = line.front() == Some(&(id, lock));
        line.retain(|place| *place != (id, lock));
        match line.front().copied() {
            None => {
                self.lines.remove(name);
            }
            Some((next, lock)) if held => {
                self.arrive(next, Event::LockGranted { lock, name: name.to_owned() });
            }
            Some(_) => {}
        }
    }

    /// The live instance that has the business key of a new one, where only one may.
    fn claimant(&self, plan: &Plan, new: &Instance) -> Option<InstanceId> {
        if !claims_key(plan) {
            return None;
        }
        let of = |instance: &Instance| {
            let identity = &instance.identity;
            [&identity.namespace, &identity.definition, &identity.business_key].map(Clone::clone)
        };
        let found = self
            .members
            .values()
            .find(|member| !member.instance.is_terminal() && of(&member.instance) == of(new));
        found.map(|member| member.instance.id)
    }

    fn tell(&mut self, entry: &Entry) {
        let Some(pointer) = &entry.task else { return };
        if entry.fact == Fact::TaskStarted {
            self.told.tasks_run.push(pointer.clone());
        } else if entry.fact == Fact::TaskCancelled {
            self.told.tasks_cancelled.push(pointer.clone());
        }
    }

    async fn start_child(&mut self, parent: InstanceId, child: ChildStart, at: Timestamp) {
        let ChildStart { id, namespace, name, version, input, start_key, awaits, held_above } =
            child;
        let plans = self.plans.iter().filter(|plan| {
            plan.document.namespace == namespace
                && plan.document.name == name
                && (version == "latest" || plan.document.version == version)
        });
        let refused = match newest(plans, |plan| &plan.document.version).cloned() {
            Some(plan) => {
                let parent = Some(Parent { instance: parent, awaits });
                let refused = self.admit(plan, id, Some(start_key), input, parent, at).await.err();
                if let Some(member) = self.members.get_mut(&id) {
                    Arc::make_mut(&mut member.instance).held_above = held_above;
                }
                refused
            }
            None => Some(Problem::configuration(format!(
                "no definition {namespace}/{name}:{version} was given; add it with --with"
            ))),
        };
        if let Some(error) = refused
            && awaits
        {
            let result = ChildResult::Faulted { error };
            self.arrive(parent, Event::ChildEnded { child: id, result });
        }
    }

    /// Offers an event to every wait it fits, and keeps it for waits that open later. One that no
    /// definition of this run can hear is not kept.
    pub(super) async fn publish(&mut self, event: CloudEvent) {
        let mut routes = BTreeMap::new();
        for plan in &self.plans {
            let namespace = &plan.document.namespace;
            if routes.contains_key(namespace) {
                continue;
            }
            let (all, event, of) = (Arc::clone(&self.routes), event.clone(), namespace.clone());
            let found = self.steppers.run(move || all.of(&of, &event)).await.unwrap_or_default();
            routes.insert(namespace.clone(), Arc::new(found));
        }
        if routes.values().all(|found| found.is_empty()) {
            return;
        }
        if self.kept.len() >= KEPT_MAX
            && let Some(oldest) = self.kept.keys().next().copied()
        {
            self.drop_kept(oldest);
        }
        let number = self.next_kept;
        self.next_kept += 1;
        self.kept_by_type.entry(event.kind.clone()).or_default().insert(number);
        self.kept.insert(number, Kept { event, routes });
        let waits: Vec<_> = self.waits.keys().copied().collect();
        for (instance, wait) in waits {
            self.offer(number, instance, wait);
        }
    }

    fn drop_kept(&mut self, number: u64) {
        let Some(kept) = self.kept.remove(&number) else { return };
        if let Some(numbers) = self.kept_by_type.get_mut(&kept.event.kind) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.kept_by_type.remove(&kept.event.kind);
            }
        }
    }

    /// Remembers a wait and offers it what was kept, oldest first.
    fn open_wait(&mut self, id: InstanceId, wait: Wait) {
        let kept: Vec<u64> = match &wait.event_type {
            Some(kind) => self.kept_by_type.get(kind).into_iter().flatten().copied().collect(),
            None => self.kept.keys().copied().collect(),
        };
        let number = wait.wait;
        self.waits.insert((id, number), wait);
        for event in kept {
            self.offer(event, id, number);
        }
    }

    /// Offers a kept event to an open wait: once, because either the event came while the wait
    /// was open, or the wait opened while the event was kept.
    fn offer(&mut self, number: u64, instance: InstanceId, wait: WaitId) {
        let Some(member) = self.members.get(&instance) else { return };
        let Some(kept) = self.kept.get(&number) else { return };
        let Some(open) = self.waits.get(&(instance, wait)) else { return };
        if open.event_type.as_ref().is_some_and(|kind| *kind != kept.event.kind) {
            return;
        }
        let found = kept.routes.get(&member.plan.document.namespace);
        let fits = found.into_iter().flat_map(|routes| routes.iter()).any(|route| {
            route.shape == open.shape && open.value.as_ref().is_none_or(|v| *v == route.value)
        });
        if fits {
            let event = Event::EventArrived { wait, event: kept.event.clone() };
            self.ready.push_back(Work { instance, event, kept: Some(number) });
        }
    }
}

/// A step that was not done, as the error of the run.
pub(super) fn broken(undone: Undone) -> Problem {
    Problem::runtime(match undone {
        Undone::Full => "the threads for the steps are gone",
        Undone::Panicked => "the machine panicked in a step; please report this definition",
    })
}
