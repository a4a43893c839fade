//! What happened, judged by the method: the words for answers that are not what was hoped for.

use reqwest::Method;
use serde_json::json;
use tenure_adapter::{Outcome, Problem};

use super::input::Form;
use crate::http::{Cut, Failure};

/// What the method promises about a request that may have reached the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Changes nothing: GET, HEAD, OPTIONS.
    Safe,
    /// Twice is once (PUT, DELETE), or the author said that twice is the same or acceptable.
    Repeatable,
    /// Twice is twice: POST, PATCH, and what the author declared so or protects with a key.
    Once,
    /// As `Once`, and it was answered by a redirect to its result: it happened, so that no later
    /// failure proves that it did not.
    Acted,
}

impl Promise {
    /// By the author's declaration, else by method.
    pub(crate) fn of(method: &Method, form: &Form) -> Self {
        // A key protects only what is sent again under the same key. A failure that the definition
        // retries is another effect with another key, so nothing in doubt may be called one.
        if form.idempotency_header.is_some() || form.repeatable == Some(false) {
            return Self::Once;
        }
        match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" => Self::Safe,
            "PUT" | "DELETE" => Self::Repeatable,
            _ if form.repeatable == Some(true) => Self::Repeatable,
            _ => Self::Once,
        }
    }

    /// After a redirect that answers the request itself and asks to read the result elsewhere.
    pub(crate) fn acted(self) -> Self {
        match self {
            Self::Once | Self::Acted => Self::Acted,
            Self::Safe | Self::Repeatable => self,
        }
    }

    /// What a failure means that says nothing of the hops before it.
    pub(crate) fn doubt(self, stopped: Outcome) -> Outcome {
        match (self, stopped) {
            (Self::Acted, Outcome::NotSent { detail } | Outcome::Rejected { detail, .. }) => {
                Outcome::Unknown { detail }
            }
            (Self::Acted, Outcome::Failed { error }) => {
                Outcome::Unknown { detail: error.detail.unwrap_or(error.title) }
            }
            (_, stopped) => stopped,
        }
    }

    /// A status that is no success.
    pub(crate) fn status(
        self,
        status: u16,
        detail: String,
        retry_after_ms: Option<u64>,
    ) -> Outcome {
        match self {
            // The service may have acted before it failed.
            Self::Once if status >= 500 => Outcome::Unknown { detail },
            Self::Acted => Outcome::Unknown { detail },
            Self::Safe | Self::Repeatable | Self::Once => {
                communication(status, detail, retry_after_ms)
            }
        }
    }

    /// A success whose content cannot be read.
    pub(crate) fn unreadable(self, detail: String) -> Outcome {
        match self {
            Self::Safe | Self::Repeatable => communication(BROKEN, detail, None),
            Self::Once | Self::Acted => Outcome::Unknown { detail },
        }
    }

    /// No complete answer.
    pub(crate) fn failure(self, failure: Failure, context: &str) -> Outcome {
        match failure {
            Failure::Unbuildable(detail) => configuration(format!("{context}: {detail}")),
            Failure::NotSent(detail) => Outcome::NotSent { detail: format!("{context}: {detail}") },
            Failure::Lost { cut, status, detail } => {
                let detail = format!("{context}: {detail}");
                match (status, cut, self) {
                    (Some(status), _, _) if !(200..300).contains(&status) => {
                        self.status(status, detail, None)
                    }
                    (_, Cut::TimedOut, Self::Safe) => failed(Problem::timeout(detail)),
                    (_, Cut::Broken | Cut::TooLarge, Self::Safe)
                    | (_, Cut::TooLarge, Self::Repeatable) => communication(BROKEN, detail, None),
                    (_, _, Self::Once | Self::Repeatable | Self::Acted) => {
                        Outcome::Unknown { detail }
                    }
                }
            }
        }
    }
}

/// Status of the `communication` error when there is none of the service.
const BROKEN: u16 = 500;

/// The input cannot be used.
pub(crate) fn configuration(detail: impl Into<String>) -> Outcome {
    failed(Problem::configuration(detail))
}

/// The service answered with this status.
pub(crate) fn communication(status: u16, detail: String, retry_after_ms: Option<u64>) -> Outcome {
    let data = retry_after_ms.map(|ms| json!({ "retry_after_ms": ms }));
    failed(Problem {
        data,
        ..Problem::standard("communication", status, "Communication Error", detail)
    })
}

/// No token: the credentials are wrong.
pub(crate) fn authentication(detail: impl Into<String>) -> Outcome {
    failed(Problem::standard("authentication", 401, "Authentication Error", detail))
}

/// No token: the client may not have it.
pub(crate) fn authorization(detail: impl Into<String>) -> Outcome {
    failed(Problem::standard("authorization", 403, "Authorization Error", detail))
}

fn failed(error: Problem) -> Outcome {
    Outcome::Failed { error }
}
