//! Waits for events: which event fits which wait, and when a `listen` is over.
//!
//! A wait stays open until its `listen` has heard enough; the store delivers an event to a wait at
//! most once. Events that come while a turn of `foreach` runs are queued in the state, up to a
//! limit: then the waits are closed, so that further events stay in the inbox, and opened again
//! under new ids when the queue is empty.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tenure_adapter::Problem;
use tenure_definition::canonical::canonical;
use tenure_definition::plan::{EventFilter, Foreach, Listen, Read, Strategy, TaskKind, Until};

use super::mover::{Mover, Work};
use super::run::sentence;
use crate::Json;
use crate::instance::{Activity, Turn, Turns};
use crate::lifecycle;
use crate::limit::{LISTEN_CONSUMED_MAX, LISTEN_QUEUE_MAX};
use crate::{CloudEvent, Command, Fact, FrameId, Stale, Wait, WaitId};

impl Mover<'_> {
    /// Opens one wait per filter.
    pub(super) fn begin_listen(&mut self, frame: FrameId, listen: &Listen) -> Result<(), Problem> {
        let (task, parent) = (self.frame(frame).task, self.frame(frame).parent);
        let turns = listen.foreach.as_ref().map(|_| {
            let position = self.position(task, parent);
            Turns { round: self.visit(parent, &position), ..Turns::default() }
        });
        self.frame_mut(frame).activity = Activity::Listen {
            waits: BTreeMap::new(),
            consumed: Vec::new(),
            bound: BTreeMap::new(),
            seen: Vec::new(),
            turns,
        };
        self.signal_correlation_started();
        let all: Vec<usize> = (0..listen.filters().len()).collect();
        self.open_waits(frame, listen, &all)
    }

    /// Opens waits for these filters.
    fn open_waits(
        &mut self,
        frame: FrameId,
        listen: &Listen,
        wanted: &[usize],
    ) -> Result<(), Problem> {
        let filters = listen.filters();
        for index in wanted {
            let Some(filter) = filters.get(*index) else { continue };
            let value = self.expected(frame, filter)?;
            let wait = self.open_wait(frame, filter, value);
            if let Activity::Listen { waits, .. } = &mut self.frame_mut(frame).activity {
                waits.insert(wait, *index);
            }
        }
        Ok(())
    }

    pub(super) fn open_wait(
        &mut self,
        frame: FrameId,
        filter: &EventFilter,
        value: Option<String>,
    ) -> WaitId {
        let task = self.frame(frame).task;
        let wait = WaitId(self.number());
        let event_type = filter.event_type.clone();
        let fact = Fact::WaitOpened { event_type: event_type.clone(), value: value.clone() };
        self.note(Some(task), fact);
        let shape = filter.shape.clone();
        self.commands.push(Command::OpenWait(Wait { wait, event_type, shape, value }));
        wait
    }

    /// Canonical JSON array of the expected correlation values; `None` when one is not known yet.
    fn expected(&self, frame: FrameId, filter: &EventFilter) -> Result<Option<String>, Problem> {
        let Activity::Listen { bound, .. } = &self.frame(frame).activity else { return Ok(None) };
        let mut values = Vec::with_capacity(filter.correlate.len());
        for correlation in &filter.correlate {
            let value = match (&correlation.expect, bound.get(&correlation.name)) {
                (Some(expect), _) => {
                    let what = format!("correlate.{}.expect", correlation.name);
                    self.eval(frame, expect, &what)?
                }
                (None, Some(value)) => value.clone(),
                (None, None) => return Ok(None),
            };
            values.push(value);
        }
        Ok(Some(canonical(&Value::Array(values))))
    }

    /// An event was found for an open wait: check the whole filter, consume, perhaps end.
    pub(super) fn event_arrived(&mut self, wait: WaitId, event: &CloudEvent) -> Result<(), Stale> {
        let Some((frame, index)) = self.listening(wait) else {
            return self.decision_arrived(wait, event);
        };
        // Hearing one would be told by the next, for ever.
        if lifecycle::is_of(event, &self.instance.identity.event_source()) {
            return Err(Stale::Mismatch);
        }
        let plan = self.plan;
        let task = plan.task(self.frame(frame).task);
        let TaskKind::Listen(listen) = &task.kind else { return Err(Stale::Closed) };
        let newly_bound = match self.accepts(frame, listen, index, event) {
            Ok(Some(bound)) => bound,
            Ok(None) => return Err(Stale::Mismatch),
            Err(problem) => {
                self.fail_frame(frame, problem);
                return Ok(());
            }
        };
        let fact = Fact::EventConsumed { event: event.clone(), filter: Some(index) };
        self.note(Some(task.id), fact);
        let heard = self
            .bind(frame, listen, newly_bound)
            .and_then(|()| self.consume(frame, listen, (wait, index), event))
            .and_then(|heard| {
                if heard {
                    self.heard_enough(frame);
                }
                self.go_on(frame, listen)
            });
        if let Err(problem) = heard {
            self.fail_frame(frame, problem);
        }
        Ok(())
    }

    /// Remembers what the first event binds. Waits that could not name a value until now are opened
    /// anew with it, so that events about something else no longer come here.
    fn bind(
        &mut self,
        frame: FrameId,
        listen: &Listen,
        newly: BTreeMap<String, Value>,
    ) -> Result<(), Problem> {
        if newly.is_empty() {
            return Ok(());
        }
        let mut vague = Vec::new();
        let filters = listen.filters();
        for (wait, index) in self.waits(frame) {
            if let Some(filter) = filters.get(index)
                && self.expected(frame, filter)?.is_none()
            {
                vague.push((wait, index));
            }
        }
        let Activity::Listen { bound, .. } = &mut self.frame_mut(frame).activity else {
            return Ok(());
        };
        bound.extend(newly);
        if matches!((&listen.to, &listen.until), (Strategy::One(_) | Strategy::Any(_), None)) {
            return Ok(());
        }
        for (wait, index) in vague {
            if let Some(filter) = filters.get(index)
                && self.expected(frame, filter)?.is_some()
            {
                self.replace_wait(frame, listen, wait, index)?;
            }
        }
        Ok(())
    }

    fn replace_wait(
        &mut self,
        frame: FrameId,
        listen: &Listen,
        wait: WaitId,
        index: usize,
    ) -> Result<(), Problem> {
        self.shut_wait(frame, wait);
        self.open_waits(frame, listen, &[index])
    }

    fn shut_wait(&mut self, frame: FrameId, wait: WaitId) {
        if let Activity::Listen { waits, .. } = &mut self.frame_mut(frame).activity {
            waits.remove(&wait);
        }
        self.close_wait(wait);
    }

    fn waits(&self, frame: FrameId) -> Vec<(WaitId, usize)> {
        let Activity::Listen { waits, .. } = &self.frame(frame).activity else {
            return Vec::new();
        };
        waits.iter().map(|(wait, index)| (*wait, *index)).collect()
    }

    /// Takes the event in. Gives whether it was the last one.
    fn consume(
        &mut self,
        frame: FrameId,
        listen: &Listen,
        (wait, index): (WaitId, usize),
        event: &CloudEvent,
    ) -> Result<bool, Problem> {
        let wanted = listen.to.filters().len();
        if let (Some(Until::Event(until)), true) = (&listen.until, index >= wanted) {
            return Ok(match until {
                Strategy::One(_) | Strategy::Any(_) => true,
                Strategy::All(_) => {
                    self.remember(frame, event);
                    self.shut_all_of(frame, index);
                    !self.waits(frame).iter().any(|(_, index)| *index >= wanted)
                }
            });
        }
        let kept = match listen.read {
            Read::Data => event.data(),
            Read::Envelope | Read::Raw => event.envelope(),
        };
        self.keep(frame, listen, index, kept)?;
        match (&listen.to, &listen.until) {
            (Strategy::All(_), _) => {
                self.remember(frame, event);
                self.shut_all_of(frame, index);
                Ok(self.waits(frame).is_empty())
            }
            (Strategy::One(_) | Strategy::Any(_), None) => {
                self.shut_wait(frame, wait);
                Ok(true)
            }
            (Strategy::One(_) | Strategy::Any(_), Some(Until::Condition(condition))) => {
                let Activity::Listen { consumed, .. } = &self.frame(frame).activity else {
                    return Ok(false);
                };
                let so_far = consumed.iter().map(|(_, value)| value.clone()).collect();
                condition
                    .holds(&Value::Array(so_far), &self.frame_vars(frame))
                    .map_err(|detail| Problem::expression(format!("until: {detail}")))
            }
            (Strategy::One(_) | Strategy::Any(_), Some(Until::Event(_) | Until::Never)) => {
                Ok(false)
            }
        }
    }

    /// The filter has its one event: its wait is closed, under whichever id it is open by now.
    fn shut_all_of(&mut self, frame: FrameId, index: usize) {
        for (wait, of) in self.waits(frame) {
            if of == index {
                self.shut_wait(frame, wait);
            }
        }
    }

    /// What is kept of an event goes where it is needed: to the array the condition sees and the
    /// output is made of, and to the next turn.
    fn keep(
        &mut self,
        frame: FrameId,
        listen: &Listen,
        index: usize,
        kept: Value,
    ) -> Result<(), Problem> {
        // One that never ends has no output.
        let remembers = match &listen.until {
            Some(Until::Never) => false,
            Some(Until::Condition(_)) => true,
            Some(Until::Event(_)) | None => listen.foreach.is_none(),
        };
        let Activity::Listen { consumed, turns, .. } = &mut self.frame_mut(frame).activity else {
            return Ok(());
        };
        if let Some(turns) = turns {
            turns.queue.push_back((index, kept.clone()));
        }
        if remembers {
            if consumed.len() >= LISTEN_CONSUMED_MAX {
                return Err(too_many());
            }
            consumed.push((index, kept));
        }
        Ok(())
    }

    /// Nothing more is listened to; turns that are left still run.
    fn heard_enough(&mut self, frame: FrameId) {
        for (wait, _) in self.waits(frame) {
            self.shut_wait(frame, wait);
        }
        if let Activity::Listen { turns: Some(turns), .. } = &mut self.frame_mut(frame).activity {
            turns.heard = true;
        }
        self.signal_correlation_completed(frame);
    }

    /// After an event or a turn: the next turn, a pause, or the end.
    fn go_on(&mut self, frame: FrameId, listen: &Listen) -> Result<(), Problem> {
        let Activity::Listen { waits, turns, .. } = &mut self.frame_mut(frame).activity else {
            return Ok(());
        };
        let Some(turns) = turns else {
            // Without turns all waits are shut when enough was heard.
            if waits.is_empty() {
                self.end_listen(frame, listen);
            }
            return Ok(());
        };
        if turns.current.is_none() {
            if let Some((filter, item)) = turns.queue.pop_front() {
                let index = turns.begun;
                turns.begun += 1;
                let visits = BTreeMap::new();
                turns.current = Some(Turn { filter, index, item: item.clone(), visits });
                let body = listen.foreach.as_ref().map(|foreach| foreach.body.as_slice());
                self.enter_block(body.unwrap_or_default(), item.into(), Some(frame), 0);
                return Ok(());
            }
            if turns.heard {
                self.end_listen(frame, listen);
                return Ok(());
            }
            if let Some(paused) = turns.paused.take() {
                return self.open_waits(frame, listen, &paused);
            }
            return Ok(());
        }
        if !turns.heard && turns.paused.is_none() && turns.queue.len() >= LISTEN_QUEUE_MAX {
            let open = self.waits(frame);
            for (wait, _) in &open {
                self.shut_wait(frame, *wait);
            }
            let indexes = open.into_iter().map(|(_, index)| index).collect();
            if let Activity::Listen { turns: Some(turns), .. } = &mut self.frame_mut(frame).activity
            {
                turns.paused = Some(indexes);
            }
        }
        Ok(())
    }

    /// A turn of `foreach` came to the end of its tasks.
    pub(super) fn turn_ended(&mut self, frame: FrameId, listen: &Listen, output: Json) {
        let Some(foreach) = &listen.foreach else { return };
        let done = self
            .turn_output(frame, foreach, output)
            .and_then(|(output, context)| {
                if let Some(context) = context {
                    let (task, parent, branch) = {
                        let at = self.frame(frame);
                        (at.task, at.parent, at.branch)
                    };
                    self.note(Some(task), Fact::ContextExported { context: context.clone() });
                    self.set_context(parent, branch, context);
                }
                let Activity::Listen { turns: Some(turns), .. } =
                    &mut self.frame_mut(frame).activity
                else {
                    return Ok(());
                };
                let Some(turn) = turns.current.take() else { return Ok(()) };
                if matches!(listen.until, Some(Until::Never)) {
                    return Ok(());
                }
                if turns.outputs.len() >= LISTEN_CONSUMED_MAX {
                    return Err(too_many());
                }
                turns.outputs.push((turn.filter, output.into_value()));
                Ok(())
            })
            .and_then(|()| self.go_on(frame, listen));
        if let Err(problem) = done {
            self.fail_frame(frame, problem);
        }
    }

    /// `foreach.output` and `foreach.export` of the current turn.
    fn turn_output(
        &self,
        frame: FrameId,
        foreach: &Foreach,
        raw: Json,
    ) -> Result<(Json, Option<Json>), Problem> {
        let at = self.frame(frame);
        let task = self.plan.task(at.task);
        let scope =
            || self.vars(Some(frame), 0).input(at.input()).task(task, &at.raw, at.started_at);
        let output = match &foreach.output.transform {
            None => raw,
            Some(transform) => transform
                .eval(&raw, &scope().output(&raw))
                .map_err(|detail| Problem::expression(format!("foreach.output.as: {detail}")))?
                .into(),
        };
        if let Some(schema) = &foreach.output.schema {
            let check = schema.check(&output);
            check.map_err(|found| Problem::validation(sentence("output of the turn", &found)))?;
        }
        let Some(transform) = &foreach.export.transform else { return Ok((output, None)) };
        let context = transform
            .eval(&output, &scope().output(&output))
            .map_err(|detail| Problem::expression(format!("foreach.export.as: {detail}")))?;
        if let Some(schema) = &foreach.export.schema {
            let check = schema.check(&context);
            check.map_err(|found| Problem::validation(sentence("export of the turn", &found)))?;
        }
        Ok((output, Some(context.into())))
    }

    fn end_listen(&mut self, frame: FrameId, listen: &Listen) {
        let Activity::Listen { consumed, turns, .. } = &mut self.frame_mut(frame).activity else {
            return;
        };
        let mut taken = match turns {
            Some(turns) => std::mem::take(&mut turns.outputs),
            None => std::mem::take(consumed),
        };
        if matches!(listen.to, Strategy::All(_)) {
            // Declared order, so that the result never depends on timing.
            taken.sort_by_key(|(index, _)| *index);
        }
        let output = Value::Array(taken.into_iter().map(|(_, value)| value).collect());
        self.push(Work::Finish { frame, output: output.into(), flow: None });
    }

    /// `Some` with the correlation values this event binds when it is this filter's event. One
    /// event may fit several filters and comes to the wait of each: it belongs to one of them, to
    /// the first of `until`, else to the first of `to`, and with `all` it counts once.
    fn accepts(
        &self,
        frame: FrameId,
        listen: &Listen,
        index: usize,
        event: &CloudEvent,
    ) -> Result<Option<BTreeMap<String, Value>>, Problem> {
        let Activity::Listen { waits, seen, .. } = &self.frame(frame).activity else {
            return Ok(None);
        };
        if seen.iter().any(|(source, id)| *source == event.source && *id == event.id) {
            return Ok(None);
        }
        let filters = listen.filters();
        let wanted = listen.to.filters().len();
        let mut bound = None;
        for other in (wanted..filters.len()).chain(0..wanted) {
            let Some(filter) = filters.get(other) else { continue };
            if other == index {
                bound = self.fits(frame, filter, event)?;
                break;
            }
            // What ends the listen is no part of it, even when its wait is closed already.
            let claims =
                waits.values().any(|open| *open == other) || (other >= wanted && index < wanted);
            if claims && self.fits(frame, filter, event)?.is_some() {
                return Ok(None);
            }
        }
        Ok(bound)
    }

    /// One event is one of `all`, not two.
    fn remember(&mut self, frame: FrameId, event: &CloudEvent) {
        if let Activity::Listen { seen, .. } = &mut self.frame_mut(frame).activity {
            seen.push((event.source.clone(), event.id.clone()));
        }
    }

    fn listening(&self, wait: WaitId) -> Option<(FrameId, usize)> {
        self.instance.frames.iter().find_map(|(id, frame)| match &frame.activity {
            Activity::Listen { waits, .. } => waits.get(&wait).map(|index| (*id, *index)),
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
            | Activity::Human { .. } => None,
        })
    }

    /// `Some` with the correlation values this event binds when it fits, `None` when not.
    fn fits(
        &self,
        frame: FrameId,
        filter: &EventFilter,
        event: &CloudEvent,
    ) -> Result<Option<BTreeMap<String, Value>>, Problem> {
        let scope = self.frame_vars(frame);
        let Activity::Listen { bound, .. } = &self.frame(frame).activity else { return Ok(None) };
        if !event.fits(filter, &scope) {
            return Ok(None);
        }
        let envelope = event.envelope();
        let mut newly = BTreeMap::new();
        for correlation in &filter.correlate {
            // An event from outside may have any form: what cannot be read does not fit.
            let Ok(found) = correlation.from.eval(&envelope, &scope) else { return Ok(None) };
            let wanted = match (&correlation.expect, bound.get(&correlation.name)) {
                (Some(expect), _) => Some(self.eval(frame, expect, &correlation.name)?),
                (None, Some(value)) => Some(value.clone()),
                (None, None) => None,
            };
            match wanted {
                Some(wanted) if wanted != found => return Ok(None),
                Some(_) => {}
                None => _ = newly.insert(correlation.name.clone(), found),
            }
        }
        Ok(Some(newly))
    }

    /// The correlation values of a `listen`, as far as they are known.
    pub(super) fn correlation_keys(&self, frame: FrameId) -> Value {
        let mut keys = Map::new();
        let plan = self.plan;
        if let (TaskKind::Listen(listen), Activity::Listen { bound, .. }) =
            (&plan.task(self.frame(frame).task).kind, &self.frame(frame).activity)
        {
            for correlation in listen.filters().into_iter().flat_map(|filter| &filter.correlate) {
                let value = match &correlation.expect {
                    Some(expect) => self.eval(frame, expect, "correlate").ok(),
                    None => bound.get(&correlation.name).cloned(),
                };
                keys.extend(value.map(|value| (correlation.name.clone(), value)));
            }
        }
        Value::Object(keys)
    }
}

fn too_many() -> Problem {
    Problem::runtime(format!(
        "the listen has kept {LISTEN_CONSUMED_MAX} events: let `until` end it sooner, or handle \
         each in `foreach` with `until: ${{ false }}`, which keeps none"
    ))
}
