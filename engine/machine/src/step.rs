//! The transition function.

use jiff::Timestamp;
use tenure_definition::Plan;

use crate::{Event, Instance, Stale, Step};

/// Moves `instance` by one event at the time `at`.
#[must_use]
pub fn step(plan: &Plan, instance: &Instance, event: &Event, at: Timestamp) -> Step {
    let _ = (plan, instance, event, at);
    Step::Stale(Stale::Closed)
}
