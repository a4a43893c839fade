//! The fault plan: what a vendor does wrong next.

use serde::{Deserialize, Serialize};

/// Most faults a plan may hold.
pub(super) const FAULTS_MAX: usize = 1_000;

/// One planned fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Operation it is about (`createOrder`, `messages`, `token`, ...), or `*` for any.
    pub operation: String,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How often; then the vendor works again.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// What a faulty vendor does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers with this status; nothing happens.
    Status {
        /// The status.
        status: u16,
        /// Value of `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// Refuses with an error code of its own (Zuora's reason, Salesforce's errorCode, Marketo's
    /// error); nothing happens.
    Refuse {
        /// The code.
        code: String,
        /// The message.
        message: String,
    },
    /// Works, and answers this much later. A client that left does not stop it.
    Delay {
        /// How much later.
        delay_ms: u64,
    },
    /// Never answers; nothing happens.
    Timeout,
    /// Cuts the connection; nothing happens.
    Drop,
    /// Answers 200 with something that is no answer; nothing happens.
    Garbage,
    /// Works, and never answers.
    EffectThenTimeout,
    /// Works, and cuts the connection.
    EffectThenDrop,
    /// Works, and answers 200 with something that is no answer.
    EffectThenGarbage,
    /// Works, and answers with this status.
    EffectThenStatus {
        /// The status.
        status: u16,
    },
    /// The gateway declines the payment with this code, and the order is kept all the same.
    DeclineKept {
        /// The code.
        code: String,
    },
    /// The gateway declines the payment with this code.
    Decline {
        /// The code.
        code: String,
    },
}

impl Fault {
    /// A fault that happens once.
    #[must_use]
    pub fn once(operation: &str, kind: FaultKind) -> Self {
        Self { operation: operation.to_owned(), kind, times: once() }
    }

    /// The same fault, this often.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

/// The first fault for an operation, used up once.
pub(super) fn take(plan: &mut Vec<Fault>, operation: &str) -> Option<FaultKind> {
    plan.retain(|fault| fault.times > 0);
    let fits = |fault: &&mut Fault| fault.operation == operation || fault.operation == "*";
    let fault = plan.iter_mut().find(fits)?;
    fault.times -= 1;
    let kind = fault.kind.clone();
    plan.retain(|fault| fault.times > 0);
    Some(kind)
}
