//! The contract test every plug must pass: `check_manifest` on each manifest, in a unit test of
//! the plug.

use crate::{EffectClass, Manifest, error_type};

/// Upper bound of one attempt; longer calls must be split into a request and an awaited event.
pub const DEADLINE_MAX_MS: u64 = 120_000;

/// The calls that the language itself names: they stand in the catalog without a vendor.
pub const LANGUAGE_CALLS: [&str; 2] = ["http", "openapi"];

/// Checks what can be said of a manifest without calling anything.
///
/// # Errors
/// One sentence per broken rule.
pub fn check_manifest(manifest: &Manifest) -> Result<(), Vec<String>> {
    let mut broken = Vec::new();
    let mut rule = |holds: bool, sentence: &str| {
        if !holds {
            broken.push(format!("{}: {sentence}", manifest.name));
        }
    };
    rule(
        manifest.name.split('.').count() == 2 || LANGUAGE_CALLS.contains(&manifest.name.as_str()),
        "the name must be `vendor.operation`",
    );
    rule(
        manifest.version.split('.').filter(|p| p.parse::<u64>().is_ok()).count() == 3,
        "the version must be `major.minor.patch`",
    );
    rule(!manifest.summary.is_empty(), "authors need a summary");
    rule(manifest.input.is_object(), "the input needs a JSON Schema");
    rule(manifest.output.is_object(), "the output needs a JSON Schema");
    rule(manifest.deadline_ms > 0, "every call needs a deadline");
    rule(manifest.deadline_ms <= DEADLINE_MAX_MS, "the deadline exceeds DEADLINE_MAX_MS");
    rule(
        !(manifest.money && manifest.class == EffectClass::AtLeastOnce),
        "money never moves at-least-once",
    );
    let remote_effect = manifest.connection.is_some()
        && !matches!(manifest.class, EffectClass::Natural | EffectClass::AtLeastOnce);
    rule(
        !remote_effect || manifest.settle_ms > 0,
        "an effect at a vendor needs a settle time before it can be looked up",
    );
    rule(
        manifest.errors.iter().all(|error| error.kind.contains(':') && !error.when.is_empty()),
        "every declared error needs a type URI and words for authors",
    );
    rule(
        !manifest.money || manifest.errors.iter().any(|error| error.kind == error_type::DECLINED),
        "what moves money can be declined: declare it",
    );
    if broken.is_empty() { Ok(()) } else { Err(broken) }
}
