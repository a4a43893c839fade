//! The inbox: every mail, to be read in a browser.
//!
//! A mail is foreign text. It is shown from a page of its own in a sandboxed frame without
//! scripts, and everything around it is escaped.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::desk::Desk;

/// Mails shown in the list, newest first.
const LIST_MAX: usize = 200;
/// Nothing but inline styles; links open outside of the frame.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    sandbox allow-popups allow-popups-to-escape-sandbox";
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'";
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;\
    padding:1.5rem;color:#1d2433;background:#f6f7f9}h1{font-size:1.3rem}table{width:100%;\
    border-collapse:collapse;background:#fff}th,td{text-align:left;padding:.5rem .75rem;\
    border-bottom:1px solid #e2e5ea;vertical-align:top}a{color:#2347c5}iframe{width:100%;\
    height:34rem;border:1px solid #e2e5ea;background:#fff}pre{background:#fff;border:1px solid \
    #e2e5ea;padding:1rem;white-space:pre-wrap;overflow-wrap:anywhere}.failed{color:#b42318}";

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Running number, from 1.
    pub number: u64,
    /// Its `Message-Id`, without angle brackets.
    pub message_id: String,
    /// When it was accepted.
    pub at: Timestamp,
    /// Sender.
    pub from: String,
    /// Recipient as written, with the name.
    pub to: String,
    /// Recipient's address alone.
    pub recipient: String,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
    /// Whether it arrived.
    pub delivered: bool,
}

/// All mails, oldest first.
pub(super) fn messages(desk: &Desk) -> Vec<Message> {
    desk.read(|documents| {
        let all = documents.all("message");
        all.filter_map(|(_, message)| serde_json::from_value(message.clone()).ok()).collect()
    })
}

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/inbox", get(list))
        .route("/inbox/{number}", get(view))
        .route("/inbox/{number}/html", get(html))
        .with_state(desk)
}

fn find(desk: &Desk, number: u64) -> Option<Message> {
    messages(desk).into_iter().find(|message| message.number == number)
}

async fn list(State(desk): State<Arc<Desk>>) -> Response {
    let mut rows = String::new();
    for message in messages(&desk).iter().rev().take(LIST_MAX) {
        let state = if message.delivered { "" } else { " <span class=failed>(bounced)</span>" };
        rows.push_str(&format!(
            "<tr><td>{}<td>{}{state}<td><a href=\"/inbox/{}\">{}</a>",
            escaped(&message.at.strftime("%F %T").to_string()),
            escaped(&message.to),
            message.number,
            escaped(&message.subject),
        ));
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=3>No mail yet.");
    }
    let body = format!("<table><tr><th>Sent (UTC)<th>To<th>Subject{rows}</table>");
    page("Inbox of the sandbox", &body)
}

async fn view(State(desk): State<Arc<Desk>>, Path(number): Path<u64>) -> Response {
    let Some(message) = find(&desk, number) else { return StatusCode::NOT_FOUND.into_response() };
    let state = if message.delivered { "delivered" } else { "bounced" };
    let body = format!(
        "<p><a href=\"/inbox\">All mails</a></p><table><tr><th>From<td>{}<tr><th>To<td>{}\
         <tr><th>Sent<td>{} ({state})<tr><th>Message-Id<td>{}</table>\
         <h2>HTML</h2><iframe title=\"HTML\" src=\"/inbox/{number}/html\" \
         sandbox=\"allow-popups allow-popups-to-escape-sandbox\"></iframe>\
         <h2>Text</h2><pre>{}</pre>",
        escaped(&message.from),
        escaped(&message.to),
        escaped(&message.at.to_string()),
        escaped(&message.message_id),
        escaped(&message.text),
    );
    page(&message.subject, &body)
}

async fn html(State(desk): State<Arc<Desk>>, Path(number): Path<u64>) -> Response {
    let Some(message) = find(&desk, number) else { return StatusCode::NOT_FOUND.into_response() };
    // Links of the mail leave the frame.
    let body = format!("<base target=\"_blank\">{}", message.html);
    (policy(MAIL_POLICY), Html(body)).into_response()
}

fn page(title: &str, body: &str) -> Response {
    let title = escaped(title);
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style><h1>{title}</h1>{body}</html>"
    );
    (policy(PAGE_POLICY), Html(page)).into_response()
}

fn policy(text: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(text));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
