//! Errors on their way to the `try` that catches them, and retries.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tenure_adapter::Problem;
use tenure_definition::expression::Expression;
use tenure_definition::plan::{Backoff, ErrorFilter, Retry, TaskKind, Try};
use tenure_definition::template::Template;
use tenure_definition::time::Duration;

use super::mover::{Mover, Work};
use crate::instance::{Activity, TryPhase};
use crate::limit::RETRY_DELAY_MAX;
use crate::{Fact, FrameId};

/// Spellings of the standard error types that count as equal: both domains, both paths.
const STANDARD_TYPES: [&str; 4] = [
    "https://open-workflow-specification.org/spec/1.0.0/errors/",
    "https://open-workflow-specification.org/dsl/errors/types/",
    "https://serverlessworkflow.io/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
];

impl Mover<'_> {
    /// A task fails: everything below it is cancelled, and the error goes to its surroundings.
    pub(super) fn fail_frame(&mut self, id: FrameId, mut error: Problem) {
        self.cancel_below(id);
        let frame = self.drop_frame(id);
        error.instance.get_or_insert_with(|| self.plan.task(frame.task).pointer.clone());
        let (task, parent, branch) = (frame.task, frame.parent, frame.branch);
        self.release(frame);
        self.note(Some(task), Fact::TaskFaulted { error: error.clone() });
        self.push(Work::Fail { parent, branch, error });
    }

    /// An error reaches the scope around the failed task.
    pub(super) fn fail(&mut self, parent: Option<FrameId>, branch: u32, error: Problem) {
        let Some(id) = parent else { return self.end_faulted(error) };
        let plan = self.plan;
        let task = plan.task(self.frame(id).task);
        match (&self.frame(id).activity, &task.kind) {
            (Activity::Try { phase: TryPhase::Body { .. }, .. }, TaskKind::Try(spec)) => {
                self.catch(id, spec, error);
            }
            (Activity::Fork { .. }, TaskKind::Fork(fork)) if fork.compete => {
                self.competitor_failed(id, branch, error);
            }
            (Activity::Compensating { .. }, _) => self.not_undone(id, &error),
            _ => self.fail_frame(id, error),
        }
    }

    /// A competing branch failed: the others go on; when it was the last, its error counts.
    fn competitor_failed(&mut self, id: FrameId, branch: u32, failure: Problem) {
        let running = self
            .instance
            .frames
            .values()
            .any(|frame| frame.parent == Some(id) && frame.branch != branch);
        let waiting = self.work.iter().any(|work| match work {
            Work::Enter { parent, .. }
            | Work::Follow { parent, .. }
            | Work::ScopeEnd { parent, .. }
            | Work::Fail { parent, .. } => *parent == Some(id),
            Work::Finish { .. } => false,
        });
        if running || waiting {
            if let Activity::Fork { error, .. } = &mut self.frame_mut(id).activity {
                *error = Some(failure);
            }
        } else {
            self.fail_frame(id, failure);
        }
    }

    /// `catch`: filter, retry, handler, in that order.
    fn catch(&mut self, id: FrameId, spec: &Try, error: Problem) {
        match self.catches(id, spec, &error) {
            Err(problem) => return self.fail_frame(id, problem),
            Ok(false) => return self.fail_frame(id, error),
            Ok(true) => {}
        }
        self.cancel_below(id);
        if let Activity::Try { phase: TryPhase::Body { timer }, .. } =
            &mut self.frame_mut(id).activity
            && let Some(timer) = timer.take()
        {
            self.forget_timer(timer);
        }
        if let Some(retry) = &spec.retry {
            match self.retry_at(id, spec, retry, &error) {
                Err(problem) => return self.fail_frame(id, problem),
                Ok(Some(due)) => return self.delay_retry(id, due, error),
                Ok(None) => {}
            }
        }
        let input = self.frame(id).input().clone();
        match &spec.handler {
            Some(handler) => {
                self.set_phase(id, TryPhase::Handler { error });
                self.enter_block(handler, input, Some(id), 0);
            }
            // Caught, and nothing to do about it: the try yields its own input.
            None if spec.retry.is_none() => {
                self.push(Work::Finish { frame: id, output: input, flow: spec.then });
            }
            None => self.fail_frame(id, error),
        }
    }

    fn catches(&self, id: FrameId, spec: &Try, error: &Problem) -> Result<bool, Problem> {
        if !fits(&spec.filter, error) {
            return Ok(false);
        }
        let subject = json!(error);
        let scope = self.frame_vars(id).local(&spec.bind, subject.clone());
        let holds = |expression: &Expression, what: &str| {
            expression
                .holds(&subject, &scope)
                .map_err(|detail| Problem::expression(format!("{what}: {detail}")))
        };
        if let Some(when) = &spec.when
            && !holds(when, "catch.when")?
        {
            return Ok(false);
        }
        match &spec.except_when {
            None => Ok(true),
            Some(except) => Ok(!holds(except, "catch.exceptWhen")?),
        }
    }

    /// When the next run of a `try` begins, or `None` when there is none.
    fn retry_at(
        &self,
        id: FrameId,
        spec: &Try,
        retry: &Retry,
        error: &Problem,
    ) -> Result<Option<Timestamp>, Problem> {
        let Activity::Try { retries, first_at, .. } = self.frame(id).activity else {
            return Ok(None);
        };
        let number = retries + 1;
        if retry.retries_max.is_some_and(|max| number > max) {
            return Ok(None);
        }
        let subject = json!(error);
        let scope = self.frame_vars(id).local(&spec.bind, subject.clone());
        let holds = |expression: &Expression, what: &str| {
            expression
                .holds(&subject, &scope)
                .map_err(|detail| Problem::expression(format!("{what}: {detail}")))
        };
        if let Some(when) = &retry.when
            && !holds(when, "retry.when")?
        {
            return Ok(None);
        }
        if let Some(except) = &retry.except_when
            && holds(except, "retry.exceptWhen")?
        {
            return Ok(None);
        }
        let zone = &self.plan.extensions.zone;
        let input = self.frame(id).input();
        let millis = |duration: &Duration, from: Timestamp, what: &str| {
            duration
                .millis(from, zone, input, &scope)
                .map_err(|detail| Problem::expression(format!("{what}: {detail}")))
        };
        let base = match &retry.delay {
            None => 0,
            Some(delay) => millis(delay, self.at, "retry.delay")?,
        };
        let jitter = match &retry.jitter {
            None => 0,
            Some((from, to)) => {
                let from = millis(from, self.at, "retry.jitter.from")?;
                let to = millis(to, self.at, "retry.jitter.to")?;
                from + self.derived(id.0, number, to - from)
            }
        };
        let delay = grown(base, retry.backoff, number).saturating_add(jitter);
        let delay = delay.clamp(0, i64::try_from(RETRY_DELAY_MAX.as_millis()).unwrap_or(i64::MAX));
        let due = self.at + SignedDuration::from_millis(delay);
        if let Some(total) = &retry.total_max {
            let total = millis(total, first_at, "retry.limit.duration")?;
            if due.as_millisecond() > first_at.as_millisecond().saturating_add(total) {
                return Ok(None);
            }
        }
        Ok(Some(due))
    }

    /// A number in `0..=range` that looks random and is the same each time this step is made.
    pub(super) fn derived(&self, place: i64, number: u32, range: i64) -> i64 {
        let mut hash = Sha256::new();
        hash.update(self.instance.id.0.as_bytes());
        hash.update(place.to_be_bytes());
        hash.update(number.to_be_bytes());
        let digest = hash.finalize();
        let mut bytes = [0_u8; 8];
        for (byte, from) in bytes.iter_mut().zip(digest) {
            *byte = from;
        }
        let span = u64::try_from(range).unwrap_or(0).saturating_add(1);
        i64::try_from(u64::from_be_bytes(bytes) % span).unwrap_or(0)
    }

    fn delay_retry(&mut self, id: FrameId, due: Timestamp, error: Problem) {
        let timer = self.set_timer(due);
        let task = self.frame(id).task;
        if let Activity::Try { retries, phase, .. } = &mut self.frame_mut(id).activity {
            *retries += 1;
            let retry = *retries;
            *phase = TryPhase::Delay { timer, error: error.clone() };
            self.note(Some(task), Fact::TaskRetried { retry, at: due, error });
        }
    }

    /// The delay is over: the whole body again, on the try's input.
    pub(super) fn retry_body(&mut self, id: FrameId) {
        let plan = self.plan;
        let TaskKind::Try(spec) = &plan.task(self.frame(id).task).kind else { return };
        self.set_phase(id, TryPhase::Body { timer: None });
        if let Err(problem) = self.set_attempt_timer(id, spec) {
            return self.fail_frame(id, problem);
        }
        let input = self.frame(id).input().clone();
        self.enter_block(&spec.body, input, Some(id), 0);
    }

    /// Starts the clock of one run of the body.
    pub(super) fn set_attempt_timer(&mut self, id: FrameId, spec: &Try) -> Result<(), Problem> {
        let Some(limit) = spec.retry.as_ref().and_then(|retry| retry.attempt_timeout.as_ref())
        else {
            return Ok(());
        };
        let due = self.instant(id, limit, "retry.limit.attempt.duration")?;
        let timer = self.set_timer(due);
        self.set_phase(id, TryPhase::Body { timer: Some(timer) });
        Ok(())
    }

    /// One run of the body took too long: like any other error of the body.
    pub(super) fn attempt_timed_out(&mut self, id: FrameId) {
        let plan = self.plan;
        let task = plan.task(self.frame(id).task);
        let TaskKind::Try(spec) = &task.kind else { return };
        self.cancel_below(id);
        let mut error =
            Problem::timeout("one attempt took longer than retry.limit.attempt.duration");
        error.instance = Some(task.pointer.clone());
        self.catch(id, spec, error);
    }

    fn set_phase(&mut self, id: FrameId, next: TryPhase) {
        if let Activity::Try { phase, .. } = &mut self.frame_mut(id).activity {
            *phase = next;
        }
    }

    /// The error object of a `raise`; `instance` is always ours.
    pub(super) fn raised(&self, id: FrameId, template: &Template) -> Result<Problem, Problem> {
        let value = self.eval(id, template, "raise")?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let status =
            value.get("status").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
        let (Some(kind), Some(status)) = (text("type"), status) else {
            return Err(Problem::configuration(
                "raise.error needs a type (text) and a status (number)",
            ));
        };
        Ok(Problem {
            title: text("title").unwrap_or_else(|| kind.clone()),
            kind,
            status,
            detail: text("detail"),
            instance: None,
            data: None,
        })
    }
}

