//! Effects whose task is gone: what is kept of them, what a late answer means, and who goes on with
//! them.
//!
//! Nothing is guessed here either. An effect in doubt stays on record until an answer proves
//! something; one that happened although nobody waited for it any more is an incident, of an
//! instance that has ended too, until the definition comes back to it or a cancellation undoes it.

use tenure_adapter::{EffectClass, Lookup, Manifest, Outcome};
use tenure_definition::Plan;
use tenure_definition::plan::{Call, OnCancel, TaskKind};

use super::call::lost_until;
use super::mover::Mover;
use crate::abandoned::Abandoned;
use crate::instance::{Activity, CallPhase, Effect, Frame, Incident};
use crate::limit::{ABANDONED_MAX, LATE_ANSWER_BYTES_MAX};
use crate::{CallId, Command, Event, Fact, FrameId, Instance, Stale, Step};

/// What an event means for an instance that has ended: a late answer is kept, all else is stale.
pub(super) fn after_the_end(
    plan: &Plan,
    instance: &Instance,
    event: &Event,
    at: jiff::Timestamp,
) -> Step {
    let known = |call: &CallId| instance.abandoned_calls().any(|open| open == *call);
    let concerns = match event {
        Event::CallEnded { call, .. }
        | Event::LookupEnded { call, .. }
        | Event::CallLost { call } => known(call),
        Event::Started
        | Event::TimerDue { .. }
        | Event::EventArrived { .. }
        | Event::ChildEnded { .. }
        | Event::LockGranted { .. }
        | Event::LockRefused { .. }
        | Event::CancelRequested { .. } => false,
    };
    if !concerns {
        return Step::Stale(Stale::Ended);
    }
    let mut mover = Mover::new(plan, instance.clone(), at);
    let taken = match crate::outside::harmless(event) {
        Event::CallEnded { call, outcome } => mover.answered_late(call, &outcome),
        Event::LookupEnded { call, lookup } => mover.looked_up_late(call, &lookup),
        Event::CallLost { call } => mover.lost_late(call),
        Event::Started
        | Event::TimerDue { .. }
        | Event::EventArrived { .. }
        | Event::ChildEnded { .. }
        | Event::LockGranted { .. }
        | Event::LockRefused { .. }
        | Event::CancelRequested { .. } => Err(Stale::Ended),
    };
    match taken {
        Ok(()) => Step::Moved(Box::new(mover.into_transition())),
        Err(stale) => Step::Stale(stale),
    }
}

