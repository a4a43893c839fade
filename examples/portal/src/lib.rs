//! A small customer portal: shop, state of a purchase, terms, license.
//!
//! It is an example of a program beside Tenure, so it is an ordinary HTTP client of Tenure's API:
//! it starts a purchase, sends the customer's acceptance as a CloudEvent, and reads an instance to
//! tell its story in the customer's words. It keeps nothing itself; every page can be made again
//! from what the API says. It knows no other crate of this repository.
//!
//! Where to go next: [`serve`], then `shop`, `purchase` and `terms`, one module per page.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::api::Api;
use crate::page::{Failure, Pages};

mod api;
mod guard;
mod page;
mod purchase;
mod shop;
mod story;
mod terms;
#[cfg(test)]
mod tests;

/// Longest form a customer can send, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// What a portal needs to know.
#[derive(Clone)]
pub struct PortalConfig {
    /// Root of Tenure's API (`http://127.0.0.1:8080`), with or without a slash at the end.
    pub api_url: String,
    /// Bearer token for the API, when it asks for one.
    pub token: Option<String>,
    /// Where the customer of this demonstration reads mail: the sandbox's inbox.
    pub inbox_url: String,
}

impl fmt::Debug for PortalConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalConfig")
            .field("api_url", &self.api_url)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("inbox_url", &self.inbox_url)
            .finish()
    }
}

/// What the handlers share.
struct App {
    api: Api,
    pages: Pages,
    /// Root of this portal, as the links in mails say it.
    own_url: String,
    inbox_url: String,
    /// Whether only this machine can reach the portal; then the `Host` must say so too.
    is_local: bool,
}

/// Serves the portal until the future is dropped.
///
/// # Errors
/// When the HTTP client cannot be built, or the listener fails.
pub async fn serve(listener: TcpListener, config: PortalConfig) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let app = App::new(&config, address).map_err(std::io::Error::other)?;
    let service = router(Arc::new(app)).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}

impl App {
    fn new(config: &PortalConfig, address: SocketAddr) -> Result<Self, api::Error> {
        Ok(Self {
            api: Api::new(&config.api_url, config.token.clone())?,
            pages: Pages::new(),
            own_url: format!("http://{}", reachable(address)),
            inbox_url: config.inbox_url.clone(),
            is_local: address.ip().is_loopback(),
        })
    }
}

/// An address a browser can open: "any address" is no place to go to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(shop::show))
        .route("/purchases", get(shop::show).post(shop::buy))
        .route("/purchases/{id}", get(purchase::show))
        .route("/purchases/{id}/license", get(purchase::license))
        .route("/purchases/{id}/license.jwt", get(purchase::download))
        .route("/terms/{token}", get(terms::show).post(terms::accept))
        .route("/terms/{token}/answer", get(terms::answer))
        .route("/portal.css", get(page::stylesheet))
        .fallback(no_page)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&app), guard::check))
        .layer(from_fn(guard::headers))
        .with_state(app)
}

async fn no_page(uri: Uri) -> Failure {
    Failure::not_found(format!("There is no page {}.", uri.path()))
}

async fn no_method(method: Method) -> Failure {
    Failure::method(&method)
}
