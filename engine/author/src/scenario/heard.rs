//! Which filter of a `listen` to any of several events took an event.
//!
//! The journal tells the event and, as each wait opens, the correlation values it waits for, but not
//! the wait that took it. So the filters are asked again, in the order in which the machine asks
//! them. Where one reads variables of the run its answer is not known here; then every filter counts
//! that may have been the one.

use std::borrow::Cow;

use serde_json::Value;
use tenure_definition::canonical::canonical;
use tenure_definition::expression::{Expression, Scope};
use tenure_definition::matcher::Matcher;
use tenure_definition::plan::{EventFilter, Listen};
use tenure_definition::template::{Piece, Template};
use tenure_machine::CloudEvent;

/// The variables of the run, none of which is known.
struct Nothing;

impl Scope for Nothing {
    fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

/// Whether a filter fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    Perhaps,
}

/// What hearing the filter with this index (from 0) is called.
pub(super) fn label(filters: &[EventFilter], index: usize) -> String {
    let kind_of = |filter: &EventFilter| filter.event_type.clone();
    let kind = filters.get(index).and_then(kind_of);
    let words = format!("hears {}", kind.as_deref().unwrap_or("any event"));
    if filters.iter().filter(|filter| filter.event_type == kind).count() == 1 {
        return words;
    }
    format!("{words} (filter {})", index + 1)
}

/// The indexes of the filters of `to` that took an event: one, as far as that can be told.
/// `waits` are the values of the waits since the task began, in the order of `Listen::filters`.
pub(super) fn filters(listen: &Listen, waits: &[Option<String>], event: &CloudEvent) -> Vec<usize> {
    let filters = listen.filters();
    let wanted = listen.to.filters().len();
    let mut found = Vec::new();
    // What ends the listen goes first and is none of `to`.
    for index in (wanted..filters.len()).chain(0..wanted) {
        let Some(filter) = filters.get(index) else { continue };
        let fit = fit(filter, waits.get(index).and_then(Option::as_deref), event);
        if fit != Fit::No && index < wanted {
            found.push(index);
        }
        if fit == Fit::Yes {
            break;
        }
    }
    found
}

/// Whether an event is one for a filter that waits for these values; `None` takes any.
fn fit(filter: &EventFilter, value: Option<&str>, event: &CloudEvent) -> Fit {
    if filter.event_type.as_ref().is_some_and(|wanted| *wanted != event.kind) {
        return Fit::No;
    }
    let mut is_sure = true;
    for (name, matcher) in &filter.with {
        if !is_fixed(matcher) {
            is_sure = false;
        } else if !matcher.fits(&event.attribute(name).unwrap_or(Value::Null), &Nothing) {
            return Fit::No;
        }
    }
    let is_readable = |from: &Expression| from.variables().next().is_none();
    if filter.correlate.iter().all(|correlation| is_readable(&correlation.from)) {
        let envelope = event.envelope();
        let froms = filter.correlate.iter().map(|correlation| &correlation.from);
        let found: Result<Vec<Value>, String> =
            froms.map(|from| from.eval(&envelope, &Nothing)).collect();
        match (found, value) {
            (Err(_unreadable), _) => return Fit::No,
            (Ok(found), Some(value)) if canonical(&Value::Array(found)) != value => {
                return Fit::No;
            }
            (Ok(_), _) => {}
        }
    } else {
        is_sure = false;
    }
    if is_sure { Fit::Yes } else { Fit::Perhaps }
}

/// Whether a condition reads nothing but the event.
fn is_fixed(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Equal(_) | Matcher::Pattern(_) => true,
        Matcher::Computed(template) => is_plain(template),
        Matcher::Fields(fields) => fields.iter().all(|(_, matcher)| is_fixed(matcher)),
        Matcher::Items(items) => items.iter().all(is_fixed),
    }
}

fn is_plain(template: &Template) -> bool {
    let reads_nothing = |expression: &Expression| expression.variables().next().is_none();
    match template {
        Template::Constant(_) | Template::Uri(_) => true,
        Template::Expression(expression) => reads_nothing(expression),
        Template::Text(pieces) => pieces.iter().all(|piece| match piece {
            Piece::Text(_) => true,
            Piece::Expression(expression) => reads_nothing(expression),
        }),
        Template::Array(items) => items.iter().all(is_plain),
        Template::Object(fields) => fields.iter().all(|(_, field)| is_plain(field)),
    }
}
