//! One purchase, played as a customer would: through the API, the inbox and the acceptance of the
//! terms. Everything goes over HTTP, so what is shown is what a portal sees.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tenure_adapters::sandbox::Sandbox;
use tenure_machine::Entry;
use tokio_util::sync::CancellationToken;

use super::place::{Place, Purchase};
use super::timeline::{self, Line};
use crate::exit::{Exit, Stop};
use crate::hook::Addresses;
use crate::{client, limit};

/// Longest time a played purchase may take; recovery after a kill settles calls within it.
const PLAY_TIMEOUT: Duration = Duration::from_secs(180);
/// Pause between two looks at the inbox.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest `Prefer: wait` of one request while the end is awaited.
const WAIT_SECONDS: u64 = 5;
/// Processes whose journals make the timeline.
const PROCESSES_MAX: usize = 50;

/// Definition that is played.
const DEFINITION: &str = "purchase-direct";
/// Event that says that the terms were accepted.
const ACCEPTED: &str = "com.tenure.terms.accepted.v1";
/// Source of the portal's events.
const SOURCE: &str = "/portal";

/// Who plays, and where.
#[derive(Debug)]
pub(super) struct Play<'a> {
    pub(super) addresses: Addresses,
    pub(super) token: Option<&'a str>,
    pub(super) vendors: &'a Sandbox,
    pub(super) place: &'a Place,
    pub(super) stop: &'a CancellationToken,
}

/// How it went.
#[derive(Debug)]
pub(super) struct Played {
    /// The instance as the API shows it at the end.
    pub(super) instance: Value,
    /// The story.
    pub(super) timeline: String,
    /// The name it was bought under.
    pub(super) purchase: Purchase,
}

impl Played {
    /// Whether it came to the good end.
    pub(super) fn is_completed(&self) -> bool {
        text(&self.instance, "status") == "completed"
    }

