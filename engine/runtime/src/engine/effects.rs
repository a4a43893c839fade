//! Effects that nobody has settled.

use tenure_machine::InstanceId;
use tenure_store::port::Unsettled;
use uuid::Uuid;

use super::{Engine, Error};
use crate::ground::patiently;

impl Engine {
    /// Effects whose outcome is not known, or that happened when nobody waited for them any more, those of the
    /// newest instances first; `before` pages on.
    ///
    /// # Errors
    /// The store's.
    pub async fn unsettled(
        &self,
        before: Option<(InstanceId, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Unsettled>, Error> {
        let ground = self.ground();
        let mut found = Vec::new();
        for namespace in ground.plans.namespaces(&ground.config.namespace) {
            let page = patiently(|| self.store().unsettled(&namespace, before, limit));
            found.extend(page.await?);
        }
        found.sort_by_key(|effect| std::cmp::Reverse((effect.instance, effect.key)));
        found.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(found)
    }
}
