//! The HTTP client of the CLI and of the played purchase.

use reqwest::{Client, Url};

use crate::{bind, limit};

/// A client for requests to `url`, with a total time per request. A server on this machine is never
/// asked through a proxy of the surroundings. Installs the process's TLS provider when nobody has.
///
/// # Errors
/// When the system's certificates cannot be read.
pub fn new(url: &str) -> reqwest::Result<Client> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::trace!("the TLS provider was installed before");
    }
    let builder = Client::builder().timeout(limit::CLIENT_TIMEOUT);
    if is_here(url) { builder.no_proxy().build() } else { builder.build() }
}

fn is_here(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    url.host_str().is_some_and(bind::is_loopback_authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_without_a_proxy() {
        for (url, here) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost/x", true),
            ("http://[::1]:1", true),
            ("https://tenure.example", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }
}
