//! The front door: text to plan.

use tenure_adapter::Catalog;

use crate::{Diagnostics, Plan, Source};

/// Compiles a definition.
///
/// # Errors
/// Every finding of severity error (and the warnings with them), not only the first.
pub fn compile(source: &Source, _catalog: &Catalog) -> Result<(Plan, Diagnostics), Diagnostics> {
    Err(Diagnostics { source: source.clone(), items: Vec::new() })
}
