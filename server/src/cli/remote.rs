//! A running server, asked by the CLI.

use anyhow::Context as _;
use clap::Args;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::client;
use crate::exit::{Exit, Stop};

/// Which server to ask.
#[derive(Debug, Clone, Args)]
pub(super) struct ServerOptions {
    /// The server
    #[arg(
        long,
        env = "TENURE_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    server: String,
    /// Its API token
    #[arg(long, env = "TENURE_API_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A client of one server.
#[derive(Debug)]
pub(super) struct Remote {
    client: reqwest::Client,
    options: ServerOptions,
}

impl Remote {
    pub(super) fn new(options: ServerOptions) -> anyhow::Result<Self> {
        let client = client::new(&options.server).context("the HTTP client cannot start")?;
        Ok(Self { client, options })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.options.server.trim_end_matches('/'));
        let request = self.client.request(method, url);
        match &self.options.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and gives status and JSON of a success.
    ///
    /// # Errors
    /// A [`Stop`] with the exit code that fits the answer, in the words of its problem.
    pub(super) async fn json(&self, request: RequestBuilder) -> anyhow::Result<(u16, Value)> {
        let server = &self.options.server;
        let response = request.send().await.map_err(|error| {
            let cause = crate::problem::chain(&error);
            Stop::new(
                Exit::Unavailable,
                format!(
                    "{server} does not answer: {cause}\n  start one with `tenure dev`, or name \
                         another with --server URL"
                ),
            )
        })?;
        let status = response.status().as_u16();
        let body: Value = response
            .json()
            .await
            .with_context(|| format!("{server} did not answer in JSON (status {status})"))?;
        if (200..300).contains(&status) {
            return Ok((status, body));
        }
        Err(Stop::new(Exit::of_status(status), words(&body, status)).into())
    }
}

/// A problem as text: its detail and each finding.
fn words(problem: &Value, status: u16) -> String {
    let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut words = format!("{} ({status}): {}", text("title"), text("detail"));
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = match (error.get("line"), error.get("column")) {
            (Some(line), Some(column)) => format!("{line}:{column}"),
            _ => part("pointer").to_owned(),
        };
        words.push_str(&format!("\n  {place}: {}", part("detail")));
        if !part("help").is_empty() {
            words.push_str(&format!(" (help: {})", part("help")));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_told_with_its_findings() {
        let problem = json!({
            "title": "Invalid Input", "detail": "1 finding", "errors": [
                { "pointer": "/country", "detail": "unknown" },
                { "pointer": "/x", "detail": "bad", "line": 3, "column": 4, "help": "write y" },
            ],
        });
        assert_eq!(
            words(&problem, 422),
            "Invalid Input (422): 1 finding\n  /country: unknown\n  3:4: bad (help: write y)"
        );
    }
}
