//! The terms: the document, its acceptance, and what became of the acceptance.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use minijinja::context;
use minijinja::value::Serde;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::App;
use crate::api::{EULA, Instance};
use crate::page::Failure;
use crate::shop::looks_like_mail;
use crate::story::{day_and_time, text_at};

const TITLE: &str = "Subscription Agreement";
const VERSION: &str = "2026-11";
const TEXT: &str = include_str!("../terms/2026-11.txt");

/// The event an acceptance is.
const ACCEPTED: &str = "com.tenure.terms.accepted.v1";
/// The event a refused acceptance is answered with.
const REFUSED: &str = "com.tenure.terms.refused.v1";
/// Who sends it.
const SOURCE: &str = "/portal";
/// Name space of the ids of our events (UUID v5 of the URL name space and `tenure.portal`).
const EVENTS: Uuid = Uuid::from_u128(0x0b5c_7cf4_2b5e_5d0a_8e0d_41c5_6f2d_9a17);

/// Lengths a token can have; anything else is none.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;
/// Longest name or address, in characters.
const TEXT_MAX: usize = 200;

static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(TEXT) {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
});

/// The document this portal shows, as the process must ask for it.
pub(crate) fn document() -> Value {
    json!({ "title": TITLE, "version": VERSION, "hash": *HASH })
}

/// What the customer filled in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Acceptance {
    name: String,
    email: String,
    agree: String,
}

/// What is wrong with it, by field.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Problems {
    name: Option<&'static str>,
    email: Option<&'static str>,
    agree: Option<&'static str>,
}

/// `GET /terms/{token}`. Whether the token is good shows when it is used: reading is free.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    check_token(&token)?;
    form(&app, StatusCode::OK, &token, &Acceptance::default(), &Problems::default())
}

/// `POST /terms/{token}`: sends the acceptance, strictly: an event nobody waits for is no
/// acceptance. A second one is answered by the API like the first.
pub(crate) async fn accept(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    acceptance: Result<Form<Acceptance>, FormRejection>,
) -> Result<Response, Failure> {
    check_token(&token)?;
    let Form(acceptance) = acceptance.map_err(|_error| Failure::unreadable_form())?;
    let problems = acceptance.check();
    if problems != Problems::default() {
        return form(&app, StatusCode::UNPROCESSABLE_ENTITY, &token, &acceptance, &problems);
    }
    let event = acceptance.event(&token, peer);
    let Some(receipt) = app.api.send_strictly(&event).await? else { return Err(wrong_token()) };
    // With a second acceptance, the event that counts is the first one.
    let id = receipt.id.as_deref().or_else(|| text_at(&event, "/id")).unwrap_or_default();
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    Ok(Redirect::to(&format!("/terms/{token}/answer?event={id}")).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    event: String,
}

/// `GET /terms/{token}/answer`: what became of an acceptance. The process judges it after the API
/// has kept it, so this page may have to be loaded again.
pub(crate) async fn answer(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Failure> {
    check_token(&token)?;
    let receipt = app.api.fate(SOURCE, &which.event).await?.ok_or_else(wrong_token)?;
    let verdict = match receipt.delivered_to.first() {
        None => Verdict::Open,
        Some(process) => {
            let process = app.api.instance(&process.id).await?;
            // Only who holds the token may see what it belongs to.
            let process = process
                .filter(|found| found.definition.name == EULA)
                .filter(|found| text_at(&found.context, "/token") == Some(&token))
                .ok_or_else(wrong_token)?;
            settle(&app, &process, &which.event).await?
        }
    };
    let values = context! {
        token => token, verdict => Serde(verdict), inbox_url => app.inbox_url.as_str(), title => TITLE,
    };
    app.pages.render(StatusCode::OK, "answer.html", values)
}

/// What became of an acceptance.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Verdict {
    /// Not judged yet.
    Open,
    /// Somebody accepted: this customer, or another before.
    Accepted { name: String, email: String, at: String, version: String },
    /// It does not count, and the terms still wait.
    Refused { reason: String },
    /// Nobody can accept any more.
    Over,
}

async fn settle(app: &App, process: &Instance, event: &str) -> Result<Verdict, Failure> {
    let text = |name: &str| {
        text_at(&process.context, &format!("/acceptance/{name}")).unwrap_or_default().to_owned()
    };
    if process.context.pointer("/acceptance/at").is_some() {
        return Ok(Verdict::Accepted {
            name: text("name"),
            email: text("email"),
            at: day_and_time(&text("at")),
            version: text("version"),
        });
    }
    if matches!(process.status.as_str(), "faulted" | "cancelled" | "completed") {
        return Ok(Verdict::Over);
    }
    let emitted = app.api.emitted(&process.id).await?;
    let refusal = emitted.iter().rev().find(|emitted| {
        text_at(emitted, "/type") == Some(REFUSED) && text_at(emitted, "/data/event") == Some(event)
    });
    Ok(refusal.map_or(Verdict::Open, |refusal| Verdict::Refused {
        reason: text_at(refusal, "/data/reason").unwrap_or_default().to_owned(),
    }))
}

fn form(
    app: &App,
    status: StatusCode,
    token: &str,
    acceptance: &Acceptance,
    problems: &Problems,
) -> Result<Response, Failure> {
    let values = context! {
        token => token,
        acceptance => Serde(acceptance),
        problems => Serde(problems),
        title => TITLE,
        version => VERSION,
        hash => HASH.as_str(),
        sections => Serde(sections().collect::<Vec<_>>()),
    };
    app.pages.render(status, "terms.html", values)
}

/// Heading and text of each section; the document's own heading is the page's.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEXT.split("\n\n").filter_map(|section| section.split_once('\n')).skip(1)
}

