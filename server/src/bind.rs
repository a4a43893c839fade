//! Where the door may open, and who may knock.
//!
//! Without a token the door opens on loopback only, and there it still checks `Host` and `Origin`:
//! a web page that rebinds its DNS name to 127.0.0.1 must not reach the API through the browser.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Shortest token that is taken: anything shorter can be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;

/// The API token, kept as its digest so that comparing takes the same time for every guess.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a bind or a token was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Open to the network without a token.
    #[error(
        "{address} is not loopback, and no token is set; set TENURE_API_TOKEN or --token-file, \
         or bind 127.0.0.1"
    )]
    OpenBind {
        /// As asked for.
        address: SocketAddr,
    },
    /// Too short.
    #[error(
        "the API token is shorter than {TOKEN_BYTES_MIN} characters; try: openssl rand -hex 32"
    )]
    ShortToken,
    /// The token file cannot be read.
    #[error("the token file {path} cannot be read")]
    TokenFile {
        /// As given.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Token {
    /// Takes a token.
    ///
    /// # Errors
    /// [`Error::ShortToken`].
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() < TOKEN_BYTES_MIN {
            return Err(Error::ShortToken);
        }
        Ok(Self { digest: Sha256::digest(text.as_bytes()).into() })
    }

    /// Whether an `Authorization` header carries this token.
    #[must_use]
    pub fn opens(&self, authorization: Option<&str>) -> bool {
        let Some((scheme, guess)) = authorization.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        let guess: [u8; 32] = Sha256::digest(guess.trim().as_bytes()).into();
        let equal: bool = self.digest.ct_eq(&guess).into();
        scheme.eq_ignore_ascii_case("bearer") && equal
    }
}

/// Reads a token from a file.
///
/// # Errors
/// [`Error::TokenFile`].
pub fn read_token(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|source| Error::TokenFile { path: path.display().to_string(), source })
}

/// Refuses an address that is open to the network while there is no token.
///
/// # Errors
/// [`Error::OpenBind`].
pub fn check(address: SocketAddr, token: Option<&Token>) -> Result<(), Error> {
    if address.ip().is_loopback() || token.is_some() {
        return Ok(());
    }
    Err(Error::OpenBind { address })
}

/// Whether an authority (`HOST[:PORT]`) names this machine's loopback.
#[must_use]
pub fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, _port)) => host,
            None => return false,
        },
        None => authority.rsplit_once(':').map_or(authority, |(host, _port)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an `Origin` header (`SCHEME://AUTHORITY`) is a page of this machine.
#[must_use]
pub fn is_loopback_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_scheme, authority)| is_loopback_authority(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_opens_without_a_token() {
        let token = Token::new("0123456789abcdef").unwrap();
        for (address, open) in [
            ("127.0.0.1:8080", true),
            ("127.9.9.9:1", true),
            ("[::1]:8080", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("192.168.1.4:8080", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(check(address, None).is_ok(), open, "{address}");
            assert!(check(address, Some(&token)).is_ok(), "{address} with a token");
        }
    }

    #[test]
    fn only_names_of_loopback_are_hosts() {
        for (authority, fits) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("localhost.evil.example", false),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("[::1", false),
            ("", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback_authority(authority), fits, "{authority}");
        }
        assert!(is_loopback_origin("http://127.0.0.1:8081"));
        assert!(!is_loopback_origin("https://evil.example"));
        assert!(!is_loopback_origin("null"));
    }

    #[test]
    fn only_the_token_opens() {
        let token = Token::new("correct horse battery").unwrap();
        for (header, opens) in [
            (Some("Bearer correct horse battery"), true),
            (Some("bearer correct horse battery"), true),
            (Some("Basic correct horse battery"), false),
            (Some("Bearer correct horse batter"), false),
            (Some("Bearer"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(token.opens(header), opens, "{header:?}");
        }
        assert!(Token::new("short").is_err());
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
