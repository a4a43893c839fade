//! One attempt of one effect: the last steps before the world, and the first after.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use tenure_adapter::contract::DEADLINE_MAX_MS;
use tenure_adapter::{Adapter, Lookup, Outcome, Problem, Reason, Registry, Request};
use tenure_machine::{Command, Event, Intent};

use crate::secret::{Mask, Secrets};

/// What a command of the machine wants from an adapter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Errand {
    /// One attempt.
    Call(Intent),
    /// One look-up.
    LookUp(Intent),
}

impl Errand {
    /// The errand of a command, if it is one.
    pub(crate) fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Call(intent) => Some(Self::Call(intent.clone())),
            Command::LookUp(intent) => Some(Self::LookUp(intent.clone())),
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
            | Command::ReleaseLock { .. } => None,
        }
    }

    pub(crate) fn intent(&self) -> &Intent {
        match self {
            Self::Call(intent) | Self::LookUp(intent) => intent,
        }
    }

    /// Nothing is sent after `last`, even if the intent would allow it.
    pub(crate) fn send_before(&mut self, last: Timestamp) {
        match self {
            Self::Call(intent) | Self::LookUp(intent) => intent.send_by = intent.send_by.min(last),
        }
    }

    /// The event that says: nothing left this machine.
    pub(crate) fn not_sent(&self, detail: impl Into<String>) -> Event {
        let detail = detail.into();
        match self {
            Self::Call(intent) => {
                Event::CallEnded { call: intent.call, outcome: Outcome::NotSent { detail } }
            }
            Self::LookUp(intent) => {
                Event::LookupEnded { call: intent.call, lookup: Lookup::Unknown { detail } }
            }
        }
    }

    /// The event that says: this node cannot do it, and people must act.
    fn misconfigured(&self, detail: String) -> Event {
        match self {
            Self::Call(intent) => Event::CallEnded {
                call: intent.call,
                outcome: Outcome::Rejected { reason: Reason::Config, detail, retry_after_ms: None },
            },
            Self::LookUp(_) => self.not_sent(detail),
        }
    }

    /// The event that says: what the call needs is not given to it. The language wants an error
    /// that the definition can catch.
    fn unauthorized(&self, detail: String) -> Event {
        match self {
            Self::Call(intent) => Event::CallEnded {
                call: intent.call,
                outcome: Outcome::Failed {
                    error: Problem::standard("authorization", 403, "Authorization Error", detail),
                },
            },
            Self::LookUp(_) => self.not_sent(detail),
        }
    }

    /// The event that says: nobody knows.
    fn unknown(&self, detail: String) -> Event {
        match self {
            Self::Call(intent) => {
                Event::CallEnded { call: intent.call, outcome: Outcome::Unknown { detail } }
            }
            Self::LookUp(_) => self.not_sent(detail),
        }
    }

    /// Runs the errand: the request is built from the stored intent alone, the deadline holds
    /// whatever the plug does, and a panic in the plug is an unknown outcome.
    ///
    /// `now` is asked at the last moment: after `send_by` nothing is sent.
    pub(crate) async fn run(
        &self,
        registry: &Registry,
        secrets: &Secrets,
        now: impl Fn() -> Timestamp,
    ) -> Event {
        let intent = self.intent();
        let Some(adapter) = registry.adapter(&intent.function) else {
            return self.misconfigured(format!("{} is not offered on this node", intent.function));
        };
        let (input, mask) = match secrets.fill(&intent.request) {
            Ok(filled) => filled,
            Err(name) => {
                return self.unauthorized(format!("the secret {name} has no value on this node"));
            }
        };
        let request = Request {
            function: intent.function.clone(),
            key: intent.key,
            input,
            intent_at: intent.intent_at,
            deadline_ms: intent.deadline_ms,
            origin: intent.origin.clone(),
        };
        let limit = Duration::from_millis(intent.deadline_ms.min(DEADLINE_MAX_MS));
        if matches!(self, Self::Call(_)) && now() > intent.send_by {
            return self.not_sent("the time to send this attempt was over");
        }
        let work = AssertUnwindSafe(self.ask(adapter, &request, &mask)).catch_unwind();
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(event)) => event,
            Ok(Err(_)) => self.unknown(format!("the adapter of {} panicked", intent.function)),
            Err(_) => self.unknown(format!("no answer within {} ms", limit.as_millis())),
        }
    }

    /// Asks the plug. What it gives back goes to the journal, so the secrets it was given are masked.
    async fn ask(&self, adapter: &Arc<dyn Adapter>, request: &Request, mask: &Mask) -> Event {
        match self {
            Self::Call(intent) => {
                let outcome = mask.outcome(adapter.perform(request).await);
                Event::CallEnded { call: intent.call, outcome }
            }
            Self::LookUp(intent) => {
                let lookup = mask.lookup(adapter.look_up(request).await);
                Event::LookupEnded { call: intent.call, lookup }
            }
        }
    }
}
