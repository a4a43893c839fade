//! Keeps credentials out of what is given back: outputs, errors, details.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

/// What stands in place of a credential.
pub(crate) const HIDDEN: &str = "***";

/// The texts that must not be seen. No `Debug`: it is made of them.
#[derive(Clone, Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    /// Hides a text, also as base64, in URIs and in JSON.
    pub(crate) fn hide(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let quoted = serde_json::Value::from(secret).to_string();
        self.0.extend([
            secret.to_owned(),
            STANDARD.encode(secret),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            quoted.trim_matches('"').to_owned(),
        ]);
        // A secret that contains another one goes first, or its rest would stay.
        self.0.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.0.dedup();
    }

    /// The text without them.
    pub(crate) fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

/// Whether a header or parameter is a credential by its name.
pub(crate) fn is_credential(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "auth",
        "cookie",
        "credential",
        "key",
        "passw",
        "secret",
        "session",
        "signature",
        "token",
        "jwt",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) || name == "sig" || name == "pwd"
}

/// A URI for errors: without query, where keys like to travel.
pub(crate) fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// A URI for outputs: parameters that are credentials by name are hidden.
pub(crate) fn uri(url: &Url) -> String {
    if !url.query_pairs().any(|(name, _)| is_credential(&name)) {
        return url.to_string();
    }
    let mut shown = url.clone();
    shown.query_pairs_mut().clear().extend_pairs(url.query_pairs().map(|(name, value)| {
        let value = if is_credential(&name) { HIDDEN.into() } else { value };
        (name, value)
    }));
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let mut mask = Mask::default();
        mask.hide("p\"w/1");
        mask.hide("p\"w/1-long");
        let text = format!("p\"w/1 {} p%22w%2F1 p\\\"w/1 p\"w/1-long", STANDARD.encode("p\"w/1"));
        assert_eq!(mask.apply(&text), "*** *** *** *** ***");
    }

    #[test]
    fn credentials_are_known_by_name() {
        for name in ["Authorization", "X-Api-Key", "api_key", "Cookie", "access_token", "sig"] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["Accept", "Content-Type", "status", "X-Request-Id", "design"] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn uris_are_shown_without_keys() {
        let url = Url::parse("https://a.example/p?status=new&api_key=k1#f").unwrap();
        assert_eq!(uri(&url), "https://a.example/p?status=new&api_key=***#f");
        assert_eq!(place(&url), "https://a.example/p");
    }
}
