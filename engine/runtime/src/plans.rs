//! Compiled plans, by digest and by name; loaded from the store when they are first needed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use semver::Version;
use tenure_adapter::{Catalog, Problem};
use tenure_definition::{Diagnostics, Plan, Source, compile};
use tenure_machine::CloudEvent;
use tenure_store::Store;
use tenure_store::port::{Registered, Route, StoredDefinition};

use crate::engine::Error;
use crate::route::Routes;
use crate::schedule::{InForce, in_force};
use crate::stepper::{Steppers, Undone};

/// The plans of a node.
#[derive(Debug)]
pub(crate) struct Plans {
    store: Arc<dyn Store>,
    catalog: Arc<Catalog>,
    steppers: Steppers,
    shelf: RwLock<Arc<Shelf>>,
    /// One refresh at a time: the others find what it brought.
    refreshing: tokio::sync::Mutex<()>,
}

/// What is known at one moment; replaced as a whole.
#[derive(Debug, Default)]
struct Shelf {
    stored: Vec<StoredDefinition>,
    compiled: HashMap<String, Arc<Plan>>,
    routes: Routes,
    schedules: Vec<Arc<InForce>>,
}

impl Plans {
    pub(crate) fn new(store: Arc<dyn Store>, catalog: Catalog, steppers: Steppers) -> Self {
        Self {
            store,
            catalog: Arc::new(catalog),
            steppers,
            shelf: RwLock::default(),
            refreshing: tokio::sync::Mutex::default(),
        }
    }

    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Compiles a text on a thread with a large stack.
    pub(crate) async fn compile(&self, source: Source) -> Result<Compiled, Error> {
        let catalog = Arc::clone(&self.catalog);
        self.steppers
            .run(move || compile(&source, &catalog))
            .await
            .map_err(|undone| match undone {
                Undone::Full => Error::Busy,
                Undone::Panicked => Error::Refused(Box::new(Problem::runtime(
                    "the compiler broke on this definition; please report it",
                ))),
            })?
            .map(|(plan, warnings)| Compiled { plan: Arc::new(plan), warnings })
            .map_err(|diagnostics| Error::Invalid(Box::new(diagnostics)))
    }

    /// Compiles and registers.
    pub(crate) async fn register(
        &self,
        source: Source,
    ) -> Result<(StoredDefinition, Registered, Diagnostics), Error> {
        let text = source.text.clone();
        let Compiled { plan, warnings } = self.compile(source).await?;
        let wanted = StoredDefinition {
            namespace: plan.document.namespace.clone(),
            name: plan.document.name.clone(),
            version: plan.document.version.clone(),
            digest: plan.digest.clone(),
            source: text,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let registered = self.store.register(&wanted).await?;
        self.refresh().await?;
        let stored = self
            .shelf()
            .stored
            .iter()
            .find(|stored| {
                stored.namespace == wanted.namespace
                    && stored.name == wanted.name
                    && stored.version == wanted.version
            })
            .cloned()
            .unwrap_or(wanted);
        Ok((stored, registered, warnings))
    }

    /// Reads all definitions and compiles the new ones. One that does not compile here (a plug is
    /// missing on this node) is reported and left out; its instances wait until it does.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let _one_at_a_time = self.refreshing.lock().await;
        let stored = self.store.definitions().await?;
        let before = self.shelf();
        let mut compiled = HashMap::with_capacity(stored.len());
        let mut routes = Routes::default();
        for definition in &stored {
            let plan = match before.compiled.get(&definition.digest) {
                Some(plan) => Arc::clone(plan),
                None => match self.compile_stored(definition).await? {
                    Some(plan) => plan,
                    None => continue,
                },
            };
            routes.add(&plan);
            compiled.insert(definition.digest.clone(), plan);
        }
        let schedules = in_force(&stored, &compiled);
        let shelf = Arc::new(Shelf { stored, compiled, routes, schedules });
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = shelf;
        Ok(())
    }

