//! `tenure license`: looks at licenses, offline when the keys are in a file.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use tenure_adapters::license::{Jwks, verify};

use super::{Output, read};
use crate::client;
use crate::exit::{Exit, Stop};
use crate::term::{self, Format};

/// Subcommands of `tenure license`.
#[derive(Debug, Subcommand)]
pub(super) enum LicenseCommand {
    /// Check signature, issuer and times of a license, and print its claims
    #[command(after_help = "Examples:
  tenure license verify acme.license
  tenure license verify acme.license --jwks keys.json
  tenure license verify acme.license --jwks https://licenses.example/.well-known/jwks.json

Exit code 0 when it is valid, 5 when it is not.")]
    Verify {
        /// The license (`-` for stdin)
        file: PathBuf,
        /// Public keys
        #[arg(
            long,
            value_name = "FILE|URL",
            env = "TENURE_JWKS",
            default_value = "http://127.0.0.1:8080/.well-known/jwks.json"
        )]
        jwks: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Does it.
pub(super) async fn run(command: LicenseCommand) -> anyhow::Result<Exit> {
    match command {
        LicenseCommand::Verify { file, jwks, output } => {
            let text = if file.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin()).context("stdin cannot be read")?
            } else {
                read::file(&file)?
            };
            let keys = keys(&jwks).await?;
            let claims = match verify(&text, &keys) {
                Ok(claims) => claims,
                Err(error) => {
                    if output.format() == Format::Json {
                        term::json(&json!({ "valid": false, "reason": error.to_string() }))?;
                    }
                    return Err(Stop::new(Exit::Invalid, format!("not valid: {error}")).into());
                }
            };
            match output.format() {
                Format::Json => term::json(&json!({ "valid": true, "claims": claims }))?,
                Format::Text => term::data(&table(&claims))?,
            }
            term::talk("valid");
            Ok(Exit::Ok)
        }
    }
}

/// The keys of a file or a URL.
async fn keys(place: &str) -> anyhow::Result<Jwks> {
    let is_url = place.starts_with("http://") || place.starts_with("https://");
    let text = if is_url {
        let client = client::new(place)?;
        let ask = async { client.get(place).send().await?.error_for_status()?.text().await };
        ask.await.map_err(|error| {
            let cause = crate::problem::chain(&error);
            Stop::new(
                Exit::Unavailable,
                format!("the keys at {place} cannot be read: {cause}\n  name others with --jwks FILE|URL"),
            )
        })?
    } else {
        read::file(&PathBuf::from(place))?
    };
    serde_json::from_str(&text).map_err(|error| {
        Stop::new(Exit::Invalid, format!("{place} is not a JWKS of Ed25519 keys: {error}")).into()
    })
}

fn table(claims: &Value) -> String {
    let rows: Vec<Vec<String>> = claims
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            vec![name.clone(), value]
        })
        .collect();
    term::table(&["CLAIM", "VALUE"], &rows)
}
