//! The error object of the language, and the type URIs it uses.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DeclineClass, Reason};

/// A failure as data: what `catch` matches, what an instance faults with, what the API shows.
///
/// The five fields are the error object of the Open Workflow Specification (itself RFC 9457);
/// `data` carries machine-readable facts of ours, such as the class of a decline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// URI of the kind of failure.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP-like status.
    pub status: u16,
    /// Short and constant for the kind.
    pub title: String,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// JSON pointer of the task that failed; set by the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The type URIs in use.
pub mod error_type {
    /// Domain and path of the standard error types (upstream commit 4d42471).
    pub const STANDARD: &str = "https://open-workflow-specification.org/spec/1.0.0/errors/";
    /// A card or account was declined; `data` has `class` and `code`.
    pub const DECLINED: &str = "urn:tenure:error:declined";
    /// A lock that would be waited for for ever; somebody's waiting had to end.
    pub const DEADLOCK: &str = "urn:tenure:error:deadlock";
    /// A vendor refused a request for good; `data` has `reason`.
    pub const REJECTED: &str = "urn:tenure:error:rejected";
}

impl Problem {
    /// One of the standard types: `configuration`, `validation`, `expression`,
    /// `authentication`, `authorization`, `timeout`, `communication` or `runtime`.
    #[must_use]
    pub fn standard(name: &str, status: u16, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{}{name}", error_type::STANDARD),
            status,
            title: title.to_owned(),
            detail: Some(detail.into()),
            instance: None,
            data: None,
        }
    }

    /// A document or value does not fit its schema.
    #[must_use]
    pub fn validation(detail: impl Into<String>) -> Self {
        Self::standard("validation", 400, "Validation Error", detail)
    }

    /// An expression failed.
    #[must_use]
    pub fn expression(detail: impl Into<String>) -> Self {
        Self::standard("expression", 400, "Expression Error", detail)
    }

    /// A task or workflow took longer than allowed.
    #[must_use]
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::standard("timeout", 408, "Timeout", detail)
    }

    /// The engine cannot go on with this instance.
    #[must_use]
    pub fn runtime(detail: impl Into<String>) -> Self {
        Self::standard("runtime", 500, "Runtime Error", detail)
    }

    /// The definition names something that does not exist here.
    #[must_use]
    pub fn configuration(detail: impl Into<String>) -> Self {
        Self::standard("configuration", 400, "Configuration Error", detail)
    }

    /// A lock that would be waited for for ever.
    #[must_use]
    pub fn deadlock(detail: impl Into<String>) -> Self {
        Self {
            kind: error_type::DEADLOCK.to_owned(),
            status: 409,
            title: "Deadlock".to_owned(),
            detail: Some(detail.into()),
            instance: None,
            data: None,
        }
    }

    /// The business said no.
    #[must_use]
    pub fn declined(class: DeclineClass, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: error_type::DECLINED.to_owned(),
            status: 402,
            title: "Declined".to_owned(),
            detail: Some(detail.into()),
            instance: None,
            data: Some(serde_json::json!({ "class": class, "code": code })),
        }
    }

    /// The vendor refused, and retrying is over or pointless.
    #[must_use]
    pub fn rejected(reason: Reason, detail: impl Into<String>) -> Self {
        let status = match reason {
            Reason::Throttled => 429,
            Reason::Transient => 503,
            Reason::Auth => 401,
            Reason::Conflict => 409,
            Reason::Invalid => 422,
            Reason::Config => 403,
        };
        Self {
            kind: error_type::REJECTED.to_owned(),
            status,
            title: "Rejected".to_owned(),
            detail: Some(detail.into()),
            instance: None,
            data: Some(serde_json::json!({ "reason": reason })),
        }
    }
}
