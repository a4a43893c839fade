//! How an engine runs.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

/// How an engine runs.
#[derive(Clone)]
pub struct Config {
    /// This node's stable id; a restart under the same id takes its buckets back at once.
    pub node: Uuid,
    /// Namespace that comes first for what comes in by the API: a definition's name or an event type
    /// that this namespace does not know means the one other namespace that does.
    pub namespace: String,
    /// How long a lease lasts without renewal.
    pub lease_ttl: Duration,
    /// How often mail, timers and outbox are looked through (in-process wake-ups come first).
    pub scan_every: Duration,
    /// Calls in flight at once.
    pub calls_max: usize,
    /// How long after its intent an attempt may still be sent.
    pub send_window: Duration,
    /// Values of `$secrets`, put into requests at the last moment and nowhere else.
    pub secrets: BTreeMap<String, String>,
}

impl Config {
    /// Usual values: a lease of 15 s, a scan every second, 64 calls at once, no secrets.
    #[must_use]
    pub fn new(node: Uuid, namespace: &str) -> Self {
        Self {
            node,
            namespace: namespace.to_owned(),
            lease_ttl: Duration::from_secs(15),
            scan_every: Duration::from_secs(1),
            calls_max: 64,
            send_window: Duration::from_secs(10),
            secrets: BTreeMap::new(),
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("node", &self.node)
            .field("namespace", &self.namespace)
            .field("lease_ttl", &self.lease_ttl)
            .field("scan_every", &self.scan_every)
            .field("calls_max", &self.calls_max)
            .field("send_window", &self.send_window)
            .field("secrets", &self.secrets.keys())
            .finish()
    }
}