fn check_token(token: &str) -> Result<(), Failure> {
    let is_token = TOKEN_LENGTHS.contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_token { Ok(()) } else { Err(wrong_token()) }
}

fn wrong_token() -> Failure {
    Failure::not_found(
        "This link is not valid, or no longer. If a newer message with a link has arrived, please \
         use that one.",
    )
}

impl Acceptance {
    fn check(&self) -> Problems {
        let name = self.name.trim();
        let email = self.email.trim();
        Problems {
            name: if name.is_empty() { Some("Please enter your name.") } else { too_long(name) },
            email: if looks_like_mail(email) {
                too_long(email)
            } else {
                Some("Please enter your own e-mail address.")
            },
            agree: (self.agree != "yes").then_some("Please confirm that you accept the terms."),
        }
    }

    /// The acceptance as a CloudEvent. Its id comes from token and content, so a form sent twice
    /// is one event; a correction after a refusal is another.
    fn event(&self, token: &str, peer: SocketAddr) -> Value {
        let email = self.email.trim().to_lowercase();
        let name = self.name.trim();
        let content = json!([token, email, name, *HASH]).to_string();
        json!({
            "specversion": "1.0",
            "id": Uuid::new_v5(&EVENTS, content.as_bytes()).to_string(),
            "source": SOURCE,
            "type": ACCEPTED,
            "time": Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": {
                "token": token,
                "name": name,
                "email": email,
                "ip": peer.ip().to_string(),
                "version": VERSION,
                "hash": *HASH,
            },
        })
    }
}

fn too_long(text: &str) -> Option<&'static str> {
    (text.chars().count() > TEXT_MAX).then_some("Please use at most 200 characters.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_process_asks_for_the_document_shown_here() {
        let process = include_str!("../../../workflows/purchase-direct/workflow.yaml");
        assert!(process.contains(HASH.as_str()), "the default of `terms` must be {}", *HASH);
        assert!(process.contains(&format!("version: \"{VERSION}\"")));
    }

    #[test]
    fn an_acceptance_sent_twice_is_one_event_and_a_corrected_one_another() {
        let peer = "127.0.0.1:1".parse().unwrap();
        let by = |email: &str| Acceptance {
            name: "Ada".to_owned(),
            email: email.to_owned(),
            agree: "yes".to_owned(),
        };
        let id = |email: &str, token: &str| by(email).event(token, peer)["id"].clone();
        assert_eq!(id("a@b.example", "t"), id(" A@b.example ", "t"));
        assert_ne!(id("a@b.example", "t"), id("c@b.example", "t"));
        assert_ne!(id("a@b.example", "t"), id("a@b.example", "u"));
    }

    #[test]
    fn only_what_can_be_a_token_is_tried() {
        for (token, expected) in [
            ("abcdefghijklmnop", true),
            ("abcdefghij_-0123456789", true),
            ("short", false),
            ("abcdefghijklmnop/../x", false),
            ("abcdefghijklmnop%20", false),
        ] {
            assert_eq!(check_token(token).is_ok(), expected, "{token}");
        }
    }
}
