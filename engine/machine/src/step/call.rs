//! One effect through its phases: sent, delayed, settling, looked up, stuck.
//!
//! The rule behind all of it: *an unknown outcome is never guessed*. A retry after `unknown` keeps
//! the key; a new try after a proven rejection takes the next generation; a decline goes to the
//! definition; and when only a person can say, the call becomes an incident.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tenure_adapter::{EffectClass, Lookup, Manifest, Origin, Outcome, Problem, Reason};
use tenure_definition::plan::{Call, TaskKind};
use uuid::Uuid;

use super::mover::{Mover, Work};
use crate::instance::{Activity, CallPhase, Effect, Incident};
use crate::limit::{
    ABSENCES_MAX, CALL_DELAY_MAX_MS, RETRY_AFTER_MAX_MS, SEND_WINDOW_MAX_MS, SETTLE_MAX_MS,
    UNKNOWNS_MAX, UNSENT_MAX, UNSENT_OF_DEFINITION_MAX,
};
use crate::{CallId, Command, Fact, FrameId, Intent, Stale, key};

impl<'a> Mover<'a> {
    /// Decides the effect of a call and its first attempt.
    pub(super) fn begin_call(&mut self, frame: FrameId, call: &Call) -> Result<(), Problem> {
        let task = self.frame(frame).task;
        let position = self.position(task, self.frame(frame).parent);
        if let Some(found) = self.instance.abandoned.remove(&position) {
            self.continue_abandoned(frame, call, found);
            return Ok(());
        }
        let request = self.eval(frame, &call.with, "with")?;
        call.input.check(&request).map_err(|found| {
            let first = found.first();
            Problem::validation(format!(
                "{} does not take these arguments: {}",
                call.function.name,
                first
                    .map(|f| format!("/{}: {}", f.pointer.trim_start_matches('/'), f.message))
                    .unwrap_or_default()
            ))
        })?;
        let visit = self.visits_of(self.frame(frame).parent, &position);
        let first = self.key(frame, call, &position, visit, 0)?;
        let authored = call.idempotency_key.is_some().then_some(first);
        let generation = authored.map_or(0, |key| self.generation_of(key));
        let key = match generation {
            0 => first,
            later => self.key(frame, call, &position, visit, later)?,
        };
        let effect = Effect {
            position,
            visit,
            generation,
            key,
            request: request.into(),
            intent_at: self.at,
            send_by: self.at,
            attempts: 0,
            unknowns: 0,
            absences: 0,
            unsent: 0,
            authored,
            earlier: None,
        };
        // Replaced by `send` in this same step.
        let phase = CallPhase::Sent { call: CallId(0) };
        self.frame_mut(frame).activity = Activity::Call { effect, phase };
        self.send(frame);
        Ok(())
    }

    fn key(
        &self,
        frame: FrameId,
        call: &Call,
        position: &str,
        visit: u32,
        generation: u32,
    ) -> Result<Uuid, Problem> {
        let identity = &self.instance.identity;
        let Some(expression) = &call.idempotency_key else {
            return Ok(key::effect_key(identity, position, visit, generation));
        };
        let value = expression
            .eval(self.frame(frame).input(), &self.frame_vars(frame))
            .map_err(|detail| Problem::expression(format!("idempotencyKey: {detail}")))?;
        let text = match value {
            Value::String(text) if !text.is_empty() => text,
            Value::Number(number) => number.to_string(),
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => {
                return Err(Problem::expression(
                    "idempotencyKey must give a text or a number, and not an empty one",
                ));
            }
        };
        Ok(key::authored_key(&identity.namespace, &call.function.name, &text, generation))
    }

