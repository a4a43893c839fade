//! The default catalog: every function a definition may call here, and the text formats that
//! input schemas may name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Manifest;

/// Says whether a text has a format (`country`, `sku`).
pub type FormatCheck = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The functions and formats known to this server; a plain value, so that compiling stays pure.
#[derive(Clone, Default)]
pub struct Catalog {
    functions: BTreeMap<String, Vec<Manifest>>,
    formats: BTreeMap<String, FormatCheck>,
}

/// Why a `call:` names no function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// No function of that name; the nearest names, best first.
    UnknownName {
        /// Names that look alike.
        near: Vec<String>,
    },
    /// The name exists, the version does not.
    UnknownVersion {
        /// The versions there are.
        known: Vec<String>,
    },
    /// Only the catalog `default` exists here.
    UnknownCatalog(String),
}

impl Catalog {
    /// Collects the manifests of all plugs.
    pub fn new(manifests: impl IntoIterator<Item = Manifest>) -> Self {
        let mut functions: BTreeMap<String, Vec<Manifest>> = BTreeMap::new();
        for manifest in manifests {
            functions.entry(manifest.name.clone()).or_default().push(manifest);
        }
        Self { functions, formats: BTreeMap::new() }
    }

    /// Adds a text format for the `format` keyword of input schemas.
    #[must_use]
    pub fn with_format(
        mut self,
        name: &str,
        check: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.formats.insert(name.to_owned(), Arc::new(check));
        self
    }

    /// The text formats, by name.
    #[must_use]
    pub fn formats(&self) -> &BTreeMap<String, FormatCheck> {
        &self.formats
    }

    /// All functions, by name.
    pub fn functions(&self) -> impl Iterator<Item = &Manifest> {
        self.functions.values().flatten()
    }

    /// Finds what `call: name[:version][@catalog]` means. A major version alone (`name:1`) stands
    /// for the newest of that major; no version for the newest of all.
    ///
    /// # Errors
    /// Says which part of the reference is unknown, and what would be known.
    pub fn resolve(&self, reference: &str) -> Result<&Manifest, ResolveError> {
        let (name_version, catalog) = reference.split_once('@').unwrap_or((reference, "default"));
        if catalog != "default" {
            return Err(ResolveError::UnknownCatalog(catalog.to_owned()));
        }
        let (name, version) = match name_version.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (name_version, None),
        };
        let Some(versions) = self.functions.get(name) else {
            return Err(ResolveError::UnknownName { near: self.near(name) });
        };
        versions
            .iter()
            .filter(|manifest| version.is_none_or(|wanted| matches(&manifest.version, wanted)))
            .max_by_key(|manifest| order(&manifest.version))
            .ok_or_else(|| ResolveError::UnknownVersion {
                known: versions.iter().map(|manifest| manifest.version.clone()).collect(),
            })
    }

    /// Names with the same vendor prefix, or that contain the word.
    fn near(&self, name: &str) -> Vec<String> {
        /// More suggestions than this help nobody.
        const SUGGESTIONS_MAX: usize = 5;
        let vendor = name.split('.').next().unwrap_or(name);
        self.functions
            .keys()
            .filter(|known| known.split('.').next() == Some(vendor) || known.contains(name))
            .take(SUGGESTIONS_MAX)
            .cloned()
            .collect()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("functions", &self.functions.keys())
            .field("formats", &self.formats.keys())
            .finish()
    }
}

fn matches(version: &str, wanted: &str) -> bool {
    version == wanted || version.split('.').next() == Some(wanted)
}

fn order(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EffectClass, RetryDefault};

    fn manifest(name: &str, version: &str) -> Manifest {
        Manifest {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: String::new(),
            connection: None,
            input: serde_json::json!({}),
            output: serde_json::json!({}),
            errors: Vec::new(),
            class: EffectClass::Natural,
            money: false,
            deadline_ms: 1,
            settle_ms: 0,
            retry: RetryDefault { retries_max: 0, delay_ms: 0 },
        }
    }

    fn check(reference: &str, expected: &Result<&str, ResolveError>) {
        let catalog = Catalog::new([
            manifest("zuora.createOrder", "1.2.0"),
            manifest("zuora.createOrder", "1.10.0"),
            manifest("zuora.createOrder", "2.0.0"),
        ]);
        let found = catalog.resolve(reference).map(|m| m.version.as_str());
        assert_eq!(&found, expected, "{reference}");
    }

    #[test]
    fn references_resolve_to_the_newest_that_fits() {
        check("zuora.createOrder:1.2.0@default", &Ok("1.2.0"));
        check("zuora.createOrder:1@default", &Ok("1.10.0"));
        check("zuora.createOrder", &Ok("2.0.0"));
    }

    #[test]
    fn what_is_unknown_is_named() {
        let known = ["1.2.0", "1.10.0", "2.0.0"].map(str::to_owned).to_vec();
        check("zuora.createOrder:3.0.0", &Err(ResolveError::UnknownVersion { known }));
        check(
            "zuora.createOder",
            &Err(ResolveError::UnknownName { near: vec!["zuora.createOrder".to_owned()] }),
        );
        check("a.b@elsewhere", &Err(ResolveError::UnknownCatalog("elsewhere".to_owned())));
    }
}
