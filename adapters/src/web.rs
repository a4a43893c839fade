//! The calls of the language itself: `http` and `openapi`.
//!
//! Unlike a vendor's plug this one knows nothing of what it calls. What an answer proves follows
//! from the method alone ([`proof`]), and a status outside 200–299 is an error of the language for
//! the definition to catch, not a rejection for the engine to repeat. One call is one attempt: a
//! refreshed token, a redirect and a document that is read first are the only further exchanges.
//!
//! Where to go next: `send` (hops, tokens, what is read), `auth` and `token` (credentials),
//! `openapi` (from a document and parameters to a request).

mod answer;
mod auth;
mod discovery;
mod input;
mod manifest;
mod mask;
mod openapi;
mod proof;
mod request;
mod send;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tenure_adapter::{Adapter, Manifest, Outcome, Request};

use crate::http::{Budget, Client};
use crate::input::unknown_function;
use input::{HttpInput, OpenApiInput};
use openapi::Documents;
use send::{Outgoing, Sender};

/// The engine gives up exactly at the deadline and then knows nothing. Stopping this much earlier
/// leaves time to say what was seen.
const DEADLINE_MARGIN: Duration = Duration::from_millis(200);
/// At most this part of the deadline is given away as margin.
const DEADLINE_MARGIN_PART: u32 = 10;

/// The plug behind `call: http` and `call: openapi`.
#[derive(Debug)]
pub(crate) struct Web {
    sender: Sender,
    documents: Documents,
}

impl Web {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { sender: Sender::new(client), documents: Documents::default() }
    }

    async fn http(&self, request: &Request) -> Result<Outcome, Outcome> {
        let input = HttpInput::read(request)?;
        let form = input.form.clone();
        let outgoing = Outgoing::of_http(input, request.key)?;
        Ok(self.sender.call(outgoing, form, &budget(request)).await)
    }

    async fn openapi(&self, request: &Request) -> Result<Outcome, Outcome> {
        let budget = budget(request);
        let input = OpenApiInput::read(request)?;
        let form = input.form.clone();
        let document = self.documents.get(&input.document.endpoint, &self.sender, &budget).await?;
        let outgoing = openapi::outgoing(&document, input, request.key)?;
        Ok(self.sender.call(outgoing, form, &budget).await)
    }
}

fn budget(request: &Request) -> Budget {
    Budget::of(time(request.deadline_ms))
}

fn time(deadline_ms: u64) -> Duration {
    let total = Duration::from_millis(deadline_ms);
    let margin = DEADLINE_MARGIN.min(total / DEADLINE_MARGIN_PART);
    total.saturating_sub(margin)
}

#[async_trait]
impl Adapter for Web {
    fn manifests(&self) -> Vec<Manifest> {
        manifest::manifests()
    }

    async fn perform(&self, request: &Request) -> Outcome {
        let result = match request.function.as_str() {
            manifest::HTTP => Box::pin(self.http(request)).await,
            manifest::OPENAPI => Box::pin(self.openapi(request)).await,
            _ => Err(unknown_function(request)),
        };
        send::bounded(result.unwrap_or_else(|stopped| stopped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plug_speaks_before_the_engine_gives_up() {
        for (deadline_ms, expected_ms) in [(30_000, 29_800), (1_000, 900), (10, 9), (0, 0)] {
            assert_eq!(time(deadline_ms), Duration::from_millis(expected_ms));
        }
    }
}