    async fn compile_stored(
        &self,
        definition: &StoredDefinition,
    ) -> Result<Option<Arc<Plan>>, Error> {
        let name = format!("{}:{}", definition.name, definition.version);
        let source = Source { name: name.clone(), text: definition.source.clone() };
        match self.compile(source).await {
            Ok(compiled) if compiled.plan.digest == definition.digest => Ok(Some(compiled.plan)),
            Ok(compiled) => {
                tracing::error!(
                    definition = name,
                    stored = definition.digest,
                    found = compiled.plan.digest,
                    "a stored definition has another digest now; its instances do not move"
                );
                Ok(None)
            }
            Err(Error::Invalid(diagnostics)) => {
                let first = diagnostics.items.first().map(|found| found.message.clone());
                tracing::error!(
                    definition = name,
                    first,
                    "a registered definition does not compile on this node; its instances do not \
                     move (is a plug missing?)"
                );
                Ok(None)
            }
            Err(Error::Refused(problem)) => {
                tracing::error!(definition = name, problem = problem.detail, "not compiled");
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// The plan an instance is pinned to; asks the store once when it is unknown.
    pub(crate) async fn pinned(&self, digest: &str) -> Result<Option<Arc<Plan>>, Error> {
        if let Some(plan) = self.shelf().compiled.get(digest) {
            return Ok(Some(Arc::clone(plan)));
        }
        self.refresh().await?;
        Ok(self.shelf().compiled.get(digest).cloned())
    }

    /// The plan of a name: the given version, or the newest. Asks the store once when unknown.
    pub(crate) async fn named(
        &self,
        namespace: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<Arc<Plan>>, Error> {
        if let Some(plan) = self.shelf().named(namespace, name, version) {
            return Ok(Some(plan));
        }
        self.refresh().await?;
        Ok(self.shelf().named(namespace, name, version))
    }

    /// The plan a caller from outside means by a name: that of `home`, else that of the only other
    /// namespace that has the name. Asks the store once when unknown.
    pub(crate) async fn meant(
        &self,
        home: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<Arc<Plan>>, Error> {
        if let Some(plan) = self.shelf().meant(home, name, version) {
            return Ok(Some(plan));
        }
        self.refresh().await?;
        Ok(self.shelf().meant(home, name, version))
    }

    /// The namespace an event from outside is for: `home`, unless only one other namespace listens
    /// to events of its type.
    pub(crate) fn listening(&self, home: &str, event_type: &str) -> String {
        let shelf = self.shelf();
        let mut listening = shelf.routes.namespaces(event_type);
        let starting = shelf.schedules.iter().filter(|schedule| schedule.names(event_type));
        listening.extend(starting.map(|schedule| schedule.plan.document.namespace.as_str()));
        match (listening.contains(home), listening.pop_first(), listening.is_empty()) {
            (false, Some(only), true) => only.to_owned(),
            (true | false, _, _) => home.to_owned(),
        }
    }

    /// The schedules of the newest versions.
    pub(crate) fn schedules(&self) -> Vec<Arc<InForce>> {
        self.shelf().schedules.clone()
    }

    /// `home`, then all other namespaces with definitions.
    pub(crate) fn namespaces(&self, home: &str) -> Vec<String> {
        let shelf = self.shelf();
        let others: BTreeSet<&String> =
            shelf.stored.iter().map(|stored| &stored.namespace).collect();
        let others = others.into_iter().filter(|other| *other != home).cloned();
        std::iter::once(home.to_owned()).chain(others).collect()
    }

    /// The routes of an event; `correlate.from` is jq, so it runs on a thread with a large stack.
    pub(crate) async fn routes(
        &self,
        namespace: &str,
        event: &CloudEvent,
    ) -> Result<Vec<Route>, Error> {
        let routes = self.known_routes(namespace, event).await?;
        let starts = |schedule: &Arc<InForce>| {
            schedule.plan.document.namespace == namespace && schedule.names(&event.kind)
        };
        if !routes.is_empty() || self.shelf().schedules.iter().any(starts) {
            return Ok(routes);
        }
        // Another node may have registered who waits for it: an event without a route is kept and
        // never found.
        self.refresh().await?;
        self.known_routes(namespace, event).await
    }

    async fn known_routes(&self, namespace: &str, event: &CloudEvent) -> Result<Vec<Route>, Error> {
        let shelf = self.shelf();
        let (namespace, event) = (namespace.to_owned(), event.clone());
        self.steppers.run(move || shelf.routes.of(&namespace, &event)).await.map_err(|undone| {
            match undone {
                Undone::Full => Error::Busy,
                Undone::Panicked => Error::Malformed("its correlation cannot be read".to_owned()),
            }
        })
    }
}

/// A compiled text.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) plan: Arc<Plan>,
    pub(crate) warnings: Diagnostics,
}

impl Shelf {
    fn meant(&self, home: &str, name: &str, version: Option<&str>) -> Option<Arc<Plan>> {
        let mut namespaces: BTreeSet<&str> = self
            .stored
            .iter()
            .filter(|stored| stored.name == name)
            .map(|stored| stored.namespace.as_str())
            .collect();
        if namespaces.contains(home) {
            return self.named(home, name, version);
        }
        let only = namespaces.pop_first().filter(|_| namespaces.is_empty())?;
        self.named(only, name, version)
    }

    fn named(&self, namespace: &str, name: &str, version: Option<&str>) -> Option<Arc<Plan>> {
        let of_name = self
            .stored
            .iter()
            .filter(|stored| stored.namespace == namespace && stored.name == name)
            .filter(|stored| version.is_none_or(|version| stored.version == version));
        // The newest one even if it does not compile here: an older one is not what was meant.
        let newest = newest(of_name, |stored| &stored.version)?;
        self.compiled.get(&newest.digest).cloned()
    }
}

/// The item with the newest semantic version; texts that are none come before all that are.
pub(crate) fn newest<T>(items: impl Iterator<Item = T>, version: impl Fn(&T) -> &str) -> Option<T> {
    items.max_by_key(|item| Version::parse(version(item)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_by_number_not_by_text() {
        let check = |versions: &[&str], expected: &str| {
            assert_eq!(newest(versions.iter(), |version| version), Some(&expected));
        };
        check(&["1.9.0", "1.10.0", "1.2.0"], "1.10.0");
        check(&["1.0.0-rc.1", "1.0.0"], "1.0.0");
        check(&["zero", "0.0.1"], "0.0.1");
    }
}
