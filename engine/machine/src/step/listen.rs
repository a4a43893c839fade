//! Waits for events: which event fits which wait, and when a `listen` is over.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure_adapter::Problem;
use tenure_definition::canonical::canonical;
use tenure_definition::plan::{EventFilter, Listen, Read, Strategy, TaskKind};

use super::mover::{Mover, Work};
use crate::instance::Activity;
use crate::{CloudEvent, Command, Fact, FrameId, Stale, Wait, WaitId};

impl Mover<'_> {
    /// Opens one wait per filter.
    pub(super) fn begin_listen(
        &mut self,
        frame: FrameId,
        filters: &[EventFilter],
    ) -> Result<(), Problem> {
        let task = self.frame(frame).task;
        let mut waits = BTreeMap::new();
        for (index, filter) in filters.iter().enumerate() {
            let value = self.expected(frame, filter)?;
            let wait = WaitId(self.number());
            waits.insert(wait, index);
            let event_type = filter.event_type.clone();
            self.note(
                Some(task),
                Fact::WaitOpened { event_type: event_type.clone(), value: value.clone() },
            );
            let shape = filter.shape.clone();
            self.commands.push(Command::OpenWait(Wait { wait, event_type, shape, value }));
        }
        self.frame_mut(frame).activity =
            Activity::Listen { waits, consumed: Vec::new(), bound: BTreeMap::new() };
        Ok(())
    }

    /// Canonical JSON array of the expected correlation values; `None` when one is not known yet.
    fn expected(&self, frame: FrameId, filter: &EventFilter) -> Result<Option<String>, Problem> {
        let mut values = Vec::with_capacity(filter.correlate.len());
        for correlation in &filter.correlate {
            let Some(expect) = &correlation.expect else { return Ok(None) };
            values.push(self.eval(
                frame,
                expect,
                &format!("correlate.{}.expect", correlation.name),
            )?);
        }
        Ok(Some(canonical(&Value::Array(values))))
    }

    /// An event was found for an open wait: check the whole filter, consume, perhaps end.
    pub(super) fn event_arrived(&mut self, wait: WaitId, event: &CloudEvent) -> Result<(), Stale> {
        let (frame, index) = self.waiting(wait).ok_or(Stale::Closed)?;
        let plan = self.plan;
        let task = plan.task(self.frame(frame).task);
        let TaskKind::Listen(listen) = &task.kind else { return Err(Stale::Closed) };
        let Some(filter) = filter_at(listen, index) else { return Err(Stale::Closed) };
        let newly_bound = match self.fits(frame, filter, event) {
            Ok(Some(bound)) => bound,
            Ok(None) => return Err(Stale::Mismatch),
            Err(problem) => {
                self.fail_frame(frame, problem);
                return Ok(());
            }
        };
        self.note(Some(task.id), Fact::EventConsumed { event: event.clone() });
        self.close_wait(wait);
        let kept = match listen.read {
            Read::Data => event.data(),
            Read::Envelope | Read::Raw => event.envelope(),
        };
        let Activity::Listen { waits, consumed, bound } = &mut self.frame_mut(frame).activity
        else {
            return Err(Stale::Closed);
        };
        waits.remove(&wait);
        consumed.push((index, kept));
        bound.extend(newly_bound);
        let over = match &listen.to {
            Strategy::One(_) | Strategy::Any(_) => true,
            Strategy::All(_) => waits.is_empty(),
        };
        if over {
            let left: Vec<WaitId> = std::mem::take(waits).into_keys().collect();
            let mut taken = std::mem::take(consumed);
            // Declared order, so that the result never depends on timing.
            taken.sort_by_key(|(index, _)| *index);
            for other in left {
                self.close_wait(other);
            }
            let output = Value::Array(taken.into_iter().map(|(_, value)| value).collect());
            self.push(Work::Finish { frame, output, flow: None });
        }
        Ok(())
    }

    fn waiting(&self, wait: WaitId) -> Option<(FrameId, usize)> {
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
        if filter.event_type.as_ref().is_some_and(|wanted| *wanted != event.kind) {
            return Ok(None);
        }
        for (name, template) in &filter.with {
            let wanted = self.eval(frame, template, &format!("listen.with.{name}"))?;
            if event.attribute(name) != Some(wanted) {
                return Ok(None);
            }
        }
        let Activity::Listen { bound, .. } = &self.frame(frame).activity else { return Ok(None) };
        let envelope = event.envelope();
        let mut newly = BTreeMap::new();
        for correlation in &filter.correlate {
            let scope = self.frame_vars(frame);
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
                None => {
                    newly.insert(correlation.name.clone(), json!(found));
                }
            }
        }
        Ok(Some(newly))
    }
}

fn filter_at(listen: &Listen, index: usize) -> Option<&EventFilter> {
    match &listen.to {
        Strategy::One(filter) => (index == 0).then_some(filter),
        Strategy::Any(filters) | Strategy::All(filters) => filters.get(index),
    }
}
