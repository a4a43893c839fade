//! What a program that embeds the server may change: the store, when it stops, and who is told
//! that it is up.

use std::net::SocketAddr;
use std::sync::Arc;

use tenure_store::Store;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::term;

/// Puts something between the engine and the database (crash tests do).
pub type WrapStore = Box<dyn FnOnce(Arc<dyn Store>) -> Arc<dyn Store> + Send>;

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The portal, in `tenure dev`.
    pub portal: Option<SocketAddr>,
    /// The sandbox vendors, in `tenure dev`.
    pub sandbox: Option<SocketAddr>,
}

/// The hooks of [`crate::dev::run`] and [`crate::serve::run`].
#[derive(Default)]
pub struct Hooks {
    /// Wraps the store; the plain one is used when absent.
    pub wrap_store: Option<WrapStore>,
    /// Cancelled to stop.
    pub stop: CancellationToken,
    /// Told once the doors are open.
    pub up: Option<oneshot::Sender<Addresses>>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks")
            .field("wraps_store", &self.wrap_store.is_some())
            .field("stopped", &self.stop.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl Hooks {
    /// Stops on Ctrl-C and SIGTERM; a second one ends the process at once.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub fn signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let hooks = Self::default();
        let stop = hooks.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.cancel();
            term::talk("stopping; again to stop at once");
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // What is in flight is found again at the next start.
            std::process::exit(i32::from(Exit::Interrupted.code()));
        });
        Ok(hooks)
    }

    /// The store to use.
    #[must_use]
    pub fn wrap(&mut self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        match self.wrap_store.take() {
            Some(wrap) => wrap(store),
            None => store,
        }
    }

    /// Tells that the doors are open.
    pub fn tell(&mut self, addresses: Addresses) {
        if let Some(up) = self.up.take()
            && up.send(addresses).is_err()
        {
            tracing::debug!("nobody waits for the addresses");
        }
    }
}
