//! The story of a purchase in the customer's words, from what the API says of its instance.
//!
//! Pure: an instance (and its children) in, a story out. It never shows a vendor's words or our
//! own technical ones; those are for operators.

use serde::Serialize;
use serde_json::Value;

use crate::api::{Instance, Problem};
use crate::page::money;

/// Seconds until the page is loaded again while machines work.
const SOON: u32 = 2;
/// The same while people are asked.
const LATER: u32 = 10;

const DECLINED: &str = "urn:tenure:error:declined";
const TERMS_EXPIRED: &str = "urn:tenure:error:terms-expired";

/// A purchase as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Story {
    /// What it is about.
    pub(crate) product: Option<String>,
    pub(crate) headline: &'static str,
    pub(crate) text: String,
    pub(crate) next: Next,
    pub(crate) steps: Vec<Step>,
    /// Seconds until it may have changed; `None` at the end.
    pub(crate) refresh: Option<u32>,
}

/// What the customer can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Next {
    /// Wait.
    Nothing,
    /// Find the mail with the terms.
    OpenInbox,
    /// Open the license.
    OpenLicense,
    /// Buy with another card.
    BuyAgain,
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    pub(crate) title: &'static str,
    pub(crate) state: State,
    pub(crate) note: String,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Behind us.
    Done,
    /// Under way.
    Current,
    /// To come.
    Todo,
    /// Ended here.
    Failed,
}

/// Where the purchase as a whole stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Paying,
    AwaitingTerms,
    Delivering,
    Completed,
    Declined,
    /// Ended before money was taken, for another reason.
    FailedUnpaid,
    /// Ended after money was taken.
    FailedPaid,
}

/// Tells the story.
pub(crate) fn tell(purchase: &Instance, children: &[Instance]) -> Story {
    let stage = stage(purchase);
    let is_stuck = std::iter::once(purchase)
        .chain(children)
        .any(|instance| instance.waiting_for.iter().any(|waiting| waiting.kind == "incident"));
    let (headline, text, next, refresh) = if is_stuck {
        (
            "We are looking into it",
            "Something needs the hand of a colleague, who has been told. There is nothing for you \
             to do; this page shows when it goes on."
                .to_owned(),
            Next::Nothing,
            Some(LATER),
        )
    } else {
        summary(purchase, stage)
    };
    let product = text_at(&purchase.context, "/product/name").map(|name| {
        match purchase.input.get("quantity").and_then(Value::as_u64) {
            Some(1) => format!("{name}, 1 seat"),
            Some(seats) => format!("{name}, {seats} seats"),
            None => name.to_owned(),
        }
    });
    Story { product, headline, text, next, steps: steps(purchase, stage), refresh }
}

fn stage(purchase: &Instance) -> Stage {
    let has = |name: &str| purchase.context.get(name).is_some_and(|value| !value.is_null());
    match purchase.status.as_str() {
        "completed" => Stage::Completed,
        "faulted" | "cancelled" if is_kind(purchase.error.as_ref(), DECLINED) => Stage::Declined,
        "faulted" | "cancelled" if has("order") => Stage::FailedPaid,
        "faulted" | "cancelled" => Stage::FailedUnpaid,
        _ if !has("order") => Stage::Paying,
        _ if needs_terms(purchase) && !has("acceptance") => Stage::AwaitingTerms,
        _ => Stage::Delivering,
    }
}

