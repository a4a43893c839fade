//! The customer portal of `tenure dev`.

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::hook::Addresses;

/// Serves the portal until `stop`.
#[must_use]
pub fn serve(
    listener: TcpListener,
    addresses: Addresses,
    token: Option<String>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let _ = (addresses, token);
    tokio::spawn(async move {
        stop.cancelled().await;
        drop(listener);
    })
}
