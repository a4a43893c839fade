//! Opening a port and serving a router on it until told to stop.
//!
//! `axum::serve` gives a slow client all the time it likes for its headers, so the accept loop is
//! our own: header time-out, limit of connections, and a drain with an end.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::limit;

/// The port is taken, or not ours to open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody listens there already.
    #[error(
        "{address} is in use ({what}); stop what listens there, or choose another address with \
         {option} HOST:PORT"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
        /// What it was for.
        what: &'static str,
        /// The option that moves it.
        option: &'static str,
    },
    /// Anything else.
    #[error("{address} cannot be opened ({what}); choose another address with {option} HOST:PORT")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What it was for.
        what: &'static str,
        /// The option that moves it.
        option: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Opens a port.
///
/// # Errors
/// [`Error::InUse`] or [`Error::Bind`], both naming the option that moves the port.
pub async fn open(
    address: SocketAddr,
    what: &'static str,
    option: &'static str,
) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AddrInUse {
            Error::InUse { address, what, option }
        } else {
            Error::Bind { address, what, option, source }
        }
    })
}

/// Serves until `stop`, then lets requests in work finish, at most [`limit::DRAIN_TIMEOUT`].
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(limit::CONNECTIONS_MAX));
    let drain = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limit::HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let Ok(permit) = permit else { break };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(limit::ACCEPT_RETRY).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = drain.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(limit::DRAIN_TIMEOUT, drain.shutdown()).await.is_err() {
        tracing::warn!("requests were still in work when the drain time ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_option_that_moves_it() {
        let first = open("127.0.0.1:0".parse().unwrap(), "API", "--api").await.unwrap();
        let address = first.local_addr().unwrap();
        let error = open(address, "API", "--api").await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&address.to_string()) && text.contains("--api"), "{text}");
    }

    #[tokio::test]
    async fn it_serves_until_stopped() {
        let listener = open("127.0.0.1:0".parse().unwrap(), "API", "--api").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let server = tokio::spawn(serve(listener, router, stop.clone()));
        let client = crate::client::new("http://127.0.0.1").unwrap();
        let ask = || client.get(format!("http://{address}/")).send();
        let text = ask().await.unwrap().text().await.unwrap();
        assert_eq!(text, "here");
        stop.cancel();
        server.await.unwrap();
        assert!(ask().await.is_err());
    }
}