fn summary(purchase: &Instance, stage: Stage) -> (&'static str, String, Next, Option<u32>) {
    let mail = text_at(&purchase.context, "/customer/email").unwrap_or("your address");
    match stage {
        Stage::Paying => (
            "We are processing your payment",
            "This takes a moment. You may close this page and come back to it.".to_owned(),
            Next::Nothing,
            Some(SOON),
        ),
        Stage::AwaitingTerms => (
            "Please accept the terms",
            format!(
                "Your payment has arrived. We sent the terms to {mail}; your license follows as \
                 soon as they are accepted."
            ),
            Next::OpenInbox,
            Some(LATER),
        ),
        Stage::Delivering => (
            "Your license is being made",
            format!("It is sent to {mail} and appears here as well."),
            Next::Nothing,
            Some(SOON),
        ),
        Stage::Completed => (
            "Your license is ready",
            "Thank you for your purchase.".to_owned(),
            Next::OpenLicense,
            None,
        ),
        Stage::Declined => {
            (
                "The card was declined",
                purchase.error.as_ref().and_then(|error| error.detail.clone()).unwrap_or_else(
                    || "Nothing was charged. Please pay with another card.".to_owned(),
                ),
                Next::BuyAgain,
                None,
            )
        }
        Stage::FailedUnpaid => (
            "Your purchase could not be completed",
            "No payment was recorded for it. You can try again; if it keeps failing, please tell \
             us the number of this purchase."
                .to_owned(),
            Next::BuyAgain,
            None,
        ),
        Stage::FailedPaid => (
            "A colleague will contact you",
            if is_kind(purchase.error.as_ref(), TERMS_EXPIRED) {
                "Your payment has arrived, but nobody accepted the terms in time, so the license \
                 was not delivered. A colleague will ask you how to go on."
                    .to_owned()
            } else {
                "Your payment has arrived, but the license could not be delivered. Your money is \
                 safe; a colleague takes care of it."
                    .to_owned()
            },
            Next::Nothing,
            None,
        ),
    }
}

fn steps(purchase: &Instance, stage: Stage) -> Vec<Step> {
    let context = &purchase.context;
    let (payment, terms, license) = match stage {
        Stage::Paying => (State::Current, State::Todo, State::Todo),
        Stage::AwaitingTerms => (State::Done, State::Current, State::Todo),
        Stage::Delivering => (State::Done, State::Done, State::Current),
        Stage::Completed => (State::Done, State::Done, State::Done),
        Stage::Declined | Stage::FailedUnpaid => (State::Failed, State::Todo, State::Todo),
        Stage::FailedPaid if context.get("acceptance").is_some_and(|a| !a.is_null()) => {
            (State::Done, State::Done, State::Failed)
        }
        Stage::FailedPaid if needs_terms(purchase) => (State::Done, State::Failed, State::Todo),
        Stage::FailedPaid => (State::Done, State::Done, State::Failed),
    };
    let mut steps = vec![
        Step { title: "Order", state: State::Done, note: day_and_time(&purchase.started_at) },
        Step { title: "Payment", state: payment, note: payment_note(context) },
    ];
    if needs_terms(purchase) {
        steps.push(Step { title: "Terms", state: terms, note: terms_note(context) });
    }
    let note = text_at(&purchase.output, "/license/expires_on")
        .map_or_else(String::new, |day| format!("Valid until {day}"));
    steps.push(Step { title: "License", state: license, note });
    steps
}

fn payment_note(context: &Value) -> String {
    let amount = context.pointer("/order/amount").and_then(Value::as_i64);
    let currency = text_at(context, "/order/currency");
    let Some((amount, currency)) = amount.zip(currency) else { return String::new() };
    match text_at(context, "/order/invoice_number") {
        Some(invoice) => format!("{}, invoice {invoice}", money(amount, currency)),
        None => money(amount, currency),
    }
}

fn terms_note(context: &Value) -> String {
    match (text_at(context, "/acceptance/name"), text_at(context, "/acceptance/at")) {
        (Some(name), Some(at)) => format!("Accepted by {name}, {}", day_and_time(at)),
        _ => String::new(),
    }
}

/// Unknown until the product was read; then it is better to promise a step too many.
fn needs_terms(purchase: &Instance) -> bool {
    let needed = purchase.context.pointer("/product/eula_required");
    needed.and_then(Value::as_bool).unwrap_or(true)
}

fn is_kind(error: Option<&Problem>, kind: &str) -> bool {
    error.is_some_and(|error| error.kind == kind)
}

