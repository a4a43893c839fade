//! The vendors' accounts of `tenure serve`: a TOML file whose secrets are references, never values.
//!
//! ```toml
//! [zuora]
//! base_url = "https://rest.zuora.example"
//! user = "client-id"
//! secret = "env:ZUORA_SECRET" # or "file:/run/secrets/zuora"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tenure_adapters::Connection;

/// Connections the plugs ask for.
const KNOWN: [&str; 4] = ["zuora", "salesforce", "marketo", "mailgun"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    base_url: String,
    user: String,
    secret: String,
    deadline_ms: Option<u64>,
    settle_ms: Option<u64>,
}

/// Reads the connections of a file.
///
/// # Errors
/// When the file cannot be read, names an unknown connection or field, or a secret is missing or
/// written out.
pub fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Connection>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the file of connections {shown} cannot be read"))?;
    parse(&text).with_context(|| format!("the file of connections {shown} is refused"))
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Connection>> {
    let written: BTreeMap<String, Written> = toml::from_str(text)?;
    let mut connections = BTreeMap::new();
    for (name, written) in written {
        if !KNOWN.contains(&name.as_str()) {
            bail!("no adapter uses a connection {name}; known are {}", KNOWN.join(", "));
        }
        let secret = secret(&written.secret).with_context(|| format!("[{name}] secret"))?;
        let base_url = written.base_url.trim_end_matches('/').to_owned();
        let connection = Connection {
            base_url,
            user: written.user,
            secret,
            deadline_ms: written.deadline_ms,
            settle_ms: written.settle_ms,
        };
        connections.insert(name, connection);
    }
    Ok(connections)
}

/// `env:NAME` or `file:PATH`.
fn secret(reference: &str) -> anyhow::Result<String> {
    match reference.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).with_context(|| format!("the environment has no {name}"))
        }
        Some(("file", path)) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Some(_) | None => bail!("must be a reference, env:NAME or file:PATH"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_references_and_names_are_known() {
        let section = |name: &str, secret: &str| {
            format!("[{name}]\nbase_url = \"http://x/\"\nuser = \"u\"\nsecret = \"{secret}\"\n")
        };
        // PATH is set wherever tests run.
        let found = parse(&section("zuora", "env:PATH")).unwrap();
        assert_eq!(found["zuora"].base_url, "http://x");
        for (text, word) in [
            (section("zuora", "hunter2"), "secret"),
            (section("zuora", "env:TENURE_NO_SUCH_VARIABLE"), "secret"),
            (section("stripe", "env:PATH"), "stripe"),
            (
                "[zuora]\nbase_url = \"x\"\nuser = \"u\"\nsecret = \"env:PATH\"\nurl = \"y\""
                    .into(),
                "url",
            ),
        ] {
            let error = format!("{:#}", parse(&text).unwrap_err());
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
