//! For which namespace an event from outside is. Its sender does not say, so those who listen decide.

use tenure_machine::CloudEvent;
use tenure_store::port::{Incoming, Receipt};

use super::{Engine, Error, EventAnswer};
use crate::ground::patiently;
use crate::schedule;

/// An event, addressed.
#[derive(Debug)]
pub(super) struct Addressed {
    /// For the namespace it is for.
    pub(super) incoming: Incoming,
    /// For the others that listen to its type.
    others: Vec<Incoming>,
}

impl Engine {
    /// Addresses an event: to the only namespace that listens to its type. Where several do, to the one
    /// that has it already (a repetition stays one), else to the only one where a wait is open for it now,
    /// else home.
    pub(super) async fn addressed(&self, event: CloudEvent) -> Result<Addressed, Error> {
        let ground = self.ground();
        let home = &ground.config.namespace;
        let listening = ground.plans.listening(&event.kind).await?;
        let mut all = Vec::with_capacity(listening.len() + 1);
        if listening.len() != 1 && !listening.contains(home) {
            let event = event.clone();
            all.push(Incoming { namespace: home.clone(), event, routes: Vec::new() });
        }
        for namespace in listening {
            let routes = ground.plans.routes(&namespace, &event).await?;
            all.push(Incoming { namespace, event: event.clone(), routes });
        }
        let chosen = if all.len() > 1 { self.chosen(&all).await? } else { 0 };
        let incoming = all.remove(chosen);
        Ok(Addressed { incoming, others: all })
    }

    /// The index of the one among several.
    async fn chosen(&self, all: &[Incoming]) -> Result<usize, Error> {
        let store = self.store();
        let mut open = Vec::new();
        for (index, Incoming { namespace, event, routes }) in all.iter().enumerate() {
            if patiently(|| store.fate(namespace, &event.source, &event.id)).await?.is_some() {
                return Ok(index);
            }
            if patiently(|| store.awaited(namespace, &event.kind, routes)).await? {
                open.push(index);
            }
        }
        if let [only] = open.as_slice() {
            return Ok(*only);
        }
        let home = &self.ground().config.namespace;
        Ok(all.iter().position(|incoming| incoming.namespace == *home).unwrap_or_default())
    }

    /// What a strict sender hears instead of having the event kept; `None` when somebody waits.
    pub(super) async fn before_keeping(
        &self,
        addressed: &Addressed,
    ) -> Result<Option<EventAnswer>, Error> {
        let Addressed { incoming, others } = addressed;
        let Incoming { namespace, event, routes } = incoming;
        let store = self.store();
        if let Some((first, receipt)) =
            patiently(|| store.fate(namespace, &event.source, &event.id)).await?
        {
            return Ok(Some((first, Receipt { duplicate: true, ..receipt }).into()));
        }
        if patiently(|| store.awaited(namespace, &event.kind, routes)).await?
            || !schedule::heard(self.ground(), incoming).await?.is_empty()
        {
            return Ok(None);
        }
        for Incoming { namespace, event, routes } in std::iter::once(incoming).chain(others) {
            // Without a correlation every event of the type would look like a second one.
            for route in routes.iter().filter(|route| !route.shape.is_empty()) {
                let first =
                    patiently(|| store.consumed_by_route(namespace, &event.kind, route)).await?;
                if let Some(first) = first {
                    return Ok(Some(first.into()));
                }
            }
        }
        Err(Error::NobodyWaits)
    }
}