/// The delay before retry `number` (from 1), in milliseconds, without jitter.
fn grown(base: i64, backoff: Backoff, number: u32) -> i64 {
    match backoff {
        Backoff::Constant => base,
        Backoff::Linear => base.saturating_mul(i64::from(number)),
        Backoff::Exponential => base
            .saturating_mul(1_i64.checked_shl(number - 1).filter(|f| *f > 0).unwrap_or(i64::MAX)),
    }
}

/// Whether every given property is equal.
fn fits(filter: &ErrorFilter, error: &Problem) -> bool {
    let equal = |wanted: &Option<String>, found: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
    };
    filter.kind.as_deref().is_none_or(|wanted| same_kind(wanted, &error.kind))
        && filter.status.is_none_or(|wanted| wanted == error.status)
        && equal(&filter.instance, error.instance.as_deref())
        && equal(&filter.title, Some(&error.title))
        && equal(&filter.detail, error.detail.as_deref())
}

/// Equal types, whatever the spelling of the standard ones.
fn same_kind(left: &str, right: &str) -> bool {
    match (standard_name(left), standard_name(right)) {
        (Some(left), Some(right)) => left == right,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => left == right,
    }
}

fn standard_name(kind: &str) -> Option<&str> {
    STANDARD_TYPES.iter().find_map(|prefix| kind.strip_prefix(prefix))
}