pub(crate) fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// `2026-11-22T10:29:21.5Z` as `2026-11-22 10:29 UTC`; anything else as it is.
pub(crate) fn day_and_time(text: &str) -> String {
    text.parse::<jiff::Timestamp>()
        .map_or_else(|_| text.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn purchase(status: &str, error: &Value, context: &Value) -> Instance {
        serde_json::from_value(json!({
            "id": "1", "status": status, "definition": {"name": "purchase-direct"},
            "input": {"quantity": 2}, "output": null, "error": error, "context": context,
            "waiting_for": [], "children": [], "started_at": "2026-11-22T10:29:21.5Z",
        }))
        .unwrap()
    }

    fn check(purchase: &Instance, headline: &str, next: Next, states: &[State]) {
        let story = tell(purchase, &[]);
        assert_eq!(story.headline, headline);
        assert_eq!(story.next, next, "{headline}");
        let found: Vec<State> = story.steps.iter().map(|step| step.state).collect();
        assert_eq!(found, states, "{headline}");
    }

    #[test]
    fn every_stage_has_its_words() {
        use State::{Current, Done, Failed, Todo};
        let none = Value::Null;
        let order = json!({"amount": 69_600, "currency": "USD", "invoice_number": "I-1"});
        let with = |terms: bool, more: Value| {
            let mut context = json!({
                "product": {"name": "Premium", "eula_required": terms}, "order": order,
            });
            context.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            context
        };
        let accepted = json!({"acceptance": {"name": "Ada", "at": "2026-11-22T10:30:00Z"}});
        let declined = json!({"type": DECLINED, "detail": "No funds."});
        let expired = json!({"type": TERMS_EXPIRED});
        let other = json!({"type": "urn:tenure:error:rejected"});

        let it = purchase("live", &none, &json!({}));
        check(&it, "We are processing your payment", Next::Nothing, &[Done, Current, Todo, Todo]);
        let it = purchase("live", &none, &with(true, json!({})));
        check(&it, "Please accept the terms", Next::OpenInbox, &[Done, Done, Current, Todo]);
        let it = purchase("live", &none, &with(true, accepted.clone()));
        check(&it, "Your license is being made", Next::Nothing, &[Done, Done, Done, Current]);
        let it = purchase("live", &none, &with(false, json!({})));
        check(&it, "Your license is being made", Next::Nothing, &[Done, Done, Current]);
        let it = purchase("completed", &none, &with(true, accepted.clone()));
        check(&it, "Your license is ready", Next::OpenLicense, &[Done, Done, Done, Done]);
        let it = purchase("faulted", &declined, &json!({}));
        check(&it, "The card was declined", Next::BuyAgain, &[Done, Failed, Todo, Todo]);
        let it = purchase("faulted", &other, &json!({}));
        let headline = "Your purchase could not be completed";
        check(&it, headline, Next::BuyAgain, &[Done, Failed, Todo, Todo]);
        let it = purchase("faulted", &expired, &with(true, json!({})));
        check(&it, "A colleague will contact you", Next::Nothing, &[Done, Done, Failed, Todo]);
        let it = purchase("faulted", &other, &with(true, accepted));
        check(&it, "A colleague will contact you", Next::Nothing, &[Done, Done, Done, Failed]);
    }

    #[test]
    fn only_an_end_stops_the_page_from_loading_again() {
        for (status, expected) in
            [("pending", true), ("live", true), ("completed", false), ("cancelled", false)]
        {
            let story = tell(&purchase(status, &Value::Null, &json!({})), &[]);
            assert_eq!(story.refresh.is_some(), expected, "{status}");
        }
    }

    #[test]
    fn an_incident_of_a_child_is_told_without_its_cause() {
        let mut child = purchase("live", &Value::Null, &json!({}));
        child.waiting_for =
            serde_json::from_value(json!([{"kind": "incident", "detail": "secret"}])).unwrap();
        let story = tell(&purchase("live", &Value::Null, &json!({})), &[child]);
        assert_eq!(story.headline, "We are looking into it");
        assert!(!serde_json::to_string(&story).unwrap().contains("secret"));
    }

    #[test]
    fn notes_say_what_was_paid_and_when() {
        let context =
            json!({"order": {"amount": 69_600, "currency": "USD", "invoice_number": "I-1"}});
        assert_eq!(payment_note(&context), "USD 696.00, invoice I-1");
        assert_eq!(day_and_time("2026-11-22T10:29:21.5Z"), "2026-11-22 10:29 UTC");
        assert_eq!(day_and_time("soon"), "soon");
    }
}
