//! What can come back from the world, in one vocabulary for all vendors.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Problem;

/// The result of one attempt of a call.
///
/// An adapter classifies by what the vendor *proves*. Everything unproven is
/// [`Outcome::Unknown`]: a time-out, any 5xx, a 2xx whose body cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It happened (or was accepted, with an event to await).
    Done {
        /// What the function returns to the definition.
        output: Value,
    },
    /// The vendor proves that nothing happened.
    Rejected {
        /// Why; decides whether a retry makes sense.
        reason: Reason,
        /// The vendor's words, for people.
        detail: String,
        /// The vendor's wish for the earliest next try, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The business said no (a card). Never retried blindly: the definition decides.
    Declined {
        /// Our class of the decline.
        class: DeclineClass,
        /// The gateway's or network's code, as received.
        code: String,
        /// The gateway's words.
        detail: String,
    },
    /// It was answered, and the answer is an error of the language (`call: http` and a status of
    /// 404): it goes to the definition as it is, and the engine tries nothing again.
    Failed {
        /// The error; `instance` is set by the machine.
        error: Problem,
    },
    /// Failed before the first byte left this machine.
    NotSent {
        /// What failed (name resolution, connect, TLS).
        detail: String,
    },
    /// Nobody can say yet whether it happened.
    Unknown {
        /// What was seen.
        detail: String,
    },
}

/// Why a vendor refused, with the proof that nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Too many calls; retry after the time given.
    Throttled,
    /// Passing trouble at the vendor (a lock, maintenance).
    Transient,
    /// The session was refused; the adapter refreshes it once before it says so.
    Auth,
    /// Somebody else is changing the same thing; read again.
    Conflict,
    /// The request itself is wrong; repeating it cannot help.
    Invalid,
    /// Credentials or permissions of the connection are wrong; people must act.
    Config,
}

impl Reason {
    /// Whether the same call may succeed when tried again later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Transient | Self::Auth | Self::Conflict => true,
            Self::Invalid | Self::Config => false,
        }
    }
}

/// The classes of a decline (they decide what a dunning process may do).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineClass {
    /// Never again on this payment method.
    Hard,
    /// Only after the customer acted (new card, authentication).
    NeedsCustomer,
    /// May succeed another day.
    Soft,
    /// The gateway failed; not a decision about the card.
    Technical,
}

/// The answer to "did this effect happen?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "lookup", rename_all = "snake_case")]
pub enum Lookup {
    /// It happened, and this was its outcome ([`Outcome::Done`] or [`Outcome::Declined`]).
    Happened {
        /// The outcome the lost answer would have carried.
        outcome: Outcome,
    },
    /// The vendor proves that it did not happen.
    Absent,
    /// The look-up itself could not be answered.
    Unknown {
        /// What was seen.
        detail: String,
    },
}