impl Mover<'_> {
    /// A call is given up with its frame. When nobody knows whether its effect happened, the effect
    /// stays on record: a later call at the same position goes on with it instead of acting twice.
    pub(super) fn abandon(&mut self, frame: &Frame, mut effect: Effect, phase: &CallPhase) {
        let mut call = effect.earlier.take();
        let in_doubt = match phase {
            CallPhase::Sent { call: out } | CallPhase::LookingUp { call: out } => {
                if self.take_back(*out) {
                    effect.attempts = effect.attempts.saturating_sub(1);
                    let (key, detail) = (effect.key, "given up before it was sent".to_owned());
                    let outcome = Outcome::NotSent { detail };
                    self.note(Some(frame.task), Fact::EffectReturned { key, outcome });
                    effect.unknowns > 0
                } else {
                    call = Some(*out);
                    true
                }
            }
            CallPhase::Stuck { .. } => true,
            CallPhase::Delay { timer } => {
                self.forget_timer(*timer);
                effect.unknowns > 0
            }
            CallPhase::Settling { timer } => {
                self.forget_timer(*timer);
                true
            }
        };
        let plan = self.plan;
        let TaskKind::Call(spec) = &plan.task(frame.task).kind else { return };
        if !in_doubt {
            // Rejected: a key the vendor has refused is not presented again.
            if effect.attempts > 0 {
                self.set_visits(frame.parent, effect.position, effect.visit + 1);
            }
            return;
        }
        // Nobody misses what was only read.
        if only_reads(&spec.function, &effect) {
            return;
        }
        let undoable = self.undoes_at_cancel(frame).then(|| frame.input().clone());
        let abandoned = Abandoned {
            task: frame.task,
            parent: frame.parent,
            function: spec.function.name.clone(),
            call,
            outcome: None,
            undoable,
            incident: None,
            effect,
        };
        let position = abandoned.effect.position.clone();
        self.instance.abandoned.insert(position.clone(), abandoned);
        if call.is_none() {
            self.nobody_answers(&position);
        }
        if self.instance.abandoned.len() > ABANDONED_MAX {
            self.overfull = true;
        }
    }

    /// A call that was decided in this very step is not made: its command never left.
    fn take_back(&mut self, call: CallId) -> bool {
        let before = self.commands.len();
        self.commands.retain(|command| match command {
            Command::Call(intent) | Command::LookUp(intent) => intent.call != call,
            Command::SetTimer { .. }
            | Command::ClearTimer { .. }
            | Command::OpenWait(_)
            | Command::CloseWait { .. }
            | Command::StartChild(_)
            | Command::CancelChild { .. }
            | Command::TellParent { .. }
            | Command::Emit { .. }
            | Command::SetAttributes { .. }
            | Command::AcquireLock { .. }
            | Command::ReleaseLock { .. } => true,
        });
        self.commands.len() < before
    }

    /// Whether a cancellation of the instance undoes what the task of this frame does.
    fn undoes_at_cancel(&self, frame: &Frame) -> bool {
        self.plan.extensions.on_cancel == OnCancel::Compensate
            && self.plan.task(frame.task).compensate.is_some()
            && self.undoing_around(frame.parent).is_none()
    }

    /// An attempt came back that no frame waits for.
    pub(super) fn answered_late(&mut self, call: CallId, outcome: &Outcome) -> Result<(), Stale> {
        let position = self.abandoned_at(call).ok_or(Stale::Closed)?;
        let Some(abandoned) = self.instance.abandoned.get_mut(&position) else {
            return Err(Stale::Closed);
        };
        abandoned.call = None;
        let (task, key) = (abandoned.task, abandoned.effect.key);
        let doubts = abandoned.effect.unknowns > 0;
        let outcome = &kept(outcome);
        self.note(Some(task), Fact::EffectReturnedLate { key, outcome: outcome.clone() });
        match outcome {
            Outcome::Done { .. } => self.happened_late(&position, outcome),
            // It proves that this attempt did nothing; an earlier one may have.
            Outcome::Declined { .. }
            | Outcome::Failed { .. }
            | Outcome::Rejected { .. }
            | Outcome::NotSent { .. }
                if !doubts =>
            {
                self.forget_abandoned(&position, !matches!(outcome, Outcome::NotSent { .. }));
            }
            Outcome::Declined { .. }
            | Outcome::Failed { .. }
            | Outcome::Rejected { .. }
            | Outcome::NotSent { .. }
            | Outcome::Unknown { .. } => self.nobody_answers(&position),
        }
        Ok(())
    }

    /// A look-up came back that no frame waits for.
    pub(super) fn looked_up_late(&mut self, call: CallId, lookup: &Lookup) -> Result<(), Stale> {
        let position = self.abandoned_at(call).ok_or(Stale::Closed)?;
        let Some(abandoned) = self.instance.abandoned.get_mut(&position) else {
            return Err(Stale::Closed);
        };
        abandoned.call = None;
        let (task, key) = (abandoned.task, abandoned.effect.key);
        let lookup = &match lookup {
            Lookup::Happened { outcome } => Lookup::Happened { outcome: kept(outcome) },
            Lookup::Absent | Lookup::Unknown { .. } => lookup.clone(),
        };
        self.note(Some(task), Fact::LookupReturned { key, lookup: lookup.clone() });
        match lookup {
            Lookup::Happened { outcome: outcome @ Outcome::Done { .. } } => {
                self.happened_late(&position, outcome);
            }
            Lookup::Happened { .. } => self.forget_abandoned(&position, true),
            Lookup::Absent => self.forget_abandoned(&position, false),
            Lookup::Unknown { .. } => self.nobody_answers(&position),
        }
        Ok(())
    }

    /// The node that made it is gone: no answer comes any more.
    pub(super) fn lost_late(&mut self, call: CallId) -> Result<(), Stale> {
        let detail = "the node that sent it is gone".to_owned();
        self.answered_late(call, &Outcome::Unknown { detail })
    }

    fn abandoned_at(&self, call: CallId) -> Option<String> {
        self.instance
            .abandoned
            .iter()
            .find(|(_, abandoned)| abandoned.call == Some(call))
            .map(|(position, _)| position.clone())
    }

    /// It happened, and nobody waited for it any more.
    fn happened_late(&mut self, position: &str, outcome: &Outcome) {
        let Some(abandoned) = self.instance.abandoned.get_mut(position) else { return };
        abandoned.outcome = Some(outcome.clone());
        let function = &abandoned.function;
        let detail = format!(
            "{function} completed after its task was given up, and nobody uses or undoes it: look at \
             its late answer in the journal, and undo it at the vendor unless it is wanted"
        );
        let fingerprint = format!("late:{function}");
        self.needs_a_person(position, fingerprint, detail);
    }

    /// Nothing more will be heard of it. Where money may have moved, a person has to ask the vendor.
    fn nobody_answers(&mut self, position: &str) {
        let Some(abandoned) = self.instance.abandoned.get_mut(position) else { return };
        abandoned.effect.unknowns = abandoned.effect.unknowns.max(1);
        let (task, function, key) = (abandoned.task, &abandoned.function, abandoned.effect.key);
        let TaskKind::Call(spec) = &self.plan.task(task).kind else { return };
        if !spec.function.money {
            return;
        }
        let detail = format!(
            "{function} was given up and never answered, so money may have moved: look for the effect \
             {key} at the vendor, and undo it unless it is wanted"
        );
        let fingerprint = format!("abandoned:{function}");
        self.needs_a_person(position, fingerprint, detail);
    }

    fn needs_a_person(&mut self, position: &str, fingerprint: String, detail: String) {
        let since = self.at;
        let Some(abandoned) = self.instance.abandoned.get_mut(position) else { return };
        let task = abandoned.task;
        let incident = Incident { fingerprint: fingerprint.clone(), detail: detail.clone(), since };
        abandoned.incident = Some(incident);
        self.note(Some(task), Fact::IncidentOpened { fingerprint, detail });
    }

    /// It is proved that it did not happen.
    fn forget_abandoned(&mut self, position: &str, key_is_used_up: bool) {
        let Some(abandoned) = self.instance.abandoned.remove(position) else { return };
        if key_is_used_up && !self.instance.is_terminal() {
            self.key_is_refused(&abandoned.effect);
            let visits = abandoned.effect.visit + 1;
            // The loop around it may be over; then nobody comes back to this position.
            if self.has(abandoned.parent) {
                self.set_visits(abandoned.parent, position.to_owned(), visits);
            }
        }
    }

    /// The definition comes back to an effect that was abandoned at this place: what is known of it
    /// is adopted, what is not is settled first. Acting anew could act twice.
    pub(super) fn continue_abandoned(&mut self, frame: FrameId, call: &Call, found: Abandoned) {
        let Abandoned { mut effect, call: out, outcome, .. } = found;
        let task = self.frame(frame).task;
        let key = effect.key;
        if let Some(outcome) = outcome {
            let phase = CallPhase::Sent { call: CallId(0) };
            self.frame_mut(frame).activity = Activity::Call { effect, phase };
            self.note(Some(task), Fact::EffectReturned { key, outcome: outcome.clone() });
            return self.decide(frame, &outcome, None);
        }
        effect.unknowns = effect.unknowns.max(1);
        effect.earlier = out;
        let until = lost_until(&effect, &call.function).max(self.at);
        let timer = self.set_timer(until);
        self.frame_mut(frame).activity =
            Activity::Call { effect, phase: CallPhase::Settling { timer } };
        self.note(Some(task), Fact::EffectSettling { key, until });
    }

    /// The answer of an attempt of an earlier visit, while the effect is settled for a new one: it says
    /// what settling was to find out.
    pub(super) fn answered_while_settling(
        &mut self,
        wanted: CallId,
        outcome: &Outcome,
    ) -> Result<(), Stale> {
        let found = self.instance.frames.iter_mut().find_map(|(id, frame)| {
            let Activity::Call { effect, phase } = &mut frame.activity else { return None };
            if effect.earlier != Some(wanted) {
                return None;
            }
            effect.earlier = None;
            match phase {
                CallPhase::Settling { timer } => Some((*id, frame.task, effect.key, Some(*timer))),
                CallPhase::Stuck { .. } => Some((*id, frame.task, effect.key, None)),
                CallPhase::Sent { .. } | CallPhase::Delay { .. } | CallPhase::LookingUp { .. } => {
                    None
                }
            }
        });
        let (frame, task, key, timer) = found.ok_or(Stale::Closed)?;
        self.note(Some(task), Fact::EffectReturnedLate { key, outcome: outcome.clone() });
        if matches!(outcome, Outcome::Done { .. } | Outcome::Declined { .. }) {
            if let Some(timer) = timer {
                self.forget_timer(timer);
            }
            self.decide(frame, outcome, None);
        }
        Ok(())
    }
}

/// A late answer as it is kept.
fn kept(outcome: &Outcome) -> Outcome {
    let Outcome::Done { output } = outcome else { return outcome.clone() };
    let bytes = output.to_string().len();
    if bytes <= LATE_ANSWER_BYTES_MAX {
        return outcome.clone();
    }
    Outcome::Done { output: serde_json::json!({ "left_out": { "bytes": bytes } }) }
}

/// Whether a call changes nothing, so that nobody has to know whether it was made.
fn only_reads(function: &Manifest, effect: &Effect) -> bool {
    let method = effect.request.get("method").and_then(serde_json::Value::as_str);
    match function.class {
        EffectClass::Natural if function.name == "http" => {
            method.is_some_and(|method| matches!(method, "GET" | "HEAD" | "OPTIONS"))
        }
        EffectClass::Natural => function.only_reads(),
        EffectClass::Keyed { .. }
        | EffectClass::Lookup
        | EffectClass::AtMostOnce
        | EffectClass::AtLeastOnce => false,
    }
}