    /// Records the intent of one attempt; it is made once this step is committed.
    pub(super) fn send(&mut self, frame: FrameId) {
        let number = CallId(self.number());
        let Some((effect, manifest)) = self.effect_mut(frame) else { return };
        effect.attempts += 1;
        effect.earlier = None;
        let attempt = effect.attempts;
        self.set_call_phase(frame, CallPhase::Sent { call: number });
        let window = manifest.deadline_ms.min(SEND_WINDOW_MAX_MS);
        let send_by = self.at + millis(window);
        let Some((effect, _)) = self.effect_mut(frame) else { return };
        effect.send_by = send_by;
        let Some(intent) = self.intent(frame, number) else { return };
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::EffectIntended { intent: intent.clone(), attempt });
        self.commands.push(Command::Call(intent));
    }

    pub(super) fn look_up(&mut self, frame: FrameId) {
        let number = CallId(self.number());
        self.set_call_phase(frame, CallPhase::LookingUp { call: number });
        let Some(intent) = self.intent(frame, number) else { return };
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::LookupIntended { key: intent.key });
        self.commands.push(Command::LookUp(intent));
    }

    fn intent(&self, frame: FrameId, call: CallId) -> Option<Intent> {
        let at = self.frame(frame);
        let task = self.plan.task(at.task);
        let (Activity::Call { effect, .. }, TaskKind::Call(spec)) = (&at.activity, &task.kind)
        else {
            return None;
        };
        let identity = &self.instance.identity;
        Some(Intent {
            call,
            function: spec.function.name.clone(),
            key: effect.key,
            request: effect.request.clone(),
            intent_at: effect.intent_at,
            send_by: effect.send_by,
            deadline_ms: spec.function.deadline_ms,
            origin: Origin {
                namespace: identity.namespace.clone(),
                definition: identity.definition.clone(),
                business_key: identity.business_key.clone(),
                task: task.pointer.clone(),
            },
        })
    }

    /// An attempt came back.
    pub(super) fn call_ended(&mut self, call: CallId, outcome: &Outcome) -> Result<(), Stale> {
        if let Some(frame) = self.sent(call) {
            self.returned(frame, outcome, None);
            return Ok(());
        }
        // Its task is over: what it says is kept all the same.
        match self.answered_while_settling(call, outcome) {
            Err(Stale::Closed) => self.answered_late(call, outcome),
            taken => taken,
        }
    }

    /// The node that may have sent it is gone: it may still go out until `send_by`, and the vendor
    /// may act until deadline and settle time have passed from there.
    pub(super) fn call_lost(&mut self, call: CallId) -> Result<(), Stale> {
        if let Some(frame) = self.sent(call) {
            let Some((effect, manifest)) = self.effect_mut(frame) else {
                return Err(Stale::Closed);
            };
            let until = lost_until(effect, manifest);
            let outcome = Outcome::Unknown { detail: "the node that sent it is gone".to_owned() };
            self.returned(frame, &outcome, Some(until));
            return Ok(());
        }
        match self.looking_up(call) {
            // A look-up changes nothing at the vendor: just ask again.
            Some(frame) => self.look_up(frame),
            None => self.lost_late(call)?,
        }
        Ok(())
    }

    /// A look-up came back.
    pub(super) fn lookup_ended(&mut self, call: CallId, lookup: &Lookup) -> Result<(), Stale> {
        let Some(frame) = self.looking_up(call) else { return self.looked_up_late(call, lookup) };
        let Some((effect, _)) = self.effect_mut(frame) else { return Err(Stale::Closed) };
        let key = effect.key;
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::LookupReturned { key, lookup: lookup.clone() });
        match lookup {
            Lookup::Happened { outcome } => {
                // The vendor's books say what became of it, of all attempts with this key.
                if !matches!(outcome, Outcome::Unknown { .. })
                    && let Some((effect, _)) = self.effect_mut(frame)
                {
                    effect.unknowns = 0;
                }
                self.decide(frame, outcome, None);
            }
            Lookup::Absent => self.absent(frame),
            Lookup::Unknown { detail } => self.settle(frame, detail, None),
        }
        Ok(())
    }

    /// The vendor proves that it did not happen. One whose books lag says so again and again: after
    /// a few times only a person can tell.
    fn absent(&mut self, frame: FrameId) {
        if self.drains(frame) {
            return self.drained_absent(frame);
        }
        let Some((effect, _)) = self.effect_mut(frame) else { return };
        effect.unknowns = 0;
        effect.absences += 1;
        if effect.absences > ABSENCES_MAX {
            self.stick(frame, "unknown", "it was sent and looked up as absent again and again");
        } else {
            self.send(frame);
        }
    }

    /// The delay before an attempt is over. With an earlier attempt in doubt the key may have
    /// expired meanwhile, so the same question is asked as after settling.
    pub(super) fn resend(&mut self, frame: FrameId) {
        let in_doubt = self.effect_mut(frame).is_some_and(|(effect, _)| effect.unknowns > 0);
        if in_doubt { self.settled(frame) } else { self.send(frame) }
    }

    /// The settle time is over: the vendor is no longer acting.
    pub(super) fn settled(&mut self, frame: FrameId) {
        let at = self.at;
        let drains = self.drains(frame);
        let Some((effect, manifest)) = self.effect_mut(frame) else { return };
        if drains {
            return self.drain_settled(frame, manifest.class);
        }
        match manifest.class {
            EffectClass::Natural | EffectClass::AtLeastOnce => self.send(frame),
            EffectClass::Lookup => self.look_up(frame),
            EffectClass::Keyed { key_life_ms } => {
                // The key must outlive the attempt, sent and acted on as late as may be.
                let window = manifest.deadline_ms.min(SEND_WINDOW_MAX_MS);
                let margin =
                    millis(window) + millis(manifest.deadline_ms) + millis(manifest.settle_ms);
                let dead_at = effect.intent_at + millis(key_life_ms) - margin;
                if effect.unknowns <= 1 && at < dead_at {
                    self.send(frame);
                } else {
                    self.look_up(frame);
                }
            }
            EffectClass::AtMostOnce => self.stick(frame, "unknown", "it is never sent twice"),
        }
    }

    fn returned(&mut self, frame: FrameId, outcome: &Outcome, until: Option<Timestamp>) {
        let Some((effect, _)) = self.effect_mut(frame) else { return };
        let key = effect.key;
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::EffectReturned { key, outcome: outcome.clone() });
        self.decide(frame, outcome, until);
    }

    /// What an outcome means for the call.
    pub(super) fn decide(&mut self, frame: FrameId, outcome: &Outcome, until: Option<Timestamp>) {
        if self.drains(frame) {
            return self.drain_decided(frame, outcome, until);
        }
        if !matches!(outcome, Outcome::NotSent { .. })
            && let Some((effect, _)) = self.effect_mut(frame)
        {
            effect.unsent = 0;
        }
        match outcome {
            Outcome::Done { output } => {
                self.resolve(frame);
                self.push(Work::Finish { frame, output: output.clone().into(), flow: None });
            }
            Outcome::Declined { class, code, detail } => {
                self.refused(frame);
                self.fail_frame(frame, Problem::declined(*class, code, detail.clone()));
            }
            Outcome::Failed { error } => self.failed(frame, error),
            Outcome::Rejected { reason, detail, retry_after_ms } => {
                self.rejected(frame, *reason, detail, *retry_after_ms);
            }
            Outcome::NotSent { detail } => self.not_sent(frame, detail),
            Outcome::Unknown { detail } => self.settle(frame, detail, until),
        }
    }

    /// An error of the language. Where acting twice would do harm, it proves nothing about an earlier
    /// attempt that is still in doubt.
    fn failed(&mut self, frame: FrameId, error: &Problem) {
        let Some((effect, manifest)) = self.effect_mut(frame) else { return };
        let in_doubt = effect.unknowns > 0;
        match manifest.class {
            EffectClass::Keyed { .. } | EffectClass::Lookup | EffectClass::AtMostOnce
                if in_doubt =>
            {
                let detail = error.detail.as_deref().unwrap_or(&error.title);
                self.after_doubt(frame, manifest, detail);
            }
            EffectClass::Keyed { .. }
            | EffectClass::Lookup
            | EffectClass::AtMostOnce
            | EffectClass::Natural
            | EffectClass::AtLeastOnce => {
                // What was never sent has presented no key.
                if effect.unsent > 0 {
                    self.resolve(frame);
                } else {
                    self.refused(frame);
                }
                self.fail_frame(frame, Problem { instance: None, ..error.clone() });
            }
        }
    }

    /// No byte left: the same key again, and none of the vendor's retries used up.
    fn not_sent(&mut self, frame: FrameId, detail: &str) {
        let Some((effect, manifest)) = self.effect_mut(frame) else { return };
        effect.attempts = effect.attempts.saturating_sub(1);
        effect.unsent += 1;
        let unsent = effect.unsent;
        // An address of the definition's own has no operator to mend it: the definition is told.
        if manifest.connection.is_none() && unsent > UNSENT_OF_DEFINITION_MAX {
            let error = Problem::standard("communication", 500, "Communication Error", detail);
            return self.failed(frame, &error);
        }
        if unsent > UNSENT_MAX {
            return self.stick(frame, "not-sent", detail);
        }
        let grown = manifest.retry.delay_ms.saturating_mul(1_u64 << unsent.min(6));
        let timer = self.set_timer(self.at + millis(grown.min(CALL_DELAY_MAX_MS)));
        self.set_call_phase(frame, CallPhase::Delay { timer });
    }

    /// The vendor proves that *this attempt* did nothing. Whether the effect happened may still be
    /// open from an earlier attempt under the same key.
    fn rejected(&mut self, frame: FrameId, reason: Reason, detail: &str, after_ms: Option<u64>) {
        let Some((effect, manifest)) = self.effect_mut(frame) else { return };
        let in_doubt = effect.unknowns > 0;
        let retries = effect.attempts.saturating_sub(1);
        let position = effect.position.clone();
        let (visit, generation) = (effect.visit, effect.generation);
        if reason == Reason::Config {
            return self.stick(frame, "config", detail);
        }
        if !reason.is_retryable() || retries >= manifest.retry.retries_max {
            if in_doubt {
                return self.after_doubt(frame, manifest, detail);
            }
            self.refused(frame);
            return self.fail_frame(frame, Problem::rejected(reason, detail));
        }
        if !in_doubt {
            let next = match self.call_of(frame) {
                Some(call) => self.key(frame, call, &position, visit, generation + 1),
                None => return,
            };
            match next {
                Err(problem) => {
                    self.resolve(frame);
                    return self.fail_frame(frame, problem);
                }
                Ok(key) => {
                    let at = self.at;
                    self.key_of_frame_is_refused(frame);
                    if let Some((effect, _)) = self.effect_mut(frame) {
                        effect.generation += 1;
                        effect.key = key;
                        effect.intent_at = at;
                    }
                }
            }
        }
        let grown = manifest.retry.delay_ms.saturating_mul(1_u64 << retries.min(20));
        let wish = after_ms.unwrap_or(0).min(RETRY_AFTER_MAX_MS);
        let delay = grown.min(CALL_DELAY_MAX_MS).max(wish);
        let spread = i64::try_from(delay / 10).unwrap_or(0);
        let jitter = self.derived(frame.0, retries, spread);
        let due = self.at + millis(delay) + SignedDuration::from_millis(jitter);
        let timer = self.set_timer(due);
        self.set_call_phase(frame, CallPhase::Delay { timer });
    }

    /// Retrying is over, but an earlier attempt may have acted: only the vendor's books can say.
    fn after_doubt(&mut self, frame: FrameId, manifest: &Manifest, detail: &str) {
        match manifest.class {
            EffectClass::Keyed { .. } | EffectClass::Lookup => self.settle(frame, detail, None),
            EffectClass::Natural | EffectClass::AtMostOnce | EffectClass::AtLeastOnce => {
                self.stick(frame, "unknown", detail);
            }
        }
    }

    /// Waits until the vendor can no longer be acting.
    pub(super) fn settle(&mut self, frame: FrameId, detail: &str, until: Option<Timestamp>) {
        let at = self.at;
        let Some((effect, manifest)) = self.effect_mut(frame) else { return };
        effect.unknowns += 1;
        let (key, unknowns) = (effect.key, effect.unknowns);
        let absences = effect.absences;
        if unknowns > UNKNOWNS_MAX {
            return self.stick(frame, "unknown", detail);
        }
        if manifest.class == EffectClass::AtMostOnce {
            return self.stick(frame, "unknown", detail);
        }
        let doublings = (unknowns - 1).saturating_add(absences).min(20);
        let grown = manifest.settle_ms.saturating_mul(1_u64 << doublings);
        let until = until.unwrap_or(at).max(at + millis(grown.min(SETTLE_MAX_MS)));
        let timer = self.set_timer(until);
        self.set_call_phase(frame, CallPhase::Settling { timer });
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::EffectSettling { key, until });
    }

    /// Only a person can say.
    pub(super) fn stick(&mut self, frame: FrameId, cause: &str, detail: &str) {
        let Some(call) = self.call_of(frame) else { return };
        let fingerprint = format!("{cause}:{}", call.function.name);
        let incident = Incident {
            fingerprint: fingerprint.clone(),
            detail: detail.to_owned(),
            since: self.at,
        };
        self.set_call_phase(frame, CallPhase::Stuck { incident });
        let task = self.frame(frame).task;
        self.note(Some(task), Fact::IncidentOpened { fingerprint, detail: detail.to_owned() });
    }

    /// The vendor has refused for good: its key is not presented again.
    fn refused(&mut self, frame: FrameId) {
        self.key_of_frame_is_refused(frame);
        self.resolve(frame);
    }

    fn key_of_frame_is_refused(&mut self, frame: FrameId) {
        let effect = self.effect_mut(frame).map(|(effect, _)| effect);
        if let Some(effect) =
            effect.filter(|effect| effect.authored.is_some()).map(|effect| effect.clone())
        {
            self.key_is_refused(&effect);
        }
    }

    /// The outcome is known: the next call at this position is another effect.
    fn resolve(&mut self, frame: FrameId) {
        let Some((effect, _)) = self.effect_mut(frame) else { return };
        let (position, visit) = (effect.position.clone(), effect.visit);
        self.set_visits(self.frame(frame).parent, position, visit + 1);
        // Nothing is in doubt any more, so nothing must be kept when the frame goes.
        self.frame_mut(frame).activity = Activity::Do;
    }

    fn call_of(&self, frame: FrameId) -> Option<&'a Call> {
        let plan = self.plan;
        match &plan.task(self.frame(frame).task).kind {
            TaskKind::Call(call) => Some(call),
            TaskKind::Function(_)
            | TaskKind::Compensate
            | TaskKind::Rethrow
            | TaskKind::Human(_)
            | TaskKind::Do(_)
            | TaskKind::Emit(_)
            | TaskKind::For(_)
            | TaskKind::Fork(_)
            | TaskKind::Listen(_)
            | TaskKind::Raise(_)
            | TaskKind::Run(_)
            | TaskKind::Set(_)
            | TaskKind::Switch(_)
            | TaskKind::Try(_)
            | TaskKind::Wait(_) => None,
        }
    }

    fn effect_mut(&mut self, frame: FrameId) -> Option<(&mut Effect, &'a Manifest)> {
        let manifest = &self.call_of(frame)?.function;
        match &mut self.frame_mut(frame).activity {
            Activity::Call { effect, .. } => Some((effect, manifest)),
            Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Listen { .. }
            | Activity::Wait { .. }
            | Activity::Child { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Compensating { .. }
            | Activity::Human { .. } => None,
        }
    }

    fn set_call_phase(&mut self, frame: FrameId, next: CallPhase) {
        if let Activity::Call { phase, .. } = &mut self.frame_mut(frame).activity {
            *phase = next;
        }
    }

    fn sent(&self, wanted: CallId) -> Option<FrameId> {
        self.phase_is(|phase| *phase == CallPhase::Sent { call: wanted })
    }

    fn looking_up(&self, wanted: CallId) -> Option<FrameId> {
        self.phase_is(|phase| *phase == CallPhase::LookingUp { call: wanted })
    }

    fn phase_is(&self, fits: impl Fn(&CallPhase) -> bool) -> Option<FrameId> {
        self.instance.frames.iter().find_map(|(id, frame)| match &frame.activity {
            Activity::Call { phase, .. } => fits(phase).then_some(*id),
            Activity::Do
            | Activity::For { .. }
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Listen { .. }
            | Activity::Wait { .. }
            | Activity::Child { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Compensating { .. }
            | Activity::Human { .. } => None,
        })
    }
}

/// Until when a lost attempt may still have an effect at the vendor.
pub(super) fn lost_until(effect: &Effect, manifest: &Manifest) -> Timestamp {
    effect.send_by + millis(manifest.deadline_ms) + millis(manifest.settle_ms)
}

fn millis(count: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(count).unwrap_or(i64::MAX))
}
