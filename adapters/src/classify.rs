//! What an HTTP status proves, where a vendor says nothing more precise.

use tenure_adapter::{Outcome, Reason};

use crate::http::Answer;

/// Longest wish of a vendor that is passed on; a longer one is cut to it.
pub(crate) const RETRY_AFTER_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// The outcome of any answer that is not 2xx; `None` for 2xx, which the vendor's own classifier
/// must read.
pub(crate) fn by_status(vendor: &str, answer: &Answer) -> Option<Outcome> {
    let detail = format!("{vendor} answered {}: {}", answer.status, answer.excerpt());
    let rejected = |reason| {
        let retry_after_ms = retry_after_ms(answer);
        Some(Outcome::Rejected { reason, detail: detail.clone(), retry_after_ms })
    };
    match answer.status {
        200..=299 => None,
        // Redirects are not followed: a redirect means that the base URL is wrong.
        300..=399 | 403 => rejected(Reason::Config),
        401 => rejected(Reason::Auth),
        // A proxy may answer 408 after the request reached the vendor; 409 means that another
        // request with this key is, or was, at work. Both have to be looked up.
        408 | 409 => Some(Outcome::Unknown { detail }),
        425 => rejected(Reason::Transient),
        429 => rejected(Reason::Throttled),
        400..=499 => rejected(Reason::Invalid),
        _ => Some(Outcome::Unknown { detail }),
    }
}

/// The vendor's wish for the next try, in milliseconds (`Retry-After` in seconds; the date form
/// is ignored, no vendor here uses it).
pub(crate) fn retry_after_ms(answer: &Answer) -> Option<u64> {
    let seconds: u64 = answer.header("retry-after")?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1000).min(RETRY_AFTER_MAX_MS))
}

/// A 2xx whose body is not what the vendor promises.
pub(crate) fn unreadable(vendor: &str, answer: &Answer) -> Outcome {
    Outcome::Unknown {
        detail: format!(
            "{vendor} answered {} with a body that cannot be read: {}",
            answer.status,
            answer.excerpt()
        ),
    }
}