    /// The license that came out of it.
    pub(super) fn license(&self) -> Option<&str> {
        self.instance.pointer("/output/license/jws").and_then(Value::as_str)
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_terminal(instance: &Value) -> bool {
    matches!(text(instance, "status"), "completed" | "faulted" | "cancelled")
}

impl Play<'_> {
    /// Plays a purchase through, or the rest of one that was cut off.
    pub(super) async fn through(&self) -> anyhow::Result<Played> {
        let portal = self.addresses.portal.context("the portal is not open")?;
        let mut purchase = self.place.purchase(&format!("http://{portal}"))?;
        let client = client::new(&format!("http://{}", self.addresses.api))
            .context("the HTTP client cannot start")?;
        let deadline = Instant::now() + PLAY_TIMEOUT;
        let body = self.order(&purchase)?;
        let mut instance = self.start(&client, &purchase, &body, None).await?;
        if let Some(token) = self.terms_token(&client, &purchase, &instance, deadline).await? {
            self.accept(&client, &purchase, &token).await?;
        }
        while !is_terminal(&instance) {
            self.check(deadline, "the purchase did not come to its end")?;
            instance = self.start(&client, &purchase, &body, Some(WAIT_SECONDS)).await?;
        }
        let lines = self.story(&client, &instance).await?;
        purchase.finished = true;
        self.place.keep(&purchase)?;
        Ok(Played { instance, timeline: timeline::text(lines), purchase })
    }

    fn check(&self, deadline: Instant, what: &str) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            return Err(Stop::new(Exit::Interrupted, "stopped before the purchase ended").into());
        }
        if Instant::now() >= deadline {
            bail!(
                "{what} within {} s; GET /v1/instances shows where it stands",
                PLAY_TIMEOUT.as_secs()
            );
        }
        Ok(())
    }

    /// What is bought: a product whose terms must be accepted, from a country written in words.
    fn order(&self, purchase: &Purchase) -> anyhow::Result<Value> {
        let product = tenure_adapters::products()
            .iter()
            .find(|product| product.eula_required && product.on_sale)
            .context("no product of the catalog needs accepted terms")?;
        Ok(json!({
            "purchase_id": purchase.purchase_id,
            "customer": {
                "company": "Analytical Engines GmbH",
                "email": email(purchase),
                "first_name": "Ada",
                "last_name": "Lovelace",
                "country": "Germany",
            },
            "sku": product.sku,
            "quantity": 25,
            "payment_method": "card_ok",
            "portal_url": purchase.portal_url,
        }))
    }

    fn ask(&self, request: RequestBuilder) -> RequestBuilder {
        match self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn json(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = self.ask(request).send().await.context("the API does not answer")?;
        let status = response.status();
        let body: Value = response.json().await.context("the API did not answer in JSON")?;
        if !status.is_success() {
            bail!("the API refused ({status}): {}", text(&body, "detail"));
        }
        Ok(body)
    }

    /// Starts it. The same key brings the same instance, however often it is sent.
    async fn start(
        &self,
        client: &Client,
        purchase: &Purchase,
        body: &Value,
        wait: Option<u64>,
    ) -> anyhow::Result<Value> {
        let url = format!("http://{}/v1/definitions/{DEFINITION}/instances", self.addresses.api);
        let mut request =
            client.post(url).header("idempotency-key", format!("\"{}\"", purchase.key)).json(body);
        if let Some(seconds) = wait {
            request = request.header("prefer", format!("wait={seconds}"));
        }
        self.json(request).await
    }

    /// Waits for the terms mail and takes the token out of its link; `None` when the purchase came
    /// to its end without one.
    async fn terms_token(
        &self,
        client: &Client,
        purchase: &Purchase,
        instance: &Value,
        deadline: Instant,
    ) -> anyhow::Result<Option<String>> {
        let url = format!("http://{}{}", self.addresses.api, text(instance, "href"));
        loop {
            let address = email(purchase);
            let mails = self.vendors.inbox();
            let mut mine = mails.iter().filter(|mail| mail.recipient == address);
            if let Some(token) = mine.find_map(|mail| token_of(&mail.text)) {
                return Ok(Some(token));
            }
            if is_terminal(&self.json(client.get(&url)).await?) {
                return Ok(None);
            }
            self.check(deadline, "no terms mail came")?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Accepts the terms like the portal does. The event's id is derived from the token, so a
    /// repeated acceptance is the same event.
    async fn accept(
        &self,
        client: &Client,
        purchase: &Purchase,
        token: &str,
    ) -> anyhow::Result<()> {
        let event = json!({
            "specversion": "1.0",
            "id": format!("accept-{token}"),
            "source": SOURCE,
            "type": ACCEPTED,
            "time": Timestamp::now(),
            "datacontenttype": "application/json",
            "data": {
                "token": token,
                "name": "Ada Lovelace",
                "email": email(purchase),
                "ip": "127.0.0.1",
            },
        });
        let request = client
            .post(format!("http://{}/v1/events", self.addresses.api))
            .header("content-type", "application/cloudevents+json")
            .header("prefer", "handling=strict")
            .body(event.to_string());
        self.json(request).await.context("the terms could not be accepted")?;
        Ok(())
    }

    /// The journals of the instance and of everything it started, merged.
    async fn story(&self, client: &Client, instance: &Value) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut open = vec![instance.clone()];
        let mut told = 0;
        while let Some(next) = open.pop() {
            if told == PROCESSES_MAX {
                break;
            }
            told += 1;
            let href = text(&next, "href");
            let name = next.pointer("/definition/name").and_then(Value::as_str);
            let rows = self.journal(client, href).await?;
            lines.append(&mut timeline::tell(name.unwrap_or_default(), &rows));
            let children = next.get("children").and_then(Value::as_array);
            for child in children.into_iter().flatten() {
                let url = format!("http://{}{}", self.addresses.api, text(child, "href"));
                open.push(self.json(client.get(url)).await?);
            }
        }
        Ok(lines)
    }

    async fn journal(
        &self,
        client: &Client,
        href: &str,
    ) -> anyhow::Result<Vec<(Timestamp, Vec<Entry>)>> {
        let mut rows = Vec::new();
        let mut after = Some(0);
        while let Some(from) = after {
            let url = format!(
                "http://{}{href}/journal?after={from}&limit={}",
                self.addresses.api,
                limit::PAGE_MAX
            );
            let page = self.json(client.get(url)).await?;
            for row in page.get("items").and_then(Value::as_array).into_iter().flatten() {
                let at = row.get("at").cloned().unwrap_or_default();
                let entries = row.get("entries").cloned().unwrap_or_default();
                rows.push((
                    serde_json::from_value(at).context("a journal row has no time")?,
                    serde_json::from_value(entries).context("a journal row is unreadable")?,
                ));
            }
            after = page.get("next_after").and_then(Value::as_i64).filter(|next| *next > from);
        }
        Ok(rows)
    }
}

/// The customer's address: one per purchase, so that the inbox shows which mail belongs where.
fn email(purchase: &Purchase) -> String {
    format!("ada+{}@customer.example", purchase.purchase_id)
}

/// The token of the link `.../terms/TOKEN` in a mail's text.
fn token_of(mail: &str) -> Option<String> {
    let (_, rest) = mail.split_once("/terms/")?;
    let token: String =
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_out_of_the_link() {
        for (mail, token) in [
            ("Please accept: http://127.0.0.1:8081/terms/aB3-x_9\n\nThanks", Some("aB3-x_9")),
            ("<a href=\"http://p/terms/abc\">", Some("abc")),
            ("no link", None),
            ("http://p/terms/", None),
        ] {
            assert_eq!(token_of(mail).as_deref(), token, "{mail}");
        }
    }
}
