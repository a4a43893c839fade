//! Decoding of a request's input, and the words for requests that cannot be served.

use serde::de::DeserializeOwned;
use tenure_adapter::{Outcome, Reason, Request};

/// Decodes the input. The machine already held it against the manifest's schema, so a failure
/// here means that schema and code disagree, or that a caller went around the machine.
pub(crate) fn decode<T: DeserializeOwned>(request: &Request) -> Result<T, Outcome> {
    serde_json::from_value(request.input.clone())
        .map_err(|error| invalid(format!("the input of {} is wrong: {error}", request.function)))
}

/// The request itself is wrong.
pub(crate) fn invalid(detail: impl Into<String>) -> Outcome {
    rejected(Reason::Invalid, detail)
}

/// The connection or the server is set up wrongly.
pub(crate) fn config(detail: impl Into<String>) -> Outcome {
    rejected(Reason::Config, detail)
}

/// A proven rejection without a wish for the next try.
pub(crate) fn rejected(reason: Reason, detail: impl Into<String>) -> Outcome {
    Outcome::Rejected { reason, detail: detail.into(), retry_after_ms: None }
}

/// A function that this plug does not offer: the registry was built wrongly.
pub(crate) fn unknown_function(request: &Request) -> Outcome {
    config(format!("no plug offers the function {}", request.function))
}
