//! Which ways an event may find waits: one per (type, shape) of the registered definitions.
//!
//! A wait and an event meet by (namespace, type, shape, values). The shape names the correlation
//! expressions, so evaluating each shape once on the event gives every value a wait could have.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tenure_definition::canonical::canonical;
use tenure_definition::expression::Scope;
use tenure_definition::matcher::Matcher;
use tenure_definition::plan::EventFilter;
use tenure_definition::{Plan, TaskId, TaskKind};
use tenure_machine::CloudEvent;
use tenure_store::port::Route;

/// Shapes looked at for one event; definitions beyond that are refused at registration by people,
/// not by this number.
pub(crate) const SHAPES_MAX: usize = 10_000;

/// All shapes of a set of plans.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    shapes: BTreeMap<(String, String), Shape>,
}

/// Where the expressions of one shape stand.
#[derive(Debug)]
struct Shape {
    /// Event types of the filters with this shape; `None` fits any.
    types: BTreeSet<Option<String>>,
    /// The filters among them whose type is no constant: they say themselves which types may fit.
    loose: Vec<Place>,
    /// One filter with this shape.
    place: Place,
}

/// Where a filter stands.
#[derive(Debug, Clone)]
struct Place {
    plan: Arc<Plan>,
    task: TaskId,
    filter: usize,
}

impl Routes {
    /// Adds the filters of a plan's tasks.
    pub(crate) fn add(&mut self, plan: &Arc<Plan>) {
        let namespace = &plan.document.namespace;
        for task in &plan.tasks {
            for (index, filter) in filters(&task.kind).iter().enumerate() {
                let key = (namespace.clone(), filter.shape.clone());
                if self.shapes.len() >= SHAPES_MAX && !self.shapes.contains_key(&key) {
                    tracing::error!(
                        definition = plan.document.name,
                        "more than {SHAPES_MAX} correlation shapes are registered; events of this \
                         definition find no wait"
                    );
                    return;
                }
                let place = Place { plan: Arc::clone(plan), task: task.id, filter: index };
                let shape = self.shapes.entry(key).or_insert_with(|| Shape {
                    types: BTreeSet::new(),
                    loose: Vec::new(),
                    place: place.clone(),
                });
                shape.types.insert(filter.event_type.clone());
                if filter.event_type.is_none() {
                    shape.loose.push(place);
                }
            }
        }
    }

    /// The namespaces whose definitions have a filter that an event of this type may fit.
    pub(crate) fn namespaces(&self, event_type: &str) -> BTreeSet<&str> {
        let wanted = Some(event_type.to_owned());
        let text = Value::String(event_type.to_owned());
        let listens = |shape: &Shape| {
            shape.types.contains(&wanted) || shape.loose.iter().any(|place| place.may_fit(&text))
        };
        let of_type = self.shapes.iter().filter(|(_, shape)| listens(shape));
        of_type.map(|((namespace, _), _)| namespace.as_str()).collect()
    }

    /// The routes of an event within a namespace. A correlation that cannot be evaluated on it
    /// gives no route: such a wait cannot be meant.
    pub(crate) fn of(&self, namespace: &str, event: &CloudEvent) -> Vec<Route> {
        let envelope = event.envelope();
        self.shapes
            .iter()
            .filter(|((of, _), shape)| {
                of == namespace
                    && (shape.types.contains(&None)
                        || shape.types.contains(&Some(event.kind.clone())))
            })
            .filter_map(|((_, name), shape)| {
                let value = shape.value(&envelope)?;
                Some(Route { shape: name.clone(), value })
            })
            .collect()
    }
}

impl Shape {
    fn value(&self, envelope: &Value) -> Option<String> {
        let filter = self.place.filter()?;
        let values = filter
            .correlate
            .iter()
            .map(|correlation| correlation.from.eval(envelope, &Nothing))
            .collect::<Result<Vec<_>, _>>()
            .ok()?;
        Some(canonical(&Value::Array(values)))
    }
}

impl Place {
    fn filter(&self) -> Option<&EventFilter> {
        filters(&self.plan.task(self.task).kind).get(self.filter).copied()
    }

    /// Whether an event of this type may fit: what an expression says is only known when it is there.
    fn may_fit(&self, event_type: &Value) -> bool {
        let fits = |matcher: &Matcher| match matcher {
            Matcher::Computed(_) => true,
            Matcher::Equal(_) | Matcher::Pattern(_) | Matcher::Fields(_) | Matcher::Items(_) => {
                matcher.fits(event_type, &Nothing)
            }
        };
        self.filter().is_some_and(|filter| {
            filter.with.iter().all(|(name, matcher)| name != "type" || fits(matcher))
        })
    }
}

/// The filters whose waits a task opens, in declared order; none for most tasks.
pub(crate) fn filters(kind: &TaskKind) -> Vec<&EventFilter> {
    match kind {
        TaskKind::Listen(listen) => listen.filters(),
        TaskKind::Human(human) => vec![&human.filter],
        TaskKind::Call(_)
        | TaskKind::Function(_)
        | TaskKind::Compensate
        | TaskKind::Rethrow
        | TaskKind::Do(_)
        | TaskKind::Emit(_)
        | TaskKind::For(_)
        | TaskKind::Fork(_)
        | TaskKind::Raise(_)
        | TaskKind::Run(_)
        | TaskKind::Set(_)
        | TaskKind::Switch(_)
        | TaskKind::Try(_)
        | TaskKind::Wait(_) => Vec::new(),
    }
}

/// A scope without variables: `correlate.from` sees the event and nothing else.
pub(crate) struct Nothing;

impl Scope for Nothing {
    fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
        None
    }
}
