//! All plugs of a server, found by the function they offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Adapter, Catalog};

/// The plugs and the catalog made of their manifests.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    adapters: BTreeMap<String, Arc<dyn Adapter>>,
    catalog: Catalog,
}

impl Registry {
    /// Collects plugs. `formats` adds the text formats of input schemas to the catalog.
    pub fn new(
        plugs: impl IntoIterator<Item = Arc<dyn Adapter>>,
        formats: impl FnOnce(Catalog) -> Catalog,
    ) -> Self {
        let mut adapters = BTreeMap::new();
        let mut manifests = Vec::new();
        for plug in plugs {
            for manifest in plug.manifests() {
                adapters.insert(manifest.name.clone(), Arc::clone(&plug));
                manifests.push(manifest);
            }
        }
        Self { adapters, catalog: formats(Catalog::new(manifests)) }
    }

    /// What definitions may call.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The plug that offers a function, by name without version.
    #[must_use]
    pub fn adapter(&self, function: &str) -> Option<&Arc<dyn Adapter>> {
        self.adapters.get(function)
    }
}
