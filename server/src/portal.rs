//! The customer portal of `tenure dev`: an ordinary client of the API, at a port of its own.

use tenure_portal::PortalConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Serves the portal until `stop`.
#[must_use]
pub fn serve(
    listener: TcpListener,
    config: PortalConfig,
    stop: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::select! {
            ended = tenure_portal::serve(listener, config) => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the portal stopped");
                }
            }
            () = stop.cancelled() => {}
        }
    })
}
